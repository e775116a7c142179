"""What a raster is, found out before anything is done with it; refusals say what to do instead."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from mlcore.bodies import get_body
from mlcore.errors import InvalidInput
from mlcore.raster.emptiness import refuse_emptiness
from mlcore.raster.grid import Grid
from mlcore.raster.layout import DTYPES, Layout, layout_of, proj4_of, value_bands
from mlcore.raster.outline import bounds_of, footprint_of
from mlcore.raster.reference import refuse_place
from mlcore.raster.source import open_source, refuse_claims, refuse_missing_blocks

MAX_RASTER_PX = 4_000_000_000


@dataclass(frozen=True)
class RasterInfo:
    """A raster as it will be once converted: its frame is square and north-up even if the file's is not.

    Attributes:
        crs_wkt: Projection.
        proj4: The same for the browser.
        transform: a, b, c, d, e, f of the affine transform from pixels to the CRS's units.
        width_px: Pixels rightwards.
        height_px: Pixels downwards.
        resolution_m_per_px: Ground size of a pixel in the middle.
        dtype: Of the stored values.
        band_count: Bands that carry values (alpha is none).
        nodata: The stored integer that means none; None for floats (it is NaN) and where all is data.
        bounds: [west, south, east, north] in degrees; west > east across ±180°.
        looks_like_elevation: One band of signed or real numbers in the range of heights in metres.
        warped: Whether conversion has to resample (rotated, sheared, upside down or not square).
    """

    crs_wkt: str
    proj4: str
    transform: tuple[float, float, float, float, float, float]
    width_px: int
    height_px: int
    resolution_m_per_px: float
    dtype: str
    band_count: int
    nodata: float | None
    bounds: tuple[float, float, float, float]
    looks_like_elevation: bool
    warped: bool


def inspect(path: Path, body: str, *, max_px: int = MAX_RASTER_PX, name: str | None = None) -> RasterInfo:
    """Look at a raster without reading all of it.

    Args:
        path: Of a format in mlcore.raster.source.FORMATS.
        body: Key of BODIES that it is said to show; `picture` needs no CRS.
        max_px: The most pixels taken in.
        name: What to call it in refusals; the file's name when not given.

    Returns:
        What conversion will make of it.

    Raises:
        InvalidInput: Not a raster, damaged, too large, without or with the wrong projection, of another
            body, or of pixels that cannot be shown.
    """
    name, where = name or path.name, get_body(body)
    with open_source(path, name=name) as dataset:
        _refuse_pixels(dataset, name)
        refuse_claims(dataset, path, name, max_px)
        refuse_place(dataset, where, name)
        layout = layout_of(dataset)
        if layout.width_px * layout.height_px > max_px:
            raise InvalidInput(
                f"'{name}' would have {layout.width_px:,} × {layout.height_px:,} px when brought to square "
                f"pixels, more than {max_px:,} px. Bring it to a coarser square pixel with gdalwarp -tr.",
                code="too_large",
            )
        _refuse_latitudes(layout, name)
        grid = _grid(layout, body, name)
        footprint = footprint_of(grid)
        refuse_missing_blocks(dataset, path, name)
        low, high = refuse_emptiness(dataset, name)
    return RasterInfo(
        crs_wkt=grid.crs_wkt,
        proj4=grid.proj4,
        transform=layout.transform[:6],
        width_px=layout.width_px,
        height_px=layout.height_px,
        resolution_m_per_px=grid.resolution_m_per_px,
        dtype=layout.dtype,
        band_count=layout.bands,
        nodata=None if layout.dtype == "float32" else layout.nodata,
        bounds=bounds_of(footprint),
        looks_like_elevation=_looks_like_elevation(layout, low, high),
        warped=layout.warped,
    )


def grid_of(info: RasterInfo, body: str) -> Grid:
    """The grid of a raster's own pixels.

    Args:
        info: Of inspect.
        body: Key of BODIES.

    Returns:
        The grid on which map tiles and windows are cut from it without resampling.
    """
    return Grid(
        body=body,
        crs_wkt=info.crs_wkt,
        proj4=info.proj4,
        origin_x=info.transform[2],
        origin_y=info.transform[5],
        pixel_size=info.transform[0],
        width_px=info.width_px,
        height_px=info.height_px,
        resolution_m_per_px=info.resolution_m_per_px,
    )


def _grid(layout: Layout, body: str, name: str) -> Grid:
    transform: Affine = layout.transform
    frame = (transform.c, transform.f, transform.a, layout.width_px, layout.height_px)
    unmeasured = Grid(body, layout.crs.to_wkt(), proj4_of(layout.crs), *frame, 0.0)
    width_m, height_m = unmeasured.edges_m(layout.width_px / 2, layout.height_px / 2)
    if not (np.isfinite(width_m) and np.isfinite(height_m) and width_m > 0 and height_m > 0):
        raise InvalidInput(
            f"The middle of '{name}' lies outside what its projection shows; check its transform and CRS "
            "with gdalinfo.",
            code="projection",
        )
    return Grid(body, unmeasured.crs_wkt, unmeasured.proj4, *frame, float(np.sqrt(width_m * height_m)))


def _refuse_pixels(dataset: DatasetReader, name: str) -> None:
    if not dataset.count or not value_bands(dataset):
        raise InvalidInput(
            f"'{name}' holds no bands of pixels of its own; where a file holds several rasters, extract one "
            "with gdal_translate (gdalinfo lists them as SUBDATASETs).",
            code="no_bands",
        )
    unknown = sorted({dataset.dtypes[i - 1] for i in value_bands(dataset)} - set(DTYPES))
    if unknown:
        raise InvalidInput(
            f"'{name}' has pixels of type {', '.join(unknown)}; Tektite reads {', '.join(DTYPES)}. "
            "Convert it with gdal_translate -ot (for complex numbers, export amplitude first).",
            code="dtype",
        )
    if dataset.colorinterp[0] == ColorInterp.palette:
        raise InvalidInput(
            f"'{name}' has numbers of a colour table, not brightness, as pixels; convert it with "
            "gdal_translate -expand rgb.",
            code="palette",
        )


def _refuse_latitudes(layout: Layout, name: str) -> None:
    """In degrees, what lies beyond a pole or goes round more than once is a wrong transform."""
    if not layout.crs.is_geographic:
        return
    pixel, north = layout.transform.a, layout.transform.f
    south, width_deg = north - layout.height_px * pixel, layout.width_px * pixel
    if max(north, -south) > 90.0 + pixel or width_deg > 360.0 + 2 * pixel:
        raise InvalidInput(
            f"'{name}' reaches from latitude {south:g}° to {north:g}° and over {width_deg:g}° of longitude; "
            "there are 90° each way and 360° round. Check its corners with gdalinfo and set them with "
            "gdal_edit.py -a_ullr.",
            code="off_body",
        )


def _looks_like_elevation(layout: Layout, low: float, high: float) -> bool:
    if layout.bands != 1 or layout.dtype.startswith("u"):
        return False
    if layout.unit == "m":
        return True
    heights = high - low >= 5.0 and max(-low, high) < 40_000.0
    return heights and (layout.dtype == "float32" or low < 0.0)
