"""From raw logits to the card's probabilities. Loads no torch."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def probability(logit: Floats, calibration: Sequence[float]) -> Floats:
    """Calibrated probabilities.

    Args:
        logit: Raw, any shape.
        calibration: The card's slope and intercept.

    Returns:
        0 to 1.
    """
    slope, intercept = calibration
    # So nothing overflows, and the smallest probabilities keep their digits.
    return np.exp(-np.logaddexp(0.0, -(slope * logit + intercept)))


def logit_of(probability: float) -> float:
    """The log-odds of a probability between 0 and 1; infinite at either end."""
    with np.errstate(divide="ignore"):
        return float(np.log(probability) - np.log1p(-probability))
