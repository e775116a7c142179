"""A generated world put onto a body as a GeoTIFF, with its truth in longitude and latitude."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.transform import from_origin

from mlcore.bodies import get_body
from mlcore.raster.grid import Grid
from mlcore.simulate.terrain import Circle, World, version


def write_world(world: World, path: Path, *, body: str, lon: float, lat: float) -> Grid:
    """Write a world as an equirectangular elevation model, labelled synthetic.

    Args:
        world: From make_world.
        path: The GeoTIFF to write; float32 metres.
        body: Key of mlcore.bodies.BODIES.
        lon: Of the middle, degrees.
        lat: Of the middle; near the equator, where this projection keeps circles round.

    Returns:
        The grid of its pixels.
    """
    radius_m, edge_m = get_body(body).radius_m, world.parameters.resolution_m_per_px
    size = world.parameters.size_px
    proj4 = f"+proj=eqc +lat_ts=0 +lat_0=0 +lon_0=0 +x_0=0 +y_0=0 +R={radius_m:.0f} +units=m +no_defs"
    wkt = CRS.from_proj4(proj4).to_wkt()
    left = np.radians(lon) * radius_m - size / 2 * edge_m
    top = np.radians(lat) * radius_m + size / 2 * edge_m
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=size,
        height=size,
        count=1,
        dtype="float32",
        nodata=-32768,
        crs=wkt,
        transform=from_origin(left, top, edge_m, edge_m),
        compress="deflate",
        predictor=3,
        tiled=True,
    ) as target:
        target.write(world.elevation_m, 1)
        target.update_tags(SYNTHETIC="yes", SIMULATOR=version(), SEED=str(world.seed))
    return Grid(body, wkt, proj4, left, top, edge_m, size, size, edge_m)


def on_body(circles: Sequence[Circle], grid: Grid) -> NDArray[np.float64]:
    """(n, 3) longitude, latitude (degrees) and diameter (metres) of a world's circles."""
    if not circles:
        return np.empty((0, 3))
    rows = np.array([(c.x_px, c.y_px, c.diameter_px) for c in circles])
    lon, lat = grid.lonlat(rows[:, 0], rows[:, 1])
    return np.stack([lon, lat, rows[:, 2] * grid.resolution_m_per_px], axis=1)
