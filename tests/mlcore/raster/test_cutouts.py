from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore import geodesy
from mlcore.errors import InvalidInput
from mlcore.raster import cog
from mlcore.raster.cutouts import frame_around, read_around, read_window
from mlcore.raster.grid import Grid
from tests.data.rasters import DEGREES, MAP, MOON_M, SOUTH_POLE, grid_of, hills, noise, north_up, write

TURN_M = 2 * np.pi * MOON_M


@pytest.fixture(scope="module")
def terrain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    folder = tmp_path_factory.mktemp("terrain")
    values = hills(600, 900)
    values[100:120, 200:230] = np.nan
    cog.convert_to_cog(write(folder / "a.source", values), folder / "a.tif")
    return folder / "a.tif", values


def test_it_works(terrain: tuple[Path, np.ndarray]):
    path, values = terrain
    found = read_window(path, 150, 90, 128, 64)
    assert found.shape == (64, 128) and found.dtype == np.float32
    np.testing.assert_array_equal(found, values[90:154, 150:278])


@given(
    x=st.integers(-1000, 1000),
    y=st.integers(-700, 700),
    width=st.integers(1, 300),
    height=st.integers(1, 300),
)
def test_beyond_the_edges_there_is_nan(
    terrain: tuple[Path, np.ndarray], x: int, y: int, width: int, height: int
):
    path, values = terrain
    padded = np.pad(values, 1100, constant_values=np.nan)
    expected = padded[y + 1100 : y + 1100 + height, x + 1100 : x + 1100 + width]
    np.testing.assert_array_equal(read_window(path, x, y, width, height), expected)


def means(values: np.ndarray, factor: int) -> np.ndarray:
    rows, columns = values.shape[0] // factor, values.shape[1] // factor
    return (
        values[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor).mean(axis=(1, 3))
    )


@pytest.mark.parametrize("factor", [2, 3, 4, 6, 8, 16, 32])
@pytest.mark.parametrize("corner", [(0, 192), (96, 288), (7, 301)])
def test_a_factor_averages(terrain: tuple[Path, np.ndarray], factor: int, corner: tuple[int, int]):
    path, values = terrain
    x, y = corner
    found = read_window(path, x, y, 192, 192, factor=factor)
    expected = means(values[y : y + 192, x : x + 192], factor)
    assert found.shape == (192 // factor, 192 // factor)
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_a_part_of_a_pixel_is_a_pixel(terrain: tuple[Path, np.ndarray]):
    assert read_window(terrain[0], 0, 0, 10, 9, factor=4).shape == (3, 3)


def test_unknown_pixels_are_in_no_average(terrain: tuple[Path, np.ndarray]):
    found = read_window(terrain[0], 192, 96, 48, 24, factor=8)
    assert np.isnan(found[1:2, 1:4]).all() and np.isfinite(found[0]).all()


def test_integers_with_nodata_become_nan(tmp_path: Path):
    values = noise(300, 300)
    values[10, 10] = -5
    cog.convert_to_cog(write(tmp_path / "a.source", values, nodata=-5), tmp_path / "a.tif")
    found = read_window(tmp_path / "a.tif", 0, 0, 20, 20)
    assert np.isnan(found[10, 10]) and np.isfinite(found).sum() == 399


def test_colours_are_read_band_by_band(tmp_path: Path):
    values = noise(4, 300, 300, dtype="uint8")
    values[3] = 255
    values[3, :5] = 0
    source = write(tmp_path / "a.source", values, photometric="RGB", alpha="YES")
    cog.convert_to_cog(source, tmp_path / "a.tif")
    found = read_window(tmp_path / "a.tif", 0, 0, 20, 20, band=3)
    np.testing.assert_array_equal(found[5:], values[2, 5:20, :20])
    assert np.isnan(found[:5]).all()
    with pytest.raises(InvalidInput, match="no band 4"):
        read_window(tmp_path / "a.tif", 0, 0, 20, 20, band=4)


@pytest.mark.parametrize("size", [(0, 5, 1), (5, -1, 1), (5, 5, 0), (10**6, 10**6, 1)])
def test_windows_that_are_none_are_refused(terrain: tuple[Path, np.ndarray], size: tuple[int, int, int]):
    with pytest.raises(InvalidInput):
        read_window(terrain[0], 0, 0, size[0], size[1], factor=size[2])


# -- Round a place ------------------------------------------------------------------------------

CONES = {
    "degrees at 60° north": (DEGREES, north_up(10.0, 61.0, 0.004), 11.0, 60.0),
    "degrees from 0 to 360": (DEGREES, north_up(350.0, 1.0, 0.004), -9.0, 0.0),
    "map metres at 60° north": (MAP, north_up(300_000.0, 1_850_000.0, 120.0), 11.0, 60.0),
    "the south pole": (SOUTH_POLE, north_up(-30_000.0, 30_000.0, 120.0), 45.0, -89.5),
}


def cone(tmp_path: Path, name: str) -> tuple[Path, Grid, float, float]:
    """A raster whose value is the distance in metres from one place."""
    crs, place, lon, lat = CONES[name]
    source = write(tmp_path / "a.source", noise(500, 500), crs=crs, transform=place)
    grid = cog.grid_of(cog.inspect(source, "moon"), "moon")
    lons, lats = grid.lonlat(*np.meshgrid(np.arange(500) + 0.5, np.arange(500) + 0.5))
    distance = geodesy.distance_m(lon, lat, lons, lats, MOON_M).astype("float32")
    cog.convert_to_cog(write(tmp_path / "b.source", distance, crs=crs, transform=place), tmp_path / "a.tif")
    return tmp_path / "a.tif", grid, lon, lat


@pytest.mark.parametrize("name", CONES)
@pytest.mark.parametrize(("width_m", "size"), [(6_000, 100), (20_000, 64)])
def test_a_cut_out_is_square_on_the_ground(tmp_path: Path, name: str, width_m: float, size: int):
    path, grid, lon, lat = cone(tmp_path, name)
    found = read_around(path, grid, lon, lat, width_m, size)
    middle = (np.arange(size) + 0.5 - size / 2) * width_m / size
    expected = np.hypot(*np.meshgrid(middle, middle))
    np.testing.assert_allclose(found, expected, atol=width_m * 0.012 + 60)


@pytest.mark.parametrize("name", CONES)
def test_places_are_found_in_a_cut_out(tmp_path: Path, name: str):
    _path, grid, lon, lat = cone(tmp_path, name)
    frame = frame_around(grid, lon, lat, 10_000, 200)
    assert frame.pixel(lon, lat) == (pytest.approx(100), pytest.approx(100))
    x, y = frame.pixel(*geodesy.ring(lon, lat, 8_000, MOON_M).T)
    np.testing.assert_allclose(np.hypot(x - 100, y - 100), 80, rtol=0.02)


def test_a_cut_out_over_the_edge_is_nan_there(tmp_path: Path):
    path, grid, _, _ = cone(tmp_path, "map metres at 60° north")
    lon, lat = (float(value) for value in grid.lonlat(0.0, 250.0))
    found = read_around(path, grid, lon, lat, 10_000, 50)
    assert np.isnan(found[:, :24]).all() and np.isfinite(found[:, 27:]).all()


@pytest.mark.parametrize("wrong", [(np.nan, 0, 100, 10), (0, 95, 100, 10), (0, 0, 0, 10), (0, 0, 100, 0)])
def test_a_cut_out_that_is_none_is_refused(tmp_path: Path, wrong: tuple[float, float, float, int]):
    path, grid, _, _ = cone(tmp_path, "map metres at 60° north")
    with pytest.raises(InvalidInput):
        read_around(path, grid, *wrong)


# -- All the way round --------------------------------------------------------------------------

WORLDS = {
    "degrees −180…180": (DEGREES, north_up(-180.0, 90.0, 0.5), 720),
    "degrees 0…360": (DEGREES, north_up(0.0, 90.0, 0.5), 720),
    "map metres round 120°": (
        f"{MAP} +lon_0=120",
        north_up(-np.pi * MOON_M, np.pi / 2 * MOON_M, TURN_M / 720),
        720,
    ),
    "an odd number of columns": (DEGREES, north_up(-180.0, 90.0, 360 / 721), 721),
    "the seam's column twice": (DEGREES, north_up(-180.25, 90.0, 0.5), 721),
}


@pytest.fixture(scope="module", params=WORLDS)
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Grid, np.ndarray]:
    """A whole body whose value is the sum of sines of its places: without a step anywhere."""
    crs, place, width = WORLDS[request.param]
    folder = tmp_path_factory.mktemp("world")
    grid = grid_of(crs, place.c, place.f, place.a, width, 360)
    lons, lats = np.radians(grid.lonlat(*np.meshgrid(np.arange(width) + 0.5, np.arange(360) + 0.5)))
    lats = np.where(np.isfinite(lats), lats, 0.0)
    values = (100 * np.cos(lats) * np.sin(3 * np.where(np.isfinite(lons), lons, 0.0))).astype("float32")
    cog.convert_to_cog(write(folder / "a.source", values, crs=crs, transform=place), folder / "a.tif")
    return folder / "a.tif", grid, values


@given(x=st.integers(-2000, 2000), y=st.integers(0, 300), width=st.integers(1, 900))
def test_a_window_goes_on_beyond_the_edges_of_a_whole_body(
    world: tuple[Path, Grid, np.ndarray], x: int, y: int, width: int
):
    path, grid, values = world
    found = read_window(path, x, y, width, 40)
    columns = np.arange(x, x + width) % grid.wrap_px
    np.testing.assert_array_equal(found, values[y : y + 40, columns])


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_a_factor_averages_over_the_edge(world: tuple[Path, Grid, np.ndarray], factor: int):
    path, grid, values = world
    for x in (-96, grid.wrap_px - 96):
        columns = np.arange(x, x + 192) % grid.wrap_px
        expected = means(values[48:240, columns], factor)
        np.testing.assert_allclose(read_window(path, x, 48, 192, 192, factor=factor), expected, atol=0.02)


@pytest.mark.parametrize("lon", [180.0, -179.9, 0.0, 0.2, -60.0, -59.8])
@pytest.mark.parametrize("width_m", [90_000.0, 700_000.0])
def test_a_cut_out_at_the_seam_sees_both_sides(
    world: tuple[Path, Grid, np.ndarray], lon: float, width_m: float
):
    path, grid, _ = world
    frame = frame_around(grid, lon, 20.0, width_m, 48)
    middles = (np.arange(48) + 0.5) / 48
    where = np.meshgrid(frame.x_px + middles * frame.width_px, frame.y_px + middles * frame.height_px)
    lons, lats = np.radians(grid.lonlat(*where))
    found = read_around(path, grid, lon, 20.0, width_m, 48)
    np.testing.assert_allclose(found, 100 * np.cos(lats) * np.sin(3 * lons), atol=1.5)


def test_beyond_the_poles_of_a_whole_body_there_is_nothing(world: tuple[Path, Grid, np.ndarray]):
    found = read_window(world[0], -10, -5, 20, 10)
    assert np.isnan(found[:5]).all() and np.isfinite(found[5:]).all()


@pytest.mark.parametrize("place", [(30.0, 89.5), (-120.0, -88.0), (77.0, 90.0), (180.0, -90.0)])
@pytest.mark.parametrize("width_m", [150_000.0, 900_000.0])
def test_a_cut_out_at_a_pole_is_a_square_of_ground(
    world: tuple[Path, Grid, np.ndarray], place: tuple[float, float], width_m: float
):
    path, grid, _ = world
    found = read_around(path, grid, *place, width_m, 64)
    frame = frame_around(grid, *place, width_m, 64)
    middle = (np.arange(64) + 0.5 - 32) * width_m / 64
    east, north = np.meshgrid(middle, -middle)
    bearings, away_m = np.degrees(np.arctan2(east, north)), np.hypot(east, north)
    lons, lats = geodesy.destination(*place, bearings, away_m, MOON_M)
    expected = 100 * np.cos(np.radians(lats)) * np.sin(3 * np.radians(lons))
    np.testing.assert_allclose(found, expected, atol=2.5)
    x, y = frame.pixel(*geodesy.ring(*place, 0.6 * width_m, MOON_M).T)
    np.testing.assert_allclose(np.hypot(x - 32, y - 32), 0.3 * 64, rtol=1e-6)
