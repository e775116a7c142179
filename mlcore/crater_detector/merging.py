"""One crater, seen in several windows and at several levels, becomes one detection."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mlcore import geodesy
from mlcore.crater_detector.detection import Detection

# Two detections are one crater when their centres lie within this share of their mean diameter …
SAME_OFFSET = 0.3
# … and neither is this many times the other.
SAME_RATIO = 1.6


def merge_detections(detections: Sequence[Detection], radius_m: float) -> list[Detection]:
    """Merge the detections of overlapping windows and levels.

    The best-scored detection takes in all that are the same crater; position and diameter become the mean
    weighted by score. Neither the windows' order nor the detections' matters.

    Args:
        detections: From any number of windows of one body.
        radius_m: Of the body's sphere.

    Returns:
        One detection per crater, highest score first, with the best one's score and the mean uncertainty.
    """
    if not detections:
        return []
    rows = np.array([(d.lon, d.lat, d.diameter_m, d.score, d.uncertainty) for d in detections])
    rows = rows[np.lexsort(rows.T[::-1])]
    rows = rows[np.argsort(-rows[:, 3], kind="stable")]
    points = geodesy.unit_vectors(rows[:, 0], rows[:, 1])
    tree = cKDTree(points)
    diameter = rows[:, 2] / radius_m
    free = np.ones(len(rows), bool)
    merged: list[Detection] = []
    for i in range(len(rows)):
        if not free[i]:
            continue
        reach = SAME_OFFSET * diameter[i] * (1 + SAME_RATIO) / 2
        near = np.array(sorted(tree.query_ball_point(points[i], min(reach, 2.0))))
        near = near[free[near]]
        ratio = diameter[near] / diameter[i]
        offset = np.linalg.norm(points[near] - points[i], axis=1)
        same = near[
            (offset <= SAME_OFFSET * (diameter[near] + diameter[i]) / 2)
            & (ratio <= SAME_RATIO)
            & (ratio >= 1 / SAME_RATIO)
        ]
        free[same] = False
        merged.append(_mean(rows[same], points[same]))
    return merged


def _mean(rows: NDArray[np.float64], points: NDArray[np.float64]) -> Detection:
    """The score-weighted mean of one crater's detections: rows (n, 5), points (n, 3) on the unit sphere."""
    weight = np.maximum(rows[:, 3], 1e-6) / np.maximum(rows[:, 3], 1e-6).sum()
    x, y, z = weight @ points
    return Detection(
        lon=float(np.degrees(np.arctan2(y, x))),
        lat=float(np.degrees(np.arctan2(z, np.hypot(x, y)))),
        diameter_m=float(np.exp(weight @ np.log(rows[:, 2]))),
        score=float(rows[:, 3].max()),
        uncertainty=float(weight @ rows[:, 4]),
    )
