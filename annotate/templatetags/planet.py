"""Numbers of planets as people read them: units always, a true minus, no more digits than are known."""

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from annotate.models import Basemap
from mlcore.bodies import BODIES

register = template.Library()

MINUS = "−"


def _number(value: float, digits: int = 0) -> str:
    text = number_format(abs(value), decimal_pos=digits, use_l10n=True, force_grouping=True)
    return f"{MINUS}{text}" if value < 0 and float(f"{value:.{digits}f}") != 0 else text


@register.filter
def metres(value_m: float | None) -> str:
    """Metres as metres below one kilometre, as kilometres above: 850 m, 9.71 km."""
    if value_m is None:
        return "–"
    if abs(value_m) < 1000:
        return f"{_number(value_m, 0 if abs(value_m) >= 10 else 1)} m"
    return f"{_number(value_m / 1000, 2 if abs(value_m) < 100_000 else 0)} km"


@register.filter
def about(value_m: float | None) -> str:
    """A round length, such as a limit that somebody chose, without idle zeros: 1.2 km, 500 m."""
    if value_m is None:
        return "–"
    value, unit = (value_m, "m") if abs(value_m) < 1000 else (value_m / 1000, "km")
    decimals = f"{value:.2f}".partition(".")[2].rstrip("0")
    return f"{_number(value, len(decimals))} {unit}"


@register.filter
def resolution(value_m_per_px: float | None) -> str:
    """Ground size of a pixel: 118 m/px, 0.5 m/px."""
    if not value_m_per_px:
        return "–"
    digits = 0 if value_m_per_px >= 100 else 1 if value_m_per_px >= 10 else 2
    return f"{_number(value_m_per_px, digits)} m/px"


@register.filter
def degrees(value: float | None, digits: int = 3) -> str:
    """An angle with a true minus: −53.848°."""
    return "–" if value is None else f"{_number(value, int(digits))}°"


@register.filter
def whole(value: float | None) -> str:
    """A count with its thousands set apart: 1,204."""
    return "–" if value is None else _number(value)


@register.filter
def figure(value: float | None) -> str:
    """A pixel value in at most four significant digits: 0.0312, 1,812."""
    if value is None:
        return "–"
    size = abs(value)
    if size and (size < 1e-4 or size >= 1e9):
        return f"{value:.3g}".replace("-", MINUS)
    digits = 0 if size >= 1000 or value == int(value) else 1 if size >= 100 else 2 if size >= 1 else 4
    return _number(value, digits)


@register.filter
def percent(value: float | None) -> str:
    """A fraction as whole percent; 100 % only when it is all."""
    if value is None:
        return "–"
    shown = round(value * 100)
    if shown == 100 and value < 1:
        shown = 99
    return f"{shown} %"


@register.filter
def body_title(name: str) -> str:
    """The body's name as people write it; the key itself where the body is unknown."""
    return BODIES[name].title if name in BODIES else name


@register.filter
def state_class(basemap: Basemap) -> str:
    """The colour of a basemap's state chip."""
    return {Basemap.State.READY: "good", Basemap.State.FAILED: "bad"}.get(Basemap.State(basemap.state), "")


@register.filter
def extent(bounds: list[float] | None) -> str:
    """[west, south, east, north] in words: 12.0° to 14.5° E-positive longitude, −3.1° to 2.0° latitude."""
    if not bounds or len(bounds) != 4:
        return "–"
    west, south, east, north = bounds
    return _("longitude %(west)s to %(east)s, latitude %(south)s to %(north)s") % {
        "west": degrees(west, 2),
        "east": degrees(east, 2),
        "south": degrees(south, 2),
        "north": degrees(north, 2),
    }
