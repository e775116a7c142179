"""Pieces of a raster for networks and judges: float32, NaN where there is nothing, also beyond the edges."""

from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from mlcore.errors import InvalidInput
from mlcore.raster import handles
from mlcore.raster.grid import Grid

Array = NDArray[np.float32]
# A window of more is a mistake of the caller, not a cut-out.
MAX_CUTOUT_PX = 100_000_000


def read_window(
    path: Path, x_px: int, y_px: int, width_px: int, height_px: int, *, factor: int = 1, band: int = 1
) -> Array:
    """Read a window, boundless and anti-aliased.

    Overviews are used as far as the window's corner and the factor are multiples of theirs (so align
    windows to the factor); the rest of the way is averaged here. NaN pixels count in no average.

    Args:
        path: A COG of convert_to_cog.
        x_px: Left edge in the raster's own pixels; may lie outside.
        y_px: Top edge.
        width_px: Width in the raster's own pixels.
        height_px: Height likewise.
        factor: Own pixels along each edge of a result's pixel, 1 or more.
        band: Which band of those that carry values, from 1.

    Returns:
        (ceil(height/factor), ceil(width/factor)) float32, NaN for nodata and outside.

    Raises:
        InvalidInput: The window is empty or too large, or there is no such band.
    """
    columns, rows = -(-width_px // factor) if factor > 0 else 0, -(-height_px // factor) if factor > 0 else 0
    if columns < 1 or rows < 1 or columns * rows > MAX_CUTOUT_PX:
        raise InvalidInput(
            f"A cut-out of {width_px} × {height_px} px by a factor of {factor} cannot be read; it has 1 to "
            f"{MAX_CUTOUT_PX:,} px.",
            code="cutout",
        )
    own = handles.level(path, 0)
    common = gcd(factor, gcd(x_px, y_px))
    number = min((common & -common).bit_length() - 1, len(own.dataset.overviews(1)))
    scale = 2**number
    rest = factor // scale
    values = _read(
        handles.level(path, number), x_px // scale, y_px // scale, columns * rest, rows * rest, band
    )
    return values if rest == 1 else _average(values, rest)


@dataclass(frozen=True)
class Frame:
    """A square of ground round a place, as an image: where its pixels are on the grid.

    Attributes:
        grid: The raster's own.
        x_px: Left edge on the grid.
        y_px: Top edge on the grid.
        width_px: On the grid; differs from height_px where the grid's pixels are not square on the ground.
        height_px: On the grid.
        size_px: Edge of the image.
    """

    grid: Grid
    x_px: float
    y_px: float
    width_px: float
    height_px: float
    size_px: int

    def pixel(self, lon: NDArray | float, lat: NDArray | float) -> tuple[NDArray, NDArray]:
        """Image positions (x right, y down, 0 at the corner) of places in degrees."""
        x, y = self.grid.pixel(lon, lat)
        return (
            (x - self.x_px) * self.size_px / self.width_px,
            (y - self.y_px) * self.size_px / self.height_px,
        )


def frame_around(grid: Grid, lon: float, lat: float, width_m: float, size_px: int) -> Frame:
    """The image of a square of ground with the place in its middle.

    Args:
        grid: The raster's own.
        lon: Degrees.
        lat: Degrees.
        width_m: Edge of the square on the ground.
        size_px: Edge of the image.

    Returns:
        Its place on the grid.

    Raises:
        InvalidInput: The place is not on the grid's projection, or the square has no size.
    """
    x, y = grid.pixel(lon, lat)
    edges_m = grid.edges_m(x, y)
    on_map = abs(lat) <= 90.0 and np.isfinite([x, y, *edges_m]).all() and min(edges_m) > 0
    if not (on_map and width_m > 0 and size_px > 0):
        raise InvalidInput(
            f"There is no cut-out of {width_m} m at {lon}°, {lat}°: the place is not on this map, or the "
            "size is not above 0.",
            code="cutout",
        )
    width_px, height_px = width_m / float(edges_m[0]), width_m / float(edges_m[1])
    return Frame(grid, float(x) - width_px / 2, float(y) - height_px / 2, width_px, height_px, size_px)


def read_around(
    path: Path, grid: Grid, lon: float, lat: float, width_m: float, size_px: int, *, band: int = 1
) -> Array:
    """Read a square of ground with a place in its middle (see frame_around for where things are in it).

    Args:
        path: A COG of convert_to_cog.
        grid: Its own grid.
        lon: Degrees.
        lat: Degrees.
        width_m: Edge on the ground.
        size_px: Edge of the result.
        band: Which band of those that carry values, from 1.

    Returns:
        (size_px, size_px) float32, up is the grid's up; NaN for nodata and outside.

    Raises:
        InvalidInput: See frame_around and read_window.
    """
    return read_frame(path, frame_around(grid, lon, lat, width_m, size_px), band=band)


def read_frame(path: Path, frame: Frame, *, band: int = 1) -> Array:
    """Read what a frame shows, bilinear from the overview that is just finer than the image.

    Args:
        path: A COG of convert_to_cog whose own grid is the frame's.
        frame: Of frame_around.
        band: Which band of those that carry values, from 1.

    Returns:
        (size_px, size_px) float32; NaN where a neighbouring pixel is unknown.
    """
    coarser = min(frame.width_px, frame.height_px) / frame.size_px
    levels = len(handles.level(path, 0).dataset.overviews(1))
    number = int(np.clip(np.floor(np.log2(max(coarser, 1.0))), 0, levels))
    scale = 2**number
    left, top = int(np.floor(frame.x_px / scale)) - 1, int(np.floor(frame.y_px / scale)) - 1
    columns = int(np.ceil((frame.x_px + frame.width_px) / scale)) + 1 - left
    rows = int(np.ceil((frame.y_px + frame.height_px) / scale)) + 1 - top
    if columns * rows > MAX_CUTOUT_PX:
        raise InvalidInput(
            f"A cut-out of {columns} × {rows} px cannot be read; it has at most {MAX_CUTOUT_PX:,} px. Ask "
            "for less ground.",
            code="cutout",
        )
    values = _read(handles.level(path, number), left, top, columns, rows, band)
    middles = (np.arange(frame.size_px) + 0.5) / frame.size_px
    x = (frame.x_px + middles * frame.width_px) / scale - left - 0.5
    y = (frame.y_px + middles * frame.height_px) / scale - top - 0.5
    where = np.meshgrid(y, x, indexing="ij")
    return map_coordinates(values, where, order=1, mode="constant", cval=np.nan).astype(np.float32)


def _read(source: handles.Handle, left: int, top: int, columns: int, rows: int, band: int) -> Array:
    """A window of one level, NaN outside; nothing is resampled."""
    if not 1 <= band <= len(source.bands):
        raise InvalidInput(f"There is no band {band}; this raster has {len(source.bands)}.", code="band")
    result = np.full((rows, columns), np.nan, np.float32)
    x0, x1 = max(left, 0), min(left + columns, source.dataset.width)
    y0, y1 = max(top, 0), min(top + rows, source.dataset.height)
    if x0 >= x1 or y0 >= y1:
        return result
    wanted = [source.bands[band - 1], *([source.alpha] if source.alpha else [])]
    values = source.dataset.read(wanted, window=((y0, y1), (x0, x1)))
    inside = values[0].astype(np.float32)
    if source.alpha:
        inside[values[1] == 0] = np.nan
    elif source.nodata is not None:
        inside[values[0] == source.nodata] = np.nan
    result[y0 - top : y1 - top, x0 - left : x1 - left] = inside
    return result


def _average(values: Array, factor: int) -> Array:
    """Means of factor × factor pixels, of the known ones among them."""
    rows, columns = values.shape[0] // factor, values.shape[1] // factor
    cells = values.reshape(rows, factor, columns, factor)
    known = ~np.isnan(cells)
    count = known.sum(axis=(1, 3))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (np.where(known, cells, 0).sum(axis=(1, 3), dtype=np.float64) / count).astype(np.float32)
