"""How well detected circles agree with true ones: recall, precision and F1 (SCIENCE.md §1).

A truth is detected when a detection overlaps it by an intersection over union of at least 0.5; each
truth counts once. Overlap is that of bounding boxes, as in the paper, or of the circles themselves.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.catalogues.matching import circle_iou
from mlcore.errors import InvalidInput
from mlcore.metrics.intervals import wilson

MIN_IOU = 0.5

Floats = NDArray[np.float64]
Shape = Literal["box", "circle"]


@dataclass(frozen=True)
class Tally:
    """Counts from which recall, precision and F1 follow; tallies of several images add up.

    The hits are counted from both sides, because within one diameter bin they may differ.

    Attributes:
        n_truth: True circles.
        n_truth_hit: Those that were detected.
        n_found: Detections.
        n_found_hit: Those that are right.
    """

    n_truth: int = 0
    n_truth_hit: int = 0
    n_found: int = 0
    n_found_hit: int = 0

    def __add__(self, other: Self) -> "Tally":
        return Tally(
            self.n_truth + other.n_truth,
            self.n_truth_hit + other.n_truth_hit,
            self.n_found + other.n_found,
            self.n_found_hit + other.n_found_hit,
        )

    @property
    def recall(self) -> float:
        """Share of the truth that was detected; NaN where there is none."""
        return self.n_truth_hit / self.n_truth if self.n_truth else math.nan

    @property
    def precision(self) -> float:
        """Share of the detections that are right; NaN where there are none."""
        return self.n_found_hit / self.n_found if self.n_found else math.nan

    @property
    def f1(self) -> float:
        """Harmonic mean of both, 0 where nothing was right; NaN where both are NaN."""
        if not self.n_truth and not self.n_found:
            return math.nan
        recall, precision = (0.0 if math.isnan(share) else share for share in (self.recall, self.precision))
        return 2.0 * recall * precision / (recall + precision) if recall + precision else 0.0

    def to_json(self) -> dict[str, object]:
        """Shares with their Wilson 95 % intervals and counts; what has no value is None."""
        return {
            "recall": _or_none(self.recall),
            "recall_interval": list(wilson(self.n_truth_hit, self.n_truth)),
            "precision": _or_none(self.precision),
            "precision_interval": list(wilson(self.n_found_hit, self.n_found)),
            "f1": _or_none(self.f1),
            "n_truth": self.n_truth,
            "n_truth_hit": self.n_truth_hit,
            "n_found": self.n_found,
            "n_found_hit": self.n_found_hit,
        }


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def iou(circle: ArrayLike, others: ArrayLike, shape: Shape = "box") -> Floats:
    """Intersection over union of one circle with others.

    Args:
        circle: x, y, diameter, in pixels.
        others: Shape (n, 3), the same.
        shape: Of the circles' bounding boxes, or of the circles.

    Returns:
        Shape (n,), 0 to 1.
    """
    x, y, size = np.asarray(circle, dtype=float)
    there = np.asarray(others, dtype=float).reshape(-1, 3)
    if shape == "circle":
        return np.asarray(circle_iou(np.hypot(there[:, 0] - x, there[:, 1] - y), size, there[:, 2]))
    mean, small = (there[:, 2] + size) / 2.0, np.minimum(there[:, 2], size)
    width = np.clip(mean - np.abs(there[:, 0] - x), 0.0, small)
    height = np.clip(mean - np.abs(there[:, 1] - y), 0.0, small)
    shared = width * height
    return shared / (there[:, 2] ** 2 + size**2 - shared)


def match_detections(
    truth: ArrayLike, found: ArrayLike, scores: ArrayLike, *, min_iou: float = MIN_IOU, shape: Shape = "box"
) -> NDArray[np.intp]:
    """Give each detection the true circle that it found, the best scores choosing first.

    Args:
        truth: Shape (n, 3): x, y, diameter in pixels of one image.
        found: Shape (m, 3): the same.
        scores: Shape (m,). Equal scores choose in the order of x, y, diameter, not of the rows.
        min_iou: Least overlap, above 0.
        shape: See iou.

    Returns:
        Shape (m,): row of the truth, or -1 for a detection that is wrong (or a repeat).

    Raises:
        InvalidInput: Scores and detections differ in number, or min_iou is not in (0, 1].
    """
    circles = np.asarray(truth, dtype=float).reshape(-1, 3)
    detections = np.asarray(found, dtype=float).reshape(-1, 3)
    rank = np.asarray(scores, dtype=float)
    if len(rank) != len(detections):
        raise InvalidInput(f"There are {len(detections)} detections but {len(rank)} scores.")
    if not 0.0 < min_iou <= 1.0:
        raise InvalidInput(f"The least overlap lies between 0 and 1, not at {min_iou}.")
    matched = np.full(len(detections), -1, dtype=np.intp)
    free = np.ones(len(circles), dtype=bool)
    for i in np.lexsort((*detections.T, -rank)):
        overlaps = np.where(free, iou(detections[i], circles, shape), 0.0)
        best = int(overlaps.argmax()) if len(overlaps) else -1
        if best >= 0 and overlaps[best] >= min_iou:
            matched[i], free[best] = best, False
    return matched


def tally(
    matched: ArrayLike,
    n_truth: int,
    *,
    truth_counts: ArrayLike | None = None,
    found_counts: ArrayLike | None = None,
) -> Tally:
    """Count hits and misses.

    Args:
        matched: From match_detections, shape (m,).
        n_truth: True circles, n.
        truth_counts: Booleans, shape (n,): which true circles are asked about (all by default).
        found_counts: Booleans, shape (m,): which detections are asked about (all by default).

    Returns:
        The counts; a hit counts for a circle that is asked about even when its partner is not.
    """
    partner = np.asarray(matched, dtype=np.intp)
    hit = np.zeros(n_truth, dtype=bool)
    hit[partner[partner >= 0]] = True
    of_truth = np.ones(n_truth, dtype=bool) if truth_counts is None else np.asarray(truth_counts, dtype=bool)
    of_found = (
        np.ones(len(partner), dtype=bool) if found_counts is None else np.asarray(found_counts, dtype=bool)
    )
    return Tally(
        n_truth=int(of_truth.sum()),
        n_truth_hit=int((hit & of_truth).sum()),
        n_found=int(of_found.sum()),
        n_found_hit=int(((partner >= 0) & of_found).sum()),
    )


def tally_by_diameter(
    matched: ArrayLike, truth_diameters: ArrayLike, found_diameters: ArrayLike, edges: ArrayLike
) -> list[tuple[float, float, Tally]]:
    """Count hits and misses per diameter bin: truth by its own diameter, detections by theirs.

    Args:
        matched: From match_detections, shape (m,).
        truth_diameters: Shape (n,), any unit.
        found_diameters: Shape (m,), same unit.
        edges: Rising bin edges, same unit, shape (k + 1,); a bin holds its lower edge.

    Returns:
        k triples: lower edge, upper edge, counts.
    """
    truth_d, found_d = np.asarray(truth_diameters, dtype=float), np.asarray(found_diameters, dtype=float)
    return [
        (
            float(low),
            float(high),
            tally(
                matched,
                len(truth_d),
                truth_counts=(truth_d >= low) & (truth_d < high),
                found_counts=(found_d >= low) & (found_d < high),
            ),
        )
        for low, high in pairwise(np.asarray(edges, dtype=float))
    ]
