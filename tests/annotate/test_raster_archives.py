"""A raster that comes in an archive with the files beside it."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from annotate.models import Basemap, User
from annotate.services import basemaps, conversions
from mlcore.errors import InvalidInput
from tests.data import rasters

pytestmark = pytest.mark.django_db
VALUES = rasters.noise(90, 120, dtype="int16")


def zipped(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


@pytest.fixture
def tiff(tmp_path: Path) -> bytes:
    return rasters.write(tmp_path / "whole.tif", VALUES).read_bytes()


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, bytes]:
    """A TIFF that does not know where it lies, and the files beside it that do."""
    bare = rasters.write(tmp_path / "bare.tif", VALUES, crs=None).read_bytes()
    with rasterio.open(rasters.write(tmp_path / "placed.tif", VALUES)) as dataset:
        place, wkt = dataset.transform, dataset.crs.to_wkt(version="WKT1_ESRI")
    centre = place * (0.5, 0.5)
    world = "\n".join(map(str, (place.a, place.d, place.b, place.e, *centre)))
    return {"Map 1.tif": bare, "Map 1.tfw": world.encode(), "Map 1.prj": wkt.encode()}


def pds3() -> dict[str, bytes]:
    """A label and an image of its own, as lunar products come."""
    label = """PDS_VERSION_ID = PDS3
RECORD_TYPE = FIXED_LENGTH
RECORD_BYTES = 240
FILE_RECORDS = 90
^IMAGE = "LDEM_X.IMG"
OBJECT = IMAGE
  LINES = 90
  LINE_SAMPLES = 120
  SAMPLE_TYPE = LSB_INTEGER
  SAMPLE_BITS = 16
  BANDS = 1
END_OBJECT = IMAGE
OBJECT = IMAGE_MAP_PROJECTION
  MAP_PROJECTION_TYPE = "SIMPLE CYLINDRICAL"
  A_AXIS_RADIUS = 1737.4 <KM>
  B_AXIS_RADIUS = 1737.4 <KM>
  C_AXIS_RADIUS = 1737.4 <KM>
  CENTER_LATITUDE = 0.0 <DEG>
  CENTER_LONGITUDE = 0.0 <DEG>
  LINE_PROJECTION_OFFSET = 500.0 <PIXEL>
  SAMPLE_PROJECTION_OFFSET = -1000.0 <PIXEL>
  MAP_RESOLUTION = 100.0 <PIX/DEG>
  MAP_SCALE = 0.303235 <KM/PIXEL>
  COORDINATE_SYSTEM_NAME = PLANETOCENTRIC
  POSITIVE_LONGITUDE_DIRECTION = EAST
END_OBJECT = IMAGE_MAP_PROJECTION
END
"""
    return {
        "DATA/LDEM_X.LBL": label.replace("\n", "\r\n").encode(),
        "DATA/LDEM_X.IMG": VALUES.astype("<i2").tobytes(),
        "README.TXT": b"read me",
        "CATALOG/run_me.sh": b"#!/bin/sh\n",
    }


def bring(content: bytes, name: str = "product.zip", body: str = "moon") -> Basemap:
    basemap = basemaps.add_basemap(name="Packed", body=body, upload=SimpleUploadedFile(name, content))
    conversions.convert(basemap.pk)
    basemap.refresh_from_db()
    assert basemap.state == Basemap.State.READY, basemap.error
    return basemap


def pixels(basemap: Basemap) -> np.ndarray:
    with rasterio.open(basemaps.cog_file(basemap)) as dataset:
        return dataset.read(1)[: VALUES.shape[0], : VALUES.shape[1]]


class TestWhatWorks:
    @pytest.mark.parametrize("pack", [zipped, tarred])
    def test_it_works(self, pack: Callable[[dict[str, bytes]], bytes], tiff: bytes, media: Path) -> None:
        basemap = bring(pack({"deep/in/whole.tif": tiff}))
        assert (pixels(basemap) == VALUES).all()
        assert {path.name for path in (media / "basemaps" / str(basemap.uid)).iterdir()} == {
            "source", "basemap.tif",
        }  # fmt: skip

    def test_files_beside_say_where_it_lies(self, parts: dict[str, bytes], media: Path) -> None:
        basemap = bring(zipped(parts))
        assert basemap.bounds == pytest.approx([10.0, 4.1, 11.2, 5.0])

    def test_a_label_and_its_image(self, media: Path) -> None:
        basemap = bring(zipped(pds3()))
        assert basemap.source_path.endswith("/source/LDEM_X.LBL")
        assert (pixels(basemap) == VALUES).all()
        assert basemap.bounds[0] == pytest.approx(10.0, abs=0.02)

    def test_only_what_belongs_to_a_raster_is_kept(self, media: Path) -> None:
        folder = media / bring(zipped(pds3())).source_path
        assert {path.name for path in folder.parent.iterdir()} == {"LDEM_X.LBL", "LDEM_X.IMG"}

    def test_names_become_plain(self, tiff: bytes, media: Path) -> None:
        basemap = bring(zipped({"..hidden/Käse & <b>Brot</b>.TIF": tiff}))
        assert basemap.source_path.endswith("/source/b_.TIF")

    def test_from_the_page(
        self, tiff: bytes, media: Path, client_of: Callable[[User | None], Client], stranger: User
    ) -> None:
        sent = {"file": SimpleUploadedFile("a.zip", zipped({"a.tif": tiff})), "body": "moon"}
        assert client_of(stranger).post(reverse("annotate:basemap_new"), sent).status_code == 302
        assert Basemap.objects.get().source_path.endswith("/source/a.tif")

    def test_from_the_command_line(self, tiff: bytes, media: Path, tmp_path: Path) -> None:
        path = tmp_path / "given.tar.gz"
        path.write_bytes(tarred({"a.tif": tiff}))
        call_command("add_basemap", path, "--body", "moon", "--here", stdout=io.StringIO())
        assert Basemap.objects.get().state == Basemap.State.READY
        assert path.exists()


class TestRefusals:
    def refusal(self, content: bytes, media: Path) -> str:
        with pytest.raises(InvalidInput) as refused:
            bring(content)
        assert not Basemap.objects.exists()
        assert not list((media / "basemaps").iterdir())
        return refused.value.message

    def test_none_inside(self, media: Path) -> None:
        assert "There is no raster in “product.zip”" in self.refusal(zipped({"a.txt": b"x"}), media)

    def test_another_archive_inside(self, tiff: bytes, media: Path) -> None:
        assert "There is no raster" in self.refusal(zipped({"a.zip": zipped({"a.tif": tiff})}), media)

    def test_several_inside(self, tiff: bytes, media: Path) -> None:
        assert "holds 2 rasters (a.tif, b.tif)" in self.refusal(zipped({"a.tif": tiff, "b.tif": tiff}), media)

    def test_two_files_of_one_plain_name(self, tiff: bytes, media: Path) -> None:
        assert "two files for one place" in self.refusal(zipped({"x/a.tif": tiff, "y/a.tif": tiff}), media)

    def test_a_damaged_raster_inside(self, tiff: bytes, media: Path) -> None:
        assert "damaged or cut short" in self.refusal(zipped({"a.tif": tiff[: len(tiff) // 2]}), media)

    def test_a_projection_that_is_none(self, parts: dict[str, bytes], media: Path) -> None:
        assert "no projection" in self.refusal(zipped({**parts, "Map 1.prj": b"somewhere"}), media)

    def test_a_label_without_its_image(self, media: Path) -> None:
        files = pds3()
        del files["DATA/LDEM_X.IMG"]
        assert "There is no raster" in self.refusal(zipped(files), media)

    def test_more_than_an_upload_may_be(self, tiff: bytes, media: Path, settings: Settings) -> None:
        settings.MAX_UPLOAD_BYTES = len(tiff) - 1
        assert "the most that" in self.refusal(zipped({"a.tif": tiff}), media)

    def test_a_bomb(self, media: Path) -> None:
        assert "200 times its size" in self.refusal(zipped({"a.tif": bytes(40 * 1024**2)}), media)

    def test_names_are_shown_as_text(
        self, media: Path, client_of: Callable[[User | None], Client], stranger: User
    ) -> None:
        name, inside = "<b>a</b>.zip", "<i>\x07</i>.tif"
        sent = {"file": SimpleUploadedFile(name, zipped({inside: b"x"})), "body": "moon"}
        text = client_of(stranger).post(reverse("annotate:basemap_new"), sent).content.decode()
        assert "&lt;i&gt;?&lt;" in text
        assert "<i>" not in text
        assert "<b>" not in text
