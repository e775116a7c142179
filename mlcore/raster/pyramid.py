"""Levels and windows: how a grid is cut so that each crater is of a size the network knows somewhere.

The network knows craters of MIN_PX to MAX_PX pixels. A level is the grid at `factor` times its pixel; factors
are powers of two from the one where the smallest crater wanted is about 20 px up to the one where the whole
grid is about a window. A window is read at square ground pixels of its middle latitude, whatever the grid's
projection does to shapes there.
"""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlcore import geodesy
from mlcore.bodies import get_body
from mlcore.raster.grid import Grid

MIN_PX = 16.0
MAX_PX = 80.0
# The grid at the coarsest level is at least this wide or high: below, hardly a crater is whole.
SMALLEST_LEVEL_PX = 48


@dataclass(frozen=True)
class Window:
    """A rectangle of the grid, searched at one level.

    Attributes:
        index: 0-based within the plan.
        factor: Ground pixel of the level ÷ the grid's.
        x_px: Left edge in the grid's own pixels.
        y_px: Top edge.
        width_px: Width in the grid's own pixels.
        height_px: Height.
        inner: Of the edges west, north, east, south, those beyond which a neighbour goes on. A detection
            that touches one is cut there and whole in the neighbour, so it is dropped here.
    """

    index: int
    factor: int
    x_px: int
    y_px: int
    width_px: int
    height_px: int
    inner: tuple[bool, bool, bool, bool]

    @classmethod
    def example(cls) -> Self:
        """The first window of a larger grid."""
        return cls(0, 2, 0, 0, 2048, 2048, (False, False, True, True))

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Inverse of to_json."""
        return cls(**{**value, "inner": tuple(value["inner"])})

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict with the attributes as keys."""
        return {**asdict(self), "inner": list(self.inner)}


@dataclass(frozen=True)
class Scale:
    """How a window's square level pixels lie on the grid: level pixel 0 begins at the window's corner.

    Attributes:
        resolution_m_per_px: Ground size of a level pixel.
        width_px: Of the window, in level pixels.
        height_px: Likewise.
        grid_px_per_px_x: Grid pixels per level pixel, rightwards.
        grid_px_per_px_y: Downwards.
    """

    resolution_m_per_px: float
    width_px: int
    height_px: int
    grid_px_per_px_x: float
    grid_px_per_px_y: float


def ground_edges_m(grid: Grid, x_px: float, y_px: float) -> tuple[float, float]:
    """Width and height on the ground, in metres, of the grid's pixel around a position."""
    radius_m = get_body(grid.body).radius_m
    lon, lat = grid.lonlat(
        np.array([x_px - 0.5, x_px + 0.5, x_px, x_px]), np.array([y_px, y_px, y_px - 0.5, y_px + 0.5])
    )
    width_m = geodesy.distance_m(lon[0], lat[0], lon[1], lat[1], radius_m)
    height_m = geodesy.distance_m(lon[2], lat[2], lon[3], lat[3], radius_m)
    return float(width_m), float(height_m)


def scale_of(grid: Grid, window: Window) -> Scale:
    """The square ground pixels at which a window is read."""
    edge_m = grid.resolution_m_per_px * window.factor
    width_m, height_m = ground_edges_m(
        grid, window.x_px + window.width_px / 2, window.y_px + window.height_px / 2
    )
    width = max(1, round(window.width_px * width_m / edge_m))
    height = max(1, round(window.height_px * height_m / edge_m))
    return Scale(edge_m, width, height, window.width_px / width, window.height_px / height)


def pixels_of(
    grid: Grid, lon: NDArray[np.float64], lat: NDArray[np.float64], near_x_px: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Grid pixels of places, (n,) degrees each, on that turn around the body that is nearest to near_x_px."""
    x, y = grid.pixel(lon, lat)
    return (x + np.round((near_x_px - x) / grid.turn_px) * grid.turn_px if grid.turn_px else x), y


def factors(grid: Grid, min_diameter_m: float) -> list[int]:
    """The pyramid's factors for a grid on which craters from min_diameter_m are wanted."""
    finest = max(0, int(np.floor(np.log2(max(min_diameter_m / (MIN_PX * grid.resolution_m_per_px), 1.0)))))
    coarsest = int(np.floor(np.log2(max(grid.width_px, grid.height_px) / SMALLEST_LEVEL_PX)))
    return [2**k for k in range(finest, max(finest, coarsest) + 1)]


def _starts(length: int, window: int, overlap: int) -> list[int]:
    """Left edges of equally spread windows that cover length and overlap by overlap or more."""
    if length <= window:
        return [0]
    count = int(np.ceil((length - overlap) / (window - overlap)))
    return [round(i * (length - window) / (count - 1)) for i in range(count)]


def _starts_round(length: int, window: int, overlap: int) -> list[int]:
    """Left edges of equally spread windows that cover a length whose end is its beginning: two or more."""
    count = 2 if window >= length else max(2, int(np.ceil(length / (window - overlap))))
    return [round(i * length / count) for i in range(count)]


def plan_windows(grid: Grid, *, min_diameter_m: float, window_px: int, overlap_px: int) -> list[Window]:
    """Windows that cover a grid at every level.

    On a grid that goes all the way round the body the last ones reach over its edge into the first, so that
    what lies on the seam is whole somewhere.

    Args:
        grid: The grid of the raster.
        min_diameter_m: Smallest crater wanted.
        window_px: Edge of a window in level pixels of the grid's middle.
        overlap_px: How much neighbours share; more than MAX_PX, so that each crater is whole somewhere.

    Returns:
        Windows in order of index, finest level first, rows from north to south.
    """
    plan: list[Window] = []
    for factor in factors(grid, min_diameter_m):
        edge, overlap = window_px * factor, overlap_px * factor
        rows, wrap = _starts(grid.height_px, edge, overlap), grid.wrap_px
        width, height = min(edge, wrap or grid.width_px), min(edge, grid.height_px)
        columns = _starts_round(wrap, width, overlap) if wrap else _starts(grid.width_px, edge, overlap)
        for y in rows:
            for x in columns:
                west, east = (True, True) if wrap else (x != columns[0], x != columns[-1])
                inner = (west, y != rows[0], east, y != rows[-1])
                plan.append(Window(len(plan), factor, x, y, width, height, inner))
    return plan
