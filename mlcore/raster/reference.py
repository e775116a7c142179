"""Where a raster says that it lies, and refusing what is nowhere, on another body, or counted otherwise."""

import re

import numpy as np
from pyproj import CRS
from rasterio.io import DatasetReader

from mlcore.bodies import BODIES, Body
from mlcore.errors import InvalidInput

MAX_PICTURE_SIDE_PX = 50_000
RADIUS_TOLERANCE = 0.005
_NO_LETTERS = re.compile(r"[^A-Za-z]+")


def refuse_place(dataset: DatasetReader, body: Body, name: str) -> None:
    """Refuse a raster that does not say where on the body it lies.

    Args:
        dataset: Open.
        body: The one that it is said to show.
        name: What to call it in refusals.

    Raises:
        InvalidInput: No or an unknown coordinate system, no position, another body by its radius or its name,
            longitudes that are not degrees east of the prime meridian; or a picture that is too large.
    """
    if body.iau_code is None:
        _refuse_picture(dataset, body, name)
        return
    remedy = f"gdal_edit.py -a_srs IAU_2015:{body.iau_code}"
    if dataset.crs is None:
        raise InvalidInput(
            f"'{name}' does not say where on {body.title} it lies (no CRS). Give it its coordinate system, "
            f"for longitude and latitude with {remedy} and -a_ullr; or add it as a picture.",
            code="no_crs",
        )
    if dataset.transform.is_identity or dataset.transform.is_degenerate:
        raise InvalidInput(
            f"'{name}' has a coordinate system but no position of its pixels; add it with "
            "gdal_edit.py -a_ullr, or with gdalwarp where it has control points.",
            code="no_transform",
        )
    crs = CRS.from_wkt(dataset.crs.to_wkt())
    if crs.ellipsoid is None or crs.geodetic_crs is None:
        raise InvalidInput(
            f"'{name}' is in a local coordinate system without a body; set that of {body.title} with "
            f"{remedy}.",
            code="no_crs",
        )
    _refuse_other_radius(crs, body, name, remedy)
    _refuse_other_name(crs, body, name, remedy)
    refuse_conventions(crs.geodetic_crs, body, name)


def _refuse_picture(dataset: DatasetReader, body: Body, name: str) -> None:
    if max(dataset.width, dataset.height) > MAX_PICTURE_SIDE_PX:
        raise InvalidInput(
            f"'{name}' is {dataset.width:,} × {dataset.height:,} px; a picture may have "
            f"{MAX_PICTURE_SIDE_PX:,} px a side. Cut it into parts.",
            code="too_large",
        )
    radius_m = _radii(CRS.from_wkt(dataset.crs.to_wkt()))[0] if dataset.crs else body.radius_m
    if _differs(radius_m, body):
        raise InvalidInput(
            f"'{name}' is no plain picture: its coordinate system is that of a body with a radius of "
            f"{radius_m:,.0f} m. Choose that body; to take it as a picture all the same, export it without a "
            "coordinate system, as PNG for example.",
            code="wrong_body",
        )


def _refuse_other_name(crs: CRS, body: Body, name: str, remedy: str) -> None:
    """A name is heard only where it is that of another body: most files carry none."""
    parts = (crs, crs.geodetic_crs, crs.datum, crs.ellipsoid)
    words = set(_NO_LETTERS.split(" ".join(part.name for part in parts if part is not None).title()))
    others = {other.title for other in BODIES.values() if other.iau_code} & words
    if others and body.title not in words:
        raise InvalidInput(
            f"'{name}' says that it shows {', '.join(sorted(others))}, not {body.title}. Choose the body it "
            f"shows; only if its label is wrong, correct it with {remedy}.",
            code="wrong_body",
        )


def _refuse_other_radius(crs: CRS, body: Body, name: str, remedy: str) -> None:
    for radius_m, which in zip(_radii(crs), ("radius", "polar radius"), strict=True):
        if _differs(radius_m, body):
            raise InvalidInput(
                f"'{name}' lies on a body of {which} {radius_m:,.0f} m, but {body.title} is a sphere of "
                f"{body.radius_m:,.0f} m here and at most {RADIUS_TOLERANCE:.1%} of difference is allowed. "
                f"Choose the body it shows; only if its label is wrong, correct it with {remedy}.",
                code="wrong_body",
            )


def _radii(crs: CRS) -> tuple[float, float]:
    ellipsoid = crs.ellipsoid
    return (ellipsoid.semi_major_metre, ellipsoid.semi_minor_metre) if ellipsoid else (0.0, 0.0)


def _differs(radius_m: float, body: Body) -> bool:
    return abs(radius_m / body.radius_m - 1.0) > RADIUS_TOLERANCE


def refuse_conventions(geodetic: CRS, body: Body, name: str) -> None:
    """Refuse longitudes that are counted otherwise: they would put every feature elsewhere, without a word.

    Args:
        geodetic: The coordinate system's longitude and latitude.
        body: The one that it is said to show.
        name: What to call the raster.

    Raises:
        InvalidInput: Another prime meridian, positive to the west, or not in degrees.
    """
    meridian, axes = geodetic.prime_meridian, geodetic.axis_info[:2]
    counted = []
    if meridian is not None and meridian.longitude:
        counted.append(f"from the meridian of {meridian.longitude:g}°")
    if any(axis.direction == "west" for axis in axes):
        counted.append("positive to the west")
    if any(abs(axis.unit_conversion_factor - np.pi / 180.0) > 1e-9 for axis in axes):
        counted.append("not in degrees")
    if counted:
        raise InvalidInput(
            f"The longitudes of '{name}' are counted {' and '.join(counted)}; here they are degrees east of "
            f"the prime meridian. Bring it there with gdalwarp -t_srs IAU_2015:{body.iau_code}.",
            code="longitudes",
        )
