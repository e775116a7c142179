"""Numbers of results as coordinates of drawings, and short words for methods."""

import math

from django import template
from django.utils.translation import gettext_lazy as _

from review.models import Confirmation
from review.templatetags.foils import probability

register = template.Library()

_METHODS = {
    Confirmation.Method.SEM: "SEM",
    Confirmation.Method.FIB_TEM: "FIB/TEM",
    Confirmation.Method.OTHER: _("other method"),
}


@register.filter
def coordinate(value: float, factor: float = 1.0) -> str:
    """A number as SVG wants it, whatever the reader's language."""
    return f"{value * float(factor):.2f}"


@register.filter
def chance(value: float) -> str:
    """A probability with two digits of what it lacks to 0 and to 1: 0.42, 0.0031, 0.9968; then as a power."""
    if value < 0.001 or value == 1.0:
        return probability(value)
    rare = min(value, 1.0 - value)
    return f"{value:.{min(6, max(2, 1 - math.floor(math.log10(rare))))}f}"


@register.filter
def minus(value: float, other: float) -> float:
    return value - other


@register.filter
def method(value: str) -> str:
    """A method in a word."""
    return str(_METHODS[Confirmation.Method(value)])


@register.filter
def interval(ends: list[float]) -> str:
    """The ends of an interval of a share: [0.46, 0.83]."""
    return f"[{ends[0]:.2f}, {ends[1]:.2f}]"


@register.filter
def share(found: int, of: int) -> str:
    """One number as a share of another; a dash of nothing."""
    return f"{found / of:.2f}" if of else "–"


@register.filter
def diameters(row: dict[str, float | None]) -> str:
    """The diameters of a row of completeness, in words."""
    low, high = row["low_um"], row["high_um"]
    if row["is_whole"]:
        return str(_("all"))
    if low is None:
        return str(_("not measured"))
    return f"{low:g}–{high:g} µm" if high is not None else f"≥ {low:g} µm"
