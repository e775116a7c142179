"""Rows of one list that say the same crater twice."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from mlcore.geodesy import unit_vectors

# Twins lie within this share of the smaller diameter, and their diameters differ by no more than this factor.
MAX_OFFSET_DIAMETERS = 0.05
MAX_SIZE_RATIO = 1.05


def repeats(lon: ArrayLike, lat: ArrayLike, diameter_m: ArrayLike, radius_m: float) -> NDArray[np.bool_]:
    """Which craters nearly repeat an earlier one.

    Args:
        lon: Degrees, (n,).
        lat: Degrees, (n,).
        diameter_m: Metres, (n,).
        radius_m: The body's radius, metres.

    Returns:
        (n,) True where an earlier row has a crater of nearly the same place and size.
    """
    sizes = np.asarray(diameter_m, dtype=float)
    again = np.ones(sizes.size, dtype=bool)
    if not sizes.size:
        return again
    places = unit_vectors(lon, lat)
    classes = np.floor(np.log(sizes) / np.log(MAX_SIZE_RATIO))
    # Exact repeats first: a million equal rows would make half a billion pairs.
    _, first = np.unique(np.column_stack([lon, lat, classes]), axis=0, return_index=True)
    again[first] = False
    rows = np.sort(first)
    groups = _by_class(rows, classes[rows])
    for below, here in zip([rows[:0], *groups[:-1]], groups, strict=True):
        adjoins = below.size and classes[below[0]] + 1 == classes[here[0]]
        _mark(again, np.concatenate([below, here]) if adjoins else here, places, sizes, radius_m)
    return again


def _by_class(rows: NDArray[np.intp], classes: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    order = np.argsort(classes, kind="stable")
    return np.split(rows[order], np.flatnonzero(np.diff(classes[order])) + 1)


def _mark(
    again: NDArray[np.bool_],
    rows: NDArray[np.intp],
    places: NDArray[np.float64],
    sizes: NDArray[np.float64],
    radius_m: float,
) -> None:
    """Mark the later one of each crater and its nearest neighbour, where they are twins."""
    if rows.size < 2:
        return
    reach = MAX_OFFSET_DIAMETERS * sizes[rows].max() / radius_m
    chords, nearest = cKDTree(places[rows]).query(places[rows], k=2, distance_upper_bound=reach)
    near = np.isfinite(chords[:, 1])
    one, other = rows[near], rows[nearest[near, 1]]
    small, large = np.minimum(sizes[one], sizes[other]), np.maximum(sizes[one], sizes[other])
    twins = (chords[near, 1] * radius_m <= MAX_OFFSET_DIAMETERS * small) & (large <= MAX_SIZE_RATIO * small)
    again[np.maximum(one, other)[twins]] = True
