"""Basemaps: files taken in under our own names, and read where somebody points."""

import math
import shutil
from functools import lru_cache
from pathlib import Path, PurePath
from uuid import uuid4

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from annotate.models import Basemap, Participant
from annotate.services.names import clean_label, clean_name
from annotate.services.raster_archives import unpack
from annotate.services.shapes import stamped
from annotate.services.shares import check_share
from annotate.services.storage import check_size, file_of, size_of, store, suffix_of
from mlcore.bodies import get_body
from mlcore.errors import InvalidInput, NotFound
from mlcore.formats.archives import kind_of
from mlcore.raster import cog
from mlcore.raster.cutouts import read_window
from mlcore.raster.grid import Grid

GIVEN_KINDS = (Basemap.Kind.IMAGE, Basemap.Kind.ELEVATION)


def cog_file(basemap: Basemap) -> Path:
    """The basemap's COG."""
    return file_of(basemap.cog_path)


def missing_file(basemap: Basemap) -> str:
    """What to say of a converted basemap whose file is gone from the disk; empty where it is there."""
    if basemap.state != Basemap.State.READY or cog_file(basemap).is_file():
        return ""
    return _(
        "The file of “%(name)s” is missing on the server; its operator can restore it from a backup."
    ) % {"name": basemap.name}


def add_basemap(
    *,
    name: str,
    body: str,
    path: Path | None = None,
    upload: UploadedFile | None = None,
    kind: str | None = None,
    added_by: Participant | None = None,
    sun_azimuth_deg: float | None = None,
    sun_altitude_deg: float | None = None,
    synthetic: bool = False,
) -> Basemap:
    """Check a raster and store it for conversion; the caller enqueues that.

    Args:
        name: One line.
        body: Key of mlcore.bodies.BODIES.
        path: A file of the server's, which is copied; or
        upload: One that came over the web, which is moved. Either may be an archive of one raster and the
            files beside it.
        kind: Image or elevation; found out from the file where None.
        added_by: Who brought it.
        sun_azimuth_deg: Where the light of an image comes from, clockwise from north; for an
            elevation model that of its hillshade (315 where None).
        sun_altitude_deg: Of the same sun above the horizon (45 for a hillshade where None).
        synthetic: Whether it shows made-up terrain.

    Raises:
        InvalidInput: It is empty, too large, no raster or not of this body; nothing is left on the disk.
    """
    name, body = clean_name(name), get_body(body).name
    if kind is not None and kind not in GIVEN_KINDS:
        raise InvalidInput(
            _("A basemap is given as image or elevation; the rest is derived."), code="bad_kind"
        )
    _check_sun(sun_azimuth_deg, sun_altitude_deg)
    given_name = clean_label(PurePath(str(upload.name if upload else path)).name) or name
    size = upload.size if upload else size_of(path)
    check_size(given_name, size or 0, arrived=upload is not None)
    check_share(added_by, given_name, size or 0)
    uid = uuid4()
    folder = file_of(f"basemaps/{uid}")
    folder.mkdir(parents=True)
    try:
        source = _take_in(folder, path, upload, given_name)
        info = cog.inspect(source, body, max_px=settings.MAX_RASTER_PX, name=given_name)
        return Basemap.objects.create(
            uid=uid,
            name=name,
            body=body,
            kind=kind or (Basemap.Kind.ELEVATION if info.looks_like_elevation else Basemap.Kind.IMAGE),
            added_by=added_by,
            source_path=f"basemaps/{uid}/{source.relative_to(folder)}",
            sun_azimuth_deg=sun_azimuth_deg,
            sun_incidence_deg=None if sun_altitude_deg is None else 90.0 - sun_altitude_deg,
            synthetic=synthetic,
            **facts_of(info, body),
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _take_in(folder: Path, path: Path | None, upload: UploadedFile | None, given_name: str) -> Path:
    """Store what was brought, unpacked where it is an archive; the file by which the raster is opened."""
    given = folder / f"source{suffix_of(given_name)}"
    store(given, path, upload)
    if kind_of(given) is None:
        return given
    main = unpack(given, folder / "source", given_name=given_name)
    given.unlink()
    check_size(given_name, sum(file.stat().st_size for file in main.parent.iterdir()))
    return main


def facts_of(info: cog.RasterInfo, body: str) -> dict[str, object]:
    """The fields of a Basemap that say what its raster is."""
    nodata = info.nodata
    return {
        "crs_wkt": info.crs_wkt,
        "transform": list(info.transform),
        "width_px": info.width_px,
        "height_px": info.height_px,
        "resolution_m_per_px": info.resolution_m_per_px,
        "dtype": info.dtype,
        # PostgreSQL keeps NaN, JSON and people do not.
        "nodata": None if nodata is None or math.isnan(nodata) else nodata,
        "bounds": list(info.bounds),
        "footprint": stamped(cog.footprint(info, body)),
    }


def grid_from(basemap: Basemap) -> Grid:
    """The grid of a converted basemap's own pixels."""
    return _grid_of_file(cog_file(basemap), basemap.body)


@lru_cache(maxsize=64)
def _grid_of_file(path: Path, body: str) -> Grid:
    return cog.grid_of(cog.inspect(path, body), body)


def value_at(basemap: Basemap, lon: float, lat: float) -> float | None:
    """The value of the pixel at a place; None where there is none.

    Raises:
        InvalidInput: The basemap is not converted yet.
        NotFound: Its file is gone.
    """
    if missing := missing_file(basemap):
        raise NotFound(missing, code="file_missing")
    if basemap.state != Basemap.State.READY:
        raise InvalidInput(
            _("“%(name)s” is not ready (%(state)s); its values can be read once it is converted.")
            % {"name": basemap.name, "state": basemap.get_state_display()},
            code="basemap_not_ready",
        )
    x_px, y_px = (float(value) for value in grid_from(basemap).pixel(lon, lat))
    if not (math.isfinite(x_px) and math.isfinite(y_px)):
        return None
    value = float(read_window(cog_file(basemap), math.floor(x_px), math.floor(y_px), 1, 1)[..., 0, 0].flat[0])
    return None if math.isnan(value) else value


def _check_sun(azimuth_deg: float | None, altitude_deg: float | None) -> None:
    if azimuth_deg is not None and not 0.0 <= azimuth_deg <= 360.0:
        raise InvalidInput(
            _("A sun azimuth of %(value)s° is outside 0–360°, clockwise from north.")
            % {"value": azimuth_deg},
            code="bad_sun",
        )
    if altitude_deg is not None and not 0.0 <= altitude_deg <= 90.0:
        raise InvalidInput(
            _("A sun altitude of %(value)s° is outside 0–90° above the horizon.") % {"value": altitude_deg},
            code="bad_sun",
        )
