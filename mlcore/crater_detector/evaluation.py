"""Scoring a network on one side of a dataset: threshold, calibration, recall and precision."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mlcore.bodies import get_body
from mlcore.catalogues.matching import match
from mlcore.crater_detector.detection import Detection
from mlcore.crater_detector.merging import merge_detections
from mlcore.crater_detector.predict import Rows, Searcher, logit, whole
from mlcore.dataset import CircleLabel, Sample, side_at
from mlcore.metrics.boxes import Tally
from mlcore.raster.grid import Grid
from mlcore.split import SIDES

# A truth is found when a detection's circle overlaps it by this IoU, as in the detector's paper.
MIN_IOU = 0.5
# Rims are measured to a few percent: a detection this much below the smallest labelled diameter may still
# match, but is not counted as wrong when it does not.
SMALLER_MAY_MATCH = 0.94
# Fewer detections than this say nothing about probabilities.
LEAST_TO_CALIBRATE = 30
# Fewer than even chances that it exists: finding it is neither right nor wrong.
LEAST_WEIGHT_OF_TRUTH = 0.5
# Thresholds whose F1 is this share of the best are as good as the best.
PLATEAU = 0.99
# Fewer than even chances that it exists: finding it is neither right nor wrong.
LEAST_WEIGHT_OF_TRUTH = 0.5
# Thresholds whose F1 is this share of the best are as good as the best.
PLATEAU = 0.99


@dataclass(frozen=True)
class Scored:
    """Detections of one side beside its truth.

    Attributes:
        score: (m,) of detections that count: right ones and wrong ones of full size.
        right: (m,) whether each is a labelled crater.
        truth_score: (n,) of each crater of the side: its detection's score, −1 when missed.
        truth_diameter_m: (n,).
    """

    score: Rows
    right: NDArray[np.bool_]
    truth_score: Rows
    truth_diameter_m: Rows

    def tally(self, threshold: float) -> Tally:
        """Counts at a score threshold."""
        shown = self.score >= threshold
        return Tally(
            n_truth=len(self.truth_score),
            n_truth_hit=int((self.truth_score >= threshold).sum()),
            n_found=int(shown.sum()),
            n_found_hit=int((shown & self.right).sum()),
        )


def _on_body(grid: Grid, sample: Sample, circle: CircleLabel) -> tuple[float, float, float]:
    scale = sample.scale
    lon, lat = grid.lonlat(
        sample.window.x_px + circle.x_px * scale.grid_px_per_px_x,
        sample.window.y_px + circle.y_px * scale.grid_px_per_px_y,
    )
    return float(lon), float(lat), circle.diameter_px * scale.resolution_m_per_px


def _inside(sample: Sample, circle: CircleLabel) -> bool:
    """Whether the circle lies wholly on the grid (not: in the sample)."""
    scale, grid, radius = sample.scale, sample.grid, circle.diameter_px / 2
    x = sample.window.x_px + circle.x_px * scale.grid_px_per_px_x
    y = sample.window.y_px + circle.y_px * scale.grid_px_per_px_y
    reach_x, reach_y = radius * scale.grid_px_per_px_x, radius * scale.grid_px_per_px_y
    return x >= reach_x and y >= reach_y and x + reach_x <= grid.width_px and y + reach_y <= grid.height_px


def _codes(sample: Sample, x_px: Rows, y_px: Rows) -> NDArray[np.uint8]:
    """(n,) side of the pixels at positions."""
    height, width = sample.side.shape
    column = np.clip(x_px.astype(int), 0, width - 1)
    row = np.clip(y_px.astype(int), 0, height - 1)
    return sample.side[row, column]


def score_sides(
    searcher: Searcher,
    samples: Iterable[Sample],
    sides: Sequence[str],
    report: Callable[[float], None] = lambda _: None,
) -> dict[str, Scored]:
    """Search sides of a dataset; whole pixels are seen, only what is centred on a side is scored there.

    Args:
        searcher: The network.
        samples: Of the dataset.
        sides: Keys of SIDES.
        report: Called with the share done.

    Returns:
        For each side what was found beside its truth.
    """
    codes = [SIDES[side] for side in sides]
    asked = [sample for sample in samples if np.isin(sample.side, codes).any()]
    places = {side: defaultdict[Grid, _Place](_Place) for side in sides}
    for done, sample in enumerate(asked):
        rows = searcher.find(sample.elevation_m, sample.resolution_m_per_px)
        rows = rows[whole(rows, sample.grid, sample.window, searcher.config)]
        lies = _codes(sample, rows[:, 0], rows[:, 1])
        for side in sides:
            place = places[side][sample.grid]
            place.smallest_m = sample.min_diameter_px * sample.resolution_m_per_px
            place.found += searcher.place(rows[lies == SIDES[side]], sample.grid, sample.window)
            place.add_truth(sample, SIDES[side])
        report((done + 1) / len(asked))
    return {side: _joined([_score(grid, place) for grid, place in places[side].items()]) for side in sides}


@dataclass
class _Place:
    """What was found on one side of one grid, and what is there.

    Attributes:
        smallest_m: Smallest crater that was labelled completely.
        found: Detections centred on the side.
        truths: By number, for a crater shows in several samples: lon, lat, diameter_m, whether it is asked.
    """

    smallest_m: float = 0.0
    found: list[Detection] = field(default_factory=list)
    truths: dict[int, tuple[float, float, float, bool]] = field(default_factory=dict)

    def add_truth(self, sample: Sample, code: int) -> None:
        """Take in a sample's craters; asked are sure ones, centred on the side and wholly on the grid."""
        for circle in sample.craters:
            known = self.truths.get(circle.number)
            is_sure = circle.weight >= LEAST_WEIGHT_OF_TRUTH
            is_asked = is_sure and side_at(sample, circle) == code and _inside(sample, circle)
            self.truths[circle.number] = (
                *_on_body(sample.grid, sample, circle),
                is_asked or bool(known and known[3]),
            )


def _score(grid: Grid, place: _Place) -> Scored:
    """Match one grid's detections with its craters."""
    radius_m, smallest_m = get_body(grid.body).radius_m, place.smallest_m
    merged = [
        d for d in merge_detections(place.found, radius_m) if d.diameter_m >= SMALLER_MAY_MATCH * smallest_m
    ]
    circles = np.array([(d.lon, d.lat, d.diameter_m) for d in merged]).reshape(-1, 3)
    score = np.array([d.score for d in merged])
    table = np.array(list(place.truths.values()), float).reshape(-1, 4)
    of_side = (table[:, 3] > 0) & (table[:, 2] >= smallest_m)
    partner = np.full(len(circles), -1)
    for pair in match(circles, table[:, :3], radius_m, max_offset=0.5, min_iou=MIN_IOU):
        partner[pair.i] = pair.j
    right = partner >= 0
    # A detection of a labelled crater that the side does not ask about is neither right nor wrong.
    counts = np.where(right, of_side[partner] if len(table) else False, circles[:, 2] >= smallest_m)
    truth_score = np.full(len(table), -1.0)
    truth_score[partner[right]] = score[right]
    return Scored(score[counts], right[counts], truth_score[of_side], table[of_side, 2])


def _joined(parts: list[Scored]) -> Scored:
    def join(name: str) -> NDArray:
        return np.concatenate([getattr(part, name) for part in parts]) if parts else np.empty(0)

    return Scored(join("score"), join("right").astype(bool), join("truth_score"), join("truth_diameter_m"))


def fit_calibration(scored: Scored) -> tuple[float, float]:
    """Slope and intercept that make raw scores probabilities (Platt 1999), with his soft targets.

    Returns:
        (1, 0), which changes nothing, where there are too few detections to tell.
    """
    if len(scored.score) < LEAST_TO_CALIBRATE or scored.right.all() or not scored.right.any():
        return 1.0, 0.0
    n_right, n_wrong = scored.right.sum(), (~scored.right).sum()
    target = np.where(scored.right, (n_right + 1) / (n_right + 2), 1 / (n_wrong + 2))
    x = np.stack([logit(scored.score), np.ones(len(scored.score))], 1)
    weights = np.array([1.0, 0.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        # A little ridge towards (1, 0) keeps few detections from pulling far.
        gradient = x.T @ (p - target) + 1e-2 * (weights - [1.0, 0.0])
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-2 * np.eye(2)
        weights = weights - np.linalg.solve(hessian, gradient)
    slope, intercept = (float(w) for w in weights)
    # A falling curve would turn the ranking over.
    return (slope, intercept) if slope > 0.05 else (1.0, 0.0)


def choose_threshold(scored: Scored, *, fallback: float = 0.5) -> float:
    """The middle of the scores at which F1 is within 1 % of its best; fallback where nothing can be said.

    The curve is flat at its top, and where exactly it peaks is chance: the middle carries over to new places
    better than the peak.
    """
    if not len(scored.truth_score) or not len(scored.score):
        return fallback
    thresholds = np.linspace(0.01, 0.99, 197)
    f1 = np.array([scored.tally(float(threshold)).f1 for threshold in thresholds])
    good = thresholds[f1 >= PLATEAU * f1.max()]
    return float((good[0] + good[-1]) / 2)


def metrics(scored: Scored, threshold: float) -> dict[str, object] | None:
    """What the card says about a side; None where it has no craters."""
    if not len(scored.truth_score):
        return None
    smallest = float(scored.truth_diameter_m.min())
    edges = [e for e in smallest * 2.0 ** np.arange(8) if e <= scored.truth_diameter_m.max()] + [np.inf]
    bins = []
    for low, high in pairwise(edges):
        inside = (scored.truth_diameter_m >= low) & (scored.truth_diameter_m < high)
        hit = int((scored.truth_score[inside] >= threshold).sum())
        bins.append({"from_m": round(low, 1), "n_truth": int(inside.sum()), "n_truth_hit": hit})
    return {**scored.tally(threshold).to_json(), "matching": f"circle IoU ≥ {MIN_IOU}", "by_diameter": bins}
