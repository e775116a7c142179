"""From a network's scores to probabilities, as soon as enough pictures are known.

Until then a raw score only ranks: the threshold works on it, and every picture begins from the base rate.
"""

from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from django.db import connection, transaction

from annotate.models import Campaign
from mlcore.metrics.calibration import fit_platt
from review.models import Confirmation, Gold, Picture, Workflow
from review.services.foils import settings
from review.services.foils.pictures import IS_SURVEY
from review.services.foils.rules import rules
from review.services.foils.stream import giving

# Of craters and of others, with a score each.
LEAST_OF_EACH = 50
# Scores of 0 and 1 have no logit.
NEAREST = 1e-6
KEY = "calibration"

Known = dict[int, tuple[float, bool]]


@dataclass(frozen=True)
class Ground:
    """What a calibration could rest on now: pictures whose answer is known and which have a score."""

    n_craters: int
    n_others: int
    from_microscope: bool

    @property
    def is_enough(self) -> bool:
        return min(self.n_craters, self.n_others) >= LEAST_OF_EACH


def standing(workflow: Workflow) -> dict[str, Any] | None:
    """The calibration in use; None while scores only rank, or are probabilities as they come."""
    return workflow.settings.get(KEY)


def scores_are_calibrated(campaign: Campaign) -> bool:
    """Whether the scores came as probabilities."""
    source = giving.standing(campaign)
    return source is not None and source.is_calibrated


def ground(workflow: Workflow) -> Ground:
    known, from_microscope = _known(workflow)
    n_craters = sum(is_crater for _score, is_crater in known.values())
    return Ground(n_craters, len(known) - n_craters, from_microscope)


@transaction.atomic
def refresh(campaign: Campaign, *, is_calibrated: bool | None = None) -> bool:
    """Fit anew and give every picture its probability; whether scores are probabilities now."""
    giving.alone(campaign)
    if scores_are_calibrated(campaign) if is_calibrated is None else is_calibrated:
        _keep(rules.workflow_of(campaign), None)
        return True
    workflow = Workflow.objects.select_for_update(no_key=True).get(pk=rules.workflow_of(campaign).pk)
    known, from_microscope = _known(workflow)
    raw = np.array([score for score, _is in known.values()])
    is_crater = np.array([is_crater for _score, is_crater in known.values()], bool)
    n_craters = int(is_crater.sum())
    if min(n_craters, len(known) - n_craters) < LEAST_OF_EACH:
        _keep(workflow, None)
        Picture.objects.filter(campaign=campaign, score__isnull=False).update(score=None)
        return False
    clipped = np.clip(raw, NEAREST, 1.0 - NEAREST)
    fit = fit_platt(np.log(clipped / (1.0 - clipped)), is_crater)
    # Craters are frequent among known pictures and rare on foils: the odds are carried over (Bayes).
    rare = settings.of(workflow).base_rate
    shift = log(rare / (1.0 - rare)) - log(n_craters / (len(known) - n_craters))
    kept = {
        "intercept": fit.intercept + shift,
        "slope": fit.slope,
        "n_craters": n_craters,
        "n_others": len(known) - n_craters,
        "from_microscope": from_microscope,
        "base_rate": rare,
    }
    _keep(workflow, kept)
    _apply(campaign, kept["intercept"], kept["slope"])
    return True


def _keep(workflow: Workflow, calibration: dict[str, Any] | None) -> None:
    workflow.refresh_from_db(fields=["settings"])
    kept = {key: value for key, value in workflow.settings.items() if key != KEY}
    workflow.settings = kept | ({KEY: calibration} if calibration else {})
    workflow.save(update_fields=["settings"])


def _apply(campaign: Campaign, intercept: float, slope: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE review_picture p SET score = 1.0 / (1.0 + exp(-greatest(-30, least(30, "
            "%(a)s + %(b)s * ln(greatest(%(e)s, least(1 - %(e)s, score_raw)) "
            "/ (1 - greatest(%(e)s, least(1 - %(e)s, score_raw)))))))) "
            f"WHERE campaign_id = %(campaign)s AND {IS_SURVEY} AND score_raw IS NOT NULL",
            {"a": intercept, "b": slope, "e": NEAREST, "campaign": campaign.pk},
        )


def _known(workflow: Workflow) -> tuple[Known, bool]:
    """Picture → raw score and truth: settled at the microscope where these are enough, else all known."""
    settled: Known = {}
    for picture, score, result in (
        Confirmation.objects.filter(subject__workflow=workflow, subject__picture__score_raw__isnull=False)
        .exclude(result=Confirmation.Result.UNCLEAR)
        .order_by("pk")
        .values_list("subject__picture_id", "subject__picture__score_raw", "result")
    ):
        settled[picture] = (score, result == Confirmation.Result.CRATER)
    n_craters = sum(is_crater for _score, is_crater in settled.values())
    if min(n_craters, len(settled) - n_craters) >= LEAST_OF_EACH:
        return settled, True
    gold = Gold.objects.filter(subject__workflow=workflow, subject__picture__score_raw__isnull=False)
    columns = gold.values_list("subject__picture_id", "subject__picture__score_raw", "is_crater")
    return {picture: (score, is_crater) for picture, score, is_crater in columns} | settled, False
