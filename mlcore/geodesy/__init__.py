"""Distances, circles and areas on a body taken as a sphere.

Every metric quantity of Tektite is computed here, or in PostGIS on the body sphere (see
`on_body_sphere`). Longitudes and latitudes are degrees, longitude first, east-positive; results
lie in [-180, 180).

Rims and shapes need shapely, which a machine that only trains may lack: they are loaded at first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

from mlcore.geodesy.sphere import (
    bearing_deg,
    check_circle,
    destination,
    distance_m,
    max_diameter_m,
    normalise_lon,
    on_body_sphere,
    unit_vectors,
)

if TYPE_CHECKING:
    from mlcore.geodesy.rims import RING_POINTS, circle_from_rim, rim_polygon, rim_polygons, ring
    from mlcore.geodesy.shapes import polygon_area_m2, split_at_antimeridian

_WITH_SHAPELY = {
    **dict.fromkeys(("RING_POINTS", "circle_from_rim", "rim_polygon", "rim_polygons", "ring"), "rims"),
    **dict.fromkeys(("polygon_area_m2", "split_at_antimeridian"), "shapes"),
}

__all__ = [
    "RING_POINTS",
    "bearing_deg",
    "check_circle",
    "circle_from_rim",
    "destination",
    "distance_m",
    "max_diameter_m",
    "normalise_lon",
    "on_body_sphere",
    "polygon_area_m2",
    "rim_polygon",
    "rim_polygons",
    "ring",
    "split_at_antimeridian",
    "unit_vectors",
]


def __getattr__(name: str) -> Any:
    if name not in _WITH_SHAPELY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WITH_SHAPELY[name]}"), name)
