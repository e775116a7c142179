"""Artifacts: what a training run leaves. A folder with weights.safetensors and card.json, no pickle."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from mlcore import durable
from mlcore.errors import InvalidInput

CARD_FILE = "card.json"
WEIGHTS_FILE = "weights.safetensors"


@dataclass(frozen=True)
class ModelCard:
    """Everything a reader or a prediction needs to know about a set of weights.

    Attributes:
        system: Key of mlcore.registry.SYSTEMS.
        preset: Name of the preset that the config started from.
        config: The system's Config as JSON, with everything that prediction needs.
        normalisation: How the channels are scaled.
        classes: Names, background first.
        threshold: Score from which a detection is shown; chosen on validation data.
        threshold_source: "validation", or why it could not be chosen there.
        calibration: (slope, intercept) that turn a raw logit into the logit of `score`.
        min_diameter_m: Smallest crater of which the labels were complete.
        metrics: Per side ("validation", "test") a dict with recall, precision, f1, n_truth, n_found,
            n_right, their 95 % intervals and recall by diameter bin; None where the side has no craters.
        dataset_sha256: Of the dataset it was trained on.
        code_version: sha256 over mlcore's source files when the training began.
        seed: Of everything random.
        initial_weights: "scratch", or the hash of the artifact it continued from.
        steps: Optimiser steps taken.
        device: Device and precision.
        created_at: ISO 8601, UTC.
    """

    system: str
    preset: str
    config: dict[str, Any]
    normalisation: dict[str, Any]
    classes: list[str]
    threshold: float
    threshold_source: str
    calibration: list[float]
    min_diameter_m: float
    metrics: dict[str, dict[str, Any] | None]
    dataset_sha256: str
    code_version: str
    seed: int
    initial_weights: str
    steps: int
    device: str
    created_at: str
    notes: list[str] = field(default_factory=list)

    @classmethod
    def example(cls) -> Self:
        """A card as an imaginary quick training would leave it."""
        side = {"recall": 0.9, "precision": 0.9, "f1": 0.9, "n_truth": 10, "n_found": 10, "n_right": 9}
        return cls(
            system="crater_detector", preset="quick", config={"window_px": 1024, "overlap_px": 192},
            normalisation={"kind": "window"}, classes=["background", "crater"], threshold=0.5,
            threshold_source="validation", calibration=[1.0, 0.0], min_diameter_m=5000.0,
            metrics={"validation": side, "test": side}, dataset_sha256="0" * 64, code_version="0.1.0",
            seed=1, initial_weights="scratch", steps=1000, device="cpu float32",
            created_at="2026-01-01T00:00:00+00:00",
        )  # fmt: skip

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Inverse of to_json; InvalidInput names what is missing or unknown."""
        known = {f.name for f in fields(cls)}
        wrong = sorted((known - {"notes"} - value.keys()) | (value.keys() - known))
        if wrong:
            raise InvalidInput(
                f"The model card lacks or does not know {', '.join(wrong)}; "
                "it was not written by this version of Tektite. Train again."
            )
        return cls(**value)

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict with the attributes as keys."""
        return asdict(self)


def write_artifact(folder: Path, card: ModelCard, save_weights: Callable[[Path], None]) -> None:
    """Write an artifact so that it is either whole or absent, and on the disk.

    Args:
        folder: Where it will stand; replaced when it is there already.
        card: Its card.
        save_weights: Called with the path to write the weights to.
    """
    half_done = folder.with_name(folder.name + ".half-done")
    shutil.rmtree(half_done, ignore_errors=True)
    half_done.mkdir(parents=True)
    save_weights(half_done / WEIGHTS_FILE)
    durable.sync(half_done / WEIGHTS_FILE)
    text = json.dumps(card.to_json(), indent=1, sort_keys=True, allow_nan=False)
    durable.write(half_done / CARD_FILE, text.encode())
    shutil.rmtree(folder, ignore_errors=True)
    half_done.replace(folder)
    durable.sync(folder.parent)


def read_card(folder: Path) -> ModelCard:
    """The card of the artifact in folder.

    Raises:
        InvalidInput: There is no whole artifact, or its card is of another version.
    """
    if not ((folder / CARD_FILE).is_file() and (folder / WEIGHTS_FILE).is_file()):
        raise InvalidInput(
            f"{folder.name} is no model: it needs {CARD_FILE} and {WEIGHTS_FILE}. "
            "Give the artifact folder of a finished training."
        )
    try:
        value = json.loads((folder / CARD_FILE).read_text())
    except ValueError:
        raise InvalidInput(f"{CARD_FILE} of {folder.name} is not JSON; train again.") from None
    return ModelCard.from_json(value)
