"""Open rasters, kept open: opening a file costs as much as ten map tiles.

GDAL's datasets may be used by one thread at a time and not across a fork, so every thread of every
process has its own few. A file that was replaced is opened anew.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT

from mlcore.raster.grid import Grid
from mlcore.raster.layout import proj4_of

_MAX_OPEN = 64


@dataclass(frozen=True)
class Handle:
    """An open level of a raster.

    Attributes:
        dataset: To read from, in this thread only.
        bands: Indexes of the bands that carry values.
        alpha: Index of the alpha band, or None.
        nodata: As in Layout.
    """

    dataset: DatasetReader | WarpedVRT
    bands: tuple[int, ...]
    alpha: int | None
    nodata: float | None


class _Opened(threading.local):
    def __init__(self) -> None:
        self.handles: OrderedDict[tuple[object, ...], Handle] = OrderedDict()
        self.facts: dict[tuple[object, ...], Any] = {}


_opened = _Opened()


def _forget_parents() -> None:
    global _opened
    _opened = _Opened()


os.register_at_fork(after_in_child=_forget_parents)


def level(path: Path, number: int) -> Handle:
    """A raster's own pixels (0) or one of its overviews (1 halves them, 2 quarters them, …)."""
    key = (str(path), path.stat().st_mtime_ns, number)
    found = _opened.handles.get(key)
    if found is None:
        return _keep(key, _open(path, number))
    _opened.handles.move_to_end(key)
    return found


def on_grid(path: Path, grid: Grid) -> bool:
    """Whether map tiles and windows on the grid are the raster's own pixels and overviews.

    Args:
        path: A COG of convert_to_cog.
        grid: Usually another basemap's.
    """

    def compare() -> bool:
        dataset = level(path, 0).dataset
        a, _, c, _, e, f = dataset.transform[:6]
        px = grid.pixel_size
        return bool(
            max(abs(a - px), abs(e + px)) * max(grid.width_px, grid.height_px) < 0.1 * px
            and max(abs(c - grid.origin_x), abs(f - grid.origin_y)) < 0.01 * px
            and len(dataset.overviews(1)) >= grid.max_zoom
            and is_same_crs(dataset.crs, CRS.from_wkt(grid.crs_wkt))
        )

    return bool(_known((str(path), path.stat().st_mtime_ns, grid), compare))


def is_same_crs(first: CRS, second: CRS) -> bool:
    """Whether two projections put every place on the same spot, whatever they are called."""
    return bool(first == second) or proj4_of(first) == proj4_of(second)


def wrap_px(path: Path) -> int | None:
    """Pixels after which a raster of a whole body begins anew (see Grid.wrap_px); None for all others."""
    return _own_grid(path, "").wrap_px


def _known(key: tuple[object, ...], find: Callable[[], Any]) -> Any:
    """What was found out about a file, once per thread."""
    if key not in _opened.facts:
        found = find()
        if len(_opened.facts) >= _MAX_OPEN:
            _opened.facts.clear()
        _opened.facts[key] = found
    return _opened.facts[key]


def warped(path: Path, grid: Grid, number: int) -> list[Handle]:
    """A raster of any projection resampled onto a level of the grid (bilinear, from the fitting overview).

    Args:
        path: A COG of convert_to_cog.
        grid: The one to lie on.
        number: 0 for its own pixels, 1 for half as many each way, …

    Returns:
        One handle; three, a turn of longitude apart, where x grows with longitude: a map from 0° to 360°
        has two halves on one from −180° to 180°, and GDAL sees only the one whose numbers agree.
    """
    own = _own_grid(path, grid.body)
    turns = (0,) if own.turn_px is None else (0, -1, 1)
    return [_warped(path, grid, number, own, turn) for turn in turns]


def _warped(path: Path, grid: Grid, number: int, own: Grid, turn: int) -> Handle:
    key = (str(path), path.stat().st_mtime_ns, grid, number, turn)
    found = _opened.handles.get(key)
    if found is not None:
        _opened.handles.move_to_end(key)
        return found
    scale = 2**number
    coarser = _edge_m(grid) * scale / _edge_m(own)
    levels = len(level(path, 0).dataset.overviews(1))
    source = _open(path, int(np.clip(np.floor(np.log2(coarser) + 0.01), 0, levels)))
    a, _, c, _, e, f = source.dataset.transform[:6]
    opaque = source.nodata is None and source.alpha is None
    vrt = WarpedVRT(
        source.dataset,
        src_transform=Affine(a, 0.0, c + turn * (own.turn_px or 0.0) * own.pixel_size, 0.0, e, f),
        crs=CRS.from_wkt(grid.crs_wkt),
        transform=_north_up(grid.origin_x, grid.origin_y, grid.pixel_size * scale),
        width=-(-grid.width_px // scale),
        height=-(-grid.height_px // scale),
        resampling=Resampling.bilinear,
        nodata=source.nodata,
        add_alpha=opaque,
    )
    alpha = vrt.count if opaque else source.alpha
    return _keep(key, Handle(vrt, source.bands, alpha, source.nodata))


def _north_up(x: float, y: float, pixel: float) -> Affine:
    return Affine(pixel, 0.0, x, 0.0, -pixel, y)


def _own_grid(path: Path, body: str) -> Grid:
    """The raster's own grid, on a body; its ground resolution is not measured."""

    def read() -> Grid:
        dataset = level(path, 0).dataset
        a, _, c, _, _, f = dataset.transform[:6]
        crs = dataset.crs
        return Grid(body, crs.to_wkt(), proj4_of(crs), c, f, a, dataset.width, dataset.height, 0.0)

    found: Grid = _known((str(path), path.stat().st_mtime_ns, "own", body), read)
    return found


def _edge_m(grid: Grid) -> float:
    width_m, height_m = grid.edges_m(grid.width_px / 2, grid.height_px / 2)
    return float(np.sqrt(width_m * height_m))


def _open(path: Path, number: int) -> Handle:
    options: dict[str, Any] = {"overview_level": number - 1} if number else {}
    dataset = rasterio.open(path, **options)
    alphas = [i for i in dataset.indexes if dataset.colorinterp[i - 1] == ColorInterp.alpha]
    bands = tuple(i for i in dataset.indexes if i not in alphas)
    return Handle(dataset, bands, alphas[0] if alphas else None, dataset.nodata)


def _keep(key: tuple[object, ...], handle: Handle) -> Handle:
    _opened.handles[key] = handle
    while len(_opened.handles) > _MAX_OPEN:
        _opened.handles.popitem(last=False)[1].dataset.close()
    return handle
