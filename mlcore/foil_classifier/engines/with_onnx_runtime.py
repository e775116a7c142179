"""ONNX Runtime: float32 on any processor, and on CUDA where its build for that is installed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mlcore.errors import InvalidInput
from mlcore.foil_classifier.config import Config
from mlcore.foil_classifier.engines.engine import CUDA, FLOAT32, Engine, together
from mlcore.foil_classifier.engines.graph import FEATURES, IMAGES, onnx_bytes
from mlcore.foil_classifier.engines.head import Head
from mlcore.foil_classifier.engines.weights import Weights, read_weights
from mlcore.formats.pictures import Grey

CUDA_BATCH = 64
_CPU_PROVIDER, _CUDA_PROVIDER = "CPUExecutionProvider", "CUDAExecutionProvider"
_ERRORS_ONLY = 3


def precisions(device: str) -> tuple[str, ...]:
    """See EngineModule."""
    wanted = _CUDA_PROVIDER if device == CUDA else _CPU_PROVIDER
    return (FLOAT32,) if wanted in onnxruntime.get_available_providers() else ()


def make(artifact: Path, config: Config, *, device: str, precision: str, lanes: int) -> Engine:
    """See EngineModule."""
    return OnnxRuntimeEngine(read_weights(artifact, config), device=device, lanes=lanes)


class OnnxRuntimeEngine:
    """See Engine.

    Args:
        weights: Of the network.
        device: CPU or CUDA.
        lanes: On a CPU each is the thread that asks.
    """

    def __init__(self, weights: Weights, *, device: str, lanes: int) -> None:
        self.name = f"ONNX Runtime {onnxruntime.__version__}"
        self.precision, self.lanes = FLOAT32, lanes
        self.batch = CUDA_BATCH if device == CUDA else 1
        self.device = "CUDA" if device == CUDA else f"{lanes} {'core' if lanes == 1 else 'cores'}"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        # TF32 keeps ten bits of float32.
        provider = (_CUDA_PROVIDER, {"use_tf32": "0"}) if device == CUDA else (_CPU_PROVIDER, {})
        self._session = onnxruntime.InferenceSession(onnx_bytes(weights), options, providers=[provider])
        if self._session.get_providers()[0] != provider[0]:
            raise InvalidInput(
                "ONNX Runtime found no CUDA device that it can use; score on the CPU, or with torch."
            )
        self._head = Head(weights)

    def logits(self, pictures: Sequence[Grey]) -> NDArray[np.float64]:
        """See Engine."""
        (features,) = self._session.run([FEATURES], {IMAGES: together(pictures)})
        return self._head.logits(features)
