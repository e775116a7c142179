"""Circles on a body: crater rims as points, as areas, and from three clicks.

A crater's diameter is measured along the surface: its rim lies at the surface distance diameter/2
from its centre.
"""

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry import MultiPolygon, Polygon

from mlcore.errors import InvalidInput
from mlcore.geodesy.sphere import Floats, check_circle, destination, local_offset, normalise_lon, turn

RING_POINTS = 72
# Where a rim passes close to a pole its longitude runs fast: there it gets more points, so that
# edges, which are straight in longitude and latitude, stay on the rim.
_MAX_LON_STEP_DEG = 10.0
# A rim that meets a pole within this many radians (2 mm on the Moon) is taken to enclose it.
_POLE_TOUCH_RAD = 1e-9
# Points of a rim closer to ±180° than this are replaced by the exact crossing.
_SEAM_DEG = 1e-9
_BATCH = 20_000


def ring(lon: float, lat: float, diameter_m: float, radius_m: float, n: int = RING_POINTS) -> Floats:
    """A rim as points, all at the surface distance diameter/2 from the centre.

    Args:
        lon: Centre, degrees.
        lat: Centre, degrees.
        diameter_m: Metres, above 0 and below π·R.
        radius_m: The body's radius, metres.
        n: Points before the first is repeated.

    Returns:
        Shape (n + 1, 2): lon in [-180, 180), lat; clockwise from north, last point = first.

    Raises:
        InvalidInput: See check_circle.
    """
    check_circle(lon, lat, diameter_m, radius_m)
    bearings = np.append(np.arange(n) * (360.0 / n), 0.0)
    return np.column_stack(destination(lon, lat, bearings, diameter_m / 2.0, radius_m))


def circle_from_rim(points: Sequence[tuple[float, float]], radius_m: float) -> tuple[float, float, float]:
    """The circle on the sphere through three points of a rim.

    The plane through the three unit vectors cuts the sphere in it; the vectors are taken from the
    first point, where their differences are exact.

    Args:
        points: Three (lon, lat), degrees.
        radius_m: The body's radius, metres.

    Returns:
        Centre longitude in [-180, 180), latitude, and diameter along the surface in metres.

    Raises:
        InvalidInput: Not three points, not numbers, two the same place, or all on one straight line
            (a great circle).
    """
    if len(points) != 3 or any(len(point) != 2 for point in points):
        raise InvalidInput("A rim is given by exactly three points (lon, lat).", code="bad_rim")
    places = np.asarray(points, dtype=float)
    if not np.isfinite(places).all() or np.abs(places[:, 1]).max() > 90.0:
        raise InvalidInput("A rim point is not a longitude and latitude in degrees.", code="bad_rim")
    (lon, lat), others = places[0], places[1:]
    chords = np.column_stack(local_offset(lon, lat, others[:, 0], others[:, 1]))
    sides = np.array([*np.linalg.norm(chords, axis=1), np.linalg.norm(chords[1] - chords[0])])
    normal = np.cross(chords[0], chords[1])
    if sides.min() <= 1e-9 * sides.max() or sides.max() < 1e-12:
        raise InvalidInput(
            "Two of the three rim points are the same place; give three points apart.", code="bad_rim"
        )
    normal *= np.copysign(1.0, normal[2])
    angle = float(np.arctan2(np.hypot(normal[0], normal[1]), normal[2]))
    if angle > np.pi / 2.0 - 1e-6:
        raise InvalidInput(
            "The three rim points lie on a straight line; give one off the line of the others.",
            code="bad_rim",
        )
    bearing = np.degrees(np.arctan2(normal[0], normal[1]))
    center_lon, center_lat = destination(lon, lat, bearing, angle * radius_m, radius_m)
    return float(center_lon), float(center_lat), 2.0 * angle * radius_m


def _fine_offsets(lat: float, angle: float, n: int) -> tuple[Floats, Floats]:
    """Longitudes relative to the centre and latitudes of a rim, with more points where it nears a pole.

    Bearings 0 and 180, the rim's points nearest to the poles, are always among them (n is even),
    so no longitude step can be mistaken for one the other way round.
    """
    bearings = np.linspace(0.0, 360.0, n + 1)
    while True:
        d_lon, rim_lat = turn(lat, bearings % 360.0, angle)
        step = np.abs((np.diff(d_lon) + 180.0) % 360.0 - 180.0)
        coarse = (step > _MAX_LON_STEP_DEG) & (np.diff(bearings) > 1e-10)
        if not coarse.any():
            return d_lon, rim_lat
        middles = (bearings[:-1] + bearings[1:])[coarse] / 2.0
        bearings = np.sort(np.concatenate([bearings, middles]))


def _lats_at(lat: float, angle: float, d_lon: float) -> tuple[float, float]:
    """Southern and northern latitude (degrees, beyond ±90 past a pole) at which a rim meets a meridian.

    Args:
        lat: Of the centre, degrees.
        angle: The rim's distance, radians.
        d_lon: The meridian, degrees from that of the centre; the rim must meet it.
    """
    x, z = np.cos(np.radians(lat)) * np.cos(np.radians(d_lon)), np.sin(np.radians(lat))
    middle = np.arctan2(z, x)
    half = np.arccos(np.clip(np.cos(angle) / np.hypot(x, z), -1.0, 1.0))
    return float(np.degrees(middle - half)), float(np.degrees(middle + half))


def _polar_rim(lon: float, lat: float, angle: float, n: int) -> MultiPolygon:
    """The rim of a circle that encloses a pole: a strip from -180° to 180° closed along the pole."""
    d_lon, rim_lat = _fine_offsets(lat, angle, n)
    lons, first = np.unique(normalise_lon(lon + d_lon), return_index=True)
    lats = rim_lat[first]
    inside = np.abs(lons) < 180.0 - _SEAM_DEG
    south, north = _lats_at(lat, angle, 180.0 - lon)
    seam_lat, pole = (south, 90.0) if lat > 0.0 else (north, -90.0)
    lons = np.concatenate([[-180.0], lons[inside], [180.0, 180.0, -180.0]])
    lats = np.concatenate([[seam_lat], lats[inside], [seam_lat, pole, pole]])
    return MultiPolygon([shapely.orient_polygons(Polygon(np.column_stack([lons, lats])))])


def _seamed_rim(lon: float, lat: float, angle: float, n: int) -> MultiPolygon:
    """The rim of a circle that encloses no pole, cut where it crosses ±180°."""
    d_lon, lats = _fine_offsets(lat, angle, n)
    lons = lon + d_lon
    if lons.min() >= -180.0 and lons.max() <= 180.0:
        return MultiPolygon([shapely.orient_polygons(Polygon(np.column_stack([lons, lats])))])
    seam = 180.0 if lons.max() > 180.0 else -180.0
    south, north = _lats_at(lat, angle, seam - lon)
    parts = []
    for side in (-1.0, 1.0):
        keep = (lons - seam) * side > _SEAM_DEG
        # Start after a point that is not kept, so that what is kept is one run along the rim.
        start = int(np.flatnonzero(~keep)[0])
        order = [i for i in np.roll(np.arange(len(lons) - 1), -start) if keep[i]]
        # The rim runs clockwise: east of the seam from north to south, west of it back.
        closing = [(seam, south), (seam, north)] if side > 0.0 else [(seam, north), (seam, south)]
        piece = np.concatenate([np.column_stack([lons[order], lats[order]]), closing])
        if side * seam > 0.0:
            piece[:, 0] -= 2.0 * seam
        if order:
            parts.append(shapely.orient_polygons(Polygon(piece)))
    return MultiPolygon(parts)


def rim_polygon(lon: float, lat: float, diameter_m: float, radius_m: float) -> MultiPolygon:
    """A rim as an area to store and to draw.

    Args:
        lon: Centre, degrees.
        lat: Centre, degrees.
        diameter_m: Metres, above 0 and below π·R.
        radius_m: The body's radius, metres.

    Returns:
        Valid, counter-clockwise, within ±180°: one polygon, or two where the rim crosses ±180°;
        a rim that encloses a pole has the pole's whole edge (-180° to 180°) as its border.

    Raises:
        InvalidInput: See check_circle.
    """
    check_circle(lon, lat, diameter_m, radius_m)
    angle, to_pole = diameter_m / 2.0 / radius_m, np.pi / 2.0 - abs(np.radians(lat))
    if angle < to_pole - _POLE_TOUCH_RAD:
        return _seamed_rim(lon, lat, angle, RING_POINTS)
    return _polar_rim(lon, lat, max(angle, to_pole + _POLE_TOUCH_RAD), RING_POINTS)


def rim_polygons(
    lon: ArrayLike, lat: ArrayLike, diameter_m: ArrayLike, radius_m: float
) -> NDArray[np.object_]:
    """rim_polygon for whole catalogues, in bulk.

    Args:
        lon: Centres, degrees, shape (k,).
        lat: Centres, degrees, shape (k,).
        diameter_m: Metres, shape (k,).
        radius_m: The body's radius, metres.

    Returns:
        Shape (k,) of shapely MultiPolygons, in the same order.

    Raises:
        InvalidInput: See check_circle; the first circle that is none is named.
    """
    lons, lats, diameters = (np.atleast_1d(np.asarray(a, dtype=float)) for a in (lon, lat, diameter_m))
    polygons = np.empty(len(lons), dtype=object)
    for start in range(0, len(lons), _BATCH):
        part = slice(start, start + _BATCH)
        polygons[part] = _rim_batch(lons[part], lats[part], diameters[part], radius_m)
    return polygons


def _rim_batch(lons: Floats, lats: Floats, diameters_m: Floats, radius_m: float) -> NDArray[np.object_]:
    """rim_polygons for as many as fit in memory: in bulk away from the poles and the seam."""
    bearings = np.linspace(360.0, 0.0, RING_POINTS + 1) % 360.0
    angles = diameters_m / 2.0 / radius_m
    with np.errstate(invalid="ignore"):
        d_lon, rim_lats = turn(lats[:, None], bearings[None, :], angles[:, None])
        rim_lons = lons[:, None] + d_lon
        plain = (np.abs(lats) + np.degrees(angles) < 90.0) & (diameters_m > 0.0)
        plain &= np.abs(np.diff(d_lon, axis=1)).max(axis=1) <= _MAX_LON_STEP_DEG
        plain &= (rim_lons.min(axis=1) >= -180.0) & (rim_lons.max(axis=1) <= 180.0)
    polygons = np.empty(len(lons), dtype=object)
    if plain.any():
        parts = shapely.polygons(np.stack([rim_lons[plain], rim_lats[plain]], axis=-1))
        polygons[plain] = shapely.multipolygons(parts, indices=np.arange(len(parts)))
    for i in np.flatnonzero(~plain):
        polygons[i] = rim_polygon(float(lons[i]), float(lats[i]), float(diameters_m[i]), radius_m)
    return polygons
