"""Where the craters of a list lie on the whole body, with landmarks to see a mirrored list by."""

from math import pi

from django import template

from annotate.models import CatalogueImport
from annotate.templatetags.planet import degrees
from mlcore.bodies import BODIES
from mlcore.catalogues.landmarks import LANDMARKS, Landmark

register = template.Library()

# User units for each degree; the plot is as wide as its column.
SCALE = 2.0
WIDTH, HEIGHT = 360 * SCALE, 180 * SCALE
NAMED = 7
# The largest craters of the list are drawn in their size; landmarks a little outside of theirs.
RINGS, MIN_RING, OUTSIDE = 60, 1.2, 3.0
# Names closer together than this, in user units, would be written over each other.
_APART_X, _APART_Y = 90.0, 22.0


@register.inclusion_tag("annotate/partials/world_plot.html")
def world_plot(waiting: CatalogueImport) -> dict[str, object]:
    """The sampled places of a list over graticule and landmarks; [lon, lat, diameter_m] each."""
    marks = LANDMARKS.get(waiting.body, ())
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "dots": "".join(_dot(lon, lat) for lon, lat, _diameter_m in waiting.places[RINGS:]),
        "rings": "".join(
            _ring(lon, lat, diameter_m / 1000.0, waiting.body)
            for lon, lat, diameter_m in waiting.places[:RINGS]
        ),
        "marks": [
            {
                **_at(mark.lon, mark.lat),
                "r": round(_radius(mark.diameter_km, waiting.body) + OUTSIDE, 1),
                "name": mark.name,
                "is_named": mark in _named(marks),
            }
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


def _radius(diameter_km: float, body: str) -> float:
    """In user units."""
    km_per_degree = pi * BODIES[body].radius_m / 1000.0 / 180.0
    return diameter_km / 2.0 / km_per_degree * SCALE


def _ring(lon: float, lat: float, diameter_km: float, body: str) -> str:
    place, radius = _at(lon, lat), max(MIN_RING, _radius(diameter_km, body))
    half = f"a{radius:.1f} {radius:.1f} 0 1 0"
    return f"M{place['x'] - radius:.1f} {place['y']}{half} {2 * radius:.1f} 0{half} {-2 * radius:.1f} 0"


def _dot(lon: float, lat: float) -> str:
    # A stroke of no length with round ends is a dot, in a tenth of a circle's bytes.
    return f"M{(lon + 180.0) * SCALE:.1f} {(90.0 - lat) * SCALE:.1f}h0"
