"""Map tiles: 256-px web images cut from a basemap's own pixels, stretched as one person likes them.

At zoom grid.max_zoom a tile is one block of the COG, at lower zooms one block of an overview; nothing
is resampled unless the basemap lies on another grid. JPEG where opaque, else PNG (grey) or WebP (colour).
"""

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mlcore.errors import InvalidInput
from mlcore.raster import handles
from mlcore.raster.grid import MAP_TILE_PX, Grid

# Rows and columns, each from and to.
Window = tuple[tuple[int, int], tuple[int, int]]

JPEG_QUALITY = 85
MIN_GAMMA, MAX_GAMMA = 0.1, 10.0


class Tile(NamedTuple):
    """An encoded image."""

    content: bytes
    content_type: str


@dataclass(frozen=True)
class Stretch:
    """How values become brightness.

    Attributes:
        low_percent: Percentile shown black, 0–100.
        high_percent: Percentile shown white, above low_percent.
        gamma: Above 1 brightens the middle; 0.1–10.
        invert: White for low, black for high.
    """

    low_percent: float = 2.0
    high_percent: float = 98.0
    gamma: float = 1.0
    invert: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.low_percent < self.high_percent <= 100.0:
            raise InvalidInput(
                f"A stretch from {self.low_percent} to {self.high_percent} percent is none; give 0 ≤ low < "
                "high ≤ 100.",
                code="stretch",
            )
        if not MIN_GAMMA <= self.gamma <= MAX_GAMMA:
            raise InvalidInput(
                f"Gamma {self.gamma} is outside {MIN_GAMMA}–{MAX_GAMMA}.",
                code="stretch",
            )

    def limits(self, statistics: list[dict[str, float]]) -> tuple[float, float]:
        """The values shown black and white: the same for all bands, so that hues stay.

        Args:
            statistics: Of cog.statistics, one entry for each band shown.

        Returns:
            low < high, in the raster's values.
        """
        low = min(_percentile(band, self.low_percent) for band in statistics)
        high = max(_percentile(band, self.high_percent) for band in statistics)
        return low, high if high > low else low + 1.0


# Percentile values between those that were measured lie on straight lines.
def _percentile(band: dict[str, float], percent: float) -> float:
    known = [(0.0, band["min"]), (100.0, band["max"])]
    known += [(float(key[1:].replace("_", ".")), value) for key, value in band.items() if key[1:2].isdigit()]
    known.sort()
    return float(np.interp(percent, [p for p, _ in known], [v for _, v in known]))


def render(
    path: Path, z: int, x: int, y: int, *, grid: Grid, stretch: Stretch, statistics: list[dict[str, float]]
) -> Tile:
    """Cut, stretch and encode one map tile.

    Args:
        path: A COG of convert_to_cog.
        z: Zoom, 0 … grid.max_zoom.
        x: Column from the grid's left edge; see cut.
        y: Row from its top.
        grid: The campaign's.
        stretch: The person's.
        statistics: The basemap's, of cog.statistics.

    Returns:
        The image; transparent where there is no data, and all of it outside the grid.

    Raises:
        InvalidInput: The grid has no such zoom.
    """
    found = cut(path, z, x, y, grid=grid)
    if found is None:
        return NOTHING
    values, valid = found
    if valid is not None and not valid.any():
        return NOTHING
    low, high = stretch.limits(statistics[: len(values)])
    return _encode(to_grey(values, low, high, stretch.gamma, stretch.invert), valid)


def cut(path: Path, z: int, x: int, y: int, *, grid: Grid) -> tuple[NDArray, NDArray[np.bool_] | None] | None:
    """The pixels of a map tile as they are stored.

    A grid that goes all the way round its body goes on for half a turn beyond its west and east edges.

    Args:
        path: A COG of convert_to_cog.
        z: Zoom, 0 … grid.max_zoom.
        x: Column from the grid's left edge; negative to the west of it.
        y: Row from its top.
        grid: The campaign's.

    Returns:
        Values (1 or 3, 256, 256) and which are data (256, 256), None where all are; None outside the grid.

    Raises:
        InvalidInput: The grid has no such zoom.
    """
    if not 0 <= z <= grid.max_zoom:
        raise InvalidInput(f"Zoom {z} is outside this grid's 0–{grid.max_zoom}.", code="zoom")
    number = grid.max_zoom - z
    top = y * MAP_TILE_PX
    height = min(MAP_TILE_PX, -(-grid.height_px // 2**number) - top)
    runs = _runs(grid, number, x * MAP_TILE_PX) if y >= 0 and height > 0 else []
    if not runs:
        return None
    if handles.on_grid(path, grid):
        own = handles.level(path, number)
        parts = [_read(own, ((top, top + height), run.columns)) for run in runs]
    else:
        others = handles.warped(path, grid, number)
        parts = [_read_first(others, ((top, top + height), run.columns)) for run in runs]
    if len(runs) == 1 and parts[0][0].shape[1:] == (MAP_TILE_PX, MAP_TILE_PX):
        values, valid = parts[0]
        return values, None if valid is None or valid.all() else valid
    whole = np.zeros((len(parts[0][0]), MAP_TILE_PX, MAP_TILE_PX), parts[0][0].dtype)
    inside = np.zeros((MAP_TILE_PX, MAP_TILE_PX), bool)
    for run, (values, valid) in zip(runs, parts, strict=True):
        here = slice(run.start, run.start + values.shape[2])
        whole[:, :height, here] = values
        inside[:height, here] = True if valid is None else valid
    return whole, None if inside.all() else inside


class _Run(NamedTuple):
    """Columns of a level, from and to, that lie side by side in a map tile from its column `start` on."""

    start: int
    columns: tuple[int, int]


def _runs(grid: Grid, number: int, left: int) -> list[_Run]:
    """Where the columns of a map tile are on a level of the grid.

    Args:
        grid: The campaign's.
        number: Of the level: 0 for own pixels, 1 for half as many each way, …
        left: The tile's first column, in the level's pixels; outside only where the grid goes all round.
    """
    width = -(-grid.width_px // 2**number)
    if 0 <= left <= width - MAP_TILE_PX or not grid.wrap_px:
        right = min(left + MAP_TILE_PX, width)
        return [_Run(0, (left, right))] if 0 <= left < right else []
    # The middle of each column in the grid's own pixels, brought home. A level whose pixels do not divide
    # the turn fits to its own half pixel.
    middles = (left + np.arange(MAP_TILE_PX) + 0.5) * 2**number
    seen = np.flatnonzero(np.abs(middles - grid.width_px / 2) <= grid.width_px / 2 + grid.wrap_px / 2)
    home = np.where((middles < 0) | (middles >= grid.width_px), middles % grid.wrap_px, middles)
    columns = np.minimum(home[seen] // 2**number, width - 1).astype(int)
    breaks = np.flatnonzero(np.diff(columns) != 1) + 1
    return [
        _Run(int(places[0]), (int(run[0]), int(run[-1]) + 1))
        for places, run in zip(np.split(seen, breaks), np.split(columns, breaks), strict=True)
        if len(run)
    ]


def _read_first(sources: list[handles.Handle], window: Window) -> tuple[NDArray, NDArray[np.bool_] | None]:
    """At each pixel the first source that has data there."""
    values, valid = _read(sources[0], window)
    for source in sources[1:]:
        if valid is None or valid.all():
            break
        others, known = _read(source, window)
        values = np.where(valid, values, others)
        valid = valid | (True if known is None else known)
    return values, valid


def _read(source: handles.Handle, window: Window) -> tuple[NDArray, NDArray[np.bool_] | None]:
    shown = list(source.bands[:3] if len(source.bands) >= 3 else source.bands[:1])
    values = source.dataset.read([*shown, source.alpha] if source.alpha else shown, window=window)
    return values[: len(shown)], _valid(values, source)


def _valid(values: NDArray, source: handles.Handle) -> NDArray[np.bool_] | None:
    if source.alpha is not None:
        return values[-1] > 0
    if source.nodata is None:
        return None
    known = ~np.isnan(values) if np.isnan(source.nodata) else values != source.nodata
    return known[0] if len(known) == 1 else known.any(axis=0)


def to_grey(values: NDArray, low: float, high: float, gamma: float, invert: bool) -> NDArray[np.uint8]:
    """Stretch values between two limits.

    Args:
        values: Any shape and number type.
        low: Shown as 0.
        high: Shown as 255.
        gamma: See Stretch.
        invert: See Stretch.

    Returns:
        0–255 in the same shape.
    """
    if values.dtype.itemsize <= 2:
        table = _table(values.dtype.name, low, high, gamma, invert)
        return table[values.view(f"u{values.dtype.itemsize}")]
    scaled = (values - np.float32(low)) * np.float32(255.0 / (high - low))
    with np.errstate(invalid="ignore"):
        grey = np.clip(scaled, 0.0, 255.0).astype(np.uint8)
    return grey if gamma == 1.0 and not invert else _table("uint8", 0.0, 255.0, gamma, invert)[grey]


@lru_cache(maxsize=128)
def _table(dtype: str, low: float, high: float, gamma: float, invert: bool) -> NDArray[np.uint8]:
    """Brightness for every value of an 8- or 16-bit type, by its bit pattern."""
    size = np.dtype(dtype).itemsize
    values = np.arange(2 ** (8 * size), dtype=f"u{size}").view(dtype).astype(float)
    part = np.clip((values - low) / (high - low), 0.0, 1.0) ** (1.0 / gamma)
    return np.rint(255.0 * (1.0 - part if invert else part)).astype(np.uint8)


def _encode(grey: NDArray[np.uint8], valid: NDArray[np.bool_] | None) -> Tile:
    size = (MAP_TILE_PX, MAP_TILE_PX)
    colour = len(grey) == 3
    pixels = np.ascontiguousarray(np.moveaxis(grey, 0, -1)) if colour else grey[0]
    image = Image.frombuffer("RGB" if colour else "L", size, pixels, "raw", "RGB" if colour else "L", 0, 1)
    content = BytesIO()
    if valid is None:
        image.save(content, "JPEG", quality=JPEG_QUALITY)
        return Tile(content.getvalue(), "image/jpeg")
    mask = np.where(valid, np.uint8(255), np.uint8(0))
    image = image.copy()
    image.putalpha(Image.frombuffer("L", size, mask, "raw", "L", 0, 1))
    if colour:
        image.save(content, "WEBP", method=0, quality=JPEG_QUALITY)
        return Tile(content.getvalue(), "image/webp")
    image.save(content, "PNG", compress_level=1)
    return Tile(content.getvalue(), "image/png")


def _nothing() -> Tile:
    content = BytesIO()
    Image.new("LA", (MAP_TILE_PX, MAP_TILE_PX)).save(content, "PNG")
    return Tile(content.getvalue(), "image/png")


NOTHING = _nothing()
