"""Whether an engine may take bfloat16 or int8: only where no fixed image changes sides of a threshold by it.

What both precisions said is kept beside the weights, so that it is asked once for a version, a library and a
kind of processor, and can be held against any threshold afterwards.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlcore.artifact import ModelCard
from mlcore.foil_classifier.engines import processor
from mlcore.foil_classifier.engines.engine import Engine
from mlcore.foil_classifier.engines.fixed_images import fixed_images
from mlcore.foil_classifier.engines.kept import Kept
from mlcore.foil_classifier.probability import logit_of, probability
from mlcore.formats.pictures import Grey

Logits = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """What two precisions say of the same images.

    Attributes:
        exact: Raw logits in float32.
        short: The same in the shorter precision.
        origin: Of the images, see FixedImages.
    """

    exact: list[float]
    short: list[float]
    origin: str

    def crossing(self, card: ModelCard, thresholds: Sequence[float]) -> int:
        """How many images the shorter precision puts on the other side of any of some thresholds.

        Args:
            card: Of the model; gives the calibration.
            thresholds: Probabilities.
        """
        slope, intercept = card.calibration
        at = np.array([[logit_of(threshold)] for threshold in thresholds])
        exact, short = (slope * np.array(z) + intercept >= at for z in (self.exact, self.short))
        return int((exact != short).any(axis=0).sum())

    def largest_shift(self, card: ModelCard) -> float:
        """The most that the probability of any image changes."""
        return float(
            np.abs(
                probability(np.array(self.short), card.calibration)
                - probability(np.array(self.exact), card.calibration)
            ).max(initial=0.0)
        )


def agreement(artifact: Path, short: Engine, exact: Engine) -> Agreement:
    """What two engines that differ in precision say of the fixed images; from the file where it is known.

    Args:
        artifact: Folder of the weights that both have.
        short: In bfloat16 or int8.
        exact: In float32.
    """
    kept = Kept(artifact)
    question = f"{short.name}, {short.precision}, {short.device}, {processor.name()}"
    with suppress(TypeError):
        return Agreement(**kept.answer(question))
    images = fixed_images(artifact)
    found = Agreement(_said(exact, images.pictures), _said(short, images.pictures), images.origin)
    kept.keep(question, asdict(found))
    return found


def _said(engine: Engine, pictures: Sequence[Grey]) -> list[float]:
    return [float(engine.logits([picture])[0]) for picture in pictures]
