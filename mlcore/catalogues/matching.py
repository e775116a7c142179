"""Which craters of two catalogues are the same, one to one (SCIENCE.md §1, "Matching").

Two craters may match when their centres lie within 0.25 of their mean diameter and their circles
overlap by an intersection over union of 0.1 (Yang et al. 2020). Among those that may, the pairs with
the greatest sum of overlaps are taken, so that the answer does not depend on the order of the rows.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mlcore.errors import InvalidInput
from mlcore.geodesy import distance_m, unit_vectors

# Diameters are searched in classes of this ratio, each with its own tree: a big crater then does not
# meet the thousands of small ones inside it.
_CLASS_RATIO = 2.0**0.5

Floats = NDArray[np.float64]
Indexes = NDArray[np.intp]


class Pair(NamedTuple):
    """Two craters found to be the same.

    Attributes:
        i: Row in the first catalogue.
        j: Row in the second.
        offset: Distance of the centres in mean diameters, 0 to max_offset.
        iou: Intersection over union of the circles, min_iou to 1.
    """

    i: int
    j: int
    offset: float
    iou: float


class BinRate(NamedTuple):
    """How many craters of one diameter bin were found again.

    Attributes:
        low_m: Lower edge, metres, inclusive.
        high_m: Upper edge, metres, exclusive.
        n: Craters in the bin (N_A).
        n_matched: Those with a match (N_M).
        rate: n_matched / n (MR), NaN in an empty bin.
    """

    low_m: float
    high_m: float
    n: int
    n_matched: int
    rate: float


def circle_iou(distance: ArrayLike, d1: ArrayLike, d2: ArrayLike) -> Floats:
    """Intersection over union of circles, in closed form.

    Args:
        distance: Between centres, any unit; numbers or arrays that broadcast together.
        d1: First diameter, above 0, same unit.
        d2: Second diameter, above 0, same unit.

    Returns:
        0 (apart) to 1 (the same circle). Circles are flat: on a sphere a fair figure up to about
        a tenth of its circumference.
    """
    c, r1, r2 = (np.asarray(v, dtype=float) for v in np.broadcast_arrays(distance, d1, d2))
    r1, r2 = r1 / 2.0, r2 / 2.0
    small, large = np.minimum(r1, r2), np.maximum(r1, r2)
    crossing = (c > large - small) & (c < r1 + r2)
    safe = np.where(crossing, c, r1 + r2)
    squares = (r1 - r2) * (r1 + r2)
    half1 = np.arccos(np.clip((safe**2 + squares) / (2.0 * safe * r1), -1.0, 1.0))
    half2 = np.arccos(np.clip((safe**2 - squares) / (2.0 * safe * r2), -1.0, 1.0))
    kite = np.clip((r1 + r2 - c) * (c + r1 - r2) * (c - r1 + r2) * (c + r1 + r2), 0.0, None)
    lens = r1**2 * half1 + r2**2 * half2 - np.sqrt(kite) / 2.0
    shared = np.where(crossing, lens, np.where(c <= large - small, np.pi * small**2, 0.0))
    return (shared / (np.pi * (r1**2 + r2**2) - shared))[()]


def match(
    a: ArrayLike, b: ArrayLike, radius_m: float, *, max_offset: float = 0.25, min_iou: float = 0.1
) -> list[Pair]:
    """Match two catalogues one to one.

    Args:
        a: Shape (n, 3): lon, lat (degrees), diameter_m.
        b: Shape (m, 3): the same.
        radius_m: The body's radius, metres.
        max_offset: Greatest distance of the centres in mean diameters.
        min_iou: Least overlap, above 0 and at most 1.

    Returns:
        Pairs by rising i. Each row occurs at most once; permuting rows only permutes indexes
        (identical rows of one catalogue are interchangeable).

    Raises:
        InvalidInput: Wrong shape, numbers that are not finite, a diameter that is not positive, or
            limits out of range.
    """
    circles_a, circles_b = _checked(a, "first"), _checked(b, "second")
    if not (0.0 < min_iou <= 1.0 and max_offset >= 0.0):
        raise InvalidInput(
            f"Matching needs 0 < min_iou ≤ 1 and max_offset ≥ 0; got {min_iou} and {max_offset}."
        )
    if not len(circles_a) or not len(circles_b):
        return []
    # A fixed order of rows makes the answer independent of theirs, ties included.
    order_a, order_b = np.lexsort(circles_a.T), np.lexsort(circles_b.T)
    i, j, offset, iou = _candidates(
        circles_a[order_a], circles_b[order_b], radius_m, max_offset=max_offset, min_iou=min_iou
    )
    kept = _best_assignment(i, j, iou)
    pairs = zip(order_a[i[kept]], order_b[j[kept]], offset[kept], iou[kept], strict=True)
    return sorted(Pair(int(x), int(y), float(away), float(overlap)) for x, y, away, overlap in pairs)


def rate_table(diameters_m: ArrayLike, matched: Sequence[int], edges_m: ArrayLike) -> list[BinRate]:
    """Count per diameter bin how many craters of a catalogue were matched.

    Args:
        diameters_m: Diameters of the catalogue whose craters are counted, metres, shape (n,).
        matched: Rows with a match: `[pair.i for pair in pairs]`, or pair.j for the other direction.
        edges_m: Rising bin edges, metres, shape (k + 1,).

    Returns:
        k bins and, last, the whole range from the first to the last edge (the overall rate, OMR).
    """
    diameters, edges = np.asarray(diameters_m, dtype=float), np.asarray(edges_m, dtype=float)
    is_matched = np.zeros(len(diameters), dtype=bool)
    is_matched[np.asarray(matched, dtype=np.intp)] = True
    table = []
    for low, high in [*pairwise(edges), (edges[0], edges[-1])]:
        inside = (diameters >= low) & (diameters < high)
        n, n_matched = int(inside.sum()), int((inside & is_matched).sum())
        table.append(BinRate(float(low), float(high), n, n_matched, n_matched / n if n else float("nan")))
    return table


def _checked(circles: ArrayLike, which: str) -> Floats:
    array = np.asarray(circles, dtype=float)
    if array.size == 0:
        return np.empty((0, 3))
    if array.ndim != 2 or array.shape[1] != 3 or not np.isfinite(array).all() or array[:, 2].min() <= 0.0:
        raise InvalidInput(
            f"The {which} catalogue must be rows of longitude, latitude and a diameter above 0, all finite."
        )
    return array


def _candidates(
    a: Floats, b: Floats, radius_m: float, *, max_offset: float, min_iou: float
) -> tuple[Indexes, Indexes, Floats, Floats]:
    """All pairs that hold both conditions, as i, j, offset and IoU."""
    # Circles of IoU q have diameters within a ratio of 1/√q.
    classes = int(np.ceil(-0.5 * np.log(min_iou) / np.log(_CLASS_RATIO) + 1e-9))
    found = list(_near(a, b, radius_m, max_offset=max_offset, classes=classes))
    i, j = (np.concatenate([pairs[k] for pairs in found]) for k in (0, 1))
    # A fixed order, whatever the trees' own.
    order = np.lexsort((j, i))
    i, j = i[order], j[order]
    away_m = distance_m(a[i, 0], a[i, 1], b[j, 0], b[j, 1], radius_m)
    offset = away_m / ((a[i, 2] + b[j, 2]) / 2.0)
    iou = circle_iou(away_m, a[i, 2], b[j, 2])
    kept = (offset <= max_offset) & (iou >= min_iou)
    return i[kept], j[kept], offset[kept], iou[kept]


def _near(
    a: Floats, b: Floats, radius_m: float, *, max_offset: float, classes: int
) -> Iterator[tuple[Indexes, Indexes]]:
    """Pairs near enough in place and diameter class; some too many, none too few."""
    yield np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    forest_a, forest_b = _forest(a), _forest(b)
    for class_a, (rows_a, tree_a) in forest_a.items():
        for class_b in range(class_a - classes, class_a + classes + 1):
            if class_b not in forest_b:
                continue
            rows_b, tree_b = forest_b[class_b]
            reach_m = max_offset * (a[rows_a, 2].max() + b[rows_b, 2].max()) / 2.0
            # A tree measures chords; a hair more, so that rounding drops nobody.
            reach = 2.0 * np.sin(min(reach_m / radius_m, np.pi) / 2.0) * (1.0 + 1e-9) + 1e-14
            near = tree_a.sparse_distance_matrix(tree_b, reach, output_type="ndarray")
            yield rows_a[near["i"]], rows_b[near["j"]]


def _forest(circles: Floats) -> dict[int, tuple[Indexes, cKDTree]]:
    """Rows and a tree of their places on the unit sphere, per diameter class."""
    vectors = unit_vectors(circles[:, 0], circles[:, 1])
    labels = np.floor(np.log(circles[:, 2]) / np.log(_CLASS_RATIO)).astype(int)
    rows = {int(label): np.flatnonzero(labels == label) for label in np.unique(labels)}
    return {label: (members, cKDTree(vectors[members])) for label, members in rows.items()}


def _best_assignment(i: Indexes, j: Indexes, iou: Floats) -> Indexes:
    """Which candidate pairs to take: one per row on both sides, the greatest sum of IoU."""
    if not len(i):
        return np.empty(0, dtype=np.intp)
    size = int(i.max()) + 1, int(j.max()) + 1
    graph = coo_array((np.ones(len(i)), (i, j + size[0])), shape=(sum(size), sum(size)))
    _, labels = connected_components(graph, directed=False)
    label = labels[i]
    order = np.argsort(label, kind="stable")
    starts = np.flatnonzero(np.diff(label[order], prepend=-1))
    groups = np.split(order, starts[1:])
    kept = [group if len(group) == 1 else _assign(group, i, j, iou) for group in groups]
    return np.sort(np.concatenate(kept))


def _assign(group: Indexes, i: Indexes, j: Indexes, iou: Floats) -> Indexes:
    """The same within one cluster of craters that compete for each other."""
    rows, columns = np.unique(i[group], return_inverse=True), np.unique(j[group], return_inverse=True)
    value = np.zeros((len(rows[0]), len(columns[0])))
    value[rows[1], columns[1]] = iou[group]
    pair = np.full(value.shape, -1)
    pair[rows[1], columns[1]] = group
    taken = pair[linear_sum_assignment(value, maximize=True)]
    return taken[taken >= 0]
