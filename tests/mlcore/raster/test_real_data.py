"""The real elevation models and images, where they are at hand (TEKTITE_DATA names their folder)."""

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.warp import reproject
from scipy.ndimage import map_coordinates

from mlcore.errors import InvalidInput
from mlcore.raster import cog, derive, packing
from mlcore.raster.cutouts import read_around
from mlcore.raster.grid import Grid
from mlcore.raster.map_tiles import Stretch, cut, render
from mlcore.raster.source import open_source
from tests.data import rasters
from tests.data.rasters import MOON_M

DATA = Path(os.environ.get("TEKTITE_DATA", Path(__file__).parents[4] / "shared" / "data"))
pytestmark = [pytest.mark.data, pytest.mark.skipif(not DATA.exists(), reason=f"no real data in {DATA}")]

RASTERS = [
    ("dem/gld100_copernicus_256ppd.tif", "moon", True),
    ("dem/gld100_farside_256ppd.tif", "moon", True),
    ("dem/gld100_tycho_256ppd.tif", "moon", True),
    ("global/moon_dem.tif", "moon", True),
    ("global/moon.tif", "moon", False),
    ("global/mercury.tif", "mercury", False),
    ("global/Lunar_LRO_LOLA_Shade_MAP2_90.0N20.0_LAMB.tif", "moon", False),
    ("images/tycho_lro_wac.png", "picture", False),
]


@pytest.mark.parametrize(("name", "body", "elevation"), RASTERS)
def test_it_works(tmp_path: Path, name: str, body: str, elevation: bool):
    info = cog.inspect(DATA / name, body)
    assert info.looks_like_elevation == elevation
    cog.convert_to_cog(DATA / name, tmp_path / "a.tif")
    grid, statistics = cog.grid_of(info, body), cog.statistics(tmp_path / "a.tif")
    tile = render(tmp_path / "a.tif", 0, 0, 0, grid=grid, stretch=Stretch(), statistics=statistics)
    assert tile.content_type in ("image/jpeg", "image/png") and len(tile.content) > 2000
    with open_source(DATA / name) as dataset:
        rows, columns = min(256, dataset.height), min(256, dataset.width)
        own = dataset.read(1, window=((0, rows), (0, columns))) * dataset.scales[0] + dataset.offsets[0]
    values, _ = cut(tmp_path / "a.tif", grid.max_zoom, 0, 0, grid=grid)
    np.testing.assert_array_equal(values[0, :rows, :columns], own)


def test_mercury_is_not_the_moon():
    with pytest.raises(InvalidInput, match=r"2,440,530 m.*1,737,400 m"):
        cog.inspect(DATA / "global/mercury.tif", "moon")


def test_a_mosaic_without_a_place_is_refused_with_a_remedy():
    with pytest.raises(InvalidInput, match=r"no CRS.*gdal_edit"):
        cog.inspect(DATA / "global/WAC_GLD100_E000N1800_016P.jpg", "moon")


def test_copernicus_is_round_on_the_ground(tmp_path: Path):
    """Its floor lies inside a rim that is as high in the east as in the north (9.62° N, 20.08° W, 96 km)."""
    source = DATA / "dem/gld100_copernicus_256ppd.tif"
    cog.convert_to_cog(source, tmp_path / "a.tif")
    grid = cog.grid_of(cog.inspect(source, "moon"), "moon")
    found = read_around(tmp_path / "a.tif", grid, -20.08, 9.62, 120_000, 240)
    y, x = np.mgrid[:240, :240] - 119.5
    distance_km = np.hypot(x, y) * 0.5
    floor, rim = (
        found[(distance_km > near) & (distance_km < far)].mean() for near, far in ((0, 25), (44, 50))
    )
    assert rim - floor > 2_000
    sides = [
        found[(distance_km > 44) & (distance_km < 50) & side].mean()
        for side in (abs(x) > 2 * abs(y), abs(y) > 2 * abs(x))
    ]
    assert abs(sides[0] - sides[1]) < 400


def test_a_layer_of_a_real_model_has_no_seams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cog.convert_to_cog(DATA / "dem/gld100_tycho_256ppd.tif", tmp_path / "a.tif")
    found = []
    for window_px in (2048, 512):
        monkeypatch.setattr(packing, "_WINDOW_PX", window_px)
        derive.derive_file(tmp_path / "a.tif", tmp_path / "b.tif", "curvature", body="moon")
        with rasterio.open(tmp_path / "b.tif") as dataset:
            found.append(dataset.read(1))
    np.testing.assert_array_equal(*found)


# Copernicus, 20° W 9.5° N, on every kind of grid: projection and its units in a pixel there.
WARPED = {
    "degrees 0…360": ("+proj=longlat", 1 / 200),
    "equirectangular metres": ("+proj=eqc +lat_ts=30 +lon_0=120 +units=m", 150.0),
    "Lambert conformal conic": ("+proj=lcc +lat_1=0 +lat_2=30 +lat_0=10 +lon_0=-10 +units=m", 150.0),
    "Mercator": ("+proj=merc +lon_0=180 +units=m", 150.0),
    "polar stereographic north": ("+proj=stere +lat_0=90 +units=m", 260.0),
    "polar stereographic south": ("+proj=stere +lat_0=-90 +lat_ts=-70 +units=m", 330.0),
    "azimuthal equidistant": ("+proj=aeqd +lat_0=-10 +lon_0=-50 +units=m", 150.0),
}


@pytest.mark.parametrize("name", WARPED)
def test_a_real_model_on_any_grid_lies_where_it_lay(tmp_path: Path, name: str):
    words, pixel = WARPED[name]
    words += f" +R={MOON_M} +no_defs"
    source = DATA / "dem/gld100_copernicus_256ppd.tif"
    middle = rasters.grid_of(words, 0.0, 0.0, pixel).pixel(-20.0, 9.5)
    west = float(middle[0]) * pixel - 300 * pixel + (360.0 if "0…360" in name else 0.0)
    place = rasters.north_up(west, -float(middle[1]) * pixel + 300 * pixel, pixel)
    values = np.full((600, 600), -32768, "int16")
    with rasterio.open(source) as dataset:
        reproject(rasterio.band(dataset, 1), values, dst_transform=place, dst_crs=words, dst_nodata=-32768)
        heights = dataset.read(1).astype(float)
        own = cog.grid_of(cog.inspect(source, "moon"), "moon")
    cog.convert_to_cog(
        rasters.write(tmp_path / "a.source", values, crs=words, transform=place, nodata=-32768),
        tmp_path / "a.tif",
    )
    grid = cog.grid_of(cog.inspect(tmp_path / "a.tif", "moon"), "moon")
    lon, lat = np.meshgrid(np.linspace(-20.8, -19.2, 80), np.linspace(8.8, 10.2, 80))
    x, y = own.pixel(lon, lat)
    expected = map_coordinates(heights, [y - 0.5, x - 0.5], order=1)
    shown, _ = cut_whole(tmp_path / "a.tif", grid)
    x, y = grid.pixel(lon, lat)
    misses = {
        (dx, dy): float(
            np.abs(map_coordinates(shown, [y - 0.5 + dy, x - 0.5 + dx], order=1) - expected).mean()
        )
        for dx in (-1, 0, 1)
        for dy in (-1, 0, 1)
    }
    # Nearest pixels were taken, so it is off by a part of one; a whole one is much worse.
    assert min(misses, key=lambda shift: misses[shift]) == (0, 0)
    assert misses[0, 0] < 0.75 * min(miss for shift, miss in misses.items() if shift != (0, 0))


def cut_whole(path: Path, grid: Grid) -> tuple[np.ndarray, int]:
    """All map tiles of the last zoom side by side, and how many there are each way."""
    edge = -(-max(grid.width_px, grid.height_px) // 256)
    rows = [
        [cut(path, grid.max_zoom, x, y, grid=grid)[0][0].astype(float) for x in range(edge)]
        for y in range(edge)
    ]
    return np.block(rows), edge
