"""titiler.core serving one planetary COG, as its documentation says; runs in the peer's environment.

The tile matrix set is made so that its tiles are the COG's own blocks: the least work for titiler.
"""

import json
import os

from fastapi import FastAPI
from morecantile import TileMatrixSet, TileMatrixSets
from pyproj import CRS
from titiler.core.errors import DEFAULT_STATUS_CODES, add_exception_handlers
from titiler.core.factory import TilerFactory

grid = json.loads(os.environ["BENCHMARK_GRID"])
edge = 256 * 2 ** grid["max_zoom"] * grid["pixel_size"]
crs = CRS.from_wkt(grid["crs_wkt"])
own_pixels = TileMatrixSet.custom(
    [grid["origin_x"], grid["origin_y"] - edge, grid["origin_x"] + edge, grid["origin_y"]],
    crs,
    id="basemap",
    maxzoom=grid["max_zoom"],
    geographic_crs=crs.geodetic_crs,
)
app = FastAPI()
app.include_router(TilerFactory(supported_tms=TileMatrixSets({"basemap": own_pixels})).router)
add_exception_handlers(app, DEFAULT_STATUS_CODES)
