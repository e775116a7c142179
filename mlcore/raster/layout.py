"""The normal form every basemap is brought to: square north-up pixels, real units, one way to say "none".

Floats have NaN where there is no data; integers a nodata value, or an alpha band, or none at all.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from mlcore.bodies import get_body
from mlcore.errors import InvalidInput

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
KILOMETRES = {"km", "kilometer", "kilometers", "kilometre", "kilometres"}
# Pixels may be off square by so much in all, over the whole raster.
SQUARE_DRIFT_PX = 0.1
# Beyond this a float is a "no data" that the file forgot to declare (as of ISIS and Arc products).
MAX_VALUE = 1e30


@dataclass(frozen=True)
class Layout:
    """A raster as it will be stored.

    Attributes:
        crs: Projection; for plain pictures the picture plane's longitude and latitude.
        transform: North-up with square pixels.
        width_px: Pixels rightwards.
        height_px: Pixels downwards.
        warped: Whether pixels are resampled to get there (rotated, sheared, upside down, not square).
        dtype: numpy name of the stored values.
        nodata: NaN for floats; for integers the value, or None.
        bands: How many carry values.
        alpha: Whether a further band says which pixels are data (255 or the dtype's maximum, else 0).
        unit: Of the values, as the file names it; "" where it does not.
    """

    crs: CRS
    transform: Affine
    width_px: int
    height_px: int
    warped: bool
    dtype: str
    nodata: float | None
    bands: int
    alpha: bool
    unit: str


def layout_of(dataset: DatasetReader) -> Layout:
    """How a dataset will be stored; its kind of pixels must be among DTYPES (see inspect)."""
    crs, transform = georeference(dataset)
    frame = _square_frame(transform, dataset.width, dataset.height)
    bands = value_bands(dataset)
    dtype, nodata, alpha = _storage(dataset, bands, warped=frame[3])
    unit = dataset.units[0] or ""
    return Layout(crs, *frame, dtype, nodata, len(bands), alpha, "m" if unit.lower() in KILOMETRES else unit)


def georeference(dataset: DatasetReader) -> tuple[CRS, Affine]:
    """The dataset's CRS and transform; one without CRS is a plain picture and lies on the picture plane."""
    if dataset.crs is not None:
        return dataset.crs, dataset.transform
    return picture_crs(), Affine(1e-5, 0.0, 0.0, 0.0, -1e-5, 0.0)


def picture_crs() -> CRS:
    """Longitude and latitude of the body `picture`, where 1e-5° are one pixel."""
    return CRS.from_proj4(f"+proj=longlat +R={get_body('picture').radius_m} +no_defs")


def value_bands(dataset: DatasetReader) -> list[int]:
    """Indexes (from 1) of the bands that are not alpha."""
    return [i for i in dataset.indexes if dataset.colorinterp[i - 1] != ColorInterp.alpha]


def read_block(dataset: DatasetReader | WarpedVRT, layout: Layout, window: Window) -> NDArray:
    """Read a window of the raster that `layout` describes, in its normal form.

    Args:
        dataset: The source; a WarpedVRT onto the layout's frame where the layout says warped.
        layout: Of layout_of.
        window: In the layout's pixels.

    Returns:
        (bands, or bands + 1 with alpha, H, W) in the layout's dtype.
    """
    bands = list(range(1, layout.bands + 1)) if layout.warped else value_bands(dataset)
    values = dataset.read(bands, window=window)
    valid = dataset.read_masks(bands, window=window) > 0
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            valid &= np.abs(values) < MAX_VALUE
    if layout.dtype == "float32":
        scales = np.array([_scale(dataset, band) for band in bands])
        if (scales != (1.0, 0.0)).any():
            values = values * scales[:, :1, None] + scales[:, 1:, None]
        return np.where(valid, values, np.nan).astype(np.float32)
    if layout.alpha:
        opaque = np.iinfo(layout.dtype).max
        return np.concatenate([values, np.where(valid.any(axis=0), opaque, 0)[None].astype(layout.dtype)])
    if layout.nodata is not None:
        values = np.where(valid, values, layout.nodata).astype(layout.dtype)
    return cast(NDArray, values.astype(layout.dtype, copy=False))


def known_pixels(values: NDArray, layout: Layout) -> NDArray[np.bool_]:
    """Which pixels of stored values are data.

    Args:
        values: (bands, or bands + 1 with alpha, H, W), as read_block gives them.
        layout: Of the values.

    Returns:
        (bands, H, W).
    """
    pixels = values[: layout.bands]
    if layout.alpha:
        return np.broadcast_to(values[-1] > 0, pixels.shape)
    if layout.nodata is None:
        return np.ones(pixels.shape, bool)
    return ~np.isnan(pixels) if np.isnan(layout.nodata) else pixels != layout.nodata


def _scale(dataset: DatasetReader | WarpedVRT, band: int) -> tuple[float, float]:
    """Factor and offset that turn stored numbers into values, kilometres into metres."""
    factor = 1000.0 if (dataset.units[band - 1] or "").lower() in KILOMETRES else 1.0
    return dataset.scales[band - 1] * factor, dataset.offsets[band - 1] * factor


def _storage(dataset: DatasetReader, bands: list[int], *, warped: bool) -> tuple[str, float | None, bool]:
    dtypes = {dataset.dtypes[i - 1] for i in bands}
    scaled = any(_scale(dataset, i) != (1.0, 0.0) for i in bands)
    if scaled or any(dtype.startswith("float") for dtype in dtypes):
        return "float32", float("nan"), False
    dtype = np.result_type(*dtypes).name
    nodata = dataset.nodatavals[bands[0] - 1]
    if nodata is not None and np.iinfo(dtype).min <= nodata <= np.iinfo(dtype).max:
        return dtype, float(nodata), False
    flags = [flag.name for i in bands for flag in dataset.mask_flag_enums[i - 1]]
    if set(flags) == {"all_valid"} and not warped:
        return dtype, None, False
    if dtype in ("uint8", "uint16"):
        return dtype, None, True
    limits = np.iinfo(dtype)
    return dtype, float(limits.min or limits.max), False


def _square_frame(transform: Affine, width: int, height: int) -> tuple[Affine, int, int, bool]:
    a, b, c, d, e, f = transform[:6]
    skew = max(abs(b) * height, abs(d) * width) / abs(a) if a else np.inf
    drift = abs(1.0 + e / a) * max(width, height) if a else np.inf
    if a > 0 and e < 0 and skew < SQUARE_DRIFT_PX and drift < SQUARE_DRIFT_PX:
        return Affine(a, 0.0, c, 0.0, -a, f), width, height, False
    pixel = min(np.hypot(a, d), np.hypot(b, e))
    across, down = np.array([0, width, 0, width]), np.array([0, 0, height, height])
    x, y = c + a * across + b * down, f + d * across + e * down
    west, east, south, north = (float(limit) for limit in (x.min(), x.max(), y.min(), y.max()))
    columns, rows = (max(1, round(span / pixel)) for span in (east - west, north - south))
    return Affine(pixel, 0.0, west, 0.0, -pixel, north), columns, rows, True


# Projections for which proj4js 2.6 puts places where PROJ does; of the others it knows nothing, or worse.
DRAWN_IN_BROWSERS = {
    *("longlat", "eqc", "merc", "mill", "cea", "stere", "sterea", "lcc", "aeqd", "laea", "ortho", "gnom"),
    *("tmerc", "cass", "aea", "eqdc", "poly", "sinu", "moll", "robin", "vandg"),
}


def proj4_of(crs: CRS) -> str:
    """A projection in proj4js's words, its sphere as +a and +b.

    Raises:
        InvalidInput: PROJ cannot say it so, or proj4js does not know it.
    """
    words = dict(crs.to_dict())
    radius = words.pop("R", None)
    if radius is not None:
        words |= {"a": radius, "b": radius}
    if words.get("proj") not in DRAWN_IN_BROWSERS:
        called = f" ({words['proj']})" if "proj" in words else ""
        raise InvalidInput(
            f"The raster's projection{called} cannot be drawn in a browser; bring it to longitude and "
            "latitude or an equirectangular or polar stereographic map of a sphere with gdalwarp -t_srs.",
            code="projection",
        )
    words.pop("no_defs", None)
    return " ".join(f"+{key}={value}" for key, value in words.items()) + " +no_defs"
