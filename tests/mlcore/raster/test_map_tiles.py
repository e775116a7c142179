import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mlcore.errors import InvalidInput
from mlcore.raster import cog, handles
from mlcore.raster.grid import Grid
from mlcore.raster.map_tiles import NOTHING, Stretch, cut, render, to_grey
from tests.data.rasters import DEGREES, MAP, NORTH_POLE, grid_of, hills, noise, north_up, write

WHOLE = [{"min": 0.0, "max": 255.0}]
IDENTITY = Stretch(0, 100)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., tuple[Path, Grid]]:
    """Make a COG and its grid from values: make(values, crs=…)."""

    def make(values: np.ndarray, name: str = "a", **options: object) -> tuple[Path, Grid]:
        target = tmp_path / f"{name}.tif"
        cog.convert_to_cog(write(tmp_path / f"{name}.source", values, **options), target)
        return target, cog.grid_of(cog.inspect(target, "moon"), "moon")

    return make


def picture(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content))


def test_it_works(make: Callable):
    path, grid = make(hills(600, 900).astype("int16"))
    tile = render(path, 2, 1, 1, grid=grid, stretch=Stretch(), statistics=cog.statistics(path))
    assert tile.content_type == "image/jpeg"
    assert picture(tile.content).size == (256, 256) and picture(tile.content).mode == "L"


# -- Own pixels ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def speckled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Grid, np.ndarray]:
    """A raster with holes, so that its tiles are PNGs and can be compared pixel by pixel."""
    values = noise(1000, 1500, dtype="uint8")
    values[::16, ::16] = 0
    folder = tmp_path_factory.mktemp("speckled")
    cog.convert_to_cog(write(folder / "a.source", values, nodata=0), folder / "a.tif")
    return folder / "a.tif", cog.grid_of(cog.inspect(folder / "a.tif", "moon"), "moon"), values


@given(x=st.integers(0, 5), y=st.integers(0, 3))
def test_at_the_last_zoom_a_tile_is_the_rasters_own_pixels(
    speckled: tuple[Path, Grid, np.ndarray], x: int, y: int
):
    path, grid, values = speckled
    tile = render(path, grid.max_zoom, x, y, grid=grid, stretch=IDENTITY, statistics=WHOLE)
    assert tile.content_type == "image/png"
    shown, alpha = np.asarray(picture(tile.content)).transpose(2, 0, 1)
    expected = values[y * 256 : (y + 1) * 256, x * 256 : (x + 1) * 256]
    height, width = expected.shape
    np.testing.assert_array_equal(shown[:height, :width], expected)
    np.testing.assert_array_equal(alpha[:height, :width] > 0, expected > 0)
    assert not alpha[height:].any() and not alpha[:, width:].any()


@given(z=st.integers(0, 3), x=st.integers(0, 5), y=st.integers(0, 3))
def test_at_every_zoom_a_tile_is_the_overviews_own_pixels(
    speckled: tuple[Path, Grid, np.ndarray], z: int, x: int, y: int
):
    path, grid, _ = speckled
    level = grid.max_zoom - z
    with rasterio.open(path, **({"overview_level": level - 1} if level else {})) as dataset:
        expected = dataset.read(1)[y * 256 : (y + 1) * 256, x * 256 : (x + 1) * 256]
    found = cut(path, z, x, y, grid=grid)
    if not expected.size:
        assert found is None
        return
    assert found is not None
    np.testing.assert_array_equal(found[0][0, : expected.shape[0], : expected.shape[1]], expected)


def test_tiles_fit_together_to_the_place_they_show(make: Callable):
    values = np.zeros((700, 700), "uint8")
    values[320:340, 500:540] = 255
    path, grid = make(values)
    whole = np.zeros((1024, 1024), np.uint8)
    for y in range(3):
        for x in range(3):
            whole[y * 256 : y * 256 + 256, x * 256 : x * 256 + 256] = cut(path, 2, x, y, grid=grid)[0][0]
    rows, columns = np.nonzero(whole)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (320, 339, 500, 539)


# -- Where there is nothing ---------------------------------------------------------------------


@pytest.mark.parametrize(("z", "x", "y"), [(3, 6, 0), (3, 0, 4), (2, 3, 0), (3, -1, 0), (3, 10**9, 0)])
def test_outside_the_grid_there_is_nothing(speckled: tuple[Path, Grid, np.ndarray], z: int, x: int, y: int):
    path, grid, _ = speckled
    assert render(path, z, x, y, grid=grid, stretch=IDENTITY, statistics=WHOLE) is NOTHING
    assert not np.asarray(picture(NOTHING.content))[..., 1].any()


@pytest.mark.parametrize("z", [-1, 4, 99])
def test_a_zoom_that_the_grid_does_not_have_is_refused(speckled: tuple[Path, Grid, np.ndarray], z: int):
    path, grid, _ = speckled
    with pytest.raises(InvalidInput, match="0–3"):
        render(path, z, 0, 0, grid=grid, stretch=IDENTITY, statistics=WHOLE)


def test_a_tile_without_data_is_nothing(make: Callable):
    values = noise(600, 600).astype("float32")
    values[:256, :256] = np.nan
    path, grid = make(values)
    assert render(path, 2, 0, 0, grid=grid, stretch=IDENTITY, statistics=WHOLE) is NOTHING
    tile = render(path, 2, 1, 0, grid=grid, stretch=IDENTITY, statistics=WHOLE)
    assert tile.content_type == "image/jpeg"


# -- Contrast -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "float32"])
def test_values_between_the_limits_spread_over_the_greys(dtype: str):
    values = np.array([[-100 if dtype[0] != "u" else 0, 10, 60, 110, 127]]).astype(dtype)
    np.testing.assert_allclose(to_grey(values, 10, 110, 1.0, False), [[0, 0, 127, 255, 255]], atol=1)
    np.testing.assert_allclose(to_grey(values, 10, 110, 1.0, True), [[255, 255, 127, 0, 0]], atol=1)
    np.testing.assert_allclose(to_grey(values, 10, 110, 2.0, False), [[0, 0, 180, 255, 255]], atol=2)


def test_the_limits_are_percentiles():
    statistics = [{"min": 0.0, "p2": 10.0, "p50": 20.0, "p98": 40.0, "p99_9": 50.0, "max": 60.0}]
    assert Stretch().limits(statistics) == (10.0, 40.0)
    assert Stretch(0, 100).limits(statistics) == (0.0, 60.0)
    assert Stretch(1, 74).limits(statistics) == (5.0, 30.0)
    assert Stretch(2, 99.9).limits(statistics) == (10.0, 50.0)


def test_limits_that_fall_together_still_make_an_image():
    flat = [{"min": 5.0, "p2": 5.0, "p98": 5.0, "max": 9.0}]
    low, high = Stretch().limits(flat)
    assert low < high


@pytest.mark.parametrize(
    "wrong",
    [
        {"low_percent": -1},
        {"low_percent": 60, "high_percent": 50},
        {"high_percent": 101},
        {"gamma": 0},
        {"gamma": 11},
        {"gamma": float("nan")},
        {"low_percent": float("nan")},
    ],
)
def test_a_stretch_that_is_none_is_refused(wrong: dict):
    with pytest.raises(InvalidInput):
        Stretch(**wrong)


# -- Colour -------------------------------------------------------------------------------------


def test_colours_are_shown_in_colour(make: Callable):
    values = np.stack([np.full((300, 300), v, "uint8") for v in (200, 100, 50)])
    values[:, 0, 0] = 0
    values[:, 0, 1] = 255
    path, grid = make(values, photometric="RGB")
    tile = render(path, 1, 0, 0, grid=grid, stretch=IDENTITY, statistics=cog.statistics(path))
    assert tile.content_type == "image/jpeg"
    np.testing.assert_allclose(np.asarray(picture(tile.content))[100, 100], [200, 100, 50], atol=4)
    tile = render(path, 1, 1, 1, grid=grid, stretch=IDENTITY, statistics=cog.statistics(path))
    assert tile.content_type == "image/webp" and picture(tile.content).mode == "RGBA"


def test_transparent_colours_stay_transparent(make: Callable):
    values = noise(4, 256, 256, dtype="uint8")
    values[3] = 255
    values[3, :100] = 0
    path, grid = make(values, photometric="RGB", alpha="YES")
    tile = render(path, 0, 0, 0, grid=grid, stretch=IDENTITY, statistics=cog.statistics(path))
    alpha = np.asarray(picture(tile.content))[..., 3]
    assert not alpha[:100].any() and (alpha[100:] == 255).all()


# -- Another grid -------------------------------------------------------------------------------


def bump(crs: str, place: Affine, height: int, width: int, lon: float, lat: float) -> np.ndarray:
    """A raster that is bright within half a degree of one place."""
    grid = grid_of(crs, place.c, place.f, place.a, width, height)
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    lons, lats = grid.lonlat(x, y)
    apart = np.hypot((lons - lon + 180) % 360 - 180, lats - lat)
    return np.where(apart < 0.5, 200, 20).astype("uint8")


PLACES = {
    "the same in metres": (MAP, north_up(300_000.0, 150_000.0, 300.0), 11.0, 3.0),
    "0 to 360 in degrees": (DEGREES, north_up(345.0, 8.0, 0.02), -11.0, 3.0),
    "round the pole": (NORTH_POLE, north_up(-100_000.0, 100_000.0, 400.0), 100.0, 88.0),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_basemap_of_another_grid_comes_to_lie_where_it_belongs(make: Callable, name: str):
    crs, place, lon, lat = PLACES[name]
    path, own = make(bump(crs, place, 500, 500, lon, lat), crs=crs, transform=place)
    other = grid_of(DEGREES, lon - 4.0, lat + 1.5, 0.01, 800, 300)
    assert handles.on_grid(path, own) and not handles.on_grid(path, other)
    for z in range(other.max_zoom + 1):
        scale = 2 ** (other.max_zoom - z)
        rows, columns = -(-300 // (scale * 256)), -(-800 // (scale * 256))
        whole = np.block(
            [[cut(path, z, x, y, grid=other)[0][0] for x in range(columns)] for y in range(rows)]
        )
        y, x = np.nonzero(whole > 100)
        found = other.lonlat((x.mean() + 0.5) * scale, (y.mean() + 0.5) * scale)
        assert found == (pytest.approx(lon, abs=0.05 * scale), pytest.approx(lat, abs=0.03 * scale))


def test_a_global_map_from_0_to_360_covers_a_grid_across_the_prime_meridian(make: Callable):
    values = bump(DEGREES, north_up(0.0, 90.0, 0.25), 720, 1440, 0.0, 0.0)
    path, _ = make(values, transform=north_up(0.0, 90.0, 0.25))
    other = grid_of(DEGREES, -2.0, 2.0, 4 / 256, 256, 256)
    found, valid = cut(path, 0, 0, 0, grid=other)
    x = np.nonzero(found[0] > 100)[1]
    assert valid is None and x.min() < 110 and x.max() > 146 and abs(x.mean() - 127.5) < 10


def test_beyond_a_basemap_of_another_grid_there_is_nothing(make: Callable):
    path, _ = make(noise(300, 300, dtype="uint8"))
    other = grid_of(DEGREES, 9.0, 4.0, 0.02, 256, 256)
    _, valid = cut(path, 0, 0, 0, grid=other)
    assert not valid[:, :49].any() and valid[10:90, 55:190].all() and not valid[110:].any()


def test_a_shifted_grid_is_another_grid(make: Callable):
    path, own = make(noise(300, 300, dtype="uint8"))
    assert not handles.on_grid(path, replace(own, origin_x=own.origin_x + own.pixel_size / 2))
    assert not handles.on_grid(path, replace(own, pixel_size=own.pixel_size * 1.01))


# -- Kept open ----------------------------------------------------------------------------------


def test_a_replaced_file_is_seen(make: Callable):
    path, grid = make(np.tile(noise(1, 300, dtype="uint8"), (300, 1)), name="a")
    other, _ = make(noise(300, 300, dtype="uint8", seed=2), name="b")
    before = cut(path, 1, 0, 0, grid=grid)[0]
    os.utime(other, ns=(1, path.stat().st_mtime_ns + 1))
    other.replace(path)
    assert (cut(path, 1, 0, 0, grid=grid)[0] != before).any()


def test_threads_read_at_once(speckled: tuple[Path, Grid, np.ndarray]):
    path, grid, values = speckled

    def same(number: int) -> bool:
        x, y = number % 5, number // 5 % 3
        found, _ = cut(path, 3, x, y, grid=grid)
        return bool((found[0] == values[y * 256 : y * 256 + 256, x * 256 : x * 256 + 256]).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(same, range(300)))


def _read_in_child(path: Path, grid: Grid, results: "multiprocessing.SimpleQueue[int]") -> None:
    results.put(sum(int(cut(path, 3, n % 5, n % 3, grid=grid)[0].astype(int).sum()) for n in range(30)))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_children_of_a_fork_open_files_of_their_own(speckled: tuple[Path, Grid, np.ndarray]):
    path, grid, _ = speckled
    expected = sum(int(cut(path, 3, n % 5, n % 3, grid=grid)[0].astype(int).sum()) for n in range(30))
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    children = [context.Process(target=_read_in_child, args=(path, grid, results)) for _ in range(3)]
    for child in children:
        child.start()
    assert [results.get() for _ in children] == [expected] * 3
    for child in children:
        child.join()


def test_no_more_than_a_few_files_stay_open(make: Callable, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(handles, "_MAX_OPEN", 3)
    made = [make(noise(600, 600, dtype="uint8", seed=n), name=str(n)) for n in range(4)]
    for _ in range(2):
        for path, grid in made:
            for z in range(3):
                assert cut(path, z, 0, 0, grid=grid) is not None
    assert len(handles._opened.handles) <= 3
