"""How the crater benchmarks count: recall and precision of detections, with Wilson intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.lunar_regions import MOON_M
from mlcore.api import Detection
from mlcore.catalogues.matching import match
from mlcore.metrics.boxes import Tally

Circles = NDArray[np.float64]
# Rims are measured to a few percent: detections this much below the limit may match.
SMALLER_MAY_MATCH = 0.94


@dataclass(frozen=True)
class Rule:
    """When a detection is a listed crater.

    Attributes:
        max_offset: Of the centres, in mean diameters.
        min_iou: Of the circles.
    """

    max_offset: float
    min_iou: float


CATALOGUE_RULE = Rule(0.25, 0.1)
DETECTION_RULE = Rule(0.5, 0.5)


@dataclass(frozen=True)
class Compared:
    """Detections beside lists.

    Attributes:
        found: (m, 3) lon, lat, diameter_m.
        score: (m,).
        in_truth: (m,) index of the matched crater of the truth, −1 for none.
        in_any: (m,) whether it matches in any list.
        asked: (n,) which of the truth is asked for.
        min_diameter_m: From here an unmatched detection is wrong.
    """

    found: Circles
    score: NDArray[np.float64]
    in_truth: NDArray[np.intp]
    in_any: NDArray[np.bool_]
    asked: NDArray[np.bool_]
    min_diameter_m: float

    def tally(self, threshold: float, *, strict: bool = False) -> Tally:
        """Counts at a score threshold; strict: unmatched detections below the limit are wrong too."""
        shown = self.score >= threshold
        counted = shown & (self.in_any | strict | (self.found[:, 2] >= self.min_diameter_m))
        hit = np.zeros(len(self.asked), bool)
        hit[self.in_truth[shown & (self.in_truth >= 0)]] = True
        return Tally(
            n_truth=int(self.asked.sum()),
            n_truth_hit=int((hit & self.asked).sum()),
            n_found=int(counted.sum()),
            n_found_hit=int((counted & self.in_any).sum()),
        )

    def best_threshold(self) -> float:
        """The score of the highest F1: for a peer on places that are not tested."""
        scores = np.unique(self.score)
        return float(scores[int(np.argmax([self.tally(score).f1 for score in scores]))])

    def unmatched(self, threshold: float) -> Circles:
        """(k, 3) detections of full size that are in no list."""
        wrong = (self.score >= threshold) & ~self.in_any & (self.found[:, 2] >= self.min_diameter_m)
        return self.found[wrong]


def compare(
    detections: Sequence[Detection],
    truth: Circles,
    asked: NDArray[np.bool_],
    lists: Sequence[Circles],
    rule: Rule,
    min_diameter_m: float,
) -> Compared:
    """Match detections with the truth and, for precision, with every list, one to one each."""
    rows = np.array([(d.lon, d.lat, d.diameter_m, d.score) for d in detections]).reshape(-1, 4)
    rows = rows[rows[:, 2] >= SMALLER_MAY_MATCH * min_diameter_m]
    found = rows[:, :3]

    def partners(other: Circles) -> NDArray[np.intp]:
        partner = np.full(len(found), -1, np.intp)
        for pair in match(found, other, MOON_M, max_offset=rule.max_offset, min_iou=rule.min_iou):
            partner[pair.i] = pair.j
        return partner

    in_truth = partners(truth)
    in_any = (in_truth >= 0) | np.any([partners(other) >= 0 for other in lists], axis=0)
    return Compared(found, rows[:, 3], in_truth, in_any, asked, min_diameter_m)


def pooled(parts: Sequence[Compared]) -> Compared:
    """Several places as one."""
    starts = np.cumsum([0, *(len(part.asked) for part in parts)])
    shifted = [
        np.where(part.in_truth >= 0, part.in_truth + start, -1)
        for part, start in zip(parts, starts, strict=False)
    ]
    return Compared(
        np.concatenate([part.found for part in parts]),
        np.concatenate([part.score for part in parts]),
        np.concatenate(shifted),
        np.concatenate([part.in_any for part in parts]),
        np.concatenate([part.asked for part in parts]),
        parts[0].min_diameter_m,
    )


def figures(tally: Tally) -> dict[str, object]:
    """Recall, precision and F1 with intervals and counts, rounded for a table."""

    def rounded(value: object) -> object:
        if isinstance(value, list):
            return [round(float(v), 3) for v in value]
        return round(value, 3) if isinstance(value, float) else value

    return {name: rounded(value) for name, value in tally.to_json().items()}
