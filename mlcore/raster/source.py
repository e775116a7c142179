"""Opening rasters that people bring, and refusing what is none, is broken or reaches beyond its file."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from mlcore.errors import InvalidInput

# Formats that hold their own pixels. Left out are those that fetch or compute them from elsewhere
# (VRT, WMS, STAC, PCIDSK, HDF5, …): an upload could otherwise show any file or address that the server
# can reach. netCDF is read in its classic form only: its fourth is HDF5.
FORMATS = (
    *("GTiff", "PNG", "JPEG", "JP2OpenJPEG", "WEBP", "BMP", "GIF", "PNM"),
    *("PDS", "PDS4", "ISIS3", "ISIS2", "VICAR"),
    *("ENVI", "EHdr", "ERS", "HFA", "NITF", "SAGA", "RST"),
    *("AAIGrid", "GRASSASCIIGrid", "GSAG", "GSBG", "GS7BG", "SRTMHGT", "DTED", "USGSDEM", "XYZ"),
)
_NETCDF, _NETCDF_MAGIC = "netCDF", b"CDF"
# What GDAL would pass over in silence: a JPEG, a raw raster or (by a shortcut that returns noise) a PNG
# that ends early. And no name inside a file makes it ask over the network.
STRICT = {
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    "GDAL_ERROR_ON_LIBJPEG_WARNING": True,
    "RAW_CHECK_FILE_SIZE": True,
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": False,
}
# Deflate, the commonest compression, cannot pack more than 1,032 equal bytes into one.
MAX_PX_PER_BYTE = 5_000


@contextmanager
def open_source(path: Path, *, name: str | None = None) -> Iterator[DatasetReader]:
    """Open a raster for reading, strictly.

    Args:
        path: A file; those it refers to must lie in the same folder.
        name: What to call it in refusals; the file's name when not given.

    Yields:
        The open dataset; GDAL's complaints while it is used become InvalidInput.

    Raises:
        InvalidInput: Missing, no raster, a format that draws on other files, or unreadable in part.
    """
    name = name or path.name
    if not path.is_file():
        raise InvalidInput(f"There is no file at '{path}'; check the path.", code="no_file")
    with rasterio.Env(**STRICT), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            dataset = DatasetReader(str(path.resolve()), driver=_drivers_for(path))
        except RasterioError as error:
            raise _not_a_raster(path, name) from error
        with dataset:
            refuse_foreign_overviews(dataset, name)
            refuse_foreign_files(dataset, path, name)
            try:
                yield dataset
            except RasterioError as error:
                raise broken(name) from error


def _drivers_for(path: Path) -> list[str]:
    with path.open("rb") as file:
        is_classic = file.read(len(_NETCDF_MAGIC)) == _NETCDF_MAGIC
    return [*FORMATS, _NETCDF] if is_classic else list(FORMATS)


def broken(name: str) -> InvalidInput:
    """The refusal of a raster whose pixels cannot all be read."""
    return InvalidInput(
        f"'{name}' is damaged or cut short: part of its pixels cannot be read. Copy or download it again "
        "and compare the sizes.",
        code="truncated",
    )


def _not_a_raster(path: Path, name: str) -> InvalidInput:
    with path.open("rb") as file:
        head = file.read(4)
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return broken(name)
    return InvalidInput(
        f"'{name}' is not a raster that Tektite reads ({path.stat().st_size:,} bytes). Give a GeoTIFF, PDS, "
        "ISIS, ENVI, PNG, JPEG or JPEG 2000 file with its own pixels, a label together with its image in one "
        ".zip; gdal_translate makes a GeoTIFF of most others, VRT mosaics too.",
        code="not_a_raster",
    )


def refuse_foreign_overviews(dataset: DatasetReader, name: str) -> None:
    """Refuse a raster whose notes name another file, or an address, as its overviews: GDAL would open it."""
    if any(dataset.tags(band, ns="OVERVIEWS") for band in (0, *dataset.indexes)):
        raise InvalidInput(
            f"'{name}' takes its overviews from another place. Write it anew with gdal_translate.",
            code="foreign_file",
        )


def refuse_foreign_files(dataset: DatasetReader, path: Path, name: str) -> None:
    """Refuse a label or header that draws its pixels from outside its own folder."""
    folder = path.resolve().parent
    for file in dataset.files:
        if Path(file).resolve().parent != folder:
            raise InvalidInput(
                f"'{name}' takes its pixels from another place ('{file}'). Give one file that holds them: "
                "gdal_translate makes a GeoTIFF of it.",
                code="foreign_file",
            )


def refuse_claims(dataset: DatasetReader, path: Path, name: str, max_px: int) -> None:
    """Refuse rasters larger than the limit, or far larger than their files could hold."""
    pixels = dataset.width * dataset.height
    size = f"'{name}' says it is {dataset.width:,} × {dataset.height:,} px"
    if pixels > max_px:
        raise InvalidInput(
            f"{size}, more than the {max_px:,} px that one basemap may have. Cut it into parts with "
            "gdal_translate -srcwin.",
            code="too_large",
        )
    held = sum(Path(file).stat().st_size for file in {*dataset.files, str(path)} if Path(file).is_file())
    if pixels > MAX_PX_PER_BYTE * held:
        raise InvalidInput(
            f"{size} but holds {held:,} bytes, too few for that many pixels: it is empty, cut short or "
            "not what it claims to be. Copy or export it again.",
            code="too_large",
        )


def refuse_missing_blocks(dataset: DatasetReader, path: Path, name: str) -> None:
    """Refuse a TIFF whose directory is whole but whose pixels end before the file says."""
    if dataset.driver != "GTiff":
        return
    held = path.stat().st_size
    for band in dataset.indexes if dataset.interleaving and dataset.interleaving.name == "band" else (1,):
        height, width = dataset.block_shapes[band - 1]
        for row in range(-(-dataset.height // height)):
            for column in range(-(-dataset.width // width)):
                block = f"{column}_{row}"
                offset = dataset.get_tag_item(f"BLOCK_OFFSET_{block}", "TIFF", bidx=band)
                length = dataset.get_tag_item(f"BLOCK_SIZE_{block}", "TIFF", bidx=band)
                if offset and length and int(offset) + int(length) > held:
                    raise broken(name)
