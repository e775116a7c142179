"""OpenVINO: the fastest on processors of Intel and AMD, in int8 and bfloat16 where they know them."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Queue
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from mlcore.foil_classifier.config import Config
from mlcore.foil_classifier.engines import processor
from mlcore.foil_classifier.engines.engine import BFLOAT16, CPU, FLOAT32, INT8, Engine, together
from mlcore.foil_classifier.engines.graph import (
    GREY,
    IMAGES,
    MEAN,
    SCALE,
    STRONGEST,
    Depth,
    block_px,
    onnx_bytes,
)
from mlcore.foil_classifier.engines.head import Head
from mlcore.foil_classifier.engines.strongest import strongest
from mlcore.foil_classifier.engines.weights import Array, Weights, read_weights
from mlcore.foil_classifier.normalise import moments
from mlcore.formats.pictures import Grey

# The library reports each import to its makers over the network, unless the reporter cannot be imported: a
# site that looks at foils tells nobody of it.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
import openvino  # noqa: E402

# A network made for one size takes 0.2 s to make, and saves a tenth of each image's time.
_WORTH_ITS_OWN, _MOST_OF_THEIR_OWN = 16, 32

Size = tuple[int, int]
# One network's, those that nobody uses at the moment.
_Requests = Queue[openvino.InferRequest]


def precisions(device: str) -> tuple[str, ...]:
    """See EngineModule."""
    if device != CPU:
        return ()
    knows_bfloat16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    known = ((INT8, processor.sums_bytes()), (BFLOAT16, knows_bfloat16), (FLOAT32, True))
    return tuple(precision for precision, is_known in known if is_known)


def make(artifact: Path, config: Config, *, device: str, precision: str, lanes: int) -> Engine:
    """See EngineModule."""
    weights = read_weights(artifact, config)
    found = strongest(artifact, _asking(weights)) if precision == INT8 else None
    return OpenVinoEngine(weights, precision=precision, lanes=lanes, strongest=found)


def _asking(weights: Weights) -> Callable[[Grey], Array]:
    """Asks for the strongest answer of each convolution to a picture, in float32."""
    core = openvino.Core()
    model = core.read_model(onnx_bytes(weights, tells_strongest=True), b"")
    request = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()

    def ask(picture: Grey) -> Array:
        found: Array = request.infer({IMAGES: together([picture])})[STRONGEST]
        return found

    return ask


class OpenVinoEngine:
    """See Engine.

    Images go through one by one: what lies between two layers of one image stays in the processor's cache.
    Widths that are whole blocks take the first convolution over blocks, others as it is; a size that comes
    often gets a network of its own, to the same result.

    Args:
        weights: Of the network.
        precision: Of the convolutions.
        lanes: As many images at once, each on one thread.
        strongest: Of the answers of each convolution, where the precision is INT8.
    """

    def __init__(
        self, weights: Weights, *, precision: str, lanes: int, strongest: Sequence[float] | None = None
    ) -> None:
        self.name = f"OpenVINO {openvino.__version__.partition('-')[0]}"
        self.precision, self.lanes, self.batch = precision, lanes, 1
        self.device = f"{lanes} {'core' if lanes == 1 else 'cores'}"
        self._weights, self._head, self._strongest = weights, Head(weights), strongest
        self._block_px = block_px(weights)
        # In int8, what is not in bytes is in the next longer precision.
        self._hint = "bf16" if precision != FLOAT32 and BFLOAT16 in precisions(CPU) else "f32"
        self._core, self._lock = openvino.Core(), Lock()
        self._of_any_size: dict[tuple[Depth, bool], _Requests] = {}
        self._of_size: dict[tuple[Depth, Size], _Requests] = {}
        self._seen = Counter[tuple[Depth, Size]]()

    def logits(self, pictures: Sequence[Grey]) -> NDArray[np.float64]:
        """See Engine."""
        height, width = pictures[0].shape
        requests = self._requests("uint8" if pictures[0].dtype == np.uint8 else "uint16", (height, width))
        request = requests.get()
        try:
            return self._head.logits(self._features(request, pictures))
        finally:
            requests.put(request)

    def _features(self, request: openvino.InferRequest, pictures: Sequence[Grey]) -> Array:
        """What the convolutions answer most strongly, (n, C)."""
        height, width = pictures[0].shape
        grey, mean, scale = (request.get_tensor(name) for name in (GREY, MEAN, SCALE))
        # Of a network for any size.
        grey.shape, mean.shape, scale.shape = (1, 1, height, width), (1, 1, 1, 1), (1, 1, 1, 1)
        features = np.empty((len(pictures), len(self._weights.convolutions[-1].bias)), np.float32)
        for number, picture in enumerate(pictures):
            grey.data[0, 0] = picture
            mean.data[...], scale.data[...] = moments(picture)
            request.infer(share_outputs=True)
            features[number] = request.get_output_tensor(0).data[0]
        return features

    def _requests(self, depth: Depth, size: Size) -> _Requests:
        """Of the network for pictures of a depth and size."""
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

    def _compile(self, depth: Depth, is_blocked: bool, size: Size | None) -> _Requests:
        """A network, as one infer request for each lane; whoever finds none waits for one.

        All are made before the first of them runs: made while others run, OpenVINO 2026.4 waits for ever now
        and then.
        """
        graph = onnx_bytes(self._weights, is_blocked=is_blocked, depth=depth, strongest=self._strongest)
        model = self._core.read_model(graph, b"")
        if size:
            model.reshape({GREY: [1, 1, *size], MEAN: [1, 1, 1, 1], SCALE: [1, 1, 1, 1]})
        compiled = self._core.compile_model(
            model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": self._hint,
                "NUM_STREAMS": self.lanes,
                "INFERENCE_NUM_THREADS": self.lanes,
                # Decoding goes on beside: whoever is ready takes the processor that is free.
                "ENABLE_CPU_PINNING": False,
            },
        )
        requests: _Requests = Queue()
        for _ in range(self.lanes):
            requests.put(compiled.create_infer_request())
        return requests
