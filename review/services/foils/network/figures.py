"""A version's figures of merit as pages show them: craters found, blank pictures removed, with intervals."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from review.models import ModelVersion
from review.services.scores import Score, ScoreRow, beside, figures_of


def of(version: ModelVersion) -> dict[str, Score] | None:
    """The figures of its own test side, by name; None where there is nothing to measure on."""
    figures = figures_of(version)
    return _scores(figures) if figures else None


def rows(version: ModelVersion) -> list[ScoreRow]:
    """On the test side: the figures, confirmed craters apart, and the current version's beside them."""
    figures = figures_of(version)
    if figures is None:
        return []
    compared = beside(version)
    this, other = _scores(figures), _scores(compared["metrics"] if compared else None)
    return [
        ScoreRow(title, this[name], other[name] if compared else None)
        for name, title in _titles(figures).items()
        if this[name].value is not None
    ]


def _titles(figures: Mapping[str, Any]) -> dict[str, str]:
    numbers = {
        "pasted": figures["n_craters"],
        "confirmed": figures["confirmed"]["n"],
        "blank": figures["n_blanks"],
        "look_alike": figures["look_alikes"]["n"],
    }
    titles = {
        "pasted": _("Pasted craters found, of %(n)s"),
        "confirmed": _("Confirmed craters found, of %(n)s"),
        "blank": _("Blank pictures removed, of %(n)s"),
        "look_alike": _("Look-alikes removed, of %(n)s"),
    }
    return {name: title % {"n": f"{numbers[name]:,}"} for name, title in titles.items()}


def _scores(figures: Mapping[str, Any] | None) -> dict[str, Score]:
    figures = figures or {}
    return {
        "pasted": _score(figures, "sensitivity"),
        "confirmed": _score(figures.get("confirmed") or {}, "sensitivity"),
        "blank": _score(figures, "specificity"),
        "look_alike": _score(figures.get("look_alikes") or {}, "specificity"),
    }


def _score(figures: Mapping[str, Any], name: str) -> Score:
    interval = figures.get(f"{name}_interval")
    return Score(figures.get(name), (interval[0], interval[1]) if interval else None)
