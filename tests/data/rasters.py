"""Small synthetic rasters of every awkward kind, made anew for each test."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning

from mlcore.raster.grid import Grid
from mlcore.raster.layout import proj4_of

MOON_M = 1_737_400.0
DEGREES = f"+proj=longlat +R={MOON_M} +no_defs"
MAP = f"+proj=eqc +R={MOON_M} +units=m +no_defs"
NORTH_POLE = f"+proj=stere +lat_0=90 +R={MOON_M} +units=m +no_defs"
SOUTH_POLE = f"+proj=stere +lat_0=-90 +R={MOON_M} +units=m +no_defs"
MERCATOR_FARSIDE = f"+proj=merc +lon_0=180 +R={MOON_M} +units=m +no_defs"
EARTH = "EPSG:4326"


def north_up(west: float, north: float, pixel: float) -> Affine:
    return Affine(pixel, 0.0, west, 0.0, -pixel, north)


def write(
    path: Path,
    values: NDArray,
    *,
    crs: str | None = DEGREES,
    transform: Affine | None = None,
    driver: str = "GTiff",
    scales: tuple[float, float] | None = None,
    unit: str | None = None,
    **options: Any,
) -> Path:
    """Write (H, W) or (bands, H, W) values; by default in degrees with 0.01° pixels from 10° E, 5° N."""
    values = values if values.ndim == 3 else values[None]
    place = north_up(10.0, 5.0, 0.01) if transform is None else transform
    profile = {
        "driver": driver,
        "count": len(values),
        "height": values.shape[1],
        "width": values.shape[2],
        "dtype": values.dtype.name,
        **({} if crs is None else {"crs": crs, "transform": place}),
        **options,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        dataset = rasterio.open(path, "w", **profile)
    with dataset:
        dataset.write(values)
        if scales is not None:
            dataset.scales, dataset.offsets = [scales[0]] * len(values), [scales[1]] * len(values)
        if unit is not None:
            dataset.units = [unit] * len(values)
    return path


def grid_of(crs: str, x: float, y: float, pixel: float, width: int = 1000, height: int = 800) -> Grid:
    """A grid on the Moon with its upper left corner at x, y."""
    parsed = CRS.from_user_input(crs)
    return Grid("moon", parsed.to_wkt(), proj4_of(parsed), x, y, pixel, width, height, 100.0)


def noise(*shape: int, dtype: str = "int16", seed: int = 1) -> NDArray:
    """Values that never repeat a pattern; 1 to 250, so that 0 and 255 stay free."""
    return np.random.default_rng(seed).integers(1, 251, shape).astype(dtype)


def hills(height: int, width: int, *, seed: int = 1) -> NDArray[np.float32]:
    """Smooth terrain in metres with a bowl in it."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    phases = np.random.default_rng(seed).uniform(0, 6.28, 3)
    waves = sum(300 * np.sin(x / (9 + 5 * i) + y / (13 + 3 * i) + phase) for i, phase in enumerate(phases))
    distance = np.hypot(x - width / 2, y - height / 2) / (min(height, width) / 5)
    return (waves + np.where(distance < 1, 800 * (distance**2 - 1), 0)).astype(np.float32)


def spotted(width: int, height: int, places_px: Iterable[tuple[float, float]]) -> NDArray[np.uint8]:
    """Dark ground with a bright spot of a few pixels round each place (x, y in pixels from the corner)."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    values = np.full((height, width), 30.0)
    for at_x, at_y in places_px:
        values += 210.0 * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * 1.8**2))
    return np.clip(values, 1, 255).astype(np.uint8)


def polar(lon: float, lat: float) -> tuple[float, float]:
    """Where a place lies on NORTH_POLE, in metres."""
    x, y = grid_of(NORTH_POLE, 0.0, 0.0, 1.0).pixel(lon, lat)
    return float(x), -float(y)
