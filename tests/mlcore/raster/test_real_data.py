"""The real elevation models and images, where they are at hand (TEKTITE_DATA names their folder)."""

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio

from mlcore.errors import InvalidInput
from mlcore.raster import cog, derive, packing
from mlcore.raster.cutouts import read_around
from mlcore.raster.map_tiles import Stretch, cut, render
from mlcore.raster.source import open_source

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
