import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.raster.grid import Grid
from tests.data.rasters import DEGREES, MAP, MERCATOR_FARSIDE, MOON_M, NORTH_POLE, SOUTH_POLE, grid_of

TURN_M = 2 * np.pi * MOON_M


GRIDS = {
    "degrees": grid_of(DEGREES, -25.0, 14.0, 0.01),
    "degrees from 0 to 360": grid_of(DEGREES, 0.0, 90.0, 0.36, 1000, 500),
    "degrees across 180": grid_of(DEGREES, 175.0, 4.0, 0.01),
    "map metres": grid_of(MAP, -1_000_000.0, 500_000.0, 118.45),
    "map metres from 0 to 360": grid_of(MAP, 0.0, 1_000_000.0, TURN_M / 1000, 1000, 180),
    "map metres across 180": grid_of(MAP, TURN_M / 2 - 50_000, 10_000.0, 100.0),
    "Mercator of the farside": grid_of(MERCATOR_FARSIDE, -500_000.0, 100_000.0, 1000.0),
    "north pole": grid_of(NORTH_POLE, -50_000.0, 40_000.0, 100.0),
    "south pole": grid_of(SOUTH_POLE, -50_000.0, 40_000.0, 100.0),
}


def test_it_works():
    lon, lat = GRIDS["degrees"].lonlat(100.0, 200.0)
    assert (lon, lat) == (pytest.approx(-24.0), pytest.approx(12.0))
    assert GRIDS["degrees"].pixel(-24.0, 12.0) == (pytest.approx(100.0), pytest.approx(200.0))


@pytest.mark.parametrize("name", GRIDS)
@given(x=st.floats(0, 1), y=st.floats(0, 1))
def test_pixels_come_back_from_lonlat(name: str, x: float, y: float):
    g = GRIDS[name]
    lon, lat = g.lonlat(x * g.width_px, y * g.height_px)
    assert -180.0 <= lon < 180.0 and -90.0 <= lat <= 90.0
    back = g.pixel(lon, lat)
    # Both edges of a grid that goes all round are the same place, and at a pole every longitude is.
    if g.turn_px and abs(g.turn_px - g.width_px) < 0.01:
        assert (back[0] - x * g.width_px + 1) % g.turn_px == pytest.approx(1, abs=1e-5)
    elif "pole" not in name:
        assert back[0] == pytest.approx(x * g.width_px, abs=1e-5)
    assert back[1] == pytest.approx(y * g.height_px, abs=1e-5)


@given(x=st.floats(0, 1), y=st.floats(0, 1))
def test_pixels_come_back_round_a_pole(x: float, y: float):
    g = GRIDS["south pole"]
    assert np.allclose(g.pixel(*g.lonlat(x * 1000, y * 800)), (x * 1000, y * 800), atol=1e-5)


def test_longitudes_of_either_convention_find_a_grid_from_0_to_360():
    for name in ("degrees from 0 to 360", "map metres from 0 to 360"):
        g = GRIDS[name]
        np.testing.assert_allclose(g.pixel([-90.0, 270.0], [0.0, 0.0])[0], [750.0, 750.0], rtol=1e-9)


def test_pixels_beyond_180_lie_beyond_the_seam_of_the_numbers():
    g = GRIDS["degrees across 180"]
    assert g.pixel(-179.0, 0.0)[0] == pytest.approx(600.0)
    assert g.lonlat(600.0, 0.0)[0] == pytest.approx(-179.0)


def test_what_a_projection_does_not_show_is_nowhere():
    lon, lat = GRIDS["map metres"].lonlat([0.0, 0.0], [-10_000.0, -50_000.0])
    assert np.isfinite(lon).tolist() == [True, False] == np.isfinite(lat).tolist()


def test_a_turn_is_known_where_x_grows_with_longitude():
    assert GRIDS["degrees"].turn_px == pytest.approx(36_000)
    assert GRIDS["map metres"].turn_px == pytest.approx(TURN_M / 118.45)
    assert GRIDS["Mercator of the farside"].turn_px == pytest.approx(TURN_M / 1000)
    assert GRIDS["north pole"].turn_px is None


def test_pixels_have_their_true_size_on_the_ground():
    degree_m = np.pi / 180 * MOON_M
    width_m, height_m = grid_of(DEGREES, 0.0, 60.0, 0.01).edges_m(500.0, [0.0, 800.0])
    np.testing.assert_allclose(width_m, 0.01 * degree_m * np.cos(np.radians([60.0, 52.0])), rtol=1e-6)
    np.testing.assert_allclose(height_m, 0.01 * degree_m, rtol=1e-6)
    # Of a map whose metres are true along the equator only.
    width_m, height_m = GRIDS["map metres"].edges_m(0.0, 0.0)
    assert width_m == pytest.approx(118.45 * np.cos(500_000 / MOON_M), rel=1e-6)
    assert height_m == pytest.approx(118.45, rel=1e-6)
    assert GRIDS["north pole"].edges_m(500.0, 400.0) == (
        pytest.approx(100.0, rel=1e-6),
        pytest.approx(100.0, rel=1e-6),
    )


@pytest.mark.parametrize(("edge", "zoom"), [(1, 0), (256, 0), (257, 1), (512, 1), (513, 2), (2560, 4)])
def test_zoom_0_shows_the_whole_grid_in_one_tile(edge: int, zoom: int):
    assert dataclasses.replace(GRIDS["degrees"], width_px=edge, height_px=1).max_zoom == zoom
    assert dataclasses.replace(GRIDS["degrees"], width_px=1, height_px=edge).max_zoom == zoom


def test_it_can_be_read_without_shapely():
    code = "import sys; sys.modules['shapely'] = None; from mlcore.raster import grid"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_it_survives_json():
    assert Grid.from_json(GRIDS["north pole"].to_json()) == GRIDS["north pole"]
