from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS as ProjCRS

from mlcore.bodies import get_body
from mlcore.errors import InvalidInput
from mlcore.raster import cog, reference
from mlcore.raster.outline import bounds_of, refuse_no_overlap
from tests.data.rasters import (
    DEGREES,
    EARTH,
    MAP,
    MOON_M,
    NORTH_POLE,
    SOUTH_POLE,
    hills,
    noise,
    north_up,
    write,
)


def refusal(path: Path, body: str = "moon", **options: object) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        cog.inspect(path, body, **options)
    return caught.value


def test_it_works(tmp_path: Path):
    info = cog.inspect(write(tmp_path / "a.tif", noise(300, 500), nodata=0), "moon")
    assert (info.width_px, info.height_px, info.dtype, info.band_count, info.nodata) == (
        500,
        300,
        "int16",
        1,
        0,
    )
    assert info.transform == (0.01, 0.0, 10.0, 0.0, -0.01, 5.0)
    assert info.bounds == pytest.approx((10.0, 2.0, 15.0, 5.0))
    assert info.resolution_m_per_px == pytest.approx(0.01 * np.pi / 180 * MOON_M, rel=1e-2)
    assert "+proj=longlat" in info.proj4 and "+a=1737400" in info.proj4
    assert not info.warped


def test_the_grid_is_the_rasters_own(tmp_path: Path):
    info = cog.inspect(write(tmp_path / "a.tif", noise(300, 500)), "moon")
    grid = cog.grid_of(info, "moon")
    assert (grid.width_px, grid.height_px, grid.body) == (500, 300, "moon")
    assert grid.lonlat(0, 0) == (pytest.approx(10.0), pytest.approx(5.0))


# -- What cannot be read ------------------------------------------------------------------------


def test_a_missing_file_is_named(tmp_path: Path):
    assert "no file" in refusal(tmp_path / "gone.tif").message


@pytest.mark.parametrize("content", [b"", b"hello, not a raster", b"\x89PNG\r\n\x1a\n broken"])
def test_what_is_no_raster_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    error = refusal(path)
    assert error.code == "not_a_raster" and "a.tif" in error.message and "gdal_translate" in error.message


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("options", [{}, {"tiled": True, "compress": "deflate"}], ids=["strips", "tiles"])
def test_a_tiff_cut_short_is_refused(tmp_path: Path, share: float, options: dict):
    whole = write(tmp_path / "whole.tif", noise(600, 600), **options).read_bytes()
    path = tmp_path / "a.tif"
    path.write_bytes(whole[: int(len(whole) * share)])
    error = refusal(path)
    assert error.code == "truncated" and "again" in error.message


@pytest.mark.parametrize("driver", ["PNG", "JPEG"])
def test_a_picture_cut_short_is_refused(tmp_path: Path, driver: str):
    whole = write(tmp_path / "whole", noise(400, 400, dtype="uint8"), driver=driver, crs=None).read_bytes()
    path = tmp_path / "a"
    path.write_bytes(whole[: len(whole) // 2])
    assert refusal(path, "picture").code == "truncated"


def test_a_raw_raster_shorter_than_its_header_says_is_refused(tmp_path: Path):
    path = write(tmp_path / "a.img", noise(400, 400), driver="ENVI")
    path.write_bytes(path.read_bytes()[:1000])
    assert refusal(path).code in ("truncated", "not_a_raster")


def test_a_claim_of_billions_of_pixels_in_a_small_file_is_refused(tmp_path: Path):
    path = tmp_path / "a.tif"
    profile = {"count": 1, "dtype": "uint8", "crs": DEGREES, "transform": north_up(10, 5, 1e-4)}
    layout = {"tiled": True, "blockxsize": 16384, "blockysize": 16384, "sparse_ok": True}
    with rasterio.open(path, "w", driver="GTiff", width=60_000, height=60_000, **profile, **layout):
        pass
    assert path.stat().st_size < 2000
    error = refusal(path)
    assert error.code == "too_large" and "60,000 × 60,000" in error.message


def test_more_pixels_than_allowed_are_refused(tmp_path: Path):
    error = refusal(write(tmp_path / "a.tif", noise(100, 100)), max_px=9_999)
    assert error.code == "too_large" and "9,999" in error.message and "-srcwin" in error.message


def test_a_mosaic_that_draws_on_other_files_is_refused(tmp_path: Path):
    path = tmp_path / "a.vrt"
    path.write_text('<VRTDataset rasterXSize="9" rasterYSize="9"></VRTDataset>')
    assert refusal(path).code == "not_a_raster"


def test_a_label_that_points_outside_its_folder_is_refused(tmp_path: Path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(range(256)) * 4)
    folder = tmp_path / "upload"
    folder.mkdir()
    label = folder / "a.lbl"
    label.write_text(
        'PDS_VERSION_ID = PDS3\r\n^IMAGE = "../secret.bin"\r\nOBJECT = IMAGE\r\nLINES = 32\r\n'
        "LINE_SAMPLES = 32\r\nSAMPLE_TYPE = MSB_UNSIGNED_INTEGER\r\nSAMPLE_BITS = 8\r\nEND_OBJECT = IMAGE\r\n"
        "END\r\n"
    )
    assert refusal(label, "picture").code in ("foreign_file", "not_a_raster")


# -- Pixels that cannot be shown ----------------------------------------------------------------


def test_complex_numbers_are_refused(tmp_path: Path):
    error = refusal(write(tmp_path / "a.tif", noise(50, 50).astype("complex64")))
    assert error.code == "dtype" and "complex64" in error.message and "amplitude" in error.message


def test_a_colour_table_is_refused(tmp_path: Path):
    path = write(tmp_path / "a.tif", noise(50, 50, dtype="uint8"), photometric="palette")
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {i: (i, 0, 0, 255) for i in range(256)})
    assert "-expand rgb" in refusal(path).message


@pytest.mark.parametrize("value", [np.nan, np.inf, 7.0])
def test_a_band_without_anything_to_see_is_refused(tmp_path: Path, value: float):
    path = write(tmp_path / "a.tif", np.full((700, 700), value, "float32"))
    error = refusal(path)
    assert error.code == "empty_band" and "Band 1" in error.message


def test_only_nodata_is_refused(tmp_path: Path):
    assert refusal(write(tmp_path / "a.tif", np.zeros((9, 9), "uint8"), nodata=0)).code == "empty_band"


def test_an_empty_band_among_full_ones_is_named(tmp_path: Path):
    values = noise(3, 50, 50, dtype="uint8")
    values[1] = 3
    assert "Band 2" in refusal(write(tmp_path / "a.tif", values)).message


def test_mostly_empty_is_not_empty(tmp_path: Path):
    values = np.zeros((1500, 1500), "uint8")
    values[1300, 700:702] = 5, 6
    assert cog.inspect(write(tmp_path / "a.tif", values, nodata=0), "moon").width_px == 1500


# -- Another world, or none ---------------------------------------------------------------------


def test_a_raster_of_the_earth_is_not_the_moon(tmp_path: Path):
    error = refusal(write(tmp_path / "a.tif", noise(50, 50), crs=EARTH))
    assert error.code == "wrong_body"
    assert (
        "6,378,137 m" in error.message
        and "1,737,400 m" in error.message
        and "IAU_2015:30100" in error.message
    )


@pytest.mark.parametrize(("off", "taken"), [(1.0049, True), (0.9951, True), (1.0051, False), (0.99, False)])
def test_the_radius_may_be_off_by_half_a_percent(tmp_path: Path, off: float, taken: bool):
    path = write(tmp_path / "a.tif", noise(50, 50), crs=f"+proj=longlat +R={MOON_M * off} +no_defs")
    if taken:
        assert cog.inspect(path, "moon").width_px == 50
    else:
        assert refusal(path).code == "wrong_body"


def geographic(name: str, radius_m: float = MOON_M, flattening: float = 0.0, more: str = "") -> str:
    """Longitude and latitude on a body of this name; `more` replaces the meridian and the unit."""
    more = more or 'PRIMEM["Reference_Meridian",0],UNIT["degree",0.0174532925199433]'
    return f'GEOGCS["GCS_{name}",DATUM["D_{name}",SPHEROID["{name}",{radius_m},{flattening}]],{more}]'


def test_a_system_without_a_bodys_name_is_taken_by_its_radius(tmp_path: Path):
    for number, name in enumerate(("unknown", "Custom_Sphere", "GCS_Moon_2000", "MOON")):
        path = write(tmp_path / f"{number}.tif", noise(50, 50), crs=geographic(name, MOON_M * 1.004))
        assert cog.inspect(path, "moon").width_px == 50, name


def test_a_system_that_names_another_body_is_refused_whatever_its_radius(tmp_path: Path):
    error = refusal(write(tmp_path / "a.tif", noise(50, 50), crs=geographic("Mars_2000")))
    assert error.code == "wrong_body"
    assert "says that it shows Mars, not Moon" in error.message and "IAU_2015:30100" in error.message


def test_an_ellipsoid_flatter_than_half_a_percent_is_refused(tmp_path: Path):
    path = write(tmp_path / "a.tif", noise(50, 50), crs=geographic("Mars", 3_396_190.0, 169.894447))
    error = refusal(path, "mars")
    assert error.code == "wrong_body" and "polar radius 3,376,200 m" in error.message
    slight = write(tmp_path / "b.tif", noise(50, 50), crs=geographic("Mercury", 2_440_530.0, 1075.1))
    assert cog.inspect(slight, "mercury").width_px == 50


@pytest.mark.parametrize(
    ("crs", "code", "words"),
    [
        ('LOCAL_CS["site",UNIT["metre",1]]', "no_crs", "local coordinate system"),
        (f"+proj=ob_tran +o_proj=eqc +o_lat_p=45 +lon_0=10 +R={MOON_M}", "projection", "gdalwarp -t_srs"),
        (f"+proj=somerc +lat_0=40 +R={MOON_M}", "projection", "gdalwarp -t_srs"),
        (
            'PROJCS["x",' + geographic("Moon") + ',PROJECTION["Nobodys"],UNIT["metre",1]]',
            "projection",
            "gdalwarp -t_srs",
        ),
        (f"+proj=longlat +R={MOON_M} +pm=20", "longitudes", "from the meridian of 20°"),
    ],
)
def test_what_cannot_be_placed_is_refused_with_the_remedy(tmp_path: Path, crs: str, code: str, words: str):
    error = refusal(write(tmp_path / "a.tif", noise(50, 50), crs=crs))
    assert (error.code, words in error.message) == (code, True), error.message


def test_longitudes_counted_otherwise_are_refused(tmp_path: Path):
    """GeoTIFF forgets the direction and the unit; labels of other formats keep them."""
    body = get_body("moon")
    axes = 'CS[ellipsoidal,2],AXIS["latitude",north],AXIS["longitude",{}],ANGLEUNIT["{}",{}]'
    for axis, unit, factor, words in (
        ("west", "degree", 0.017453292519943295, "positive to the west"),
        ("east", "radian", 1.0, "not in degrees"),
    ):
        system = 'GEOGCRS["Moon",DATUM["Moon",ELLIPSOID["Moon",1737400,0]],' + axes.format(axis, unit, factor)
        with pytest.raises(InvalidInput, match=words):
            reference.refuse_conventions(ProjCRS.from_wkt(system + "]"), body, "a.tif")


def test_a_raster_of_a_body_is_no_picture(tmp_path: Path):
    error = refusal(write(tmp_path / "a.tif", noise(50, 60)), "picture")
    assert error.code == "wrong_body" and "no plain picture" in error.message


def test_no_crs_is_refused_except_for_a_picture(tmp_path: Path):
    path = write(tmp_path / "a.tif", noise(50, 60, dtype="uint8"), crs=None)
    assert refusal(path).code == "no_crs"
    info = cog.inspect(path, "picture")
    assert info.transform == (1e-5, 0.0, 0.0, 0.0, -1e-5, 0.0)
    assert info.resolution_m_per_px == pytest.approx(1.0)
    assert refusal(write(tmp_path / "b.tif", noise(50, 60)), "picture").code == "wrong_body"


def test_a_coordinate_system_without_a_position_is_refused(tmp_path: Path):
    path = write(tmp_path / "a.tif", noise(50, 50), transform=Affine.identity())
    assert refusal(path).code == "no_transform"


@pytest.mark.parametrize(
    "place", [north_up(10.0, 95.0, 0.01), north_up(10.0, -86.0, 0.1), north_up(-180.0, 40.0, 4.0)]
)
def test_what_lies_beyond_a_pole_or_goes_round_more_than_once_is_refused(tmp_path: Path, place: Affine):
    assert refusal(write(tmp_path / "a.tif", noise(50, 100), transform=place)).code == "off_body"


def test_an_unknown_body_is_refused(tmp_path: Path):
    assert refusal(write(tmp_path / "a.tif", noise(50, 50)), "vulcan").code == "unknown_body"


def test_refusals_call_the_file_what_people_call_it(tmp_path: Path):
    assert (
        "Tycho west"
        in refusal(write(tmp_path / "source.tif", noise(9, 9), crs=EARTH), name="Tycho west").message
    )


# -- What is found out --------------------------------------------------------------------------


def test_elevation_is_told_from_images(tmp_path: Path):
    def looks(values: np.ndarray, **options: object) -> bool:
        return cog.inspect(write(tmp_path / "a.tif", values, **options), "moon").looks_like_elevation

    assert looks(hills(90, 90))
    assert looks(hills(90, 90).astype("int16"))
    assert looks(noise(90, 90), unit="m")
    assert not looks(noise(90, 90, dtype="uint8"))
    assert not looks(noise(90, 90, dtype="uint16"))
    assert not looks(noise(90, 90))
    assert not looks(noise(90, 90).astype("float32") / 250)
    assert not looks(noise(3, 90, 90).astype("float32"))


def test_the_frame_of_a_turned_raster_is_the_one_it_will_have(tmp_path: Path):
    turned = Affine.translation(0, 0) @ Affine.rotation(30) @ Affine.scale(100, -100)
    info = cog.inspect(write(tmp_path / "a.tif", noise(80, 60), crs=MAP, transform=turned), "moon")
    assert info.warped and info.transform[0] == -info.transform[4] == pytest.approx(100)
    assert (info.width_px, info.height_px) == (92, 99)


# -- Where it lies ------------------------------------------------------------------------------


def covered(tmp_path: Path, crs: str, place: Affine, height: int = 50, width: int = 50):
    path = write(tmp_path / "a.tif", noise(height, width), crs=crs, transform=place)
    info = cog.inspect(path, "moon")
    return info, cog.footprint(info, "moon")


def test_a_footprint_is_split_at_the_antimeridian(tmp_path: Path):
    info, footprint = covered(tmp_path, DEGREES, north_up(178.0, 5.0, 0.1))
    assert info.bounds == pytest.approx((178.0, 0.0, -177.0, 5.0))
    assert len(footprint.geoms) == 2 and footprint.area == pytest.approx(25.0)


def test_a_footprint_from_0_to_360_is_everything(tmp_path: Path):
    info, footprint = covered(tmp_path, DEGREES, north_up(0.0, 90.0, 1.0), 180, 360)
    assert info.bounds == (-180.0, -90.0, 180.0, 90.0) and footprint.area == pytest.approx(360 * 180)


def test_a_footprint_in_the_western_half_of_0_to_360(tmp_path: Path):
    info, footprint = covered(tmp_path, DEGREES, north_up(200.0, 5.0, 0.1))
    assert info.bounds == pytest.approx((-160.0, 0.0, -155.0, 5.0)) and len(footprint.geoms) == 1


@pytest.mark.parametrize(("crs", "sign"), [(NORTH_POLE, 1), (SOUTH_POLE, -1)])
def test_a_footprint_over_a_pole_reaches_it(tmp_path: Path, crs: str, sign: int):
    info, footprint = covered(tmp_path, crs, north_up(-50_000.0, 50_000.0, 2000.0))
    assert info.bounds[0] == -180.0 and info.bounds[2] == 180.0
    assert max(sign * info.bounds[1], sign * info.bounds[3]) == pytest.approx(90.0)
    assert min(sign * info.bounds[1], sign * info.bounds[3]) == pytest.approx(87.67, abs=0.01)
    assert footprint.is_valid


def test_a_map_with_corners_off_the_globe_has_a_box(tmp_path: Path):
    crs = f"+proj=ortho +lat_0=0 +lon_0=0 +R={MOON_M} +units=m +no_defs"
    info, _ = covered(tmp_path, crs, north_up(-MOON_M, MOON_M, MOON_M / 25))
    assert info.bounds[2] > 60.0


def test_no_common_ground_is_refused(tmp_path: Path):
    _, here = covered(tmp_path, DEGREES, north_up(10.0, 5.0, 0.1))
    _, beside = covered(tmp_path, MAP, north_up(1_000_000.0, 0.0, 100.0))
    _, there = covered(tmp_path, DEGREES, north_up(12.0, 6.0, 0.1))
    with pytest.raises(InvalidInput, match="share no ground") as caught:
        refuse_no_overlap(here, beside, name="A", other="B")
    assert caught.value.code == "no_overlap"
    refuse_no_overlap(here, there, name="A", other="B")
    assert bounds_of(here) == pytest.approx((10.0, 0.0, 15.0, 5.0))
