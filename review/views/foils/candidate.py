"""One candidate: its picture with what people clicked, all that happened to it, and what experts found."""

from collections.abc import Iterable
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotate.access import me, roles_in
from mlcore.errors import InvalidInput, TektiteError
from review import access
from review.forms.confirmation import ConfirmationForm
from review.models import Classification, Confirmation, Estimate, Picture, Subject
from review.services.foils.gold import gold
from review.services.foils.network import cut_outs
from review.services.foils.results import candidates, confirmation, reckoning
from review.services.foils.stream import giving


@require_http_methods(["GET", "POST"])
def candidate(request: HttpRequest, uid: UUID) -> HttpResponse:
    """GET: all that is known of it. POST: what an expert found."""
    subject = access.get_candidate(request, uid)
    form = ConfirmationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            kept = confirmation.confirm(
                uid=form.cleaned_data["uid"],
                subject=subject,
                by=me(request),
                method=form.cleaned_data["method"],
                result=form.cleaned_data["result"],
                spots=form.spots,
                note=form.cleaned_data["note"],
            )
        except InvalidInput as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, _("Kept."))
            _make_known(request, kept)
            return redirect(request.path)
    context = _context(request, subject) | {"form": form}
    return render(request, "review/foils/candidate.html", context, status=422 if form.errors else 200)


def _make_known(request: HttpRequest, kept: Confirmation) -> None:
    """What was found is asked of others from now on; the result is kept whether or not that can be."""
    try:
        gold.from_confirmation(kept)
    except TektiteError as error:
        messages.warning(request, _("It did not become a known picture: %(why)s") % {"why": error.message})


def _context(request: HttpRequest, subject: Subject) -> dict[str, object]:
    campaign, picture = subject.workflow.campaign, subject.picture
    newest = reckoning.newest(subject.workflow)
    found = candidates.found_in(subject)
    votes = list(candidates.votes_of(subject))
    may_confirm = bool(roles_in(request.user, campaign) & access.REVIEWERS)
    numbers = [frame.number for frame in picture.frames.all()]
    return {
        "campaign": campaign,
        "subject": subject,
        "picture": picture,
        "estimate": Estimate.objects.filter(reckoning=newest, subject=subject).first(),
        "reckoning": newest,
        "votes": votes,
        "n_called": sum(vote.answer == Classification.Answer.CRATER for vote, _counts in votes),
        "discoverers": found.discoverers,
        "places": found.places,
        "clicks": _clicks(vote for vote, counts in votes if counts),
        "reach_px": candidates.reach_px(picture),
        "dot_px": max(picture.width_px, picture.height_px) / 160,
        "steps": subject.retirements.select_related("rule", "by__user").order_by("pk"),
        "confirmations": subject.confirmations.select_related("by__user").order_by("-pk"),
        "images": [reverse("review:foil_frame", args=[picture.uid, number]) for number in numbers],
        "score_source": giving.standing(campaign),
        "may_confirm": may_confirm,
        "may_cut": may_confirm and not cut_outs.obstacle(picture),
        "marked": _marked(picture, subject.confirmations.order_by("-pk").first()),
    }


def _clicks(votes: Iterable[Classification]) -> list[dict[str, float]]:
    return [mark for vote in votes for mark in vote.payload.get("marks", [])]


def _marked(picture: Picture, newest: Confirmation | None) -> list[dict[str, object]]:
    """What the newest confirmation measured, with radii in pixels where the scale is known."""
    scale = picture.nm_per_px
    return [
        {**place, "radius_px": 500.0 * place["diameter_um"] / scale}
        if scale and place.get("diameter_um")
        else place
        for place in (newest.places if newest else [])
    ]
