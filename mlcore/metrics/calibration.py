"""From scores to probabilities, and how far to trust these."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlcore.errors import InvalidInput

Floats = NDArray[np.float64]
_MAX_STEPS = 100
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Calibration:
    """log-odds = intercept + slope · score in logits (Platt 1999).

    Attributes:
        intercept: Log-odds of a score of 0.
        slope: 0 or more: a higher score never means less.
    """

    intercept: float
    slope: float

    def log_odds(self, score_logit: Floats) -> Floats:
        """Shape as given; natural logarithm."""
        return self.intercept + self.slope * score_logit


def fit_platt(score_logit: Floats, is_positive: NDArray[np.bool_]) -> Calibration:
    """Fit log-odds that are linear in the score, by Newton's method on Platt's smoothed targets.

    The targets are (n₊ + 1) / (n₊ + 2) and 1 / (n₋ + 2) instead of 1 and 0 (Platt 1999, section 2.2), so that
    a handful of subjects, or scores that separate the two kinds, never make it certain of anything.

    Args:
        score_logit: Shape (n,): raw scores in logits, finite.
        is_positive: Shape (n,): the truth.

    Raises:
        InvalidInput: Shapes that do not fit, scores that are not finite, or only one kind.
    """
    if score_logit.shape != is_positive.shape or score_logit.ndim != 1:
        raise InvalidInput(f"{score_logit.shape} scores do not fit {is_positive.shape} answers.")
    if not np.isfinite(score_logit).all():
        raise InvalidInput("A score is not a finite number.")
    n_positive = int(is_positive.sum())
    n_negative = len(is_positive) - n_positive
    if not n_positive or not n_negative:
        raise InvalidInput("A score is calibrated on both kinds, and here is only one.")
    target = np.where(is_positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    design = np.stack([np.ones(len(score_logit)), score_logit], axis=1)
    weights = np.array([np.log((n_positive + 1) / (n_negative + 1)), 0.0])
    loss = _loss(design, target, weights)
    for _ in range(_MAX_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -500.0, 500.0)))
        curvature = (design * (p * (1.0 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, design.T @ (target - p))
        # A full step overshoots where the kinds are far apart or one is rare: halved until it leads downhill.
        while (after := _loss(design, target, weights + step)) > loss and np.abs(step).max() > _TOLERANCE:
            step = step / 2.0
        weights, loss = weights + step, after
        if np.abs(step).max() < _TOLERANCE:
            break
    if weights[1] < 0.0:
        return Calibration(float(np.log((n_positive + 1) / (n_negative + 1))), 0.0)
    return Calibration(float(weights[0]), float(weights[1]))


def _loss(design: Floats, target: Floats, weights: Floats) -> float:
    """Log-loss, which has one minimum."""
    odds = design @ weights
    return float((np.logaddexp(0.0, odds) - target * odds).sum())


@dataclass(frozen=True)
class Reliability:
    """One bin of a reliability diagram.

    Attributes:
        foretold: Mean probability of the subjects in it.
        found: Share of them that are positive.
        n: How many.
    """

    foretold: float
    found: float
    n: int


def reliability(probability: Floats, is_positive: NDArray[np.bool_], n_bins: int = 10) -> list[Reliability]:
    """Bins of equal width over [0, 1], without the empty ones."""
    at = np.minimum((probability * n_bins).astype(int), n_bins - 1)
    return [
        Reliability(
            float(probability[at == k].mean()), float(is_positive[at == k].mean()), int((at == k).sum())
        )
        for k in range(n_bins)
        if (at == k).any()
    ]


def calibration_error(probability: Floats, is_positive: NDArray[np.bool_], n_bins: int = 10) -> float:
    """Expected calibration error (Naeini et al. 2015): mean distance from the diagonal, weighted by count."""
    bins = reliability(probability, is_positive, n_bins)
    return sum(b.n * abs(b.foretold - b.found) for b in bins) / max(1, len(probability))
