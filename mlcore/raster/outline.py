"""Where a grid lies on its body: outline, box, and whether two meet."""

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon

from mlcore.errors import InvalidInput
from mlcore.geodesy import split_at_antimeridian
from mlcore.raster.grid import Grid

# Left, top, width and height in pixels.
Box = tuple[float, float, float, float]
# An edge that runs through a pole turns round there on the spot, and nobody could say which way: outlines
# keep so many pixels inside.
_INSIDE_PX = 1e-6


def footprint_of(grid: Grid, box: Box | None = None, *, points_per_side: int = 64) -> MultiPolygon:
    """The area that a grid covers, or a box of its pixels.

    Args:
        grid: Anywhere, poles and ±180° included.
        box: Left, top, width and height in the grid's pixels; may reach beyond it.
        points_per_side: How finely edges are drawn that are straight on the grid but curves on the body.

    Returns:
        Longitude and latitude within ±180°; where the projection does not reach the corners (a whole disk or
        globe), the box round what it reaches.
    """
    left, top, width, height = box or (0.0, 0.0, grid.width_px, grid.height_px)
    if grid.turn_px:
        return _strip(grid, (left, top, width, height), 360.0 / grid.turn_px)
    lon, lat = grid.lonlat(*_edges(grid, (left, top, width, height), points_per_side))
    if np.isfinite(lon).all() and np.isfinite(lat).all():
        try:
            return split_at_antimeridian(Polygon(np.column_stack([lon, lat])))
        except InvalidInput:
            pass
    x, y = np.meshgrid(np.linspace(left, left + width, 65), np.linspace(top, top + height, 65))
    lon, lat = grid.lonlat(x, y)
    known = np.isfinite(lon) & np.isfinite(lat)
    lon, lat = lon[known], lat[known]
    return MultiPolygon([shapely.box(lon.min(), lat.min(), lon.max(), lat.max())])


def _edges(grid: Grid, box: Box, points_per_side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points round a box, clockwise, among them those nearest to the poles: there longitude runs fastest."""
    left, top, width, height = box
    along = np.linspace(0.0, 1.0, points_per_side + 1)
    poles_x, poles_y = grid.pixel([0.0, 0.0], [90.0, -90.0])
    seen = np.isfinite(poles_x) & np.isfinite(poles_y)
    feet_x, feet_y = (poles_x[seen] - left) / width, (poles_y[seen] - top) / height
    across, down = (
        np.unique(np.concatenate([along, feet[(feet > 0.0) & (feet < 1.0)]])) for feet in (feet_x, feet_y)
    )
    x = np.concatenate([across[:-1], np.ones(len(down) - 1), across[:0:-1], np.zeros(len(down) - 1)])
    y = np.concatenate([np.zeros(len(across) - 1), down[:-1], np.ones(len(across) - 1), down[:0:-1]])
    return (
        left + _INSIDE_PX + x * (width - 2 * _INSIDE_PX),
        top + _INSIDE_PX + y * (height - 2 * _INSIDE_PX),
    )


def _strip(grid: Grid, box: Box, degrees_per_px: float) -> MultiPolygon:
    """A box whose columns are meridians and whose rows are parallels, as far as there are any."""
    left, top, width, height = box
    rows = top + np.linspace(0.0, height, 9)
    west, lat = grid.lonlat(np.full_like(rows, left), rows)
    known = np.isfinite(lat)
    # Rows go on beyond the poles, as numbers.
    north = float(lat[0]) if known[0] else 90.0
    south = float(lat[-1]) if known[-1] else -90.0
    if (width + 0.5) * degrees_per_px >= 360.0:
        return MultiPolygon([shapely.box(-180.0, south, 180.0, north)])
    # Steps of less than half a turn, which can be meant one way only.
    lon = float(west[known][0]) + np.linspace(
        0.0, width * degrees_per_px, int(width * degrees_per_px / 90) + 2
    )
    edges = [np.column_stack([lon, np.full_like(lon, lat)]) for lat in (south, north)]
    return split_at_antimeridian(Polygon(np.concatenate([edges[0], edges[1][::-1]])))


def bounds_of(footprint: MultiPolygon) -> tuple[float, float, float, float]:
    """The box round a footprint.

    Args:
        footprint: Longitude and latitude within ±180°.

    Returns:
        west, south, east, north in degrees; west > east where the shape crosses ±180° (as in GeoJSON).
    """
    west, south, east, north = footprint.bounds
    if west > -180.0 or east < 180.0:
        return west, south, east, north
    # Between the parts that touch ±180° lies the widest gap of longitudes, unless it goes all round.
    spans = sorted((part.bounds[0], part.bounds[2]) for part in shapely.get_parts(footprint))
    reach, gap, edges = spans[0][1], 0.0, (west, east)
    for left, right in spans[1:]:
        if left - reach > gap:
            gap, edges = left - reach, (left, reach)
        reach = max(reach, right)
    return edges[0], south, edges[1], north


def refuse_no_overlap(first: MultiPolygon, second: MultiPolygon, *, name: str, other: str) -> None:
    """Refuse two rasters that show no common ground.

    Args:
        first: Footprint.
        second: Footprint, of the same body.
        name: What to call the first.
        other: What to call the second.

    Raises:
        InvalidInput: They do not overlap.
    """
    if not first.intersection(second).area > 0.0:
        boxes = [
            "[" + ", ".join(f"{edge:.2f}" for edge in bounds_of(shape)) + "]" for shape in (first, second)
        ]
        raise InvalidInput(
            f"'{name}' covers {boxes[0]} and '{other}' {boxes[1]} (west, south, east, north): they share no "
            "ground. Choose a raster of the same region.",
            code="no_overlap",
        )
