"""From a raster with labels in longitude and latitude to the samples of a dataset, and to windows to search.

Training data and predictions are read by the same function, so that they cannot drift apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterWindow

from mlcore.dataset import CircleLabel, Sample
from mlcore.raster.grid import Grid
from mlcore.raster.pyramid import Scale, Window, pixels_of, plan_windows, scale_of
from mlcore.split import UNLABELLED, split_codes

SAMPLE_PX = 640
SAMPLE_OVERLAP_PX = 128
# Circles smaller than this at a level carry no information there.
SMALLEST_LABEL_PX = 6.0


@dataclass(frozen=True)
class GroundCircle:
    """A settled crater or a rejected proposal, on the body.

    Attributes:
        lon: Degrees.
        lat: Degrees.
        diameter_m: Rim to rim.
        weight: How much it counts, 0–1.
    """

    lon: float
    lat: float
    diameter_m: float
    weight: float = 1.0


@dataclass(frozen=True)
class PixelBox:
    """A rectangle in a grid's pixels, as tiles are.

    Attributes:
        x_px: Left edge.
        y_px: Top edge.
        width_px: Width.
        height_px: Height.
    """

    x_px: float
    y_px: float
    width_px: float
    height_px: float


def read_elevation(raster_path: Path, grid: Grid, window: Window) -> NDArray[np.float32]:
    """A window's elevation at its square level pixels.

    Args:
        raster_path: A raster whose own pixels are the grid's.
        grid: That grid.
        window: Where and at which level.

    Returns:
        (height_px, width_px) of scale_of(grid, window), float32, NaN where there are no data.
    """
    scale = scale_of(grid, window)
    parts = []
    with rasterio.open(raster_path) as source:
        for x_px, width_px, columns in _spans(grid, window, scale):
            values = source.read(
                1,
                window=RasterWindow(x_px, window.y_px, width_px, window.height_px),
                out_shape=(scale.height_px, columns),
                resampling=Resampling.average,
                masked=True,
            )
            parts.append(np.asarray(values.astype(np.float32).filled(np.nan), np.float32))
    return np.concatenate(parts, axis=1)


def _spans(grid: Grid, window: Window, scale: Scale) -> list[tuple[int, int, int]]:
    """Left edge and width in grid pixels, and level pixels across: two where the window reaches round."""
    before = (grid.wrap_px or grid.width_px) - window.x_px
    if window.width_px <= before:
        return [(window.x_px, window.width_px, scale.width_px)]
    columns = min(max(1, round(before / scale.grid_px_per_px_x)), scale.width_px - 1)
    return [
        (window.x_px, before, columns),
        (0, window.width_px - before, scale.width_px - columns),
    ]


def cut_samples(
    raster_path: Path,
    grid: Grid,
    *,
    searched: Sequence[PixelBox],
    craters: Sequence[GroundCircle],
    negatives: Sequence[GroundCircle] = (),
    block_deg: float,
    min_diameter_m: float,
) -> Iterator[Sample]:
    """Cut what was searched into samples at every level.

    Args:
        raster_path: An elevation model whose own pixels are the grid's.
        grid: That grid.
        searched: The fully searched tiles; nothing outside them counts as known.
        craters: All craters of at least min_diameter_m in them; smaller ones do no harm.
        negatives: Proposals that people rejected.
        block_deg: Height of the split's cells.
        min_diameter_m: Smallest crater that was labelled completely.

    Yields:
        One sample for each window that meets a searched tile, finest level first.
    """
    plan = plan_windows(
        grid, min_diameter_m=min_diameter_m, window_px=SAMPLE_PX, overlap_px=SAMPLE_OVERLAP_PX
    )
    for window in plan:
        scale = scale_of(grid, window)
        known = _searched(searched, grid, window, scale)
        if not known.any():
            continue
        side = np.where(known, _sides(grid, window, scale, block_deg), UNLABELLED).astype(np.uint8)
        yield Sample(
            elevation_m=read_elevation(raster_path, grid, window),
            side=side,
            craters=circles_in_window(craters, grid, window),
            negatives=circles_in_window(negatives, grid, window),
            grid=grid,
            window=window,
            min_diameter_px=min_diameter_m / scale.resolution_m_per_px,
        )


def _searched(boxes: Sequence[PixelBox], grid: Grid, window: Window, scale: Scale) -> NDArray[np.bool_]:
    """(H, W): the level pixels whose middles lie in one of the boxes, or a whole turn from one."""
    turn_px = grid.wrap_px or np.inf
    x = window.x_px + (np.arange(scale.width_px) + 0.5) * scale.grid_px_per_px_x
    y = window.y_px + (np.arange(scale.height_px) + 0.5) * scale.grid_px_per_px_y
    known = np.zeros((scale.height_px, scale.width_px), bool)
    for box in boxes:
        columns = (x - box.x_px) % turn_px < box.width_px
        rows = (y >= box.y_px) & (y < box.y_px + box.height_px)
        known |= rows[:, None] & columns[None, :]
    return known


def _sides(grid: Grid, window: Window, scale: Scale, block_deg: float) -> NDArray[np.uint8]:
    """(H, W) sides; a level pixel that straddles two is UNLABELLED, for its mean has seen both."""
    x = window.x_px + np.arange(scale.width_px + 1) * scale.grid_px_per_px_x
    y = window.y_px + np.arange(scale.height_px + 1) * scale.grid_px_per_px_y
    lon, lat = grid.lonlat(*np.meshgrid(x, y))
    # Beyond a projection's edge there is no place; nothing there is labelled.
    place = np.isfinite(lon) & np.isfinite(lat)
    corners = split_codes(grid.body, np.where(place, lon, 0), np.where(place, lat, 0), block_deg)
    corners[~place] = UNLABELLED
    first = corners[:-1, :-1]
    same = (first == corners[1:, :-1]) & (first == corners[:-1, 1:]) & (first == corners[1:, 1:])
    return np.where(same, first, UNLABELLED).astype(np.uint8)


def circles_in_window(circles: Sequence[GroundCircle], grid: Grid, window: Window) -> list[CircleLabel]:
    """The circles that meet a window, in its level pixels, numbered by their place in the list."""
    if not circles:
        return []
    scale = scale_of(grid, window)
    rows = np.array([(c.lon, c.lat, c.diameter_m, c.weight) for c in circles], float)
    x, y = pixels_of(grid, rows[:, 0], rows[:, 1], window.x_px + window.width_px / 2)
    x = (x - window.x_px) / scale.grid_px_per_px_x
    y = (y - window.y_px) / scale.grid_px_per_px_y
    diameter = rows[:, 2] / scale.resolution_m_per_px
    reach = diameter / 2
    meets = (x > -reach) & (x < scale.width_px + reach) & (y > -reach) & (y < scale.height_px + reach)
    return [
        CircleLabel(float(x[i]), float(y[i]), float(diameter[i]), float(rows[i, 3]), int(i))
        for i in np.flatnonzero(meets & (diameter >= SMALLEST_LABEL_PX))
    ]
