"""Geometry on its way into PostGIS: always MultiPolygons stamped with the body sphere's SRID."""

import shapely
from django.contrib.gis.geos import GEOSGeometry, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from mlcore import geodesy
from mlcore.bodies import BODY_SPHERE_SRID, get_body


def stamped(shape: BaseGeometry) -> MultiPolygon:
    """A shapely (multi)polygon in longitude and latitude, as Django stores it."""
    geometry = GEOSGeometry(memoryview(shape.wkb), srid=BODY_SPHERE_SRID)
    return MultiPolygon(geometry, srid=BODY_SPHERE_SRID) if isinstance(geometry, Polygon) else geometry


def rim(lon: float, lat: float, diameter_m: float, body: str) -> MultiPolygon:
    """The geodesic ring of a crater rim, split at ±180° and closed over a pole where it must be."""
    return stamped(geodesy.rim_polygon(lon, lat, diameter_m, get_body(body).radius_m))


def geojson(geometry: GEOSGeometry) -> dict[str, object]:
    """As a GeoJSON geometry; GeoDjango's own asks PROJ for an SRID that only PostGIS knows."""
    return shapely.geometry.mapping(shapely.from_wkb(bytes(geometry.wkb)))
