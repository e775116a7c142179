"""A campaign's grid in use: tiles laid over it, places found on it, blocks chosen for its split."""

import json
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from itertools import pairwise
from math import degrees, sqrt
from operator import or_

import numpy as np
import shapely
from django.db.models import QuerySet
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon

from annotate.models import Basemap, Campaign, Tile
from mlcore import geodesy
from mlcore.bodies import get_body
from mlcore.raster.grid import Grid
from mlcore.raster.outline import bounds_of, footprint_of

# Edges that are straight on the grid are curves in longitude and latitude.
_POINTS_PER_EDGE = 16
# A region needs this many blocks for training, validation and test all to have some.
_WANTED_BLOCKS = 40
_BLOCK_SIZES_DEG = (5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 1e-4, 1e-5, 1e-6)


@dataclass(frozen=True)
class Cell:
    """A rectangle of whole grid pixels, x right, y down."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int

    def grown(self, by_px: int) -> "Cell":
        return Cell(
            self.x_px - by_px, self.y_px - by_px, self.width_px + 2 * by_px, self.height_px + 2 * by_px
        )

    def holds(self, x_px: float, y_px: float) -> bool:
        """Left and upper edges belong to the cell, right and lower ones to the next."""
        return (
            self.x_px <= x_px < self.x_px + self.width_px and self.y_px <= y_px < self.y_px + self.height_px
        )


@lru_cache(maxsize=64)
def _grid_from(text: str) -> Grid:
    return Grid.from_json(json.loads(text))


def grid_of(campaign: Campaign) -> Grid:
    """The campaign's grid; kept per process, since its projection takes milliseconds to set up."""
    return _grid_from(json.dumps(campaign.grid, sort_keys=True))


@lru_cache(maxsize=256)
def _is_cylindrical(crs_wkt: str) -> bool:
    return Grid("", crs_wkt, "", 0.0, 0.0, 1.0, 1, 1, 1.0).turn_px is not None


def is_north_up(basemap: Basemap) -> bool:
    """Whether north is up everywhere on the basemap's own grid."""
    return _is_cylindrical(basemap.crs_wkt)


def core_cell(tile: Tile) -> Cell:
    """The part of the plane that only this tile answers for."""
    return Cell(tile.x_px, tile.y_px, tile.width_px, tile.height_px)


def window_cell(tile: Tile) -> Cell:
    """What is shown for this tile: its core grown by the campaign's overlap."""
    return core_cell(tile).grown(tile.campaign.tile_overlap_px)


def copies(grid: Grid, cell: Cell) -> list[Cell]:
    """The cell, and where the grid goes all the way round the body the same a turn to either side."""
    turns = (0,) if grid.wrap_px is None else (0, grid.wrap_px, -grid.wrap_px)
    return [replace(cell, x_px=cell.x_px + turn) for turn in turns]


def tiles_meeting(campaign: Campaign, cell: Cell) -> QuerySet[Tile]:
    """The campaign's tiles whose cores meet or touch a cell, over the edge of a map of a whole body too."""
    first, *others = (
        campaign.tiles.meeting(one.x_px, one.y_px, one.width_px, one.height_px)
        for one in copies(grid_of(campaign), cell)
    )
    return reduce(or_, others, first)


def pixel_of(grid: Grid, lon: float, lat: float) -> tuple[float, float]:
    """Where a place lies on the grid; infinite where its projection cannot show it."""
    x_px, y_px = grid.pixel(lon, lat)
    return float(x_px), float(y_px)


def outline(grid: Grid, cell: Cell) -> MultiPolygon:
    """The cell's edge in longitude and latitude, cut at ±180° and closed over a pole."""
    box = (cell.x_px, cell.y_px, cell.width_px, cell.height_px)
    return footprint_of(grid, box, points_per_side=_POINTS_PER_EDGE)


def bounds_lonlat(grid: Grid, cell: Cell) -> list[float]:
    """[west, south, east, north]; west is greater than east where the cell crosses ±180°."""
    return list(bounds_of(outline(grid, cell)))


def _edges(length_px: int, size_px: int) -> NDArray[np.int64]:
    """Cuts of nearly equal pieces, none a sliver: a remainder is shared among them all."""
    pieces = max(1, round(length_px / size_px))
    return np.round(np.arange(pieces + 1) * length_px / pieces).astype(np.int64)


def lay_tiles(grid: Grid, tile_size_px: int, region: MultiPolygon | None) -> list[Cell]:
    """Cells of about tile_size_px in reading order; with a region only those that meet it."""
    xs, ys = _edges(grid.width_px, tile_size_px), _edges(grid.height_px, tile_size_px)
    cells = [
        Cell(int(left), int(top), int(right - left), int(bottom - top))
        for top, bottom in pairwise(ys)
        for left, right in pairwise(xs)
    ]
    cells = [cell for cell in cells if _is_on_body(grid, cell)]
    if region is None:
        return cells
    shapely.prepare(region)
    return [cell for cell in cells if _overlaps(outline(grid, cell), region)]


def _is_on_body(grid: Grid, cell: Cell) -> bool:
    """Whether any of the cell shows ground; the corners of a map of a whole disk do not."""
    t = np.linspace(0.0, 1.0, 5)
    x, y = np.meshgrid(cell.x_px + t * cell.width_px, cell.y_px + t * cell.height_px)
    return bool(np.isfinite(grid.lonlat(x, y)[0]).any())


def _overlaps(shape: MultiPolygon, region: MultiPolygon) -> bool:
    return bool(region.intersects(shape) and region.intersection(shape).area > 0.0)


def choose_split_block_deg(region: MultiPolygon, body: str) -> float:
    """The largest round block of which the region holds about forty or more."""
    radius_m = get_body(body).radius_m
    edge_deg = degrees(sqrt(geodesy.polygon_area_m2(region, radius_m) / _WANTED_BLOCKS) / radius_m)
    return next((size for size in _BLOCK_SIZES_DEG if size <= edge_deg), _BLOCK_SIZES_DEG[-1])
