"""Pages of models and runs: what has been learnt, what is being learnt, and the buttons."""

from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from annotate.access import LEADS, roles_in
from annotate.models import Basemap, Campaign, Catalogue
from mlcore.registry import get_system
from mlcore.split import SIDES
from review import access
from review.models import ModelVersion, Run
from review.serializers import run_out
from review.services import datasets, lessons, scores, standing, training
from review.services.labels import REGION
from review.views.foils import network
from review.views.run_page import RunPage

RUNS_SHOWN = 30
VERSIONS_SHOWN = 8

RUN_PAGES = {
    "crater_detector": RunPage(
        template="review/run.html",
        kinds={"craters": _("Craters"), "negatives": _("Rejected look-alikes")},
        rows=scores.rows,
    ),
    "foil_classifier": network.RUN_PAGE,
}


@require_GET
def models(request: HttpRequest, uid: UUID) -> HttpResponse:
    """A campaign's versions and runs; for leads, how to start one and what it would learn from."""
    campaign = access.get_map_campaign(request, uid)
    leads = _leads(request, campaign)
    started = campaign.runs.select_related("requested_by__user", "basemap").order_by("-number")
    shown = started[:RUNS_SHOWN]
    # In a list the first sentence is enough.
    troubles = {pk: words.split(". ")[0] for pk, words in standing.troubles(shown).items()}
    versions = list(
        ModelVersion.objects.filter(campaign=campaign).select_related("run__dataset").order_by("-number")
    )
    context = {
        "campaign": campaign,
        "roles": roles_in(request.user, campaign),
        "leads": leads,
        "versions": [(version, scores.figures_of(version)) for version in versions],
        "current": next((version for version in versions if version.is_current), None),
        "runs": [(run, troubles.get(run.pk)) for run in shown],
        "lessons": lessons.since_current(campaign),
    }
    if leads:
        context |= _what_can_start(request, campaign, versions)
    return render(request, "review/models.html", context)


def _what_can_start(
    request: HttpRequest, campaign: Campaign, versions: list[ModelVersion]
) -> dict[str, object]:
    """What the two forms offer: labels and presets for a training, versions and rasters for a prediction."""
    seen = Campaign.objects.visible_to(request.user)
    last, catalogues = _last_choice(campaign), _label_catalogues(campaign, seen)
    ticked = [catalogue for catalogue in catalogues if str(catalogue.uid) in last["label_catalogues"]]
    own = {version.pk for version in versions}
    return {
        "labels": datasets.preview(campaign),
        "presets": get_system(lessons.SYSTEM).presets,
        "obstacle": training.obstacle(
            campaign=campaign,
            label_catalogues=ticked,
            searched=REGION if ticked and last["whole_region"] else datasets.TILES,
        ),
        "catalogues": catalogues,
        "last": last,
        "foreign_versions": ModelVersion.objects.filter(
            campaign__in=seen, campaign__body=campaign.body, is_current=True
        )
        .exclude(pk__in=own)
        .select_related("campaign"),
        "rasters": Basemap.objects.ready()
        .filter(layers__campaign=campaign, kind=Basemap.Kind.ELEVATION)
        .distinct(),
        "urls": {"runs": reverse("review:api_runs", args=[campaign.uid])},
    }


def _label_catalogues(campaign: Campaign, seen: QuerySet[Campaign]) -> QuerySet[Catalogue]:
    """Imported lists with craters to learn from in the campaign's region, each with how many."""
    inside = Q(features__geom__bboverlaps=campaign.region, features__diameter_m__gte=campaign.min_diameter_m)
    return (
        Catalogue.objects.filter(
            Q(campaign__isnull=True) | Q(campaign__in=seen),
            body=campaign.body,
            origin=Catalogue.Origin.IMPORTED,
        )
        .annotate(n_inside=Count("features", filter=inside))
        .filter(n_inside__gt=0)
        .order_by("name", "-version")
    )


def _last_choice(campaign: Campaign) -> dict[str, Any]:
    """What the last training learnt from besides people's work: most likely the next one's too."""
    last = campaign.runs.filter(verb=Run.Verb.TRAIN).order_by("-number").first()
    config = last.config if last else {}
    return {
        "label_catalogues": config.get("label_catalogues", []),
        "whole_region": config.get("searched") == REGION,
    }


@require_GET
def run(request: HttpRequest, uid: UUID) -> HttpResponse:
    """One run: live progress, curves and log, and when it has ended what it left."""
    run = access.get_run(request, uid)
    version = ModelVersion.objects.filter(run=run).first()
    siblings = ModelVersion.objects.filter(campaign=run.campaign, system=run.system).order_by("-number")
    page = RUN_PAGES[run.system]
    return render(
        request,
        page.template,
        {
            "campaign": run.campaign,
            "roles": roles_in(request.user, run.campaign),
            "run": run,
            "version": version,
            "figures": scores.figures_of(version) if version else None,
            "rows": page.rows(version) if version else [],
            "beside": scores.beside(version) if version else None,
            "leads": _leads(request, run.campaign),
            "history": siblings.select_related("run")[:VERSIONS_SHOWN],
            "sides": list(SIDES),
            "kinds": page.kinds,
            **page.more(version),
            "found": _found(run.catalogue) if run.catalogue else None,
            "config": {
                "run": run_out(run),
                "urls": {
                    "run": reverse("review:api_run", args=[run.uid]),
                    "cancel": reverse("review:api_run_cancel", args=[run.uid]),
                },
            },
        },
    )


def _found(catalogue: Catalogue) -> dict[str, int]:
    """What became of a prediction's craters: those known already, and those that wait for a verdict."""
    craters = catalogue.features
    return {
        "craters": craters.count(),
        "known": craters.filter(same_as__isnull=False, subjects__isnull=True).count(),
        "waiting": craters.filter(subjects__retired_at__isnull=True, subjects__isnull=False).count(),
    }


@require_GET
def model_version(request: HttpRequest, uid: UUID) -> HttpResponse:
    """A version's page is its run's: the figures stand beside how they came about."""
    return redirect("review:run", access.get_model_version(request, uid).run.uid)


def _leads(request: HttpRequest, campaign: Campaign) -> bool:
    return bool(roles_in(request.user, campaign) & LEADS)
