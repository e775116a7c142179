"""Artifacts of networks that nobody trained: seeded weights behind a card."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mlcore.artifact import ModelCard, write_artifact
from mlcore.foil_classifier.config import Config, make_config
from mlcore.foil_classifier.engines import fixed_images
from mlcore.foil_classifier.model import BatchNorm, FoilClassifier, save_weights
from mlcore.formats.pictures import Grey

# Narrow, so that tests are quick; the first convolution as in the default layout.
SMALL = make_config("quick", {"channels": [8, 8, 12], "pool_after": [1], "dense": [16, 1]})


def grey_noise(seed: int, size: tuple[int, int] = (40, 48)) -> Grey:
    random = np.random.default_rng(seed)
    return random.normal(120.0, 25.0, size).clip(0, 255).astype(np.uint8)


def write_network(
    folder: Path,
    *,
    seed: int = 1,
    config: Config = SMALL,
    threshold: float = 0.5,
    calibration: tuple[float, float] = (1.0, 0.0),
    fixed: int = 8,
) -> tuple[Path, ModelCard]:
    """An artifact in folder/artifact, with so many fixed images beside it, and its card."""
    torch.manual_seed(seed)
    model = FoilClassifier(config)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            # Biases of all signs, as after a training.
            torch.nn.init.normal_(parameter, std=0.1)
    for module in model.modules():
        if isinstance(module, BatchNorm):
            torch.nn.init.normal_(module.get_buffer("mean"), std=0.1)
            torch.nn.init.uniform_(module.get_buffer("variance"), 0.5, 2.0)
    card = replace(
        ModelCard.example(),
        system="foil_classifier",
        config=config.to_json(),
        classes=["blank", "crater"],
        threshold=threshold,
        calibration=list(calibration),
        min_diameter_m=0.0,
    )
    write_artifact(folder / "artifact", card, lambda path: save_weights(model, path))
    if fixed:
        fixed_images.keep(folder / "artifact", [grey_noise(1000 + n) for n in range(fixed)])
    return folder / "artifact", card
