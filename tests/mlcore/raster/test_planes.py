"""Every kind of grid: places lie where the textbook puts them, on own pixels, on overviews and resampled."""

import json
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mlcore import geodesy
from mlcore.raster import cog, handles
from mlcore.raster.grid import Grid
from mlcore.raster.map_tiles import Stretch, cut, render
from tests.data.grid_cases import TARGET, cases, grid_of
from tests.data.planes import MOON_M, PLANES, Plane
from tests.data.rasters import north_up, spotted, write

CASES = {case["name"]: case for case in json.loads(TARGET.read_text(encoding="utf-8"))["grids"]}
IDENTITY = Stretch(0, 100)
WHOLE = [{"min": 0.0, "max": 255.0}]
grid_named = cache(lambda name: grid_of(PLANES[name]))

planes = pytest.mark.parametrize("name", PLANES)


@planes
def test_places_lie_where_the_textbook_puts_them(name: str):
    points = np.array(CASES[name]["points"])
    grid = grid_named(name)
    x, y = grid.pixel(points[:, 0], points[:, 1])
    np.testing.assert_allclose(np.column_stack([x, y]), points[:, 2:], atol=1e-6)
    lon, lat = grid.lonlat(points[:, 2], points[:, 3])
    apart_m = geodesy.distance_m(lon, lat, points[:, 0], points[:, 1], MOON_M)
    assert apart_m.max() < 1e-3


def test_the_cases_shared_with_the_browser_are_those_of_today():
    """Fails after a change of planes.py or of how grids are said: run `python -m tests.data.grid_cases`."""
    made = {case["name"]: case for case in cases()["grids"]}
    assert list(made) == list(CASES)
    for name, case in made.items():
        assert case["grid"] == pytest.approx(CASES[name]["grid"])
        np.testing.assert_allclose(case["points"], CASES[name]["points"], atol=1e-9)
    others = json.loads(TARGET.read_text(encoding="utf-8"))["others"]
    assert [case["proj4"] for case in cases()["others"]] == [case["proj4"] for case in others]


@planes
@given(x=st.floats(0, 1), y=st.floats(0, 1))
def test_every_position_is_one_place(name: str, x: float, y: float):
    grid = grid_named(name)
    x_px, y_px = x * grid.width_px, y * grid.height_px
    lon, lat = grid.lonlat(x_px, y_px)
    assert -180.0 <= lon < 180.0 and -90.0 <= lat <= 90.0
    back = grid.pixel(lon, lat)
    assert back[1] == pytest.approx(y_px, abs=1e-5)
    if grid.wrap_px:
        # Both edges are one meridian; at a pole every column is one place.
        across = (back[0] - x_px + 1) % grid.turn_px - 1
        assert across == pytest.approx(0, abs=1e-5) or abs(lat) > 90 - 1e-7
    else:
        assert back[0] == pytest.approx(x_px, abs=1e-5)


@planes
@given(lon=st.floats(-180, 180), lat=st.floats(-90, 90), turns=st.integers(-2, 2))
def test_a_place_is_found_by_any_name_of_its_meridian(name: str, lon: float, lat: float, turns: int):
    grid = grid_named(name)
    here, there = grid.pixel(lon, lat), grid.pixel(lon + 360.0 * turns, lat)
    if not np.isfinite(here).all():
        assert not np.isfinite(there).all()
        return
    scale = 1e-6 * max(1.0, *np.abs(here))
    across = abs(there[0] - here[0])
    assert min(across, abs(across - (grid.turn_px or np.inf))) < scale
    assert there[1] == pytest.approx(here[1], abs=scale)


# -- Map tiles ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A COG for each plane with its spots painted where the textbook says."""
    folder = tmp_path_factory.mktemp("planes")
    return {name: paint(folder, number, plane) for number, (name, plane) in enumerate(PLANES.items())}


def paint(folder: Path, number: int, plane: Plane) -> Path:
    place = north_up(*plane.origin, plane.pixel)
    turn_px = grid_of(plane).wrap_px or 0
    places = [plane.pixel_of(*spot) for spot in plane.spots]
    # What lies on the seam has two halves.
    values = spotted(*plane.size, [(x + turn, y) for x, y in places for turn in {0, turn_px, -turn_px}])
    target = folder / f"{number}.tif"
    cog.convert_to_cog(write(folder / f"{number}.source", values, crs=plane.crs, transform=place), target)
    return target


def seen_at(path: Path, grid: Grid, zoom: int, x_px: float, y_px: float) -> tuple[float, float]:
    """The middle of the brightness within a few pixels of a position, both in pixels of a zoom."""
    reach = 5
    left, top = int(x_px) - reach, int(y_px) - reach
    patch = np.zeros((2 * reach + 1, 2 * reach + 1))
    for row in {top // 256, (top + 2 * reach) // 256}:
        for column in {left // 256, (left + 2 * reach) // 256}:
            tile = render(path, zoom, column, row, grid=grid, stretch=IDENTITY, statistics=WHOLE)
            shown = np.asarray(Image.open(BytesIO(tile.content)).convert("LA"), float)
            ys, xs = np.mgrid[row * 256 : row * 256 + 256, column * 256 : column * 256 + 256]
            here = (abs(xs - left - reach) <= reach) & (abs(ys - top - reach) <= reach)
            patch[ys[here] - top, xs[here] - left] = np.where(shown[..., 1] > 0, shown[..., 0], 0.0)[here]
    weights = np.clip(patch - 60.0, 0.0, None)
    assert weights.any(), "nothing is there"
    ys, xs = np.mgrid[: 2 * reach + 1, : 2 * reach + 1]
    return (
        left + 0.5 + float((weights * xs).sum() / weights.sum()),
        top + 0.5 + float((weights * ys).sum() / weights.sum()),
    )


@planes
def test_map_tiles_show_spots_where_they_are_at_every_zoom(painted: dict[str, Path], name: str):
    grid = grid_named(name)
    assert handles.on_grid(painted[name], grid)
    for zoom in range(1, grid.max_zoom + 1):
        scale = 2 ** (grid.max_zoom - zoom)
        for spot in PLANES[name].spots:
            x, y = (value / scale for value in PLANES[name].pixel_of(*spot))
            assert seen_at(painted[name], grid, zoom, x, y) == pytest.approx((x, y), abs=0.5), (zoom, spot)


@planes
def test_a_basemap_of_any_projection_lies_right_on_any_grid(painted: dict[str, Path], name: str):
    source = PLANES[name]
    for other, plane in PLANES.items():
        grid = grid_named(other)
        shared = [spot for spot in source.spots if _is_well_inside(plane, spot)]
        assert handles.on_grid(painted[name], grid) is (name == other)
        for spot in shared:
            x, y = plane.pixel_of(*spot)
            seen = seen_at(painted[name], grid, grid.max_zoom, x, y)
            # A spot of the source may be larger or smaller here, and cut off by where it is looked for.
            assert seen == pytest.approx((x, y), abs=1.0), (other, spot)


def _is_well_inside(plane: Plane, spot: tuple[float, float]) -> bool:
    """Whether the plane shows the spot, and not drawn out along a parallel near a pole."""
    if abs(spot[1]) > 70.0 and "stere" not in plane.crs and "aeqd" not in plane.crs:
        return False
    x, y = plane.pixel_of(*spot)
    return 8 < x < plane.size[0] - 8 and 8 < y < plane.size[1] - 8


# -- All the way round --------------------------------------------------------------------------

ROUND = [name for name in PLANES if grid_named(name).wrap_px]


@pytest.mark.parametrize("name", ROUND)
def test_a_map_of_a_whole_body_goes_on_beyond_its_edges(painted: dict[str, Path], name: str):
    grid = grid_named(name)
    assert grid.wrap_px == 1440
    for zoom in range(grid.max_zoom - 1, grid.max_zoom + 1):
        scale = 2 ** (grid.max_zoom - zoom)
        for spot in PLANES[name].spots:
            x, y = (value / scale for value in PLANES[name].pixel_of(*spot))
            for beyond in (x - 1440 / scale, x + 1440 / scale):
                if -700 / scale < beyond < 2140 / scale:
                    seen = seen_at(painted[name], grid, zoom, beyond, y)
                    assert seen == pytest.approx((beyond, y), abs=0.5), (zoom, spot)


@pytest.mark.parametrize("name", ROUND)
def test_there_is_no_gap_at_the_edge_and_an_end_to_the_repetition(painted: dict[str, Path], name: str):
    path, grid = painted[name], grid_named(name)
    middle = grid.height_px // 2 // 256
    _, valid = cut(path, grid.max_zoom, 1440 // 256, middle, grid=grid)
    assert valid is None or valid[:128].all()
    _, valid = cut(path, grid.max_zoom, -1, middle, grid=grid)
    assert valid is None or valid[:128].all()
    # Half a turn, and no more.
    _, valid = cut(path, grid.max_zoom, -3, middle, grid=grid)
    assert valid is not None and valid[0].tolist() == [False] * 48 + [True] * 208
    assert cut(path, grid.max_zoom, -4, middle, grid=grid) is None
    assert cut(path, grid.max_zoom, 10**8, middle, grid=grid) is None


def test_a_resampled_layer_goes_on_beyond_the_edges_too(painted: dict[str, Path]):
    grid = grid_named("degrees 0…360")
    path = painted["degrees −180…180"]
    x, y = PLANES["degrees 0…360"].pixel_of(-0.4, 31.0)
    assert seen_at(path, grid, 3, x - 1440, y) == pytest.approx((x - 1440, y), abs=0.6)
    for column in (-1, 0, 2, 3, 5):
        _, valid = cut(path, 3, column, 1, grid=grid)
        assert valid is None or valid.all(), column


def test_a_map_of_a_part_ends_at_its_edges(painted: dict[str, Path]):
    grid = grid_named("Mercator")
    assert grid.wrap_px is None and grid.turn_px is not None
    assert cut(painted["Mercator"], grid.max_zoom, -1, 1, grid=grid) is None


def test_both_edges_of_a_body_may_be_in_it_twice():
    """Gridline registration: 361 columns of a degree."""
    plane = PLANES["degrees −180…180"]
    grid = replace(grid_of(plane), width_px=1441, origin_x=-180.125)
    assert grid.wrap_px == 1440
