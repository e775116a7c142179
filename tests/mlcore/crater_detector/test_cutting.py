from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import CRS
from rasterio.transform import from_origin

from mlcore.crater_detector.cutting import GroundCircle, PixelBox, cut_samples, read_elevation
from mlcore.dataset import side_at
from mlcore.raster.grid import Grid
from mlcore.raster.pyramid import Window
from mlcore.split import SIDES, UNLABELLED, split_side

METRES_PER_DEG = np.pi * 1_737_400 / 180


@pytest.fixture
def raster(tmp_path: Path) -> tuple[Path, Grid]:
    """Two degrees of the Moon around 60° N and 0° E, 100 m high pixels, rising eastwards."""
    wkt = CRS.from_proj4("+proj=eqc +lat_ts=0 +R=1737400 +units=m +no_defs").to_wkt()
    left, top = -1 * METRES_PER_DEG, 61 * METRES_PER_DEG
    size = round(2 * METRES_PER_DEG / 100)
    elevation = np.tile(np.arange(size, dtype=np.int16), (size, 1))
    elevation[:10, :10] = -32768
    path = tmp_path / "dem.tif"
    profile = {
        "driver": "GTiff",
        "width": size,
        "height": size,
        "count": 1,
        "dtype": "int16",
        "nodata": -32768,
    }
    with rasterio.open(path, "w", crs=wkt, transform=from_origin(left, top, 100, 100), **profile) as target:
        target.write(elevation, 1)
    return path, Grid("moon", wkt, "", left, top, 100.0, size, size, 100.0)


def cut(raster: tuple[Path, Grid], **changes: object):
    path, grid = raster
    given = {
        "searched": [PixelBox(0, 0, grid.width_px, grid.height_px)],
        "craters": [GroundCircle(0.1, 60.1, 4000.0, 0.8), GroundCircle(-0.9, 60.9, 3000.0)],
        "block_deg": 0.5,
        "min_diameter_m": 2000.0,
    }
    return list(cut_samples(path, grid, **{**given, **changes}))


def test_it_works(raster: tuple[Path, Grid]):
    samples = cut(raster)
    assert [sample.window.factor for sample in samples] == [1, 2, 4, 8]
    circle = samples[0].craters[0]
    assert circle.diameter_px == pytest.approx(40)
    assert (circle.weight, circle.number) == (0.8, 0)
    height, width = samples[0].elevation_m.shape
    assert width == pytest.approx(height / 2, abs=2)  # at 60° a degree of longitude is half as wide
    assert circle.x_px == pytest.approx(width * 0.55, abs=1)
    assert circle.y_px == pytest.approx(height * 0.45, abs=1)


def test_holes_are_nan(raster: tuple[Path, Grid]):
    path, grid = raster
    elevation = read_elevation(path, grid, Window(0, 1, 0, 0, 100, 100, (False,) * 4))
    assert np.isnan(elevation[:9, :3]).all() and np.isfinite(elevation[20:]).all()


def test_each_pixel_knows_its_side(raster: tuple[Path, Grid]):
    sample = cut(raster)[0]
    for circle, (lon, lat) in zip(sample.craters, [(0.1, 60.1), (-0.9, 60.9)], strict=True):
        assert side_at(sample, circle) == SIDES[split_side("moon", lon, lat, 0.5)]


def test_a_pixel_on_the_border_of_two_sides_belongs_to_none(raster: tuple[Path, Grid]):
    coarse = cut(raster)[-1]
    sides = set(np.unique(coarse.side))
    assert UNLABELLED in sides and len(sides) > 2


def test_unsearched_ground_is_unlabelled(raster: tuple[Path, Grid]):
    sample = cut(raster, searched=[PixelBox(0, 0, 100, 100)])[0]
    assert (sample.side[101:] == UNLABELLED).all() and (sample.side[:99, :40] != UNLABELLED).any()


def test_nothing_searched_gives_nothing(raster: tuple[Path, Grid]):
    assert cut(raster, searched=[]) == []


def test_a_grid_from_0_to_360_finds_western_longitudes(tmp_path: Path):
    wkt = CRS.from_proj4("+proj=longlat +R=1737400 +no_defs").to_wkt()
    path = tmp_path / "global.tif"
    profile = {"driver": "GTiff", "width": 720, "height": 360, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", crs=wkt, transform=from_origin(0, 90, 0.5, 0.5), **profile) as target:
        target.write(np.zeros((360, 720), np.uint8), 1)
    grid = Grid("moon", wkt, "", 0.0, 90.0, 0.5, 720, 360, 0.5 * METRES_PER_DEG)
    samples = cut_samples(
        path, grid, searched=[PixelBox(0, 0, 720, 360)], craters=[GroundCircle(-50.0, 0.0, 900_000.0)],
        block_deg=10, min_diameter_m=900_000,
    )  # fmt: skip
    circles = [(sample, circle) for sample in samples for circle in sample.craters]
    sample, circle = circles[0]
    x_px = sample.window.x_px + circle.x_px * sample.scale.grid_px_per_px_x
    assert x_px == pytest.approx(620)


def test_a_window_over_the_seam_of_a_whole_body_sees_both_sides(tmp_path: Path):
    wkt = CRS.from_proj4("+proj=longlat +R=1737400 +no_defs").to_wkt()
    path = tmp_path / "global.tif"
    columns = np.sin(np.radians(np.arange(720) / 2 + 0.25)).astype(np.float32)
    profile = {"driver": "GTiff", "width": 720, "height": 360, "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", crs=wkt, transform=from_origin(-180, 90, 0.5, 0.5), **profile) as target:
        target.write(np.tile(columns, (360, 1)), 1)
    grid = Grid("moon", wkt, "", -180.0, 90.0, 0.5, 720, 360, 0.5 * METRES_PER_DEG)
    window = Window(0, 2, 600, 90, 240, 180, (True,) * 4)
    found = read_elevation(path, grid, window)
    assert found.shape == (90, 120)
    expected = np.sin(np.radians((600 + 2 * np.arange(120) + 1) / 2))
    np.testing.assert_allclose(found, np.tile(expected, (90, 1)), atol=0.01)
    crater = GroundCircle(179.0, 0.0, 900_000.0)
    samples = list(
        cut_samples(
            path, grid, searched=[PixelBox(660, 120, 80, 60)], craters=[crater],
            block_deg=90, min_diameter_m=900_000,
        )
    )  # fmt: skip
    # A tile that begins before the edge and ends beyond it is searched on both sides.
    whole = [s for s in samples if any(c.x_px - c.diameter_px / 2 > 0 for c in s.craters)]
    assert whole and all(np.isfinite(sample.elevation_m).all() for sample in samples)
