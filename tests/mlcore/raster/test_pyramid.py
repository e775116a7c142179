import numpy as np
import pytest
from pyproj import CRS

from mlcore.api import ModelCard, plan_windows
from mlcore.raster import pyramid
from mlcore.raster.grid import Grid
from tests.data import rasters


def make_grid(width_px: int = 5120, height_px: int = 5120, lat_top: float = -20.0) -> Grid:
    wkt = CRS.from_proj4("+proj=eqc +lat_ts=0 +lat_0=0 +lon_0=0 +R=1737400 +units=m +no_defs").to_wkt()
    metres = np.pi * 1_737_400 / 180
    return Grid("moon", wkt, "", -60 * metres, lat_top * metres, 118.4506, width_px, height_px, 118.4506)


def test_it_works():
    plan = plan_windows(make_grid(), ModelCard.example())
    assert [window.index for window in plan] == list(range(len(plan)))
    assert sorted({window.factor for window in plan}) == [2, 4, 8, 16, 32, 64]


def test_every_pixel_is_searched_at_every_level():
    grid = make_grid(3000, 1777)
    plan = pyramid.plan_windows(grid, min_diameter_m=2000, window_px=512, overlap_px=120)
    for factor in {window.factor for window in plan}:
        seen = np.zeros((grid.height_px, grid.width_px), bool)
        for window in (w for w in plan if w.factor == factor):
            assert window.x_px + window.width_px <= grid.width_px
            seen[window.y_px :, window.x_px :][: window.height_px, : window.width_px] = True
        assert seen.all()


def test_only_edges_with_a_neighbour_are_inner():
    plan = pyramid.plan_windows(make_grid(4000, 900), min_diameter_m=2000, window_px=1024, overlap_px=120)
    finest = [window for window in plan if window.factor == 1]
    assert finest[0].inner == (False, False, True, False)
    assert finest[-1].inner == (True, False, False, False)


def test_level_pixels_are_square_on_the_ground_at_high_latitude():
    grid = make_grid(2048, 2048, lat_top=-55.0)
    window = pyramid.Window(0, 2, 0, 0, 2048, 2048, (False,) * 4)
    scale = pyramid.scale_of(grid, window)
    assert scale.height_px == pytest.approx(1024, abs=1)
    assert scale.width_px == pytest.approx(1024 * np.cos(np.radians(59)), abs=2)


def test_small_grids_have_one_level():
    assert pyramid.factors(make_grid(64, 64), 2000) == [1]


def test_windows_go_through_json():
    window = pyramid.Window.example()
    assert pyramid.Window.from_json(window.to_json()) == window


@pytest.mark.parametrize("west", [-180.0, 0.0])
def test_what_lies_on_the_seam_of_a_whole_body_is_whole_in_some_window(west: float):
    grid = rasters.grid_of(rasters.DEGREES, west, 90.0, 360 / 4096, 4096, 2048)
    plan = pyramid.plan_windows(grid, min_diameter_m=60_000, window_px=1024, overlap_px=120)
    for factor in {window.factor for window in plan}:
        level = [window for window in plan if window.factor == factor]
        reach = min(40 * factor, 1023)
        for x in range(0, 4096, 16):
            ends = [(window.x_px + reach, window.x_px + window.width_px - reach) for window in level]
            assert any(low <= x + turn <= high for low, high in ends for turn in (0, 4096)), (factor, x)
        assert all(window.width_px <= 4096 and window.inner[0] and window.inner[2] for window in level)
    assert len(plan) < 60


def test_places_are_found_on_the_turn_that_a_window_lies_on():
    grid = rasters.grid_of(rasters.MERCATOR_FARSIDE, -np.pi * rasters.MOON_M, 1e6, 10_000.0, 1092, 200)
    turn = grid.turn_px
    for near in (0.0, turn):
        x, _ = pyramid.pixels_of(grid, np.array([0.5, -0.5]), np.zeros(2), near)
        assert abs(x - near).max() < 2
