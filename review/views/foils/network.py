"""The page of the foil network: what it would learn from, its trainings, its versions, its scores."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from annotate.access import LEADS, roles_in
from annotate.models import Campaign
from mlcore.foil_classifier.dataset import BLANK, CRATER, CUT_OUT, LOOK_ALIKE
from mlcore.registry import get_system
from mlcore.split import SIDES
from review import access
from review.models import ModelVersion
from review.services import scores, standing, training
from review.services.foils.network import figures, learning, scoring
from review.services.foils.network.material import Material, gather
from review.views.run_page import RunPage

RUNS_SHOWN = 30
# Of a version's curve, so many are shown.
THRESHOLDS = (0.0001, 0.001, 0.01, 0.1, 0.5, 0.9)
KINDS = {
    CUT_OUT: _("Cut-outs"),
    CRATER: _("Confirmed craters"),
    BLANK: _("Blank pictures"),
    LOOK_ALIKE: _("Look-alikes"),
}


@require_GET
def network(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Numbers for members; for leads what can be pressed, and why not."""
    campaign = access.get_foils(request, uid)
    leads = bool(roles_in(request.user, campaign) & LEADS)
    versions = list(
        ModelVersion.objects.filter(campaign=campaign, system=learning.SYSTEM)
        .select_related("run__dataset")
        .order_by("-number")
    )
    current = next((version for version in versions if version.is_current), None)
    material = gather(campaign)
    context = {
        "campaign": campaign,
        "leads": leads,
        "versions": [(version, figures.of(version)) for version in versions],
        "current": current,
        "sides": SIDES,
        **_learns_from(material, current),
        "runs": _runs(campaign),
    }
    if leads:
        context |= _what_can_start(campaign, current, material)
        context["starts"] = [(version, learning.obstacle_of(version)) for version in versions]
    return render(request, "review/foils/network.html", context)


def _learns_from(material: Material, current: ModelVersion | None) -> dict[str, Any]:
    """The table of what there is, and what the current version does not know yet."""
    counts = material.counts()
    taught = current.run.dataset if current else None
    new = material.since(taught.created_at) if taught else {}
    return {
        "rows": [(title, counts[kind].values(), new.get(kind, 0)) for kind, title in KINDS.items()],
        "n_new": sum(new.values()),
        "n_new_look_alikes": new.get(LOOK_ALIKE, 0),
        "n_synthetic": material.n_synthetic,
        "n_all": len(material.items) + len(material.cuts),
        "n_dealt": sum(cut.is_dealt for cut in material.cuts),
        "most": learning.most_blanks(),
    }


def _runs(campaign: Campaign) -> list[tuple[object, str | None]]:
    started = campaign.runs.filter(system=learning.SYSTEM).order_by("-number")
    shown = list(started.select_related("requested_by__user", "model_version")[:RUNS_SHOWN])
    # In a list the first sentence is enough.
    troubles = {pk: words.split(". ")[0] for pk, words in standing.troubles(shown).items()}
    return [(run, troubles.get(run.pk)) for run in shown]


def _what_can_start(
    campaign: Campaign, current: ModelVersion | None, material: Material
) -> dict[str, object]:
    return {
        "presets": get_system(learning.SYSTEM).presets,
        "obstacle": training.obstacle(campaign=campaign, system=learning.SYSTEM, gathered=material),
        "under_way": scoring.under_way(campaign),
        "n_unscored": scoring.unscored(campaign) if current else 0,
        "n_survey": campaign.pictures.survey().count(),
        "urls": {"runs": reverse("review:api_runs", args=[campaign.uid])},
    }


def _curve(version: ModelVersion | None) -> dict[str, Any]:
    """What the page of a run shows besides: some points of the curve of thresholds."""
    measured = scores.figures_of(version) if version else None
    points = [one for one in (measured or {}).get("curve", []) if one["n_blanks"] and one["n_craters"]]
    at = (min(points, key=lambda point: abs(point["threshold"] - one)) for one in THRESHOLDS if points)
    return {"curve": list(at)}


RUN_PAGE = RunPage(template="review/foils/run.html", kinds=KINDS, rows=figures.rows, more=_curve)
