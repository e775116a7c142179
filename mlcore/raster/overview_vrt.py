"""A VRT that names its own overviews, from which GDAL's COG driver makes a file with exactly those."""

from pathlib import Path
from xml.etree import ElementTree as ET

import rasterio
from rasterio.io import DatasetReader

_TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "float32": "Float32",
}


def write_vrt(path: Path, levels: list[Path]) -> None:
    """Join rasters of one place into one with overviews.

    Args:
        path: The VRT to write, beside the levels.
        levels: GeoTIFFs of the same bands, each half the size of the one before; the first is the raster.
    """
    with rasterio.open(levels[0]) as base:
        root = ET.Element("VRTDataset", rasterXSize=str(base.width), rasterYSize=str(base.height))
        ET.SubElement(root, "SRS").text = base.crs.to_wkt()
        a, b, c, d, e, f = base.transform[:6]
        ET.SubElement(root, "GeoTransform").text = ", ".join(repr(float(v)) for v in (c, a, b, f, d, e))
        for band in base.indexes:
            _add_band(root, base, band, levels)
    ET.ElementTree(root).write(path)


def _add_band(root: ET.Element, base: DatasetReader, band: int, levels: list[Path]) -> None:
    element = ET.SubElement(root, "VRTRasterBand", dataType=_TYPES[base.dtypes[band - 1]], band=str(band))
    nodata = base.nodatavals[band - 1]
    if nodata is not None:
        ET.SubElement(element, "NoDataValue").text = repr(nodata)
    if base.units[band - 1]:
        ET.SubElement(element, "UnitType").text = base.units[band - 1]
    ET.SubElement(element, "ColorInterp").text = base.colorinterp[band - 1].name.capitalize()
    for number, level in enumerate(levels):
        holder = ET.SubElement(element, "SimpleSource" if number == 0 else "Overview")
        ET.SubElement(holder, "SourceFilename", relativeToVRT="1").text = level.name
        ET.SubElement(holder, "SourceBand").text = str(band)
