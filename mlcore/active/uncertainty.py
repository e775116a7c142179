"""How instructive an answer about a proposal would be, judged from the model alone."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def binary_entropy(probability: ArrayLike) -> NDArray[np.float64]:
    """Uncertainty of yes-or-no in bits.

    Args:
        probability: Calibrated scores 0–1, any shape.

    Returns:
        0 (certain) to 1 (even odds), the same shape.
    """
    p = np.clip(np.asarray(probability, float), 1e-12, 1 - 1e-12)
    return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))


def instructiveness(score: ArrayLike, uncertainty: ArrayLike, threshold: float) -> NDArray[np.float64]:
    """How much a verdict would move the model.

    Args:
        score: (n,) calibrated scores 0–1.
        uncertainty: (n,) 0–1, as the detector gives it.
        threshold: The score from which detections are shown: verdicts near it decide most.

    Returns:
        (n,) 0–1: the uncertainty, doubled in weight near the threshold.
    """
    distance = np.abs(np.asarray(score, float) - threshold) / max(threshold, 1 - threshold)
    return np.clip(np.asarray(uncertainty, float), 0, 1) * (1 - 0.5 * np.clip(distance, 0, 1))
