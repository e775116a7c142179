"""A version's figures of merit as a page shows them: rows of what, this one, the one beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from mlcore.metrics.intervals import wilson
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
    bins_beside = _by_diameter(other) if other else {}
    totals = [
        ScoreRow(title, _score(this, name), _score(other, name) if other else None)
        for name, title in (("recall", _("Recall")), ("precision", _("Precision")), ("f1", _("F1")))
    ]
    by_diameter = [
        ScoreRow(title, score, bins_beside.get(title)) for title, score in _by_diameter(this).items()
    ]
    return totals + by_diameter


def _score(metrics: Mapping[str, Any], name: str) -> Score:
    interval = metrics.get(f"{name}_interval")
    return Score(metrics.get(name), (interval[0], interval[1]) if interval else None)


def _by_diameter(metrics: Mapping[str, Any]) -> dict[str, Score]:
    """Recall of each diameter bin that has craters, by its title; a bin ends where the next begins."""
    bins = metrics.get("by_diameter", [])
    ends = [*(entry["from_m"] for entry in bins), None][1:]
    return {
        _bin_title(entry["from_m"], end): Score(
            entry["n_truth_hit"] / entry["n_truth"], wilson(entry["n_truth_hit"], entry["n_truth"])
        )
        for entry, end in zip(bins, ends, strict=True)
        if entry["n_truth"]
    }


def _bin_title(low_m: float, high_m: float | None) -> str:
    low = f"{low_m / 1000:.3g}"
    if high_m is None:
        return _("Recall from %(low)s km") % {"low": low}
    return _("Recall %(low)s–%(high)s km") % {"low": low, "high": f"{high_m / 1000:.3g}"}
