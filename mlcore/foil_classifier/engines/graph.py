"""The network's convolutions as an ONNX graph for images of any size, written from the weights.

Written here rather than exported by torch, for it is a dozen lines of layers: nothing of it hangs on a
tracer's version, and the first convolution can be put in the way that processors do fastest.

A convolution over one channel leaves most lanes of a processor empty. Read as blocks of so many pixels, the
image's row becomes as many channels, and one output block as many columns of the first map; both are the same
numbers in the same order in memory. Put so, the first layer takes 0.3 ms instead of 0.7 and the whole network
3.0 ms instead of 3.4 (OpenVINO, bfloat16, 384 × 512 px, one core of an AMD EPYC of 2022), to the same result.

In int8 maps and kernels are bytes: maps, which are never below 0, in 255 steps up to the strongest answer
known, kernels in 127 steps either way with a scale for each map. It takes 2.0 ms where bfloat16 takes 3.1.
The first convolution stays as it is: its input is no map, and bytes there would not be faster.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mlcore.foil_classifier.engines.weights import Array, Layer, Weights

IMAGES, FEATURES, STRONGEST = "images", "features", "strongest"
GREY, MEAN, SCALE = "grey", "mean", "scale"
OPSET, IR_VERSION = 17, 8
# Of a block's maps: as many as a vector of 512 bits holds numbers.
LANES = 16

Depth = Literal["uint8", "uint16"]


def block_px(weights: Weights) -> int:
    """Pixels of a row that are read as one block, where the image's width is a multiple of it."""
    return weights.config.first_stride * _columns(weights)


def onnx_bytes(
    weights: Weights,
    *,
    is_blocked: bool = False,
    depth: Depth | None = None,
    strongest: Sequence[float] | None = None,
    tells_strongest: bool = False,
) -> bytes:
    """The graph of the convolutions, to float32 features (n, C).

    Args:
        weights: Of the network, whose head is a Head.
        is_blocked: With the first convolution over blocks; then W is a multiple of block_px(weights).
        depth: None: from IMAGES, float32 (n, 1, H, W), normalised. Otherwise from GREY, pictures of this
            depth in the same shape, with MEAN and SCALE, float32 (n, 1, 1, 1), of normalise.moments: one pass
            over a quarter of the memory where it would be four over all.
        strongest: Of the answers of each convolution: the others then take bytes of these ranges. None: no
            bytes.
        tells_strongest: Give STRONGEST, float32 (number of convolutions,), too.
    """
    graph = _Graph()
    answers = []
    x = IMAGES
    if depth is not None:
        x = graph.add("Cast", GREY, to=TensorProto.FLOAT)
        x = graph.add("Mul", graph.add("Sub", x, MEAN), SCALE)
    for number, layer in enumerate(weights.convolutions):
        if number == 0 and is_blocked:
            x = _first_over_blocks(graph, weights, x)
        else:
            edge = layer.kernel.shape[2]
            stride = weights.config.first_stride if number == 0 else 1
            highest = strongest[number - 1] if strongest and number else None
            x = graph.convolution(x, layer, strides=[stride] * 2, pads=[edge // 2] * 4, highest=highest)
        x = graph.add("Relu", x)
        if tells_strongest:
            answers.append(graph.add("Reshape", graph.add("ReduceMax", x), graph.constant(np.array([1]))))
        if number in weights.config.pool_after:
            x = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    graph.add("Flatten", graph.add("GlobalMaxPool", x), axis=1, output=FEATURES)
    gives: list[tuple[str, list[Any]]] = [(FEATURES, ["n", len(weights.convolutions[-1].bias)])]
    if tells_strongest:
        gives.append((graph.add("Concat", *answers, axis=0, output=STRONGEST), [len(answers)]))
    return graph.written(depth, gives)


def _columns(weights: Weights) -> int:
    """Columns of the first map in a block."""
    return max(1, LANES // weights.config.channels[0])


def _first_over_blocks(graph: "_Graph", weights: Weights, x: str) -> str:
    """The first convolution, over the image as (n, block, H, W / block) and back to columns."""
    first, stride, columns = weights.convolutions[0], weights.config.first_stride, _columns(weights)
    kernel, before, after = blocked_kernel(first.kernel, stride, columns)
    edge, half = first.kernel.shape[2], first.kernel.shape[2] // 2
    x = graph.add("Squeeze", x, graph.constant(np.array([1])))
    # In a shape, 0 keeps a size and -1 is what is left.
    x = graph.add("Reshape", x, graph.constant(np.array([0, 0, -1, block_px(weights)])))
    x = graph.add("Transpose", x, perm=[0, 3, 1, 2])
    layer = Layer(kernel, np.tile(first.bias, columns))
    x = graph.convolution(x, layer, strides=[stride, 1], pads=[half, before, edge - 1 - half, after])
    x = graph.add("Transpose", x, perm=[0, 2, 3, 1])
    x = graph.add("Reshape", x, graph.constant(np.array([0, 0, -1, len(first.bias)])))
    return graph.add("Transpose", x, perm=[0, 3, 1, 2])


def blocked_kernel(kernel: Array, stride: int, columns: int) -> tuple[Array, int, int]:
    """The kernel over one channel as the same kernel over blocks of a row.

    Args:
        kernel: Shape (out, 1, edge, edge).
        stride: Its step.
        columns: Of the first map, in one block; a block is columns · stride pixels.

    Returns:
        Shape (columns · out, block, edge, blocks), and how many blocks before and after its own it reaches.
    """
    out, _, edge, _ = kernel.shape
    block = columns * stride
    # For each column and each column of the kernel: which pixel of which block it falls on.
    at = np.arange(columns)[:, None] * stride + np.arange(edge) - edge // 2
    number, pixel = np.divmod(at, block)
    before, after = -int(number.min()), int(number.max())
    blocked = np.zeros((columns, out, block, edge, before + 1 + after), np.float32)
    for column in range(columns):
        for k in range(edge):
            blocked[column, :, pixel[column, k], :, number[column, k] + before] = kernel[:, 0, :, k]
    return blocked.reshape(columns * out, block, edge, -1), before, after


def _step(highest: Any, n: int) -> Any:
    """Steps of which n reach the highest, float32; above 0 where all is 0."""
    return np.maximum(np.asarray(highest, np.float32), np.finfo(np.float32).tiny * n) / np.float32(n)


class _Graph:
    """Nodes and constants, one after the other."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, value: NDArray[np.generic]) -> str:
        """Keep numbers; their name."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node; the name of what it gives."""
        output = output or f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def convolution(
        self, x: str, layer: Layer, *, strides: list[int], pads: list[int], highest: float | None = None
    ) -> str:
        """Add a convolution; pads are above, left, below, right. With bytes where x's highest is given."""
        if highest is None:
            kernel = self.constant(layer.kernel)
        else:
            x, kernel = self._map_in_bytes(x, highest), self._kernel_in_bytes(layer.kernel)
        return self.add("Conv", x, kernel, self.constant(layer.bias), strides=strides, pads=pads)

    def _map_in_bytes(self, x: str, highest: float) -> str:
        """Values from 0, in steps; what is above the highest becomes it."""
        how = self.constant(_step(np.float32(highest), 255)), self.constant(np.array(0, np.uint8))
        return self.add("DequantizeLinear", self.add("QuantizeLinear", x, *how), *how)

    def _kernel_in_bytes(self, kernel: Array) -> str:
        """Values of either sign, in steps of each map's own."""
        step = _step(np.abs(kernel).max((1, 2, 3)), 127)
        steps = np.rint(kernel / step[:, None, None, None]).astype(np.int8)
        how = self.constant(step), self.constant(np.zeros(len(step), np.int8))
        return self.add("DequantizeLinear", self.constant(steps), *how, axis=0)

    def written(self, depth: Depth | None, gives: list[tuple[str, list[Any]]]) -> bytes:
        """The whole as a file's content, checked; gives are names and shapes of what it answers."""
        size, one = ["n", 1, "height", "width"], ["n", 1, 1, 1]
        given: list[tuple[str, int, list[Any]]] = [(IMAGES, TensorProto.FLOAT, size)]
        if depth is not None:
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(depth))
            given = [(GREY, kind, size), (MEAN, TensorProto.FLOAT, one), (SCALE, TensorProto.FLOAT, one)]
        inputs = [helper.make_tensor_value_info(*each) for each in given]
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in gives]
        graph = helper.make_graph(self._nodes, "foil_classifier", inputs, outputs, self._constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )
        onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString()
