"""Durations as an operator reads them."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

register = template.Library()

_UNITS = ((86_400, _("%(n)d d")), (3_600, _("%(n)d h")), (60, _("%(n)d min")), (1, _("%(n)d s")))


@register.filter
def duration(seconds: float | None) -> str:
    """3 min; 5 d."""
    if seconds is None:
        return "–"
    whole = max(0, int(seconds))
    size, words = next(((size, words) for size, words in _UNITS if whole >= size), _UNITS[-1])
    return str(words) % {"n": whole // size}


@register.filter
def since(moment: datetime | None) -> str:
    """How long ago it was, as a duration."""
    return "–" if moment is None else duration((timezone.now() - moment).total_seconds())
