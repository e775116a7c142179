"""Rasters made to have the server read other files or ask other servers: refused, and nobody is asked."""

import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio

from annotate.models import Basemap
from annotate.services import basemaps, conversions
from mlcore.errors import InvalidInput
from tests.data import rasters

pytestmark = pytest.mark.django_db
VALUES = rasters.noise(64, 64, dtype="uint8")


class Ear:
    """A server on this machine that notes whoever calls."""

    def __init__(self) -> None:
        self.calls = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/a.tif"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                caller, _address = self._socket.accept()
            except OSError:
                return
            self.calls += 1
            caller.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    yield ear
    ear.close()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A raster of the server's that no upload may show."""
    (tmp_path / "elsewhere").mkdir()
    return rasters.write(tmp_path / "elsewhere" / "secret.tif", VALUES)


def vrt(source: str) -> bytes:
    return f"""<VRTDataset rasterXSize="64" rasterYSize="64"><SRS>{rasters.DEGREES}</SRS>
<GeoTransform>10, 0.01, 0, 5, 0, -0.01</GeoTransform><VRTRasterBand dataType="Byte" band="1"><SimpleSource>
<SourceFilename relativeToVRT="0">{source}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>
</VRTRasterBand></VRTDataset>""".encode()


def pds3(source: str) -> bytes:
    return f"""PDS_VERSION_ID = PDS3\r\nRECORD_TYPE = FIXED_LENGTH\r\nRECORD_BYTES = 64\r\nFILE_RECORDS = 64\r
^IMAGE = "{source}"\r\nOBJECT = IMAGE\r\n LINES = 64\r\n LINE_SAMPLES = 64\r
 SAMPLE_TYPE = UNSIGNED_INTEGER\r\n SAMPLE_BITS = 8\r\n BANDS = 1\r\nEND_OBJECT = IMAGE\r\nEND\r\n""".encode()


def wms(source: str) -> bytes:
    return f"""<GDAL_WMS><Service name="WMS"><ServerUrl>{source}?</ServerUrl><Layers>x</Layers></Service>
<DataWindow><UpperLeftX>-180</UpperLeftX><UpperLeftY>90</UpperLeftY><LowerRightX>180</LowerRightX>
<LowerRightY>-90</LowerRightY><SizeX>512</SizeX><SizeY>256</SizeY></DataWindow></GDAL_WMS>""".encode()


def pds4(source: str) -> bytes:
    return f"""<?xml version="1.0"?><!DOCTYPE p [<!ENTITY e SYSTEM "{source.removeprefix("/vsicurl/")}">]>
<Product_Observational xmlns="http://pds.nasa.gov/pds4/pds/v1"><File_Area_Observational><File>
<file_name>{source}</file_name></File><Array_2D_Image><offset unit="byte">0</offset><axes>2</axes>
<axis_index_order>Last Index Fastest</axis_index_order><title>&e;</title><Element_Array>
<data_type>UnsignedByte</data_type></Element_Array><Axis_Array><axis_name>Line</axis_name><elements>64</elements><sequence_number>1
</sequence_number></Axis_Array><Axis_Array><axis_name>Sample</axis_name><elements>64</elements>
<sequence_number>2</sequence_number></Axis_Array></Array_2D_Image></File_Area_Observational>
</Product_Observational>""".encode()


def ers(source: str) -> bytes:
    return f"""DatasetHeader Begin\n DataSetType = ERStorage\n DataFile = "{source}"\n HeaderOffset = 0
 CoordinateSpace Begin\n Datum = "RAW"\n Projection = "RAW"\n CoordinateSpace End\n RasterInfo Begin
 CellType = Unsigned8BitInteger\n NrOfLines = 64\n NrOfCellsPerLine = 64\n NrOfBands = 1
 RasterInfo End\nDatasetHeader End\n""".encode()


def aux(source: str) -> bytes:
    """Side notes that name a file of overviews."""
    item = f'<Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{source}</MDI></Metadata>'
    return f'<PAMDataset>{item}<PAMRasterBand band="1">{item}</PAMRasterBand></PAMDataset>'.encode()


Reference = Callable[[str], bytes]
REFERENCES: dict[str, tuple[str, Reference]] = {
    "a mosaic": ("a.vrt", vrt),
    "a mosaic by another name": ("a.tif", vrt),
    "a map service": ("a.xml", wms),
    "a label": ("a.lbl", pds3),
    "an XML label": ("a.xml", pds4),
    "a header": ("a.ers", ers),
}


def packed(folder: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(folder / "product.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return folder / "product.zip"


def bring(path: Path, body: str = "moon") -> Basemap:
    """As the page does, and then all that a worker does with it."""
    basemap = basemaps.add_basemap(name="Hostile", body=body, path=path)
    conversions.convert(basemap.pk)
    basemap.refresh_from_db()
    return basemap


def test_the_ear_hears(ear: Ear) -> None:
    """GDAL as it comes would call: what the others prove is not that it cannot."""
    code = f"import rasterio; rasterio.open('/vsicurl/{ear.url}')"
    subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, timeout=120, check=False)
    assert ear.calls > 0


def test_names_of_addresses_are_not_followed_in_this_process(ear: Ear) -> None:
    for before in ("/vsicurl/", "/vsicurl_streaming/", "/vsizip//vsicurl/", ""):
        with pytest.raises(rasterio.errors.RasterioError):
            rasterio.open(before + ear.url)
    assert ear.calls == 0


@pytest.mark.parametrize("way", ["alone", "in an archive"])
@pytest.mark.parametrize("body", ["moon", "picture"])
@pytest.mark.parametrize("kind", REFERENCES)
def test_what_refers_to_an_address(
    kind: str, body: str, way: str, ear: Ear, media: Path, tmp_path: Path
) -> None:
    name, make = REFERENCES[kind]
    content = make(f"/vsicurl/{ear.url}")
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidInput):
        bring(path if way == "alone" else packed(tmp_path, {name: content}), body)
    assert ear.calls == 0
    assert not list((media / "basemaps").iterdir())


@pytest.mark.parametrize("kind", REFERENCES)
def test_what_refers_to_a_file_of_the_server(kind: str, secret: Path, media: Path, tmp_path: Path) -> None:
    name, make = REFERENCES[kind]
    # From where an archive is unpacked to.
    relative = f"../../../../elsewhere/{secret.name}"
    for source in (str(secret), relative, f"/vsizip/{secret}", "/etc/hostname"):
        with pytest.raises(InvalidInput):
            bring(packed(tmp_path, {name: make(source)}), "picture")
    assert not Basemap.objects.exists()


@pytest.mark.parametrize("where", ["in the file", "beside it", "as overviews", "as a mask"])
def test_overviews_and_masks_from_elsewhere(
    where: str, ear: Ear, secret: Path, media: Path, tmp_path: Path
) -> None:
    for source in (f"/vsicurl/{ear.url}", str(secret)):
        path = rasters.write(tmp_path / "a.tif", np.arange(64 * 64, dtype=np.uint16).reshape(64, 64))
        if where == "in the file":
            with rasterio.open(path, "r+") as dataset:
                dataset.update_tags(bidx=1, ns="OVERVIEWS", OVERVIEW_FILE=source)
        files = {"a.tif": path.read_bytes()}
        if where == "beside it":
            files["a.tif.aux.xml"] = aux(source)
        if where == "as overviews":
            files["a.tif.ovr"] = vrt(source)
        if where == "as a mask":
            files["a.tif.msk"] = vrt(source)
        if where in ("in the file", "beside it"):
            with pytest.raises(InvalidInput, match="overviews from another place"):
                bring(packed(tmp_path, files))
        else:
            made = bring(packed(tmp_path, files))
            assert made.state == Basemap.State.READY, made.error
            assert [path.name for path in (media / made.source_path).parent.iterdir()] == ["a.tif"]
            with rasterio.open(basemaps.cog_file(made)) as dataset:
                assert dataset.read(1, window=((0, 64), (0, 64))).max() == 64 * 64 - 1
    assert ear.calls == 0


def test_containers_that_link_to_other_files(media: Path, tmp_path: Path) -> None:
    for head in (b"\x89HDF\r\n\x1a\n", b"PCIDSK  "):
        path = tmp_path / "a.nc"
        path.write_bytes(head + bytes(4096))
        with pytest.raises(InvalidInput, match="not a raster"):
            bring(path)
