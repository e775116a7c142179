"""The pages of known pictures: the stock, how well it is told, what is made, and a lead's own word."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotate.access import me
from mlcore.errors import NotFound, TektiteError
from review import access
from review.forms.foil_gold import FilterForm, HandForm, OrderForm, TellingForm
from review.models import Errand, Gold, Picture, Workflow
from review.services.foils import errands, settings
from review.services.foils.gold import gold as gold_service
from review.services.foils.gold import gold_making, gold_watch
from review.services.foils.gold.gold import Kind
from review.services.foils.gold.gold_making import Order
from review.services.foils.rules import rules
from review.views.foils.asking import ask

PER_PAGE = 24
PRACTICE_RECOMMENDED = 12


@require_http_methods(["GET", "POST"])
def gold(request: HttpRequest, uid: UUID) -> HttpResponse:
    """GET: the stock. POST `act`: make some, withdraw or restore one, or set what people are told."""
    workflow = rules.workflow_of(access.get_foils(request, uid))
    act = request.POST.get("act", "")
    form = OrderForm(request.POST if act == "make" else None, initial=asdict(_suggested(workflow)))
    if act in ("withdraw", "restore"):
        _move(workflow, act, request.POST.get("subject", ""))
        return redirect(request.get_full_path())
    telling = TellingForm(
        request.POST if act == "tell" else None,
        initial={name: getattr(settings.of(workflow), name) for name in TellingForm.base_fields},
    )
    asked = telling if act == "tell" else form
    if request.method == "POST" and asked.is_valid():
        try:
            if act == "tell":
                settings.change(workflow=workflow, **telling.cleaned_data)
                messages.success(request, _("Kept."))
            else:
                _make(request, workflow, form)
            return redirect(request.path)
        except TektiteError as error:
            asked.add_error(None, error.message)
    context = _context(request, workflow) | {"form": form, "telling": telling}
    return render(request, "review/foils/gold.html", context, status=422 if asked.errors else 200)


def _make(request: HttpRequest, workflow: Workflow, form: OrderForm) -> None:
    order = form.order(gold_making.blanks_at_hand(workflow))
    gold_making.check(workflow, order)
    ask(request, workflow, Errand.Kind.MAKE_GOLD, gold_making.question_of(order))


def _move(workflow: Workflow, act: str, subject: str) -> None:
    try:
        known = Gold.objects.filter(subject__workflow=workflow, subject__uid=UUID(subject)).first()
    except ValueError:
        known = None
    if known is None:
        raise NotFound(_("There is no such known picture in this campaign."))
    (gold_service.withdraw if act == "withdraw" else gold_service.restore)(known)


def _context(request: HttpRequest, workflow: Workflow) -> dict[str, object]:
    filters = FilterForm(request.GET)
    show = filters.cleaned_data["show"] if filters.is_valid() else ""
    page = Paginator(_listed(workflow, show), PER_PAGE).get_page(request.GET.get("page"))
    latest = errands.latest(workflow, Errand.Kind.MAKE_GOLD)
    return {
        "campaign": workflow.campaign,
        "errand": latest,
        "findings": latest.findings if latest and latest.state == Errand.State.DONE else None,
        "stock": gold_watch.stock(workflow),
        "bins": gold_watch.BINS,
        "enough": gold_watch.enough(workflow),
        "n_practice": gold_watch.n_practice(workflow),
        "practice_recommended": PRACTICE_RECOMMENDED,
        "rights": gold_watch.rights(workflow),
        "most_people": gold_watch.most_people(workflow),
        "filters": filters,
        "show": show,
        "page": page,
        "known": [_card(one) for one in gold_watch.seen(list(page))],
    }


def _listed(workflow: Workflow, show: str) -> QuerySet[Gold]:
    known = (
        Gold.objects.filter(subject__workflow=workflow)
        .select_related("subject__picture")
        .order_by("-created_at", "pk")
    )
    if show == "withdrawn":
        return known.exclude(withdrawn_at=None)
    known = known.filter(withdrawn_at=None)
    if show == "practice":
        return known.filter(is_practice=True)
    known = known.filter(is_practice=False)
    look_alike = Gold.Origin.LOOK_ALIKE
    match show:
        case Kind.CRATER:
            return known.filter(is_crater=True)
        case Kind.LOOK_ALIKE:
            return known.filter(is_crater=False).exclude(places=[]) | known.filter(
                is_crater=False, origin=look_alike
            )
        case Kind.BLANK:
            return known.filter(is_crater=False, places=[]).exclude(origin=look_alike)
    return known


def _card(seen: gold_watch.Seen) -> dict[str, Any]:
    """A thumbnail with circles where the things are, in the picture's own pixels."""
    picture = seen.gold.subject.picture
    um_per_px = (picture.nm_per_px or 50.0) / 1000.0
    least = 0.03 * max(picture.width_px, picture.height_px)
    return {
        "seen": seen,
        "origin": gold_service.origin_of(seen.gold),
        "picture": picture,
        "circles": [
            {
                "x": place["x_px"],
                "y": place["y_px"],
                "r": max(least, 0.7 * (place.get("diameter_um") or 0.0) / um_per_px),
            }
            for place in seen.gold.places
        ],
        "diameters": [place["diameter_um"] for place in seen.gold.places if place.get("diameter_um")],
    }


def _suggested(workflow: Workflow) -> Order:
    """What is lacking to the recommended stock."""
    lacking = {one.key: max(0, one.recommended - one.n) for one in gold_watch.enough(workflow)}
    practice = max(0, PRACTICE_RECOMMENDED - gold_watch.n_practice(workflow))
    return gold_making.suggest(workflow, lacking, practice, _next_seed(workflow))


def _next_seed(workflow: Workflow) -> int:
    """One that no order has had."""
    had = workflow.errands.filter(kind=Errand.Kind.MAKE_GOLD).values_list("question__seed", flat=True)
    return max((int(seed) for seed in had), default=0) + 1


@require_http_methods(["GET", "POST"])
def gold_add(request: HttpRequest, uid: UUID) -> HttpResponse:
    """A lead's word on one picture, found by its name."""
    campaign = access.get_foils(request, uid)
    workflow = rules.workflow_of(campaign)
    name = (request.POST.get("picture") or request.GET.get("picture") or "").strip()
    found = Picture.objects.survey().filter(campaign=campaign, name=name).order_by("pk")[:2] if name else []
    picture = found[0] if len(found) == 1 else None
    form = HandForm(request.POST if request.method == "POST" and picture else None)
    if picture and request.method == "POST" and form.is_valid():
        try:
            gold_service.by_hand(workflow=workflow, picture=picture, by=me(request), **form.cleaned_data)
        except TektiteError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, _("“%(name)s” is a known picture now.") % {"name": picture.name})
            return redirect("review:foil_gold", campaign.uid)
    trouble = ""
    if name and picture is None:
        trouble = _("No picture is called “%(name)s”.") if not found else _("Several are called “%(name)s”.")
        trouble %= {"name": name}
    context = {
        "campaign": campaign,
        "form": form,
        "name": name,
        "picture": picture,
        "trouble": trouble,
        "frame_url": reverse("review:foil_frame", args=[picture.uid, 0]) if picture else "",
    }
    is_bad = bool(form.errors) or bool(trouble)
    return render(request, "review/foils/gold_add.html", context, status=422 if is_bad else 200)
