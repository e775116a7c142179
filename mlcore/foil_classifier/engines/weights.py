"""A trained network as numbers, for engines that need no torch."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from mlcore.artifact import WEIGHTS_FILE
from mlcore.errors import InvalidInput
from mlcore.foil_classifier.config import NORM_EPSILON, Config, other_layout

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """One convolution or one dense layer; what normalised a convolution's maps is folded in.

    Attributes:
        kernel: Shape (out, in, height, width) or (out, in).
        bias: Shape (out,).
    """

    kernel: Array
    bias: Array


@dataclass(frozen=True)
class Weights:
    """All layers in the order in which an image passes them.

    Attributes:
        config: Of the layout.
        convolutions: As many as config.channels.
        dense: As many as config.dense.
    """

    config: Config
    convolutions: list[Layer]
    dense: list[Layer]


def read_weights(artifact: Path, config: Config) -> Weights:
    """The weights of an artifact.

    Args:
        artifact: Its folder.
        config: From its card.

    Raises:
        InvalidInput: The file cannot be read, or is of another layout than the card.
    """
    path = artifact / WEIGHTS_FILE
    try:
        with safe_open(path, "np") as file:
            said = json.loads((file.metadata() or {}).get("layout", "null"))
            values = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    except (OSError, SafetensorError, ValueError) as error:
        raise InvalidInput(f"{path.name} cannot be read as weights ({error}); train again.") from None
    if said != config.layout():
        raise InvalidInput(other_layout(said or {}, config.layout()), code="other_layout")
    convolutions, dense = _convolutions(values), _layers(values, "head")
    if len(convolutions) != len(config.channels) or len(dense) != len(config.dense):
        raise InvalidInput(f"{path.name} does not hold what its layout says; train again.")
    return Weights(config, convolutions, dense)


def _convolutions(values: dict[str, Array]) -> list[Layer]:
    """The convolutions in order; each takes the normalisation after it, where one is, into its kernel."""
    layers = []
    for n in _numbers(values, "features"):
        kernel, after = values[f"features.{n}.weight"], f"features.{n + 1}"
        if f"{after}.variance" not in values:
            layers.append(Layer(kernel, values[f"features.{n}.bias"]))
            continue
        scale = (values[f"{after}.variance"] + np.float32(NORM_EPSILON)) ** np.float32(-0.5)
        bias = values[f"{after}.bias"] - values[f"{after}.mean"] * scale
        layers.append(Layer(kernel * scale[:, None, None, None], bias))
    return layers


def _layers(values: dict[str, Array], part: str) -> list[Layer]:
    return [Layer(values[f"{part}.{n}.weight"], values[f"{part}.{n}.bias"]) for n in _numbers(values, part)]


def _numbers(values: dict[str, Array], part: str) -> list[int]:
    """Of the layers of a part in order: torch numbers them, with gaps where a layer has no weights."""
    return sorted(
        int(found[1]) for name in values if (found := re.fullmatch(rf"{part}\.(\d+)\.weight", name))
    )
