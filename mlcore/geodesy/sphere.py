"""Distances and directions on a body taken as a sphere.

The formulas stay exact at the poles and for metre-sized distances: no difference of nearly equal
numbers is taken.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.bodies import BODY_SPHERE_RADIUS_M
from mlcore.errors import InvalidInput

Floats = NDArray[np.float64]


def normalise_lon(lon: ArrayLike) -> Floats:
    """Bring longitudes into [-180, 180).

    Args:
        lon: Degrees, any number of turns; number or array.

    Returns:
        The same places, degrees in [-180, 180).
    """
    lon = np.asarray(lon, dtype=float)
    wrapped = (lon + 180.0) % 360.0 - 180.0
    # Those already right are kept bit for bit; a hair west of -180° must not round up to 180°.
    wrapped = np.where((lon >= -180.0) & (lon < 180.0), lon, wrapped)
    return np.where(wrapped >= 180.0, -180.0, wrapped)[()]


def on_body_sphere(distance_m: float, radius_m: float) -> float:
    """Turn a distance on a body into the one to give to PostGIS.

    Args:
        distance_m: Metres on the body.
        radius_m: The body's radius, metres.

    Returns:
        Metres on the sphere of SRID 900001 that span the same angle.
    """
    return distance_m * BODY_SPHERE_RADIUS_M / radius_m


def max_diameter_m(radius_m: float) -> float:
    """The limit that a circle's diameter must stay below: that of a hemisphere, π·R, in metres."""
    return float(np.pi * radius_m)


def check_circle(lon: float, lat: float, diameter_m: float, radius_m: float) -> None:
    """Refuse what is no circle on the body.

    Args:
        lon: Degrees in [-180, 180]; others are refused, not wrapped.
        lat: Degrees in [-90, 90].
        diameter_m: Metres along the surface, above 0 and below π·R.
        radius_m: The body's radius, metres.

    Raises:
        InvalidInput: A number is not finite or beyond its limit; the message names it.
    """
    if not (np.isfinite(lon) and -180.0 <= lon <= 180.0):
        raise InvalidInput(f"Longitude {lon}° is not between −180 and 180 degrees.", code="bad_lon")
    if not (np.isfinite(lat) and -90.0 <= lat <= 90.0):
        raise InvalidInput(
            f"Latitude {lat}° is not between −90 and 90 degrees; are longitude and latitude swapped?",
            code="bad_lat",
        )
    limit_m = max_diameter_m(radius_m)
    if not (np.isfinite(diameter_m) and 0.0 < diameter_m < limit_m):
        raise InvalidInput(
            f"A diameter of {diameter_m} m is not a circle here: it must be above 0 and below "
            f"{limit_m:.0f} m, half the way round the body. Check the unit (metres or kilometres).",
            code="bad_diameter",
        )


def unit_vectors(lon: ArrayLike, lat: ArrayLike) -> Floats:
    """Places as vectors from the body's centre.

    Args:
        lon: Degrees, shape (...).
        lat: Degrees, shape (...).

    Returns:
        Shape (..., 3): x towards 0° E, y towards 90° E, z towards the north pole.
    """
    lam, phi = np.radians(lon), np.radians(lat)
    return np.stack(
        np.broadcast_arrays(np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)), axis=-1
    )


def local_offset(
    lon1: ArrayLike, lat1: ArrayLike, lon2: ArrayLike, lat2: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Unit vector of place 2 minus that of place 1 as east, north, up in the frame of place 1."""
    phi1, phi2 = np.radians(lat1), np.radians(lat2)
    d_lam = np.radians(np.asarray(lon2, dtype=float) - np.asarray(lon1, dtype=float))
    half_lam = np.sin(d_lam / 2.0) ** 2
    east = np.cos(phi2) * np.sin(d_lam)
    north = np.sin(phi2 - phi1) + 2.0 * np.sin(phi1) * np.cos(phi2) * half_lam
    up = -2.0 * (np.sin((phi2 - phi1) / 2.0) ** 2 + np.cos(phi1) * np.cos(phi2) * half_lam)
    return east, north, up


def distance_m(lon1: ArrayLike, lat1: ArrayLike, lon2: ArrayLike, lat2: ArrayLike, radius_m: float) -> Floats:
    """Distance along the surface (great circle).

    Args:
        lon1: Degrees; numbers or arrays that broadcast together, as the next three.
        lat1: Degrees.
        lon2: Degrees.
        lat2: Degrees.
        radius_m: The body's radius, metres.

    Returns:
        Metres, in the broadcast shape (a number for numbers).
    """
    east, north, up = local_offset(lon1, lat1, lon2, lat2)
    return radius_m * np.arctan2(np.hypot(east, north), 1.0 + up)


def bearing_deg(lon1: ArrayLike, lat1: ArrayLike, lon2: ArrayLike, lat2: ArrayLike) -> Floats:
    """Direction in which place 2 is seen from place 1.

    Args:
        lon1: Degrees; numbers or arrays that broadcast together, as the next three.
        lat1: Degrees.
        lon2: Degrees.
        lat2: Degrees.

    Returns:
        Degrees clockwise from north, in [0, 360). At a pole "north" is the direction in which
        the meridian of lon1 is followed over it.
    """
    east, north, _ = local_offset(lon1, lat1, lon2, lat2)
    return np.degrees(np.arctan2(east, north)) % 360.0


def turn(lat: ArrayLike, bearing: ArrayLike, angle: ArrayLike) -> tuple[Floats, Floats]:
    """Longitude gained (degrees in [-180, 180]) and latitude reached by going `angle` radians."""
    phi, azimuth = np.radians(lat), np.radians(bearing)
    north, east = np.sin(angle) * np.cos(azimuth), np.sin(angle) * np.sin(azimuth)
    x = np.cos(angle) * np.cos(phi) - north * np.sin(phi)
    z = np.cos(angle) * np.sin(phi) + north * np.cos(phi)
    return np.degrees(np.arctan2(east, x)), np.degrees(np.arctan2(z, np.hypot(x, east)))


def destination(
    lon: ArrayLike, lat: ArrayLike, bearing_deg: ArrayLike, distance_m: ArrayLike, radius_m: float
) -> tuple[Floats, Floats]:
    """The place reached by going straight ahead on the surface.

    Args:
        lon: Start, degrees; numbers or arrays that broadcast together, as the next three.
        lat: Start, degrees.
        bearing_deg: Direction at the start, degrees clockwise from north.
        distance_m: Metres along the surface.
        radius_m: The body's radius, metres.

    Returns:
        Longitude in [-180, 180) and latitude, degrees.
    """
    gained, lat2 = turn(lat, bearing_deg, np.asarray(distance_m, dtype=float) / radius_m)
    return normalise_lon(np.asarray(lon, dtype=float) + gained), lat2
