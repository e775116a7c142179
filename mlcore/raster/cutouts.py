"""Pieces of a raster for networks and judges: float32, NaN where there is nothing, also beyond the edges."""

from dataclasses import dataclass
from math import cos, gcd, radians
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from scipy.ndimage import map_coordinates

from mlcore.bodies import get_body
from mlcore.errors import InvalidInput
from mlcore.raster import handles
from mlcore.raster.grid import Grid

Array = NDArray[np.float32]
# A window of more is a mistake of the caller, not a cut-out.
MAX_CUTOUT_PX = 100_000_000
# Where longitudes close in on each other by more than this across a cut-out, a rectangle of the grid would
# show a wedge of ground: there the cut-out is drawn on a plane of its own.
_LEAST_NARROWING = 0.5


def read_window(
    path: Path, x_px: int, y_px: int, width_px: int, height_px: int, *, factor: int = 1, band: int = 1
) -> Array:
    """Read a window, boundless and anti-aliased.

    A raster that goes all the way round its body goes on beyond its west and east edges. Overviews are used
    as far as the window's corner and the factor are multiples of theirs (so align windows to the factor);
    the rest of the way is averaged here. NaN pixels count in no average.

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
    wrap = _wrap_of(path, x_px, width_px)
    number = min(_halvings(common), _halvings(wrap), len(own.dataset.overviews(1)))
    scale = 2**number
    rest = factor // scale
    values = _read_round(
        handles.level(path, number),
        (x_px // scale, y_px // scale, columns * rest, rows * rest),
        band,
        wrap // scale,
    )
    return values if rest == 1 else _average(values, rest)


@dataclass(frozen=True)
class Frame:
    """A square of ground round a place, as an image: where its pixels are on the grid.

    Attributes:
        raster: The raster's own grid.
        grid: The grid on which the image is a rectangle: the raster's own, or near a pole of a map in degrees
            or map metres an azimuthal one round the place, north up.
        x_px: Left edge on the grid.
        y_px: Top edge on the grid.
        width_px: On the grid; differs from height_px where the grid's pixels are not square on the ground.
        height_px: On the grid.
        size_px: Edge of the image.
    """

    raster: Grid
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
    on_map = abs(lat) <= 90.0 and np.isfinite([x, y]).all() and width_m > 0 and size_px > 0
    if on_map and grid.turn_px and _narrows(grid.body, lat, width_m):
        return Frame(grid, _round_place(grid.body, lon, lat, width_m, size_px), 0.0, 0.0, *[size_px] * 3)
    edges_m = grid.edges_m(x, y)
    if not (on_map and np.isfinite(edges_m).all() and min(edges_m) > 0):
        raise InvalidInput(
            f"There is no cut-out of {width_m} m at {lon}°, {lat}°: the place is not on this map, or the "
            "size is not above 0.",
            code="cutout",
        )
    width_px, height_px = width_m / float(edges_m[0]), width_m / float(edges_m[1])
    return Frame(grid, grid, float(x) - width_px / 2, float(y) - height_px / 2, width_px, height_px, size_px)


def _narrows(body: str, lat: float, width_m: float) -> bool:
    """Whether meridians close in on each other across a square of ground, or meet in it."""
    poleward = abs(lat) + np.degrees(width_m / 2.0 / get_body(body).radius_m)
    return bool(poleward >= 90.0 or cos(radians(poleward)) < _LEAST_NARROWING * cos(radians(lat)))


def _round_place(body: str, lon: float, lat: float, width_m: float, size_px: int) -> Grid:
    """An azimuthal equidistant grid of one square of ground, north up."""
    radius_m, pixel_m = get_body(body).radius_m, width_m / size_px
    proj4 = (
        f"+proj=aeqd +lat_0={lat} +lon_0={lon} +x_0=0 +y_0=0 +a={radius_m} +b={radius_m} +units=m +no_defs"
    )
    corner = (-width_m / 2, width_m / 2)
    return Grid(body, CRS.from_proj4(proj4).to_wkt(), proj4, *corner, pixel_m, size_px, size_px, pixel_m)


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
        (size_px, size_px) float32, up is the grid's up (near a pole, see Frame: north); NaN for nodata and
        outside.

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

    Raises:
        InvalidInput: It shows more ground than can be read.
    """
    if frame.grid is not frame.raster:
        return _read_turned(path, frame, band)
    coarser = min(frame.width_px, frame.height_px) / frame.size_px
    levels = len(handles.level(path, 0).dataset.overviews(1))
    wrap = _wrap_of(path, int(np.floor(frame.x_px)) - 2**levels, int(frame.width_px) + 2 ** (levels + 1))
    number = int(np.clip(np.floor(np.log2(max(coarser, 1.0))), 0, min(levels, _halvings(wrap))))
    scale = 2**number
    left, top = int(np.floor(frame.x_px / scale)) - 1, int(np.floor(frame.y_px / scale)) - 1
    columns = int(np.ceil((frame.x_px + frame.width_px) / scale)) + 1 - left
    rows = int(np.ceil((frame.y_px + frame.height_px) / scale)) + 1 - top
    _refuse_many(columns, rows)
    values = _read_round(handles.level(path, number), (left, top, columns, rows), band, wrap // scale)
    middles = (np.arange(frame.size_px) + 0.5) / frame.size_px
    x = (frame.x_px + middles * frame.width_px) / scale - left - 0.5
    y = (frame.y_px + middles * frame.height_px) / scale - top - 0.5
    where = np.meshgrid(y, x, indexing="ij")
    return map_coordinates(values, where, order=1, mode="constant", cval=np.nan).astype(np.float32)


def _read_turned(path: Path, frame: Frame, band: int) -> Array:
    """Read a frame that is no rectangle of the raster: each of its pixels from where it lies there."""
    middles = (np.arange(frame.size_px) + 0.5) * frame.width_px / frame.size_px
    lon, lat = frame.grid.lonlat(*np.meshgrid(middles, middles))
    x, y = frame.raster.pixel(lon, lat)
    own = handles.level(path, 0).dataset
    wrap = handles.wrap_px(path) or 0
    edge_m = float(frame.raster.edges_m(own.width / 2, np.clip(np.nanmedian(y), 1.0, own.height - 1.0))[1])
    number = int(np.floor(np.log2(max(frame.grid.resolution_m_per_px / edge_m, 1.0))))
    number = min(number, _halvings(wrap), len(own.overviews(1)))
    source = handles.level(path, number)
    last = source.dataset.height - 1
    x, y = x / 2**number - 0.5, np.nan_to_num(y / 2**number - 0.5, nan=-2.0)
    # There is ground up to the pole, half a pixel beyond the middles of the outermost pixels.
    y = np.where((y > -1.0) & (y < last + 1.0), np.clip(y, 0.0, last - 1e-6), np.clip(y, -2.0, last + 2.0))
    left, top = int(np.floor(x.min())) - 1, int(np.floor(y.min())) - 1
    columns, rows = int(np.ceil(x.max())) + 2 - left, int(np.ceil(y.max())) + 2 - top
    _refuse_many(columns, rows)
    values = _read_round(source, (left, top, columns, rows), band, wrap // 2**number)
    return map_coordinates(values, [y - top, x - left], order=1, mode="constant", cval=np.nan).astype(
        np.float32
    )


def _refuse_many(columns: int, rows: int) -> None:
    if columns * rows > MAX_CUTOUT_PX:
        raise InvalidInput(
            f"A cut-out of {columns} × {rows} px cannot be read; it has at most {MAX_CUTOUT_PX:,} px. Ask "
            "for less ground.",
            code="cutout",
        )


def _wrap_of(path: Path, x_px: int, width_px: int) -> int:
    """Pixels after which a raster begins anew, where a window reaches over its edge; else 0."""
    wrap = handles.wrap_px(path)
    return wrap if wrap and not 0 <= x_px <= wrap - width_px else 0


def _halvings(number: int) -> int:
    """How often a number can be halved: no limit for 0."""
    return (number & -number).bit_length() - 1 if number else 64


def _read_round(source: handles.Handle, box: tuple[int, int, int, int], band: int, wrap: int) -> Array:
    """A window (left, top, columns, rows) of one level that begins anew after `wrap` pixels; 0: does not."""
    left, top, columns, rows = box
    if not wrap:
        return _read(source, left, top, columns, rows, band)
    parts, column = [], left
    while column < left + columns:
        start = column % wrap
        width = min(wrap - start, left + columns - column)
        parts.append(_read(source, start, top, width, rows, band))
        column += width
    return np.concatenate(parts, axis=1)


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
