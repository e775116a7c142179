"""Hillshade, slope and profile curvature of whole elevation models, block by block, without seams."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from mlcore.errors import InvalidInput
from mlcore.raster import terrain
from mlcore.raster.grid import Grid
from mlcore.raster.inspection import grid_of, inspect
from mlcore.raster.layout import Layout, layout_of, read_block
from mlcore.raster.packing import Progress, windows, write_cog

KINDS = ("hillshade", "slope", "curvature")
# Pixels beyond a block that its results depend on: smoothing (4 sigma) and two differences.
HALO_PX = 8
# Ground sizes of pixels are computed at every row and every so many columns, and are straight between.
_LATTICE_PX = 64
# At a pole of a grid in degrees pixels have no width: no slope is steeper for being narrower than this.
MIN_ASPECT = 1e-3

Array = NDArray[np.float32]


def derive_file(
    source: Path,
    target: Path,
    kind: str,
    *,
    body: str,
    azimuth_deg: float = 315.0,
    altitude_deg: float = 45.0,
    progress: Progress = lambda fraction: None,
    name: str | None = None,
) -> None:
    """Derive a layer of an elevation model as a COG on the same grid.

    Derivatives are taken in true metres: on a grid in degrees or in map metres the width and height of
    a pixel on the ground follow the latitude.

    Args:
        source: The elevation model in metres, a COG of convert_to_cog.
        target: The COG to write: hillshade 1–255 (0 is none), slope in degrees, curvature in 1/m.
        kind: One of KINDS.
        body: Key of BODIES.
        azimuth_deg: Of the sun, clockwise from the grid's up; hillshade only.
        altitude_deg: Of the sun above the horizon; hillshade only.
        progress: Called with the fraction done, 0–1.
        name: What to call the source in refusals.

    Raises:
        InvalidInput: The kind or the sun is unknown, or nothing can be derived (level ground throughout).
    """
    if kind not in KINDS:
        raise InvalidInput(f"'{kind}' cannot be derived; there are {', '.join(KINDS)}.", code="kind")
    name = name or source.name
    grid = grid_of(inspect(source, body, name=name), body)
    with rasterio.open(source) as dataset:
        stored = layout_of(dataset)
        layout = replace(
            stored,
            dtype="uint8" if kind == "hillshade" else "float32",
            nodata=0.0 if kind == "hillshade" else float("nan"),
            bands=1,
            alpha=False,
            unit={"hillshade": "", "slope": "degree", "curvature": "1/m"}[kind],
        )
        blocks = _blocks(dataset, stored, grid, kind, (azimuth_deg, altitude_deg))
        write_cog(target, layout, blocks, name=f"{kind} of {name}", progress=progress)


def derive(
    elevation_m: Array, resolution_m_per_px: terrain.Resolution, kind: str, sun: tuple[float, float]
) -> NDArray:
    """Derive a layer of an array, as derive_file stores it.

    Args:
        elevation_m: (H, W), NaN where unknown.
        resolution_m_per_px: See terrain.
        kind: One of KINDS.
        sun: Azimuth and altitude, degrees; used by hillshade.

    Returns:
        (H, W): uint8 with 0 for none (hillshade), or float32 with NaN for none.
    """
    if kind == "slope":
        return _rounded(terrain.slope_deg(elevation_m, resolution_m_per_px))
    if kind == "curvature":
        return _rounded(terrain.profile_curvature_per_m(elevation_m, resolution_m_per_px))
    shade = terrain.hillshade(elevation_m, resolution_m_per_px, *sun)
    return np.where(np.isnan(shade), 0.0, np.rint(1.0 + 254.0 * shade)).astype(np.uint8)


def _rounded(values: Array) -> Array:
    """Floats to 12 bits (0.02 %), far below any model's noise: the rest would not compress."""
    bits = np.ascontiguousarray(values).view(np.int32)
    rounded = ((bits + (1 << 10)) & ~((1 << 11) - 1)).view(np.float32)
    return np.where(np.isfinite(values), rounded, np.nan)


def pixel_edges_m(grid: Grid, window: Window) -> tuple[Array, Array]:
    """Ground size of every pixel of a window.

    Args:
        grid: Of the raster.
        window: In its pixels.

    Returns:
        Metres along x and along y, (H, W) each; the same for a pixel whatever window it is read in; NaN
        where the projection does not reach.
    """
    columns = int(window.col_off) + np.arange(int(window.width), dtype=float) + 0.5
    rows = int(window.row_off) + np.arange(int(window.height), dtype=float) + 0.5
    nodes = np.arange(columns[0] // _LATTICE_PX, columns[-1] // _LATTICE_PX + 2) * _LATTICE_PX
    left = (columns // _LATTICE_PX - nodes[0] / _LATTICE_PX).astype(int)
    part = (columns - nodes[left]) / _LATTICE_PX
    width_m, height_m = (
        (edges[:, left] * (1.0 - part) + edges[:, left + 1] * part).astype(np.float32)
        for edges in grid.edges_m(nodes[None, :], rows[:, None])
    )
    return np.maximum(width_m, MIN_ASPECT * height_m), height_m


def _blocks(
    dataset: DatasetReader, stored: Layout, grid: Grid, kind: str, sun: tuple[float, float]
) -> Iterator[tuple[Window, NDArray]]:
    for inner in windows(stored.width_px, stored.height_px):
        left, top = min(HALO_PX, inner.col_off), min(HALO_PX, inner.row_off)
        outer = Window(
            inner.col_off - left,
            inner.row_off - top,
            min(inner.width + left + HALO_PX, stored.width_px - inner.col_off + left),
            min(inner.height + top + HALO_PX, stored.height_px - inner.row_off + top),
        )
        values = read_block(dataset, stored, outer)[0].astype(np.float32)
        if stored.nodata is not None and not np.isnan(stored.nodata):
            values[values == stored.nodata] = np.nan
        width_m, height_m = pixel_edges_m(grid, outer)
        lost = ~(np.isfinite(width_m) & np.isfinite(height_m) & (height_m > 0))
        values[lost] = np.nan
        edges_m = np.where(lost, 1.0, width_m), np.where(lost, 1.0, height_m)
        derived = derive(values, edges_m, kind, sun)
        yield inner, derived[None, top : top + inner.height, left : left + inner.width]
