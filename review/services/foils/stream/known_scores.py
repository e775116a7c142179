"""What a threshold would do to pictures whose answer is known: how many of each origin it would hold back.

No origin speaks for another. Craters that were pasted or simulated are easier than those of a foil; confirmed
ones were found among what people saw, so they say little of what lies far below the threshold of that time;
and a network knows again what it has learnt from.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from mlcore.consensus.answers.stopping import Outcome
from mlcore.metrics.intervals import wilson
from review.models import Confirmation, Gold, ModelVersion, Picture, Subject, Workflow
from review.services.foils.stream import giving


@dataclass(frozen=True)
class Share:
    """k of n."""

    k: int
    n: int

    @property
    def share(self) -> float:
        return self.k / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % (Wilson 1927)."""
        return wilson(self.k, self.n)


@dataclass(frozen=True)
class Group:
    """Known pictures of one origin.

    Attributes:
        origin: In words, as it begins a sentence.
        is_crater: Whether they show one.
        below: How many of them score below a threshold.
        caveat: What keeps them from speaking for foils, in a sentence.
        kept_by: What a threshold that keeps nearly all of them does, in words; empty where it says little.
    """

    origin: str
    is_crater: bool
    below: Callable[[float], Share]
    caveat: str = ""
    kept_by: str = ""


def groups(workflow: Workflow) -> list[Group]:
    """All origins of which pictures have a score; craters first."""
    version = giving.version_of(giving.standing(workflow.campaign))
    found = [
        *_confirmed(workflow, version),
        *_of_gold(workflow, is_crater=True),
        *_of_card(version, is_crater=True),
        *_candidates(workflow),
        *_of_gold(workflow, is_crater=False),
        *_of_card(version, is_crater=False),
    ]
    return [group for group in found if group.below(2.0).n]


def counted(scores: list[float]) -> Callable[[float], Share]:
    """Of these scores, how many lie below a threshold."""
    ordered = sorted(scores)
    return lambda threshold: Share(bisect_left(ordered, threshold), len(ordered))


def _confirmed(workflow: Workflow, version: ModelVersion | None) -> list[Group]:
    """Settled at the microscope; those that our network may have learnt from are told apart."""
    settled = Confirmation.objects.filter(subject__workflow=workflow).order_by("pk")
    latest = dict(settled.values_list("subject__picture_id", "result"))
    craters = {picture for picture, result in latest.items() if result == Confirmation.Result.CRATER}
    gold = Gold.objects.filter(subject__workflow=workflow, origin=Gold.Origin.CONFIRMED, is_crater=True)
    craters |= set(gold.values_list("subject__picture_id", flat=True))
    scored = Picture.objects.filter(pk__in=craters, score_raw__isnull=False)
    rows = list(scored.values_list("score_raw", "side"))
    if version is None:
        return [Group(_("Confirmed at the microscope"), True, counted([score for score, _side in rows]))]
    return [
        Group(
            _("Confirmed at the microscope, never trained on"),
            True,
            counted([score for score, side in rows if side == Picture.Side.TEST]),
        ),
        Group(
            _("Confirmed at the microscope, open to training"),
            True,
            counted([score for score, side in rows if side != Picture.Side.TEST]),
            _("The network may know them again."),
        ),
    ]


def _of_gold(workflow: Workflow, *, is_crater: bool) -> list[Group]:
    words = {
        (Gold.Origin.SYNTHETIC, True): (_("Synthetic craters"), _("Simulated: those of a foil are harder.")),
        (Gold.Origin.EXPERT, True): (_("Craters by an expert's word"), ""),
        (Gold.Origin.SYNTHETIC, False): (_("Known pictures with nothing added"), ""),
        (Gold.Origin.LOOK_ALIKE, False): (_("Look-alikes"), _("Chosen because they are hard.")),
        (Gold.Origin.EXPERT, False): (_("Empty by an expert's word"), ""),
        (Gold.Origin.CONFIRMED, False): (_("Empty at the microscope"), _("People took them for craters.")),
    }
    kept_by = {(Gold.Origin.SYNTHETIC, True): _("keeps %d %% of the synthetic craters")}
    known = Gold.objects.filter(
        subject__workflow=workflow, is_crater=is_crater, subject__picture__score_raw__isnull=False
    )
    scores: dict[str, list[float]] = {}
    for origin, score in known.values_list("origin", "subject__picture__score_raw"):
        scores.setdefault(origin, []).append(score)
    return [
        Group(origin, is_crater, counted(scores.get(key, [])), caveat, kept_by.get((key, is_crater), ""))
        for (key, of_craters), (origin, caveat) in words.items()
        if of_craters == is_crater
    ]


def _candidates(workflow: Workflow) -> list[Group]:
    """What people have found and no expert has settled: to hold it back would lose work, if not craters."""
    found = Subject.objects.filter(
        workflow=workflow,
        outcome=Outcome.CANDIDATE,
        confirmations__isnull=True,
        picture__score_raw__isnull=False,
    ).exclude(stratum=Subject.Stratum.GOLD)
    scores = list(found.values_list("picture__score_raw", flat=True))
    return [
        Group(
            _("Candidates that no expert has settled"),
            True,
            counted(scores),
            _("Found by people; most are not craters."),
        )
    ]


def _of_card(version: ModelVersion | None, *, is_crater: bool) -> list[Group]:
    """What the network's card says of its validation side, at the thresholds of its curve."""
    side = ((version.card.get("metrics") or {}).get("validation") or {}) if version else {}
    curve: list[dict[str, Any]] = side.get("curve") or []
    if version is None or not curve:
        return []
    if is_crater:
        return [
            Group(
                _("Craters pasted for validation (version %d)") % version.number,
                True,
                lambda threshold: _at(curve, threshold, "n_lost", "n_craters", is_upper=True),
                _("Pasted: those of a foil are harder."),
                _("keeps %d %% of the craters pasted for validation"),
            )
        ]
    return [
        Group(
            _("Blank foil for validation (version %d)") % version.number,
            False,
            lambda threshold: _at(curve, threshold, "n_removed", "n_blanks", is_upper=False),
        )
    ]


def _at(curve: list[dict[str, Any]], threshold: float, k: str, n: str, *, is_upper: bool) -> Share:
    """Between two thresholds of the curve: the more lost, the fewer removed."""
    if is_upper:
        point = next((one for one in curve if one["threshold"] >= threshold * (1 - 1e-9)), None)
        return Share(point[k], point[n]) if point else Share(curve[-1][n], curve[-1][n])
    point = next((one for one in reversed(curve) if one["threshold"] <= threshold * (1 + 1e-9)), None)
    return Share(point[k], point[n]) if point else Share(0, curve[0][n])
