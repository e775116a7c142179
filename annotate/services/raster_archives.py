"""Rasters that come in an archive: one raster and the files beside it, as PDS and USGS hand them out."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from django.conf import settings
from django.utils.translation import gettext as _
from rasterio.crs import CRS
from rasterio.errors import CRSError

from annotate.services.disk import disk_of, full_in_words
from mlcore.errors import InvalidInput
from mlcore.formats.archives import Limits, extract
from mlcore.raster.source import open_source

# Labels first: beside one, the file of the same name holds bare pixels.
_LABELS = (".lbl", ".lblx", ".xml")
_RASTERS = (
    *(".tif", ".tiff", ".jp2", ".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".pgm", ".ppm"),
    *(".cub", ".qub", ".img", ".vic", ".vicar", ".bil", ".bip", ".bsq", ".dat", ".raw", ".ers", ".ntf"),
    *(".nc", ".grd", ".rst", ".sdat", ".asc", ".dem", ".hgt", ".dt0", ".dt1", ".dt2", ".xyz"),
)
# Never `.ovr`, `.msk`, `.vrt`, `.aux`: GDAL opens what they name, whatever and wherever that is.
_BESIDE = (
    *(".aux.xml", ".prj", ".hdr", ".stx", ".clr", ".rdc", ".sgrd"),
    *(".tfw", ".tifw", ".tiffw", ".jgw", ".jpgw", ".pgw", ".pngw", ".j2w", ".jp2w", ".bpw", ".wld"),
)
_FILES, _LONGEST_NAME, _LONGEST_PROJECTION = 500, 100, 100_000


def unpack(archive: Path, folder: Path, *, given_name: str) -> Path:
    """Unpack what belongs to one raster, without folders, and find the file by which it is opened.

    A label names the file of its pixels, so names are kept; but only letters that are plain everywhere.

    Args:
        archive: Where the upload lies.
        folder: Where to unpack; does not exist yet.
        given_name: What to call the archive in refusals.

    Raises:
        InvalidInput: As for archives; or there is no raster in it, or several.
    """
    folder.mkdir()
    largest = min(settings.MAX_UPLOAD_BYTES, disk_of().room_bytes)
    limits = Limits(members=_FILES, member_bytes=largest, total_bytes=largest)
    with full_in_words(_("Unpacking “%(name)s”") % {"name": given_name}):
        stored = extract(archive, folder, limits, name=given_name, place=_place)
    found = _rasters_among(stored)
    if not found:
        raise InvalidInput(
            _(
                "There is no raster in “%(name)s”. Pack one raster with the files beside it (.lbl with .img, "
                ".tif with .tfw and .prj), not in another archive."
            )
            % {"name": given_name},
            code="no_raster_inside",
        )
    if len(found) > 1:
        raise InvalidInput(
            _("“%(name)s” holds %(n)d rasters (%(files)s). Bring each in an archive of its own.")
            % {"name": given_name, "n": len(found), "files": ", ".join(path.name for path in found[:4])},
            code="several_rasters_inside",
        )
    _tell_projection(found[0], stored)
    return found[0]


def _tell_projection(main: Path, stored: Sequence[Path]) -> None:
    """Make GDAL see a `.prj` beside a picture, of which most of its drivers take no notice."""
    named = main.with_suffix(".prj").name.lower()
    beside = next((path for path in stored if path.name.lower() == named), None)
    notes = main.with_name(main.name + ".aux.xml")
    if beside is None or notes.exists() or beside.stat().st_size > _LONGEST_PROJECTION:
        return
    with open_source(main) as dataset:
        has_one = dataset.crs is not None
    if has_one:
        return
    try:
        crs = CRS.from_wkt(beside.read_text("utf-8", "replace"))
    except CRSError as error:
        raise InvalidInput(
            _("“%(name)s” is no projection that can be read. Export it anew.") % {"name": beside.name},
            code="bad_projection",
        ) from error
    root = ElementTree.Element("PAMDataset")
    ElementTree.SubElement(root, "SRS").text = crs.to_wkt()
    notes.write_bytes(ElementTree.tostring(root))


def _place(name: str) -> str | None:
    """The plain name of a member that may belong to a raster; None for anything else."""
    plain = unicodedata.normalize("NFKD", PurePosixPath(name).name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", plain).lstrip(".-")[-_LONGEST_NAME:]
    return plain if plain.lower().endswith((*_LABELS, *_RASTERS, *_BESIDE)) else None


def _rasters_among(stored: Sequence[Path]) -> list[Path]:
    """Of the files of each name, whatever their ending, the one that GDAL opens."""
    groups: dict[str, list[Path]] = {}
    for path in sorted(stored, key=_rank):
        if not path.name.lower().endswith(_BESIDE):
            groups.setdefault(path.stem.lower(), []).append(path)
    return [path for group in groups.values() if (path := next(filter(_is_raster, group), None))]


def _rank(path: Path) -> int:
    ending = path.suffix.lower()
    return _LABELS.index(ending) if ending in _LABELS else len(_LABELS)


def _is_raster(path: Path) -> bool:
    try:
        with open_source(path):
            return True
    except InvalidInput as refusal:
        # What is one but damaged, or reaches elsewhere, is refused in its own words later.
        return refusal.code != "not_a_raster"
