from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from rasterio.enums import ColorInterp
from rio_cogeo.cogeo import cog_validate

from mlcore.errors import InvalidInput
from mlcore.raster import cog, packing
from mlcore.raster.layout import Layout, layout_of
from tests.data.rasters import DEGREES, MAP, hills, noise, write


def converted(tmp_path: Path, values: np.ndarray, **options: object) -> Path:
    target = tmp_path / "cog.tif"
    cog.convert_to_cog(write(tmp_path / "source", values, **options), target)
    return target


def read(path: Path, level: int = 0) -> np.ndarray:
    options = {"overview_level": level - 1} if level else {}
    with rasterio.open(path, **options) as dataset:
        return dataset.read()


def test_it_works(tmp_path: Path):
    values = noise(700, 1100)
    path = converted(tmp_path, values, nodata=-1)
    assert cog_validate(path)[0]
    np.testing.assert_array_equal(read(path)[0], values)
    with rasterio.open(path) as dataset:
        assert dataset.block_shapes == [(256, 256)] and dataset.overviews(1) == [2, 4, 8]
        assert dataset.nodata == -1 and dataset.crs.is_geographic
    assert cog.inspect(path, "moon") == cog.inspect(tmp_path / "source", "moon")


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32"])
def test_every_number_type_keeps_its_values(tmp_path: Path, dtype: str):
    values = noise(300, 300).astype(dtype)
    np.testing.assert_array_equal(read(converted(tmp_path, values))[0], values)


def test_doubles_become_floats(tmp_path: Path):
    path = converted(tmp_path, hills(300, 300).astype("float64"))
    assert read(path).dtype == np.float32


@pytest.mark.parametrize("driver", ["PNG", "ENVI", "AAIGrid"])
def test_other_formats_are_taken_in(tmp_path: Path, driver: str):
    values = noise(40, 50, dtype="uint8")
    if driver == "AAIGrid":
        path = tmp_path / "source.asc"
        rows = "\n".join(" ".join(map(str, row)) for row in values)
        path.write_text(f"ncols 50\nnrows 40\nxllcorner 10\nyllcorner 5\ncellsize 0.01\n{rows}\n")
        (tmp_path / "source.prj").write_text(rasterio.CRS.from_string(DEGREES).to_wkt())
    else:
        path = write(tmp_path / "source", values, driver=driver)
    assert cog.inspect(path, "moon").width_px == 50
    cog.convert_to_cog(path, tmp_path / "cog.tif")
    np.testing.assert_array_equal(read(tmp_path / "cog.tif")[0], values)


# -- Overviews ----------------------------------------------------------------------------------


def means_of_four(values: np.ndarray) -> np.ndarray:
    """The plain definition, pixel by pixel."""
    height, width = values.shape
    result = np.full((-(-height // 2), -(-width // 2)), np.nan)
    for row in range(result.shape[0]):
        for column in range(result.shape[1]):
            four = values[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            if not np.isnan(four).all():
                result[row, column] = np.nanmean(four)
    return result


@given(
    values=npst.arrays(
        np.float32,
        npst.array_shapes(min_dims=2, max_dims=2, max_side=9),
        elements=st.one_of(st.just(np.nan), st.floats(-1e4, 1e4, width=32)),
    )
)
def test_an_overview_is_the_mean_of_the_known_pixels(values: np.ndarray):
    layout = Layout(None, Affine.identity(), 0, 0, False, "float32", float("nan"), 1, False, "")
    np.testing.assert_allclose(
        packing.halve(values[None], layout)[0], means_of_four(values), rtol=1e-4, atol=1e-2
    )


def test_overviews_of_odd_sizes_stay_aligned(tmp_path: Path):
    values = hills(301, 517)
    path = converted(tmp_path, values)
    expected = values
    for level in (1, 2):
        expected = means_of_four(expected).astype(np.float32)
        np.testing.assert_allclose(read(path, level)[0], expected, atol=1e-2)


def test_nodata_is_in_no_mean(tmp_path: Path):
    values = noise(300, 300)
    values[::2, ::2] = -999
    values[100:150] = -999
    half = read(converted(tmp_path, values, nodata=-999), 1)[0]
    known = np.where(values == -999, np.nan, values).astype(float)
    expected = np.nan_to_num(np.rint(means_of_four(known)), nan=-999)
    np.testing.assert_array_equal(half, expected)


def test_overviews_made_in_blocks_are_those_made_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = converted(tmp_path, hills(530, 700), tiled=True)
    expected = [read(whole, level) for level in range(3)]
    monkeypatch.setattr(packing, "_WINDOW_PX", 256)
    in_blocks = converted(tmp_path, hills(530, 700), tiled=True)
    for level in range(3):
        np.testing.assert_array_equal(read(in_blocks, level), expected[level])


# -- The normal form ----------------------------------------------------------------------------


def test_scaled_numbers_become_values(tmp_path: Path):
    values = noise(60, 60)
    path = converted(tmp_path, values, scales=(0.5, 1000.0), unit="m")
    np.testing.assert_allclose(read(path)[0], values * 0.5 + 1000.0)
    with rasterio.open(path) as dataset:
        assert dataset.scales == (1.0,) and dataset.units == ("m",)


def test_kilometres_become_metres(tmp_path: Path):
    path = converted(tmp_path, hills(60, 60) / 1000, unit="KILOMETER")
    np.testing.assert_allclose(read(path)[0], hills(60, 60), rtol=1e-5, atol=1e-3)
    with rasterio.open(path) as dataset:
        assert dataset.units == ("m",)


@pytest.mark.parametrize("none", [-9999.0, np.nan, -3.4028226550889045e38])
def test_floats_say_nothing_by_nan(tmp_path: Path, none: float):
    values = hills(300, 300)
    values[:50] = none
    path = converted(tmp_path, values, nodata=none if none == -9999.0 else None)
    assert np.isnan(read(path)[0, :50]).all() and np.isfinite(read(path)[0, 50:]).all()
    assert cog.inspect(path, "moon").nodata is None


def test_colours_stay_three_bands(tmp_path: Path):
    values = noise(3, 300, 300, dtype="uint8")
    path = converted(tmp_path, values, photometric="RGB")
    np.testing.assert_array_equal(read(path), values)
    with rasterio.open(path) as dataset:
        assert dataset.colorinterp == (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


def test_transparency_is_kept_as_a_band(tmp_path: Path):
    values = noise(4, 300, 300, dtype="uint8")
    values[3] = 255
    values[3, :100] = 0
    path = converted(tmp_path, values, photometric="RGB", alpha="YES")
    found = read(path)
    assert (found[3, :100] == 0).all() and (found[3, 100:] == 255).all()
    assert cog.inspect(path, "moon").band_count == 3
    assert len(cog.statistics(path)) == 3


def test_a_picture_gets_its_plane(tmp_path: Path):
    values = noise(300, 400, dtype="uint8")
    path = converted(tmp_path, values, crs=None, driver="PNG")
    np.testing.assert_array_equal(read(path)[0], values)
    before, after = (cog.inspect(p, "picture") for p in (tmp_path / "source", path))
    assert replace(before, crs_wkt=after.crs_wkt) == after


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_a_turned_raster_is_brought_north_up(tmp_path: Path, dtype: str):
    place = Affine(86.6, 50.0, 0.0, 50.0, -86.6, 0.0)
    path = converted(tmp_path, noise(200, 200).astype(dtype), crs=MAP, transform=place)
    before, after = (cog.inspect(p, "moon") for p in (tmp_path / "source", path))
    assert before.warped and replace(before, warped=False) == after
    with rasterio.open(path) as dataset:
        a, b, _, d, e, _ = dataset.transform[:6]
        assert (b, d) == (0.0, 0.0) and a == -e
        corners, middle = dataset.dataset_mask()[[0, 0, -1, -1], [0, -1, 0, -1]], dataset.dataset_mask()
        assert not corners.any() and middle[middle.shape[0] // 2, middle.shape[1] // 2]


def test_pixels_that_are_not_square_become_so(tmp_path: Path):
    y, x = np.mgrid[:100, :200].astype(np.float32)
    path = converted(tmp_path, x + 10 * y, crs=MAP, transform=Affine(100, 0, 0, 0, -200, 0))
    assert read(path)[0].shape == (200, 200)
    np.testing.assert_allclose(
        read(path)[0][20:-20, 20:-20], (x + 10 * y).repeat(2, axis=0)[20:-20, 20:-20], atol=5.1
    )


def test_a_raster_with_its_south_up_is_turned_over(tmp_path: Path):
    values = noise(90, 80).astype("float32")
    path = converted(tmp_path, values, transform=Affine(0.01, 0, 10, 0, 0.01, 4))
    np.testing.assert_allclose(read(path)[0], values[::-1], atol=1e-3)


def test_a_pixel_size_off_by_a_rounding_is_square(tmp_path: Path):
    place = Affine(0.3515625, 0, -180, 0, -0.35156249998990985, 90)
    values = noise(512, 1024)
    path = converted(tmp_path, values, transform=place)
    np.testing.assert_array_equal(read(path)[0], values)
    with rasterio.open(path) as dataset:
        assert not layout_of(dataset).warped


# -- Progress and failures ----------------------------------------------------------------------


def test_progress_rises_to_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(packing, "_WINDOW_PX", 256)
    seen: list[float] = []
    source = write(tmp_path / "a.tif", noise(900, 700), tiled=True)
    cog.convert_to_cog(source, tmp_path / "b.tif", progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == 1.0 and len(seen) > 12 and 0 < seen[0] < 0.1


def test_a_failure_leaves_nothing_behind(tmp_path: Path):
    source = write(tmp_path / "a.tif", noise(900, 900))
    source.write_bytes(source.read_bytes()[:-1000])
    target = tmp_path / "out" / "b.tif"
    target.parent.mkdir()
    with pytest.raises(InvalidInput) as caught:
        cog.convert_to_cog(source, target)
    assert caught.value.code == "truncated" and not list(target.parent.iterdir())


def test_emptiness_that_samples_cannot_prove_is_found(tmp_path: Path):
    source = write(tmp_path / "a.tif", np.full((200, 200), 5, "int16"))
    with pytest.raises(InvalidInput) as caught:
        cog.convert_to_cog(source, tmp_path / "b.tif", name="Plain")
    assert caught.value.code == "empty_band" and "Plain" in caught.value.message


# -- Statistics ---------------------------------------------------------------------------------


def test_statistics_are_of_the_known_pixels(tmp_path: Path):
    values = np.arange(90_000, dtype="int32").reshape(300, 300)
    values[:100] = -1
    (found,) = cog.statistics(converted(tmp_path, values, nodata=-1))
    known = values[100:].ravel()
    assert found["min"] == 30_000 and found["max"] == 89_999
    assert found["mean"] == pytest.approx(known.mean()) and found["std"] == pytest.approx(known.std())
    assert set(found) == {"min", "max", "mean", "std"} | {
        f"p{p}" for p in ("0_1", "1", "2", "5", "50", "95", "98", "99", "99_9")
    }
    assert found["p2"] == pytest.approx(np.percentile(known, 2))


def test_statistics_of_a_large_raster_come_from_an_overview(tmp_path: Path):
    values = hills(2100, 2100)
    (found,) = cog.statistics(converted(tmp_path, values))
    assert found["p50"] == pytest.approx(np.median(values), abs=5)
    assert found["p98"] == pytest.approx(np.percentile(values, 98), rel=0.02)
