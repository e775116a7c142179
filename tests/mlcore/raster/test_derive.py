from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.windows import Window

from mlcore.errors import InvalidInput
from mlcore.geodesy import distance_m
from mlcore.raster import cog, derive, packing, terrain
from tests.data.rasters import DEGREES, MAP, MOON_M, NORTH_POLE, grid_of, hills, noise, north_up, write

PLACES = {
    "degrees": (DEGREES, north_up(10.0, 62.0, 0.004)),
    "map metres": (MAP, north_up(300_000.0, 1_850_000.0, 120.0)),
    "pole": (NORTH_POLE, north_up(-60_000.0, 60_000.0, 120.0)),
}


def elevation(
    tmp_path: Path, values: np.ndarray, crs: str = MAP, place: Affine | None = None, **options: object
) -> Path:
    target = tmp_path / "elevation.tif"
    place = place or north_up(0.0, 20_000.0, 100.0)
    cog.convert_to_cog(write(tmp_path / "source", values, crs=crs, transform=place, **options), target)
    return target


def derived(tmp_path: Path, source: Path, kind: str, **options: object) -> np.ndarray:
    target = tmp_path / f"{kind}.tif"
    derive.derive_file(source, target, kind, body="moon", **options)
    with rasterio.open(target) as dataset:
        return dataset.read(1)


def test_it_works(tmp_path: Path):
    values = hills(500, 700)
    source = elevation(tmp_path, values)
    found = derived(tmp_path, source, "hillshade", azimuth_deg=90, altitude_deg=30)
    expected = terrain.hillshade(values, 100.0, 90, 30)
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found, 1 + 254 * expected, atol=1.0)
    info, own = cog.inspect(tmp_path / "hillshade.tif", "moon"), cog.inspect(source, "moon")
    assert info.transform == own.transform and not info.looks_like_elevation


@pytest.mark.parametrize("kind", derive.KINDS)
@pytest.mark.parametrize("name", PLACES)
def test_in_blocks_is_as_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str):
    values = hills(600, 700)
    values[250:262, 300:400] = np.nan
    values[::97, ::89] = np.nan
    source = elevation(tmp_path, values, *PLACES[name])
    whole = derived(tmp_path, source, kind)
    monkeypatch.setattr(packing, "_WINDOW_PX", 256)
    np.testing.assert_array_equal(derived(tmp_path, source, kind), whole)


@pytest.mark.parametrize("name", PLACES)
def test_slopes_are_in_true_metres(tmp_path: Path, name: str):
    crs, place = PLACES[name]
    source = write(tmp_path / "first", noise(500, 500), crs=crs, transform=place)
    grid = cog.grid_of(cog.inspect(source, "moon"), "moon")
    lons, lats = grid.lonlat(*np.meshgrid(np.arange(500) + 0.5, np.arange(500) + 0.5))
    # Ground that rises by tan 20° along a great circle towards 11° E, 61° N, or the pole.
    target = (0.0, 90.0) if name == "pole" else (11.0, 61.0)
    distance = distance_m(*target, lons, lats, MOON_M)
    values = (np.tan(np.radians(20.0)) * distance).astype("float32")
    found = derived(tmp_path, elevation(tmp_path, values, crs, place), "slope")
    far = distance > 3_000
    far[[0, -1]] = far[:, [0, -1]] = False
    np.testing.assert_allclose(found[far], 20.0, atol=0.15)


def test_a_sun_in_the_east_lights_eastern_slopes_in_degrees_too(tmp_path: Path):
    _, x = np.mgrid[:300, :300]
    source = elevation(tmp_path, (x * 10.0 + hills(300, 300) / 100).astype("float32"), *PLACES["degrees"])
    west, east = (derived(tmp_path, source, "hillshade", azimuth_deg=a).mean() for a in (270, 90))
    assert west > east


def test_where_there_is_no_elevation_there_is_nothing(tmp_path: Path):
    values = hills(400, 400).astype("int16")
    values[100:200, 100:200] = -32768
    source = elevation(tmp_path, values, nodata=-32768)
    assert (derived(tmp_path, source, "hillshade")[102:198, 102:198] == 0).all()
    assert np.isnan(derived(tmp_path, source, "slope")[102:198, 102:198]).all()
    found = derived(tmp_path, source, "curvature")
    assert np.isnan(found[102:198, 102:198]).all() and np.isfinite(found[:90]).all()


def test_the_pole_of_a_map_in_degrees_is_no_wall(tmp_path: Path):
    place = north_up(-180.0, 90.0, 1.0)
    values = hills(180, 360) + noise(180, 360).astype("float32")
    found = derived(tmp_path, elevation(tmp_path, values, DEGREES, place), "slope")
    assert np.isfinite(found).all() and found[5:-5].max() < 10


def test_every_pixel_knows_its_size_in_whatever_window():
    place = PLACES["pole"][1]
    grid = grid_of(NORTH_POLE, place.c, place.f, place.a, 400, 400)
    whole = derive.pixel_edges_m(grid, Window(0, 0, 400, 400))
    part = derive.pixel_edges_m(grid, Window(133, 250, 201, 77))
    for edges, of_part in zip(whole, part, strict=True):
        np.testing.assert_array_equal(edges[250:327, 133:334], of_part)
    exact = grid.edges_m(*np.meshgrid(np.arange(0.5, 400), np.arange(0.5, 400)))
    np.testing.assert_allclose(whole[0], exact[0], rtol=1e-5)


def test_progress_rises_to_one(tmp_path: Path):
    seen: list[float] = []
    derived(tmp_path, elevation(tmp_path, hills(300, 300)), "slope", progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == 1.0


def test_an_unknown_kind_is_refused(tmp_path: Path):
    with pytest.raises(InvalidInput, match="hillshade, slope, curvature"):
        derived(tmp_path, elevation(tmp_path, hills(100, 100)), "aspect")


def test_a_sun_below_the_horizon_is_refused(tmp_path: Path):
    with pytest.raises(InvalidInput):
        derived(tmp_path, elevation(tmp_path, hills(100, 100)), "hillshade", altitude_deg=-5)


def test_a_plane_has_no_curvature_to_show(tmp_path: Path):
    _, x = np.mgrid[:100, :100].astype(np.float32)
    with pytest.raises(InvalidInput) as caught:
        derived(tmp_path, elevation(tmp_path, x * 0), "curvature")
    assert caught.value.code == "empty_band"
