"""OpenVINO: the fastest on processors of Intel and AMD, in bfloat16 where they know it."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from threading import Lock, local

import numpy as np
from numpy.typing import NDArray

from mlcore.foil_classifier.config import Config
from mlcore.foil_classifier.engines.engine import BFLOAT16, CPU, FLOAT32, Engine
from mlcore.foil_classifier.engines.graph import GREY, MEAN, SCALE, Depth, block_px, onnx_bytes
from mlcore.foil_classifier.engines.head import Head
from mlcore.foil_classifier.engines.weights import Weights, read_weights
from mlcore.foil_classifier.normalise import moments
from mlcore.formats.pictures import Grey

# The library reports each import to its makers over the network, unless the reporter cannot be imported: a
# site that looks at foils tells nobody of it.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
import openvino  # noqa: E402

_HINTS = {BFLOAT16: "bf16", FLOAT32: "f32"}
# A network made for one size takes 0.2 s to make, and saves a tenth of each image's time.
_WORTH_ITS_OWN, _MOST_OF_THEIR_OWN = 16, 32

Size = tuple[int, int]


def precisions(device: str) -> tuple[str, ...]:
    """See EngineModule."""
    if device != CPU:
        return ()
    knows = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return (BFLOAT16, FLOAT32) if "BF16" in knows else (FLOAT32,)


def make(artifact: Path, config: Config, *, device: str, precision: str, lanes: int) -> Engine:
    """See EngineModule."""
    return OpenVinoEngine(read_weights(artifact, config), precision=precision, lanes=lanes)


class _Requests(local):
    """One thread's infer requests by the identity of their network."""

    def __init__(self) -> None:
        self.of_network: dict[int, openvino.InferRequest] = {}


class OpenVinoEngine:
    """See Engine.

    Images go through one by one: what lies between two layers of one image stays in the processor's cache.
    Widths that are whole blocks take the first convolution over blocks, others as it is; a size that comes
    often gets a network of its own, to the same result.

    Args:
        weights: Of the network.
        precision: Of the convolutions.
        lanes: As many images at once, each on one thread.
    """

    def __init__(self, weights: Weights, *, precision: str, lanes: int) -> None:
        self.name = f"OpenVINO {openvino.__version__.partition('-')[0]}"
        self.precision, self.lanes, self.batch = precision, lanes, 1
        self.device = f"{lanes} {'core' if lanes == 1 else 'cores'}"
        self._weights, self._head = weights, Head(weights)
        self._block_px = block_px(weights)
        self._core, self._lock = openvino.Core(), Lock()
        self._of_any_size: dict[tuple[Depth, bool], openvino.CompiledModel] = {}
        self._of_size: dict[tuple[Depth, Size], openvino.CompiledModel] = {}
        self._seen = Counter[tuple[Depth, Size]]()
        # An infer request serves one thread: each keeps its own, of each network.
        self._mine = _Requests()

    def logits(self, pictures: Sequence[Grey]) -> NDArray[np.float64]:
        """See Engine."""
        height, width = pictures[0].shape
        request = self._request("uint8" if pictures[0].dtype == np.uint8 else "uint16", (height, width))
        grey, mean, scale = (request.get_tensor(name) for name in (GREY, MEAN, SCALE))
        # Of a network for any size.
        grey.shape, mean.shape, scale.shape = (1, 1, height, width), (1, 1, 1, 1), (1, 1, 1, 1)
        features = np.empty((len(pictures), len(self._weights.convolutions[-1].bias)), np.float32)
        for number, picture in enumerate(pictures):
            grey.data[0, 0] = picture
            mean.data[...], scale.data[...] = moments(picture)
            request.infer(share_outputs=True)
            features[number] = request.get_output_tensor(0).data[0]
        return self._head.logits(features)

    def _request(self, depth: Depth, size: Size) -> openvino.InferRequest:
        compiled, mine = self._compiled(depth, size), self._mine.of_network
        if id(compiled) not in mine:
            mine[id(compiled)] = compiled.create_infer_request()
        return mine[id(compiled)]

    def _compiled(self, depth: Depth, size: Size) -> openvino.CompiledModel:
        """The network for pictures of a depth and size."""
        with self._lock:
            if (depth, size) in self._of_size:
                return self._of_size[depth, size]
            self._seen[depth, size] += 1
            is_blocked = size[1] % self._block_px == 0
            is_frequent = self._seen[depth, size] > _WORTH_ITS_OWN and len(self._of_size) < _MOST_OF_THEIR_OWN
            if is_blocked and is_frequent:
                self._of_size[depth, size] = self._compile(depth, is_blocked, size)
                return self._of_size[depth, size]
            if (depth, is_blocked) not in self._of_any_size:
                self._of_any_size[depth, is_blocked] = self._compile(depth, is_blocked, None)
            return self._of_any_size[depth, is_blocked]

    def _compile(self, depth: Depth, is_blocked: bool, size: Size | None) -> openvino.CompiledModel:
        graph = onnx_bytes(self._weights, is_blocked=is_blocked, depth=depth)
        model = self._core.read_model(graph, b"")
        if size:
            model.reshape({GREY: [1, 1, *size], MEAN: [1, 1, 1, 1], SCALE: [1, 1, 1, 1]})
        return self._core.compile_model(
            model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": _HINTS[self.precision],
                "NUM_STREAMS": self.lanes,
                "INFERENCE_NUM_THREADS": self.lanes,
                # Decoding goes on beside: whoever is ready takes the processor that is free.
                "ENABLE_CPU_PINNING": False,
            },
        )
