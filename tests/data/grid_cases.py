"""Makes grid_cases.json, places on which Python's grids and the browser's must agree, for every projection.

Positions are computed by the textbook (see planes.py), not with the libraries under test. Run
`python -m tests.data.grid_cases` after a change here and commit both.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import rasterio
from pyproj import CRS, Transformer
from rasterio.io import MemoryFile

from mlcore.raster.grid import Grid
from mlcore.raster.layout import DRAWN_IN_BROWSERS, proj4_of
from tests.data.planes import MOON_M, PLANES, Plane

TARGET = Path(__file__).with_suffix(".json")
# Places beyond a plane's own spots: a lattice over the body, of which those on the grid are kept.
_LONS = [-179.999, *range(-165, 180, 30), 0.001, 179.999]
_LATS = [-89.9, -75, -55, -30, -0.001, 20, 45, 70, 89.9]


@cache
def grid_of(plane: Plane) -> Grid:
    """The grid as it is taken from a GeoTIFF, which has words of its own for some projections."""
    crs = as_stored(plane.crs)
    frame = (*plane.origin, plane.pixel, *plane.size)
    return Grid("moon", crs.to_wkt(), proj4_of(crs), *frame, 1_000.0)


def as_stored(crs: str) -> rasterio.crs.CRS:
    """A coordinate system after a way through a GeoTIFF."""
    with MemoryFile() as file:
        place = rasterio.Affine(2.0, 0.0, 0.0, 0.0, -2.0, 0.0)
        with file.open(
            driver="GTiff", width=1, height=1, count=1, dtype="uint8", crs=crs, transform=place
        ) as dataset:
            dataset.write(np.ones((1, 1, 1), "uint8"))
        with file.open() as dataset:
            return dataset.crs


def points_of(plane: Plane) -> list[list[float]]:
    """Rows of lon, lat, x, y."""
    width, height = plane.size
    lattice = [(float(lon), float(lat)) for lon in _LONS for lat in _LATS]
    rows = [[lon, lat, *plane.pixel_of(lon, lat)] for lon, lat in (*plane.spots, *lattice)]
    return [row for row in rows if 0 <= row[2] < width and 0 <= row[3] < height]


def others() -> list[dict[str, object]]:
    """The further projections that are taken, some places of each as PROJ has them: lon, lat, x, y."""
    rows = []
    for name in sorted(DRAWN_IN_BROWSERS - {"longlat"}):
        words = f"+proj={name} +lat_0=30 +lon_0=10 +lat_1=20 +lat_2=50 +lat_ts=30 +R={MOON_M} +units=m"
        crs = as_stored(words) if name != "robin" else rasterio.crs.CRS.from_user_input(words)
        plane = CRS.from_wkt(crs.to_wkt())
        lon, lat = np.array([10.5, 13.0, 4.0, 24.0]), np.array([31.0, 22.0, 45.0, 38.0])
        x, y = Transformer.from_crs(plane.geodetic_crs, plane, always_xy=True).transform(lon, lat)
        rows.append({"proj4": proj4_of(crs), "places": np.column_stack([lon, lat, x, y]).round(4).tolist()})
    return rows


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
        "others": others(),
    }


def written(value: dict[str, object]) -> str:
    """As JSON with a place to a line."""
    text = json.dumps(value, ensure_ascii=False)
    return (
        text.replace("], [", "],\n [").replace('{"name"', '\n{"name"').replace('{"proj4"', '\n{"proj4"')
        + "\n"
    )


if __name__ == "__main__":
    TARGET.write_text(written(cases()), encoding="utf-8")
