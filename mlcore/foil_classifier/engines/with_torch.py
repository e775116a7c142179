"""torch: what trained the network scores with it where there is nothing better, and on accelerators."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from mlcore.artifact import WEIGHTS_FILE
from mlcore.foil_classifier.config import Config
from mlcore.foil_classifier.engines.engine import BFLOAT16, CPU, CUDA, FLOAT32, Engine, together
from mlcore.foil_classifier.model import FoilClassifier, load_weights
from mlcore.formats.pictures import Grey

# Of 384 × 512 px: large enough to fill an accelerator, and 50 MB to send.
CUDA_BATCH = 64


def precisions(device: str) -> tuple[str, ...]:
    """See EngineModule."""
    if device == CUDA:
        return (BFLOAT16, FLOAT32) if torch.cuda.is_available() else ()
    return (FLOAT32,)


def make(artifact: Path, config: Config, *, device: str, precision: str, lanes: int) -> Engine:
    """See EngineModule."""
    model = FoilClassifier(config)
    load_weights(model, artifact / WEIGHTS_FILE)
    return TorchEngine(model, device=device, precision=precision, lanes=lanes)


def _device(name: str) -> torch.device:
    return torch.device(name)


class TorchEngine:
    """See Engine.

    Args:
        model: Taken over.
        device: CPU or CUDA.
        precision: Of the convolutions.
        lanes: On a CPU each of them is one thread's, since small images are not worth sharing.
    """

    def __init__(self, model: FoilClassifier, *, device: str, precision: str, lanes: int) -> None:
        self.name = f"torch {torch.__version__}"
        self.precision, self.lanes = precision, lanes
        self.batch = CUDA_BATCH if device == CUDA else 1
        self._device = _device(device)
        self._model = model.eval().to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        # The lanes decode side by side, and take turns on the accelerator.
        self._turn = Lock() if device == CUDA else nullcontext()
        if device == CPU:
            self.device = f"{lanes} {'core' if lanes == 1 else 'cores'}"
            torch.set_num_threads(1)
            return
        self.device = torch.cuda.get_device_name(self._device)
        if precision == FLOAT32:
            # By itself cuDNN takes TF32 for float32, of which ten bits count.
            torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]

    def logits(self, pictures: Sequence[Grey]) -> NDArray[np.float64]:
        """See Engine."""
        images = together(pictures)
        with self._turn, torch.inference_mode():
            given = torch.from_numpy(images).to(self._device, memory_format=torch.channels_last)
            is_short = self.precision == BFLOAT16
            with torch.autocast(self._device.type, torch.bfloat16, enabled=is_short):
                features = self._model.features(given).amax((2, 3))
            return self._model.head(features.float())[:, 0].double().cpu().numpy()
