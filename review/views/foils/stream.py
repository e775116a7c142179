"""The page of scores, threshold and audit: what people see of a campaign's pictures, and what never."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotate.access import me
from annotate.models import Campaign
from mlcore.errors import TektiteError
from review import access, tasks
from review.forms.foil_stream import CALIBRATED, ScoresForm, ThresholdForm
from review.models import Errand, ScoreImport, Workflow
from review.services import versions
from review.services.foils import errands, settings
from review.services.foils.network import scoring
from review.services.foils.rules import rules
from review.services.foils.stream import (
    audit,
    giving,
    score_calibration,
    scores,
    stream,
    threshold,
    tradeoff,
)
from review.views.foils.asking import ask
from review.views.foils.tradeoff import shown

# Acts without a form of their own.
PRESSES = frozenset({"calibrate", "score_new", "score_all"})
# Up to so many pictures the queue is filled while the lead waits: a second or two.
FEW_PICTURES = 20_000
IMPORTS_SHOWN = 5
# The histogram's box, in its own units.
PLOT_WIDTH, PLOT_HEIGHT = 480.0, 120.0


@require_http_methods(["GET", "POST"])
def stream_page(request: HttpRequest, uid: UUID) -> HttpResponse:
    """GET: how it stands. POST `act`: read scores, score, preview a threshold, set it, or calibrate anew."""
    workflow = rules.workflow_of(access.get_foils(request, uid))
    posted, act = _asked(request)
    now = settings.of(workflow)
    upload = ScoresForm(*((posted, request.FILES) if act == "scores" else ()))
    form = ThresholdForm(
        posted if act in ("preview", "set") else None,
        initial={name: getattr(now, name) for name in ThresholdForm.base_fields},
    )
    preview, asked = None, upload if act == "scores" else form
    if request.method == "POST" and (act in PRESSES or asked.is_valid()):
        try:
            if act == "preview":
                given = form.cleaned_data
                preview = threshold.preview(workflow, given["threshold"], audit_size=given["audit_size"])
            else:
                _do(request, workflow, act, asked)
                return redirect(request.path)
        except TektiteError as error:
            if act in PRESSES:
                messages.error(request, error.message)
                return redirect(request.path)
            asked.add_error(None, error.message)
    chosen = preview.threshold if preview else now.threshold
    found = tradeoff.of(workflow, now.threshold, chosen)
    context = _context(workflow, now) | {"form": form, "upload": upload, "preview": preview}
    context |= {"tradeoff": shown(found, chosen)} | _source(workflow)
    return render(request, "review/foils/stream.html", context, status=422 if asked.errors else 200)


def _asked(request: HttpRequest) -> tuple[QueryDict, str]:
    """What was sent, and what is to be done; a suggested threshold is a preview of it."""
    if "suggested" not in request.POST:
        return request.POST, request.POST.get("act", "")
    posted = request.POST.copy()
    posted["threshold"] = posted["suggested"]
    return posted, "preview"


def _do(request: HttpRequest, workflow: Workflow, act: str, form: Any) -> None:
    if act == "scores":
        _read(request, workflow, form)
    elif act == "set":
        threshold.change(workflow=workflow, by=me(request), **form.cleaned_data)
        _fill(request, workflow)
    elif act == "calibrate":
        score_calibration.refresh(workflow.campaign)
        _fill(request, workflow)
    elif act in ("score_new", "score_all"):
        _score(request, workflow.campaign, only_new=act == "score_new")


def _score(request: HttpRequest, campaign: Campaign, *, only_new: bool) -> None:
    """By the version whose scores stand where others join them; else by the current one."""
    run = scoring.request_scoring(
        campaign=campaign,
        model_version=(
            giving.version_of(giving.standing(campaign))
            if only_new
            else versions.current(campaign, scoring.SYSTEM)
        ),
        requested_by=me(request),
        only_new=only_new,
    )
    tasks.enqueue(run)
    messages.success(request, _("Run %(n)d scores the pictures.") % {"n": run.number})


def _read(request: HttpRequest, workflow: Workflow, form: ScoresForm) -> None:
    """At once, or by a worker where it takes long."""
    given = form.cleaned_data
    one = scores.take_in(
        campaign=workflow.campaign,
        requested_by=me(request),
        is_calibrated=given["kind"] == CALIBRATED,
        upload=given["file"],
    )
    if not scores.is_small(one):
        ask(request, workflow, Errand.Kind.READ_SCORES, {"scores": one.pk})
        return
    if scores.read(one.pk):
        _fill(request, workflow)
        return
    one.refresh_from_db()
    if one.state == ScoreImport.State.FAILED:
        raise TektiteError(one.error)


def _fill(request: HttpRequest, workflow: Workflow) -> None:
    if workflow.campaign.pictures.survey().count() > FEW_PICTURES:
        ask(request, workflow, Errand.Kind.FILL, {})
        return
    n_new = stream.fill(workflow=workflow)
    messages.success(
        request, _("The queue is up to date; %(n)s pictures are new in it.") % {"n": f"{n_new:,}"}
    )


def _context(workflow: Workflow, now: settings.TriageSettings) -> dict[str, object]:
    imports = workflow.campaign.score_imports.select_related(
        "requested_by__user", "run__model_version"
    ).order_by("-pk")
    under_way = [errands.latest(workflow, kind) for kind in (Errand.Kind.READ_SCORES, Errand.Kind.FILL)]
    bars = threshold.histogram(workflow)
    return {
        "campaign": workflow.campaign,
        "errands": [
            one for one in under_way if one and (one.is_under_way or one.state == Errand.State.FAILED)
        ],
        "now": now,
        "standing": threshold.preview(workflow, now.threshold, audit_size=now.audit_size),
        "strata": list(audit.design(workflow)),
        "plot": _plot(bars, now.threshold),
        "calibration": score_calibration.standing(workflow),
        "are_calibrated": score_calibration.scores_are_calibrated(workflow.campaign),
        "ground": score_calibration.ground(workflow),
        "least_of_each": score_calibration.LEAST_OF_EACH,
        "imports": [(one, scores.report_of(one)) for one in imports[:IMPORTS_SHOWN]],
        "changes": list(reversed(workflow.settings.get(threshold.CHANGES, [])))[:IMPORTS_SHOWN],
    }


def _source(workflow: Workflow) -> dict[str, object]:
    """Where the scores come from, what has none, and what may be scored now."""
    campaign = workflow.campaign
    source, current = giving.standing(campaign), versions.current(campaign, scoring.SYSTEM)
    version, n_unscored = giving.version_of(source), scoring.unscored(campaign)
    return {
        "source": source,
        "source_version": version,
        "source_url": reverse("review:run", args=[source.run.uid]) if source and source.run else "",
        "is_chosen": threshold.is_chosen(workflow),
        "n_unscored": n_unscored,
        "scoring": scoring.under_way(campaign),
        "current": current,
        "may_score_new": version is not None and n_unscored > 0,
        "may_score_all": current is not None and current != version,
    }


def _plot(bars: list[threshold.Bar], limit: float | None) -> dict[str, object] | None:
    """The histogram as boxes, on a scale of square roots so that few are seen beside many."""
    if not bars:
        return None
    highest = max(bar.n for bar in bars) ** 0.5 or 1.0
    width = PLOT_WIDTH / len(bars)
    boxes = [
        {
            "x": round(at * width + 1, 2),
            "width": round(width - 2, 2),
            "height": round(PLOT_HEIGHT * bar.n**0.5 / highest, 2),
            "y": round(PLOT_HEIGHT * (1 - bar.n**0.5 / highest), 2),
            "n": bar.n,
            "low": 10**bar.low if at else 0.0,
            "high": 10**bar.high,
            "is_held_back": limit is not None and 10**bar.high <= limit * (1 + 1e-9),
        }
        for at, bar in enumerate(bars)
    ]
    line = threshold.place_of(limit) * PLOT_WIDTH if limit is not None else None
    ticks = [
        {"x": round(threshold.place_of(score) * PLOT_WIDTH, 1), "label": f"{score:g}".replace("e-0", "e-")}
        for score in (1e-6, 1e-4, 1e-2, 1.0)
    ]
    return {"boxes": boxes, "line": round(line, 1) if line is not None else None, "ticks": ticks}
