"""What scoring asks of an engine, and what choosing asks of a kind of engine."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlcore.foil_classifier.config import Config
from mlcore.foil_classifier.normalise import normalise
from mlcore.formats.pictures import Grey

FLOAT32, BFLOAT16, INT8 = "float32", "bfloat16", "int8"
CPU, CUDA = "cpu", "cuda"


class Engine(Protocol):
    """A network ready to score.

    Attributes:
        name: For people: "OpenVINO 2026.4.1".
        precision: FLOAT32, BFLOAT16 or INT8.
        device: For people: "2 cores" or the accelerator's name.
        lanes: So many threads keep it and the decoding beside it busy.
        batch: So many images of one size at once are its best.
    """

    name: str
    precision: str
    device: str
    lanes: int
    batch: int

    def logits(self, pictures: Sequence[Grey]) -> NDArray[np.float64]:
        """Pictures of one size and depth → (n,) raw logits; any thread may ask at any time."""


class EngineModule(Protocol):
    """A module of this folder for engines of one kind; importing it fails where its library is missing."""

    def precisions(self, device: str) -> tuple[str, ...]:
        """What it can do on CPU or CUDA of this machine, the fastest first; nothing where it cannot."""

    def make(self, artifact: Path, config: Config, *, device: str, precision: str, lanes: int) -> Engine:
        """An engine with an artifact's weights; precision is one of those that precisions names."""


def together(pictures: Sequence[Grey]) -> NDArray[np.float32]:
    """(n, 1, H, W): what the network sees of pictures of one size."""
    if len(pictures) == 1:
        return normalise(pictures[0])[None, None]
    return np.stack([normalise(picture) for picture in pictures])[:, None]


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
