"""Features as GeoJSON (RFC 7946), in a stream.

RFC 7946 speaks of the Earth only. Here longitudes and latitudes are those of another body, which the
collection names in the foreign member `body`; all else is as it says.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import numpy as np
import shapely

from mlcore.bodies import Body
from mlcore.geodesy import rim_polygons
from mlcore.geodesy.sphere import Floats

_BATCH = 500
# Decimals of a degree: 1e-9 are 0.03 mm on the Moon.
_DECIMALS = 9


def write(features: Iterable[Mapping[str, object]], body: Body) -> Iterator[str]:
    """Write craters as a FeatureCollection, piece by piece.

    Args:
        features: With the keys lon, lat, diameter_m, and any others that become properties; a `uid`
            becomes the feature's id. None and numbers that are not finite become null.
        body: On which they lie.

    Yields:
        Pieces of one JSON text; each feature's geometry is its rim, cut at ±180°.

    Raises:
        InvalidInput: A feature is no circle on the body.
    """
    world = {"name": body.name, "title": body.title, "radius_m": body.radius_m}
    yield f'{{"type": "FeatureCollection", "body": {json.dumps(world)}, "features": ['
    rest, separator = iter(features), "\n"
    while batch := list(islice(rest, _BATCH)):
        lon, lat, diameter_m = (
            np.array([feature[key] for feature in batch], dtype=float) for key in ("lon", "lat", "diameter_m")
        )
        rims = shapely.transform(rim_polygons(lon, lat, diameter_m, body.radius_m), _rounded)
        for feature, geometry in zip(batch, shapely.to_geojson(rims), strict=True):
            yield separator + _feature(feature, geometry)
            separator = ",\n"
    yield "\n]}\n"


def _rounded(coordinates: Floats) -> Floats:
    return np.round(coordinates, _DECIMALS)


def _feature(feature: Mapping[str, object], geometry: str) -> str:
    properties = {key: _plain(value) for key, value in feature.items() if key != "uid"}
    identity = f', "id": {json.dumps(str(feature["uid"]))}' if "uid" in feature else ""
    return (
        f'{{"type": "Feature"{identity}, "properties": {json.dumps(properties, ensure_ascii=False)}, '
        f'"geometry": {geometry}}}'
    )


def _plain(value: object) -> object:
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)
