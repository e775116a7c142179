"""Spreading questions: two proposals alike, or side by side, teach little more than one."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.errors import InvalidInput
from mlcore.geodesy import unit_vectors

# Beyond this many the order among the rest hardly matters and costs n² distances.
MAX_SPREAD = 500


def order(value: ArrayLike, features: ArrayLike, *, count: int | None = None) -> NDArray[np.intp]:
    """Put candidates in the order in which to ask: value × distance to what was already asked.

    Greedy k-centre (Gonzalez 1985; Sener and Savarese 2018) weighted by value: first the most valuable, then
    again and again the one whose value times distance to the nearest chosen one is greatest.

    Args:
        value: (n,) how instructive each is, 0 or more.
        features: (n, d) what makes two alike, in comparable units, for example logarithm of diameter and
            position in search widths.
        count: How many to spread, at most MAX_SPREAD; the rest follow by value alone.

    Returns:
        (n,) all indices, the first to ask first. Equal candidates keep their order.

    Raises:
        InvalidInput: Shapes that do not belong together, or values that are no numbers.
    """
    worth = np.asarray(value, float)
    points = np.asarray(features, float).reshape(len(worth), -1) if len(worth) else np.empty((0, 1))
    if worth.ndim != 1 or not np.isfinite(worth).all() or not np.isfinite(points).all():
        raise InvalidInput("Candidates need one finite value and finite features each.")
    if not len(worth):
        return np.empty(0, np.intp)
    wanted = min(len(worth), MAX_SPREAD if count is None else count, MAX_SPREAD)
    nearest = np.full(len(worth), np.inf)
    left = np.ones(len(worth), bool)
    chosen: list[int] = []
    for _ in range(wanted):
        # The first has no neighbour yet: value alone decides.
        merit = worth * (nearest if chosen else 1.0)
        best = int(np.argmax(np.where(left, merit, -1.0)))
        chosen.append(best)
        left[best] = False
        nearest = np.minimum(nearest, np.linalg.norm(points - points[best], axis=1))
    rest = np.flatnonzero(left)
    return np.concatenate([np.array(chosen, np.intp), rest[np.argsort(-worth[rest], kind="stable")]])


def features_of(
    lon: ArrayLike, lat: ArrayLike, diameter_m: ArrayLike, radius_m: float, reach_m: float
) -> NDArray[np.float64]:
    """Features that make craters alike: place in units of reach_m, size in factors of two.

    Args:
        lon: (n,) degrees.
        lat: (n,) degrees.
        diameter_m: (n,) metres.
        radius_m: Of the body.
        reach_m: Distance at which two places are as unlike as a crater and one twice its size.

    Returns:
        (n, 4).
    """
    place = unit_vectors(lon, lat) * (radius_m / reach_m)
    return np.concatenate([place, np.log2(np.asarray(diameter_m, float))[:, None]], axis=1)
