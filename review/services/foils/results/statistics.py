"""What a reckoning says of itself: how many known craters people find, and how far to trust its numbers.

Known subjects speak as if they were not known: judged by as many answers as the rule would have asked for,
and foretold without their own. Origins are never pooled: how well people find what Tektite put there says
little of what they find on a foil.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.consensus.answers.dawid_skene import UNKNOWN
from mlcore.consensus.answers.published import Published
from mlcore.consensus.answers.stopping import Outcome
from mlcore.consensus.answers.votes import CRATER
from mlcore.metrics.calibration import calibration_error, reliability
from mlcore.metrics.intervals import clopper_pearson
from review.models import Gold, Workflow
from review.services.foils.results import log

DIAMETERS_UM = (0.0, 0.3, 0.5, 1.0, 2.0)
CONFIDENCE = 0.95
# With fewer known subjects of each kind somebody's skill is not drawn.
FEWEST_FOR_SKILL = 10
SKILL_BINS = 10

Found = dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """A known subject with what the rule would have made of it; "" while it has too few answers."""

    origin: str
    is_crater: bool
    diameter_um: float | None
    outcome: str

    @property
    def goes_to_reviewers(self) -> bool:
        return self.outcome in (Outcome.CANDIDATE, Outcome.UNDECIDED)


def findings(workflow: Workflow, counted: log.Log, found: Published) -> Found:
    """What a Reckoning keeps under these names, ready to be shown."""
    judged = list(_judged(workflow, counted, found))
    is_crater = counted.votes.known[found.hidden] == CRATER
    return {
        "completeness": list(_completeness([one for one in judged if one.is_crater])),
        "specificity": list(_specificity([one for one in judged if not one.is_crater])),
        "reliability": _reliability(found.among_known, is_crater),
        "skills": _skills(found),
    }


def _judged(workflow: Workflow, counted: log.Log, found: Published) -> Iterator[Judged]:
    known = counted.votes.known != UNKNOWN
    outcome_of = dict(zip(counted.votes.key[known].tolist(), found.outcome[known].tolist(), strict=True))
    for gold in Gold.objects.filter(subject__workflow=workflow, is_practice=False).order_by("pk"):
        yield Judged(gold.origin, gold.is_crater, largest_um(gold.places), outcome_of.get(gold.pk, ""))


def largest_um(places: list[dict[str, Any]]) -> float | None:
    """The diameter of the largest crater of a picture, where any is known."""
    return max((place["diameter_um"] for place in places if place.get("diameter_um")), default=None)


def _completeness(craters: list[Judged]) -> Iterator[Found]:
    """A row for each origin and diameter that occurs, and before them one for the origin as a whole."""
    for origin in Gold.Origin.values:
        theirs = [one for one in craters if one.origin == origin]
        if not theirs:
            continue
        yield _share_found(origin, None, None, theirs, is_whole=True)
        for low, high in pairwise((*DIAMETERS_UM, None)):
            within = [
                one
                for one in theirs
                if one.diameter_um is not None
                and one.diameter_um >= low
                and (high is None or one.diameter_um < high)
            ]
            if within:
                yield _share_found(origin, low, high, within)
        if unmeasured := [one for one in theirs if one.diameter_um is None]:
            yield _share_found(origin, None, None, unmeasured)


def _share_found(
    origin: str, low_um: float | None, high_um: float | None, craters: list[Judged], *, is_whole: bool = False
) -> Found:
    enough = [one for one in craters if one.outcome]
    found = sum(one.goes_to_reviewers for one in enough)
    return {
        "origin": origin,
        "is_whole": is_whole,
        "low_um": low_um,
        "high_um": high_um,
        "n_known": len(craters),
        "n": len(enough),
        "found": found,
        "candidates": sum(one.outcome == Outcome.CANDIDATE for one in enough),
        "interval": list(clopper_pearson(found, len(enough), CONFIDENCE)),
    }


def _specificity(blanks: list[Judged]) -> Iterator[Found]:
    """Of pictures without a crater, how many the rule lets go."""
    for origin in Gold.Origin.values:
        theirs = [one for one in blanks if one.origin == origin]
        enough = [one for one in theirs if one.outcome]
        if not theirs:
            continue
        let_go = sum(not one.goes_to_reviewers for one in enough)
        yield {
            "origin": origin,
            "n_known": len(theirs),
            "n": len(enough),
            "let_go": let_go,
            "interval": list(clopper_pearson(let_go, len(enough), CONFIDENCE)),
        }


def _reliability(probability: NDArray[np.float64], is_crater: NDArray[np.bool_]) -> Found | None:
    """Known subjects' probabilities beside the truth; None where too few are known."""
    if not len(probability):
        return None
    bins = reliability(probability, is_crater)
    return {
        "n": len(probability),
        "n_craters": int(is_crater.sum()),
        "error": calibration_error(probability, is_crater),
        "bins": [
            {
                "foretold": one.foretold,
                "found": one.found,
                "n": one.n,
                "interval": list(clopper_pearson(round(one.found * one.n), one.n, CONFIDENCE)),
            }
            for one in bins
        ],
    }


def _skills(found: Published) -> Found | None:
    """How people's skills are spread, in tenths; nobody can be told from it by name."""
    people = found.people
    enough = (people.craters >= FEWEST_FOR_SKILL) & (people.blanks >= FEWEST_FOR_SKILL)
    if not enough.any():
        return None

    def spread(right: NDArray[np.int64], of: NDArray[np.int64]) -> list[int]:
        counts, _edges = np.histogram(right[enough] / of[enough], bins=SKILL_BINS, range=(0.0, 1.0))
        return [int(n) for n in counts]

    return {
        "n_people": int(enough.sum()),
        "sensitivity": spread(people.hits, people.craters),
        "specificity": spread(people.passes, people.blanks),
    }
