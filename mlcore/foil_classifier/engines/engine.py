"""What scoring asks of an engine, and what choosing asks of a kind of engine."""

import os
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlcore.foil_classifier.config import Config

FLOAT32, BFLOAT16 = "float32", "bfloat16"
CPU, CUDA = "cpu", "cuda"


class Engine(Protocol):
    """A network ready to score.

    Attributes:
        name: For people: "OpenVINO 2026.4.1".
        precision: FLOAT32 or BFLOAT16.
        device: For people: "2 cores" or the accelerator's name.
        lanes: So many threads keep it and the decoding beside it busy.
        batch: So many images of one size at once are its best.
    """

    name: str
    precision: str
    device: str
    lanes: int
    batch: int

    def logits(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, 1, H, W) normalised images → (n,) raw logits; any thread may ask at any time."""


class EngineModule(Protocol):
    """A module of this folder for engines of one kind; importing it fails where its library is missing."""

    def precisions(self, device: str) -> tuple[str, ...]:
        """What it can do on CPU or CUDA of this machine, the fastest first; nothing where it cannot."""

    def make(self, artifact: Path, config: Config, *, device: str, precision: str, lanes: int) -> Engine:
        """An engine with an artifact's weights; precision is one of those that precisions names."""


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
