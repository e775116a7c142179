"""Makes grid_cases.json, places on which Python's grids and the browser's must agree, for every projection.

Positions are computed by the textbook (see planes.py), not with the libraries under test. Run
`python -m tests.data.grid_cases` after a change here and commit both.
"""

import json
from pathlib import Path

from rasterio.crs import CRS

from mlcore.raster.grid import Grid
from mlcore.raster.layout import proj4_of
from tests.data.planes import PLANES, Plane

TARGET = Path(__file__).with_suffix(".json")
# Places beyond a plane's own spots: a lattice over the body, of which those on the grid are kept.
_LONS = [-179.999, *range(-165, 180, 30), 0.001, 179.999]
_LATS = [-89.9, -75, -55, -30, -0.001, 20, 45, 70, 89.9]


def grid_of(plane: Plane) -> Grid:
    """The grid as it would be taken from a raster."""
    crs = CRS.from_user_input(plane.crs)
    frame = (*plane.origin, plane.pixel, *plane.size)
    return Grid("moon", crs.to_wkt(), proj4_of(crs), *frame, 1_000.0)


def points_of(plane: Plane) -> list[list[float]]:
    """Rows of lon, lat, x, y."""
    width, height = plane.size
    lattice = [(float(lon), float(lat)) for lon in _LONS for lat in _LATS]
    rows = [[lon, lat, *plane.pixel_of(lon, lat)] for lon, lat in (*plane.spots, *lattice)]
    return [row for row in rows if 0 <= row[2] < width and 0 <= row[3] < height]


def cases() -> dict[str, object]:
    """What the file holds."""
    return {
        "about": "Made by grid_cases.py; points are [lon, lat, x_px, y_px].",
        "grids": [
            {
                "name": name,
                "grid": {**grid_of(plane).to_json(), "max_zoom": grid_of(plane).max_zoom, "crs_wkt": ""},
                "points": points_of(plane),
            }
            for name, plane in PLANES.items()
        ],
    }


def written(value: dict[str, object]) -> str:
    """As JSON with a place to a line."""
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("], [", "],\n [").replace('{"name"', '\n{"name"') + "\n"


if __name__ == "__main__":
    TARGET.write_text(written(cases()), encoding="utf-8")
