"""Points GeoDjango at the GDAL and GEOS inside rasterio's wheel.

Two GDALs in one process crash or disagree, so everybody uses rasterio's. It must be imported
before Django looks for its own, and foreign PROJ/GDAL data folders in the environment would
make its PROJ read the wrong database.
"""

import os
from pathlib import Path

for _name in ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA"):
    os.environ.pop(_name, None)

# Nothing that a file says makes GDAL ask over the network: drivers that fetch are not loaded, and names
# such as /vsicurl/… are refused. Only drivers of the wheel are named: GDAL warns of others at every start.
os.environ["GDAL_SKIP"] = "DAAS EEDA EEDAI HTTP PLMosaic STACIT STACTA WCS WMS WMTS"
os.environ["CPL_VSIL_CURL_ALLOWED_EXTENSIONS"] = ".none"

import rasterio  # noqa: E402 - after the clean-up above, before Django loads GDAL


def _library(stem: str) -> str | None:
    folder = Path(rasterio.__file__).parent.parent / "rasterio.libs"
    return next((str(path) for path in sorted(folder.glob(f"{stem}-*.so*"))), None)


# None lets Django search the system, as it must where rasterio was built from source.
GDAL_LIBRARY_PATH = _library("libgdal")
GEOS_LIBRARY_PATH = _library("libgeos_c")
