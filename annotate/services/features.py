"""Features of catalogues: written in bulk, read by what is in view."""

from collections.abc import Iterable, Mapping

import numpy as np
from django.contrib.gis.geos import MultiPolygon, Polygon
from django.db import transaction
from django.utils.translation import gettext as _

from annotate.models import Catalogue, Feature
from annotate.services.shapes import stamped
from mlcore import geodesy
from mlcore.bodies import BODY_SPHERE_SRID, get_body
from mlcore.errors import InvalidInput

MAX_IN_VIEW = 5000


@transaction.atomic
def add_features(catalogue: Catalogue, rows: Iterable[Mapping[str, object]]) -> list[Feature]:
    """Add features in bulk; their rims are computed here.

    Args:
        catalogue: Where they belong.
        rows: Each with lon, lat, diameter_m and any other field of Feature by its name
            (uid, name, score, uncertainty, status, n_marks, same_as, provenance, …), but not geom.

    Returns:
        The stored features, in the order of the rows.

    Raises:
        InvalidInput: A row is no circle on the catalogue's body; nothing is stored.
    """
    features = [Feature(catalogue=catalogue, **row) for row in rows]
    places = np.array([(f.lon, f.lat, f.diameter_m) for f in features], dtype=float).reshape(-1, 3)
    rims = geodesy.rim_polygons(*places.T, get_body(catalogue.body).radius_m)
    for feature, rim in zip(features, rims, strict=True):
        feature.geom = stamped(rim)
    return Feature.objects.bulk_create(features, batch_size=1000)


def in_view(
    catalogue: Catalogue, bbox: tuple[float, float, float, float], limit: int = 1000
) -> dict[str, object]:
    """A GeoJSON FeatureCollection of the features whose rims meet the box, largest first.

    Args:
        catalogue: Whose features.
        bbox: west, south, east, north in degrees; west greater than east crosses ±180°.
        limit: At most so many; "truncated" says whether there are more.
    """
    shown = max(1, min(limit, MAX_IN_VIEW))
    found = list(
        catalogue.features.filter(geom__intersects=_box(bbox))
        .order_by("-diameter_m", "pk")
        .defer("geom")[: shown + 1]
    )
    return {
        "type": "FeatureCollection",
        "truncated": len(found) > shown,
        "features": [as_geojson(feature) for feature in found[:shown]],
    }


def as_geojson(feature: Feature) -> dict[str, object]:
    """The feature as a point, its centre; who shows it draws the rim from centre and diameter."""
    return {
        "type": "Feature",
        "id": str(feature.uid),
        "geometry": {"type": "Point", "coordinates": [feature.lon, feature.lat]},
        "properties": {
            "uid": str(feature.uid),
            "lon": feature.lon,
            "lat": feature.lat,
            "diameter_m": feature.diameter_m,
            "score": feature.score,
            "status": feature.status,
            "name": feature.name,
        },
    }


def read_bbox(text: str) -> tuple[float, float, float, float]:
    """The four numbers of "west,south,east,north".

    Raises:
        InvalidInput: They are not four numbers, or not a box in degrees.
    """
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        west = south = east = north = float("nan")
    if not (-180.0 <= west <= 180.0 and -180.0 <= east <= 180.0 and -90.0 <= south <= north <= 90.0):
        raise InvalidInput(
            _("bbox is west,south,east,north in degrees (longitudes −180 to 180), as in -60,-40,-40,-20."),
            code="bad_bbox",
        )
    return west, south, east, north


def _box(bbox: tuple[float, float, float, float]) -> MultiPolygon:
    west, south, east, north = bbox
    spans = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    return MultiPolygon([Polygon.from_bbox((a, south, b, north)) for a, b in spans], srid=BODY_SPHERE_SRID)
