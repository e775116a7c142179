"""Where a grid lies on its body: outline, box, and whether two meet."""

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon

from mlcore.errors import InvalidInput
from mlcore.geodesy import split_at_antimeridian
from mlcore.raster.grid import Grid

_POINTS_PER_SIDE = 64


def footprint_of(grid: Grid) -> MultiPolygon:
    """The area that a grid covers.

    Args:
        grid: Anywhere, poles and ±180° included.

    Returns:
        Longitude and latitude within ±180°; where the projection does not reach the grid's corners
        (a whole disk or globe), the box round what it reaches.
    """
    along = np.linspace(0.0, 1.0, _POINTS_PER_SIDE + 1)[:-1]
    across, down = (
        np.concatenate([along, np.ones_like(along), 1 - along, np.zeros_like(along)]),
        np.concatenate([np.zeros_like(along), along, np.ones_like(along), 1 - along]),
    )
    lon, lat = grid.lonlat(across * grid.width_px, down * grid.height_px)
    if np.isfinite(lon).all() and np.isfinite(lat).all():
        lat = np.clip(lat, -90.0, 90.0)
        if grid.wrap_px:
            return MultiPolygon([shapely.box(-180.0, lat.min(), 180.0, lat.max())])
        try:
            return split_at_antimeridian(Polygon(np.column_stack([lon, lat])))
        except InvalidInput:
            pass
    x, y = np.meshgrid(np.linspace(0, grid.width_px, 65), np.linspace(0, grid.height_px, 65))
    lon, lat = grid.lonlat(x, y)
    known = np.isfinite(lon) & np.isfinite(lat)
    lon, lat = lon[known], lat[known]
    return MultiPolygon([shapely.box(lon.min(), lat.min(), lon.max(), lat.max())])


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
