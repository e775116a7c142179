"""The dense layers, always in float32: they cost nothing, and in bfloat16 scores would come in steps."""

import numpy as np
from numpy.typing import NDArray

from mlcore.foil_classifier.engines.weights import Array, Weights


class Head:
    """From the strongest answers of the convolutions to a logit.

    Args:
        weights: Of the network.
    """

    def __init__(self, weights: Weights) -> None:
        self._layers = weights.dense

    def logits(self, features: Array) -> NDArray[np.float64]:
        """(n, C) → (n,)."""
        for layer in self._layers[:-1]:
            features = np.maximum(features @ layer.kernel.T + layer.bias, 0.0)
        last = self._layers[-1]
        return (features @ last.kernel.T + last.bias)[:, 0].astype(np.float64)
