"""Cutting craters out: what there is to cut and has been cut, the tool on one picture, a cut-out alone."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from annotate.access import LEADS, me, roles_in
from mlcore.errors import InvalidInput, NotFound
from review import access
from review.models import CutOut, Picture
from review.serializers import cut_out_out
from review.services.foils.network import cut_out_list, cut_outs
from review.views.foils.paging import key_in


@require_http_methods(["GET", "POST"])
def foil_cut_outs(request: HttpRequest, uid: UUID) -> HttpResponse:
    """GET: all of them. POST: withdraw one, or take that back."""
    campaign = access.get_foils(request, uid)
    if request.method == "POST":
        one = _named(request, campaign.pk)
        if request.POST.get("step") == "restore":
            cut_outs.restore(one)
            messages.success(request, _("The cut-out teaches the network again."))
        else:
            cut_outs.withdraw(one, by=me(request))
            messages.success(request, _("The cut-out is withdrawn; it can be taken back below."))
        return redirect(request.path)
    page, older = cut_out_list.standing(campaign, before=key_in(request, "before"))
    context = {
        "campaign": campaign,
        "figures": cut_out_list.figures(campaign),
        "references": cut_out_list.references_uncut(campaign),
        "confirmed": cut_out_list.confirmed_uncut(campaign),
        "n_references": campaign.pictures.reference().count(),
        "room": cut_outs.room(campaign),
        "cut_outs": page,
        "older": older,
        "is_first": "before" not in request.GET,
        "withdrawn": cut_out_list.withdrawn(campaign),
        "is_lead": bool(roles_in(request.user, campaign) & LEADS),
    }
    return render(request, "review/foils/cut_outs.html", context)


def _named(request: HttpRequest, campaign: int) -> CutOut:
    try:
        uid = UUID(request.POST.get("cut_out", ""))
    except ValueError:
        raise InvalidInput(_("No cut-out was named; load the page again.")) from None
    cut_out = CutOut.objects.filter(uid=uid, picture__campaign=campaign).first()
    if cut_out is None:
        raise NotFound(_("There is no such cut-out in this campaign; load the page again."))
    return cut_out


@require_GET
def foil_cut(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The tool on one picture; ?mend= begins with another cut-out's outline, which the new one replaces."""
    picture = access.get_picture(request, uid)
    if reason := cut_outs.obstacle(picture):
        raise InvalidInput(reason, code="not_to_be_cut")
    campaign = picture.campaign
    blank = campaign.pictures.blank().order_by("pk").first()
    frames = picture.frames.values_list("number", flat=True)
    room = cut_outs.room(campaign)
    config = {
        "picture": {
            "uid": str(picture.uid),
            "width_px": picture.width_px,
            "height_px": picture.height_px,
            "nm_per_px": picture.nm_per_px,
            "frames": [{"url": reverse("review:foil_frame", args=[picture.uid, n])} for n in frames],
        },
        "blank": reverse("review:foil_frame", args=[blank.uid, 0]) if blank else None,
        "limits": {
            "points": cut_outs.MOST_POINTS,
            "smallest_px": cut_outs.SMALLEST_PX,
            "room": {"width": room[0], "height": room[1]} if room else None,
        },
        "cut_outs": [cut_out_out(one) for one in _cut_of(picture)],
        "mend": request.GET.get("mend", ""),
        "participant": str(me(request).uid),
        "urls": {"cut_outs": reverse("review:api_foil_cut_outs", args=[picture.uid])},
    }
    context = {"campaign": campaign, "picture": picture, "config": config, "next": _next(picture)}
    return render(request, "review/foils/cut.html", context)


def _cut_of(picture: Picture) -> list[CutOut]:
    return list(cut_out_list.of(picture.campaign).filter(picture=picture).order_by("pk"))


def _next(picture: Picture) -> Picture | None:
    """The next reference picture that nothing is cut out of."""
    uncut = cut_out_list.references_uncut(picture.campaign).pictures
    later = [one for one in uncut if one.pk > picture.pk]
    return next(iter([*later, *(one for one in uncut if one.pk < picture.pk)]), None)


@require_safe
def cut_out_picture(request: HttpRequest, uid: UUID) -> HttpResponse:
    """A cut-out alone, with its alpha; it never changes."""
    cut_out = access.get_cut_out(request, uid)
    response = HttpResponse(cut_outs.small_picture(cut_out), content_type="image/png")
    response["Cache-Control"] = "private, max-age=86400, immutable"
    return response
