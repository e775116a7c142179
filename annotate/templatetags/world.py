"""Where the craters of a list lie on the whole body, with landmarks to see a mirrored list by."""

from django import template

from annotate.models import CatalogueImport
from annotate.templatetags.planet import degrees
from mlcore.catalogues.landmarks import LANDMARKS, Landmark

register = template.Library()

# User units for each degree; the plot is as wide as its column.
SCALE = 2.0
WIDTH, HEIGHT = 360 * SCALE, 180 * SCALE
NAMED = 7
# Names closer together than this, in user units, would be written over each other.
_APART_X, _APART_Y = 90.0, 22.0


@register.inclusion_tag("annotate/partials/world_plot.html")
def world_plot(waiting: CatalogueImport) -> dict[str, object]:
    """The sampled places of a list over graticule and landmarks; [lon, lat, diameter_m] each."""
    marks = LANDMARKS.get(waiting.body, ())
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "dots": "".join(_dot(lon, lat) for lon, lat, _diameter_m in waiting.places),
        "n_dots": len(waiting.places),
        "marks": [
            {**_at(mark.lon, mark.lat), "name": mark.name, "is_named": mark in _named(marks)}
            for mark in marks
        ],
        "meridians": [{"at": (lon + 180) * SCALE, "label": degrees(lon, 0)} for lon in range(-120, 180, 60)],
        "parallels": [{"at": (90 - lat) * SCALE, "label": degrees(lat, 0)} for lat in (60, 30, 0, -30, -60)],
    }


def _named(marks: tuple[Landmark, ...]) -> list[Landmark]:
    """The largest landmarks whose names do not lie over each other."""
    named: list[Landmark] = []
    for mark in sorted(marks, key=lambda mark: -mark.diameter_km):
        near = any(
            abs(mark.lon - other.lon) * SCALE < _APART_X and abs(mark.lat - other.lat) * SCALE < _APART_Y
            for other in named
        )
        if not near and len(named) < NAMED:
            named.append(mark)
    return named


def _at(lon: float, lat: float) -> dict[str, object]:
    x = (lon + 180.0) * SCALE
    return {"x": round(x, 1), "y": round((90.0 - lat) * SCALE, 1), "is_east": x > WIDTH - 110}


def _dot(lon: float, lat: float) -> str:
    # A stroke of no length with round ends is a dot, in a tenth of a circle's bytes.
    return f"M{(lon + 180.0) * SCALE:.1f} {(90.0 - lat) * SCALE:.1f}h0"
