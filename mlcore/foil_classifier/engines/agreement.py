"""Whether an engine may take bfloat16: only where no fixed image changes sides of the threshold by it.

What both precisions said is kept beside the weights, so that it is asked once for a version, a library and a
kind of processor, and can be held against any threshold afterwards.
"""

import hashlib
import json
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore import durable
from mlcore.artifact import WEIGHTS_FILE, ModelCard
from mlcore.foil_classifier.engines.engine import Engine
from mlcore.foil_classifier.engines.fixed_images import FILE, fixed_images
from mlcore.foil_classifier.probability import logit_of, probability
from mlcore.formats.pictures import Grey

KEPT_FILE = "engines.json"

Logits = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """What two precisions say of the same images.

    Attributes:
        exact: Raw logits in float32.
        short: The same in bfloat16.
        origin: Of the images, see FixedImages.
    """

    exact: list[float]
    short: list[float]
    origin: str

    def crossing(self, card: ModelCard, thresholds: Sequence[float]) -> int:
        """How many images bfloat16 puts on the other side of any of some thresholds.

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
        short: In bfloat16.
        exact: In float32.
    """
    kept = _kept(artifact)
    name = _name(artifact, short)
    if name in kept:
        with suppress(TypeError):
            return Agreement(**kept[name])
    images = fixed_images(artifact)
    found = Agreement(_said(exact, images.pictures), _said(short, images.pictures), images.origin)
    # A folder that cannot be written costs the next one the seconds again, and nothing else.
    with suppress(OSError):
        text = json.dumps({**_kept(artifact), name: asdict(found)}, indent=1)
        durable.write(artifact / KEPT_FILE, text.encode())
    return found


def _said(engine: Engine, pictures: Sequence[Grey]) -> list[float]:
    return [float(engine.logits([picture])[0]) for picture in pictures]


def _kept(artifact: Path) -> dict[str, dict[str, Any]]:
    try:
        kept = json.loads((artifact / KEPT_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _name(artifact: Path, engine: Engine) -> str:
    """What the answer depends on: weights, images, library and processor."""
    digest = hashlib.sha256((artifact / WEIGHTS_FILE).read_bytes())
    if (artifact / FILE).exists():
        digest.update((artifact / FILE).read_bytes())
    return f"{engine.name}, {engine.precision}, {engine.device}, {_processor()}, {digest.hexdigest()[:16]}"


def _processor() -> str:
    """The processor's model, as far as the system tells it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
