"""Who holds which tile: the leads' list, and taking a tile out of somebody's hands."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotate import access
from annotate.forms import ReleaseForm
from annotate.models import Campaign, Visit
from annotate.services import holders
from mlcore.errors import TektiteError


@require_http_methods(["GET", "POST"])
def campaign_tiles(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = access.get_map_campaign(request, uid)
    if request.method == "POST":
        try:
            _release(request, campaign)
        except TektiteError as error:
            messages.error(request, error.message)
        return redirect("annotate:campaign_tiles", campaign.uid)
    context = {"campaign": campaign, "held": holders.held_in(campaign)}
    return render(request, "annotate/campaign_tiles.html", context)


def _release(request: HttpRequest, campaign: Campaign) -> None:
    form = ReleaseForm(request.POST)
    visit = Visit.objects.filter(uid=form.cleaned_data["visit"]).first() if form.is_valid() else None
    reason = form.cleaned_data.get("reason", "")
    released = holders.release(campaign=campaign, visit=visit, by=access.me(request), reason=reason)
    messages.success(
        request,
        _("Tile %(number)d is free again; what %(who)s drew on it is kept.")
        % {"number": released.tile.number, "who": released.participant},
    )
