"""Blanks that the network takes for craters, shown to it more often than others."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlcore.foil_classifier.config import Config

Floats = NDArray[np.float64]
# From the numbers of some blanks to the network's logits.
Scorer = Callable[[NDArray[np.int64]], Floats]


class Mining:
    """How often each blank is drawn; part of the checkpoint.

    Args:
        n_blanks: How many there are.
        config: mine_every, mine_pool, mine_share, mine_weight.
        score: Asks the network as it stands.
    """

    def __init__(self, n_blanks: int, config: Config, score: Scorer) -> None:
        self._n, self._config, self._score = n_blanks, config, score
        self._weights: Floats | None = None

    def weights(self, step: int, random: np.random.Generator) -> Floats | None:
        """Of each blank, summing to 1; None: all alike.

        Args:
            step: Of both steps together, from 0; with the second one mining begins.
            random: Draws the blanks that are looked at.
        """
        since = step - self._config.steps_1
        if self._config.mine_every and since >= 0 and since % self._config.mine_every == 0:
            self._weights = self._mined(random)
        return self._weights

    def _mined(self, random: np.random.Generator) -> Floats:
        looked_at = np.sort(
            random.choice(self._n, min(self._n, self._config.mine_pool), replace=False)
        ).astype(np.int64)
        believed = np.argsort(-self._score(looked_at), kind="stable")
        hard = looked_at[believed[: round(len(looked_at) * self._config.mine_share)]]
        weights = np.ones(self._n)
        weights[hard] = self._config.mine_weight
        total: float = float(weights.sum())
        return weights / total

    def state(self) -> dict[str, Tensor]:
        """For the checkpoint."""
        return {} if self._weights is None else {"weights": torch.from_numpy(self._weights)}

    def take_up(self, state: dict[str, Tensor]) -> None:
        """From the checkpoint."""
        self._weights = state["weights"].numpy() if "weights" in state else None
