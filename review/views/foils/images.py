"""The pictures of a campaign on foils, for its leads: a grid to look through, and the images themselves."""

from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from annotate.models import Campaign
from annotate.services.storage import file_of
from mlcore.errors import InvalidInput, NotFound
from review import access
from review.models import Picture, PictureImport
from review.services.foils.intake import picture_list, purposes
from review.services.foils.intake.picture_list import Search
from review.services.foils.words import PURPOSES
from review.views.foils.paging import key_in

UNDER_WAY = 5


@require_http_methods(["GET", "POST"])
def foil_images(request: HttpRequest, uid: UUID) -> HttpResponse:
    """GET: a page of what is searched for. POST: have all of that be for something else."""
    campaign = access.get_foils(request, uid)
    search = _search(request.POST if request.method == "POST" else request.GET)
    if request.method == "POST":
        _change(request, campaign, search)
        return redirect(request.path)
    before, after = key_in(request, "before"), key_in(request, "after")
    batches = campaign.picture_imports.exclude(state=PictureImport.State.DONE).order_by("-pk")
    return render(
        request,
        "review/foils/images.html",
        {
            "campaign": campaign,
            "page": picture_list.page_of(campaign, search, before=before, after=after),
            "search": search,
            "purposes": [(value, PURPOSES[value]) for value in Picture.Purpose],
            "figures": picture_list.figures(campaign),
            "under_way": batches[:UNDER_WAY],
        },
    )


def _search(given: QueryDict) -> Search:
    purpose = given.get("purpose", "")
    return Search(
        words=given.get("q", "").strip()[:100],
        foil=given.get("foil", "").strip()[:100],
        purpose=purpose if purpose in Picture.Purpose.values else "",
    )


def _change(request: HttpRequest, campaign: Campaign, search: Search) -> None:
    try:
        changed = purposes.change(campaign=campaign, search=search, purpose=request.POST.get("to", ""))
    except InvalidInput as refusal:
        messages.error(request, refusal.message)
        return
    name = PURPOSES[Picture.Purpose(request.POST["to"])]
    messages.success(
        request,
        ngettext("%(n)s picture is %(name)s now.", "%(n)s pictures are %(name)s now.", changed.n)
        % {"n": f"{changed.n:,}", "name": name},
    )
    if changed.n_staying:
        messages.warning(
            request,
            ngettext(
                "%(n)s picture stays what it was: somebody has been shown it, or a crater is cut out of it.",
                "%(n)s pictures stay what they were: somebody has been shown them, or craters are cut out of "
                "them.",
                changed.n_staying,
            )
            % {"n": f"{changed.n_staying:,}"},
        )


@require_safe
def frame(request: HttpRequest, uid: UUID, number: int) -> FileResponse:
    """A frame as judges see it."""
    shown = access.get_picture_frame(request, uid, number)
    try:
        response = FileResponse(file_of(shown.shown_path).open("rb"), content_type="image/jpeg")
    except FileNotFoundError as error:
        raise NotFound(
            _("The picture's file is missing on the server; its operator can restore it from a backup.")
        ) from error
    response["Cache-Control"] = "private, max-age=3600"
    return response
