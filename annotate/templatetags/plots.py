"""Small plots drawn by the server as SVG: sizes and places of a catalogue."""

from math import cos, log10, pi, radians

from django import template

from annotate.models import Catalogue
from annotate.services import catalogue_summary
from annotate.services.catalogue_summary import SizeBin
from annotate.templatetags.planet import about, degrees
from mlcore.bodies import get_body

register = template.Library()

BAR_WIDTH, BAR_GAP, BARS_HEIGHT = 26, 4, 110
MAP_WIDTH = 520
MAX_DOTS = 2000
LABEL_WIDTH = 40
GRATICULE_STEPS_DEG = (45.0, 30.0, 15.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)


@register.inclusion_tag("annotate/partials/size_plot.html")
def size_plot(catalogue: Catalogue) -> dict[str, object]:
    """How many craters of which diameter: one bar for each √2 bin, heights logarithmic."""
    bins = catalogue_summary.size_bins(catalogue)
    highest = max((log10(1 + one.n) for one in bins), default=1.0)
    return {
        "bars": [_bar(index, one, highest) for index, one in enumerate(bins)],
        "edges": _edges(bins),
        "width": len(bins) * BAR_WIDTH,
        "full_width": len(bins) * BAR_WIDTH + 60,
        "base": BARS_HEIGHT + 16,
        "text_y": BARS_HEIGHT + 32,
        "height": BARS_HEIGHT + 38,
    }


def _edges(bins: list[SizeBin]) -> list[dict[str, object]]:
    """Where 1 km times a power of two lies on the axis: there is no room for every edge's name."""
    edges = [
        {"x": index * BAR_WIDTH, "label": about(one.low_m)}
        for index, one in enumerate(bins)
        if one.is_doubling
    ]
    if bins and not bins[-1].is_doubling:
        edges.append({"x": len(bins) * BAR_WIDTH, "label": about(bins[-1].high_m)})
    return edges


def _bar(index: int, one: SizeBin, highest: float) -> dict[str, object]:
    height = BARS_HEIGHT * log10(1 + one.n) / highest
    return {
        "x": index * BAR_WIDTH + BAR_GAP / 2,
        "middle": (index + 0.5) * BAR_WIDTH,
        "y": BARS_HEIGHT + 16 - height,
        "label_y": BARS_HEIGHT + 12 - height,
        "width": BAR_WIDTH - BAR_GAP,
        "height": height,
        "n": one.n,
        "low": about(one.low_m),
        "high": about(one.high_m),
    }


@register.inclusion_tag("annotate/partials/extent_plot.html")
def extent_plot(catalogue: Catalogue) -> dict[str, object]:
    """Where the largest craters lie, in true proportions at the middle latitude."""
    box = catalogue_summary.extent(catalogue)
    if box is None:
        return {}
    places = catalogue_summary.largest(catalogue, MAX_DOTS)
    degrees_per_m = 180.0 / (pi * get_body(catalogue.body).radius_m)
    west, south, east, north = _padded(box, places[0][2] * degrees_per_m)
    squeeze = max(0.2, cos(radians((south + north) / 2)))
    per_degree = MAP_WIDTH / ((east - west) * squeeze)
    height = max(120.0, min(520.0, (north - south) * per_degree))
    per_degree = min(per_degree, height / (north - south))
    width = (east - west) * squeeze * per_degree
    dots = "".join(
        _circle(
            (lon - west) * squeeze * per_degree,
            (north - lat) * per_degree,
            max(1.2, diameter_m / 2 * degrees_per_m * per_degree),
        )
        for lon, lat, diameter_m in places
    )
    step = next((s for s in GRATICULE_STEPS_DEG if (east - west) / s >= 3), GRATICULE_STEPS_DEG[-1])
    return {
        "width": round(width, 1),
        "height": round(height, 1),
        "dots": dots,
        "n_dots": len(places),
        "meridians": [
            {
                "at": round((lon - west) * squeeze * per_degree, 1),
                "label": degrees(lon, 0 if step >= 1 else 2)
                if (east - lon) * squeeze * per_degree > LABEL_WIDTH
                else "",
            }
            for lon in _multiples(west, east, step)
        ],
        "parallels": [
            {"at": round((north - lat) * per_degree, 1), "label": degrees(lat, 0 if step >= 1 else 2)}
            for lat in _multiples(south, north, step)
        ],
    }


def _padded(box: list[float], widest_deg: float) -> tuple[float, float, float, float]:
    """The box with a margin in which the widest crater has room on every side."""
    west, south, east, north = box
    margin = max(0.6 * widest_deg, 0.04 * max(east - west, north - south))
    return (
        max(-180.0, west - margin),
        max(-90.0, south - margin),
        min(180.0, east + margin),
        min(90.0, north + margin),
    )


def _multiples(low: float, high: float, step: float) -> list[float]:
    first = int(low // step) + 1
    return [k * step for k in range(first, int(high // step) + 1)]


def _circle(x: float, y: float, radius: float) -> str:
    half = f"a{radius:.1f} {radius:.1f} 0 1 0"
    return f"M{x - radius:.1f} {y:.1f}{half} {2 * radius:.1f} 0{half} {-2 * radius:.1f} 0"
