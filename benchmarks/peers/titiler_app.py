"""titiler.core serving planetary COGs, as its documentation says; runs in the peer's environment.

Each grid's tile matrix set is made so that its tiles are the COG's own blocks: the least work for titiler.
"""

import json
import os

from fastapi import FastAPI
from morecantile import TileMatrixSet, TileMatrixSets
from pyproj import CRS
from titiler.core.errors import DEFAULT_STATUS_CODES, add_exception_handlers
from titiler.core.factory import TilerFactory


def own_pixels(name: str, grid: dict) -> TileMatrixSet:
    edge = 256 * 2 ** grid["max_zoom"] * grid["pixel_size"]
    crs = CRS.from_wkt(grid["crs_wkt"])
    return TileMatrixSet.custom(
        [grid["origin_x"], grid["origin_y"] - edge, grid["origin_x"] + edge, grid["origin_y"]],
        crs,
        id=name,
        maxzoom=grid["max_zoom"],
        geographic_crs=crs.geodetic_crs,
    )


grids = json.loads(os.environ["BENCHMARK_GRIDS"])
matrices = TileMatrixSets({name: own_pixels(name, grid) for name, grid in grids.items()})
app = FastAPI()
app.include_router(TilerFactory(supported_tms=matrices).router)
add_exception_handlers(app, DEFAULT_STATUS_CODES)
