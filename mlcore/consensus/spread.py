"""The middle and the spread of several measurements of one circle, robust against a bad one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mlcore.geodesy import bearing_deg, destination, distance_m, unit_vectors

# Turns a median absolute deviation into the standard deviation of a normal distribution.
MAD_TO_SD = 1.4826


class Middle(NamedTuple):
    """A circle in the middle of others, with their spread.

    Attributes:
        lon: Centre, degrees.
        lat: Centre, degrees.
        diameter_m: Metres.
        center_sd_m: Standard deviation of a centre along one axis, metres; None for a single circle.
        diameter_sd_m: Standard deviation of a diameter, metres; None for a single circle.
    """

    lon: float
    lat: float
    diameter_m: float
    center_sd_m: float | None
    diameter_sd_m: float | None


def weighted_median(values: ArrayLike, weights: ArrayLike) -> float:
    """The value with half of the weight on either side.

    Args:
        values: Shape (n,), n at least 1.
        weights: Shape (n,), above 0.

    Returns:
        The median; between two values where exactly half of the weight lies on either side.
    """
    order = np.argsort(values, kind="stable")
    ranked, share = np.asarray(values, dtype=float)[order], np.cumsum(np.asarray(weights, dtype=float)[order])
    share = share / share[-1]
    low, high = np.searchsorted(share, 0.5 - 1e-9), np.searchsorted(share, 0.5 + 1e-9)
    return float((ranked[low] + ranked[high]) / 2.0)


def middle(circles: Sequence[tuple[float, float, float]], weights: ArrayLike, radius_m: float) -> Middle:
    """Weighted medians of centre and diameter, and median absolute deviations as standard deviations.

    Args:
        circles: (lon, lat, diameter_m), at least one, all within one hemisphere.
        weights: One for each, above 0.
        radius_m: The body's radius, metres.

    Returns:
        The circle in the middle, right at the poles and across ±180°.
    """
    if len(circles) == 1:
        return Middle(*circles[0], None, None)
    lon, lat, diameter_m = np.array(circles, dtype=float).T
    share = np.asarray(weights, dtype=float)
    center = share @ unit_vectors(lon, lat)
    lon0 = np.degrees(np.arctan2(center[1], center[0]))
    lat0 = np.degrees(np.arctan2(center[2], np.hypot(center[0], center[1])))
    away_m, bearing = (
        distance_m(lon0, lat0, lon, lat, radius_m),
        np.radians(bearing_deg(lon0, lat0, lon, lat)),
    )
    east, north = away_m * np.sin(bearing), away_m * np.cos(bearing)
    x, y, size = (weighted_median(values, share) for values in (east, north, diameter_m))
    mad_x, mad_y, mad_size = (
        MAD_TO_SD * weighted_median(np.abs(values - at), share)
        for values, at in ((east, x), (north, y), (diameter_m, size))
    )
    found_lon, found_lat = destination(lon0, lat0, np.degrees(np.arctan2(x, y)), np.hypot(x, y), radius_m)
    return Middle(
        float(found_lon), float(found_lat), size, float(np.hypot(mad_x, mad_y) / 2.0**0.5), mad_size
    )
