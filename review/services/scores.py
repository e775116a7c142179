"""A version's figures of merit as a page shows them: rows of what, this one, the one beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from review.models import ModelVersion
from review.services.registry import COMPARED_WITH

SIDE = "test"


@dataclass(frozen=True)
class Score:
    """One figure with its 95 % interval."""

    value: float | None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class ScoreRow:
    title: str
    this: Score
    other: Score | None

    @property
    def better(self) -> bool:
        """Whether this one is higher than the one beside it."""
        beside = self.other.value if self.other else None
        return self.this.value is not None and beside is not None and self.this.value > beside


def figures_of(version: ModelVersion) -> Mapping[str, Any] | None:
    """Its metrics on the frozen test places; None where those have no craters."""
    return (version.card.get("metrics") or {}).get(SIDE)


def beside(version: ModelVersion) -> Mapping[str, Any] | None:
    """The version that was current when this one was trained, scored on the same places by the same run."""
    return version.card.get(COMPARED_WITH)


def rows(version: ModelVersion) -> list[ScoreRow]:
    """Recall, precision, F1 and recall by diameter on the test places, the current version's beside them."""
    this = figures_of(version)
    if this is None:
        return []
    compared = beside(version)
    other = compared["metrics"] if compared else None
    by_diameter = [
        ScoreRow(
            _("Recall, %(bin)s") % {"bin": title},
            Score(entry["recall"]),
            Score(_bin(other, title)) if other else None,
        )
        for title, entry in _bins(this).items()
        if entry["n_truth"]
    ]
    totals = [
        ScoreRow(title, _score(this, name), _score(other, name) if other else None)
        for name, title in (("recall", _("Recall")), ("precision", _("Precision")), ("f1", _("F1")))
    ]
    return totals + by_diameter


def _score(metrics: Mapping[str, Any], name: str) -> Score:
    interval = metrics.get(f"{name}_interval")
    return Score(metrics.get(name), (interval[0], interval[1]) if interval else None)


def _bins(metrics: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """By title: "5–10 km"."""
    return {
        _("%(low)g–%(high)g km") % {"low": entry["from_m"] / 1000, "high": entry["to_m"] / 1000}: entry
        for entry in metrics.get("by_diameter", [])
    }


def _bin(metrics: Mapping[str, Any], title: str) -> float | None:
    return _bins(metrics).get(title, {}).get("recall")
