"""What the foil classifier's training makes small, with what, and how fast."""

import numpy as np
import torch
from torch import Tensor, nn

from mlcore.foil_classifier.config import Config
from mlcore.foil_classifier.model import FoilClassifier
from mlcore.training import learning_rate


def losses(model: FoilClassifier, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Binary cross-entropy of a batch.

    On a CPU in the precision of the settings: bfloat16 keeps eight bits of each number and takes half the
    time on processors that know it. Channels last, as the processors' kernels like it.

    Args:
        model: The network.
        images: (n, 1, H, W), normalised.
        labels: (n,), 1 with a crater and 0 without.
    """
    images = images.contiguous(memory_format=torch.channels_last)
    if images.device.type == "cpu" and model.config.precision == "bfloat16":
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(images)
    else:
        logits = model(images)
    return {"cross-entropy": nn.functional.binary_cross_entropy_with_logits(logits.float(), labels)}


def optimiser(model: FoilClassifier) -> torch.optim.Optimizer:
    """Nadam, with Keras's kernel_regularizer=l2(λ).

    Keras adds λ · Σ w² to the loss, of kernels and not of biases; its gradient is 2 λ w, and torch's NAdam
    adds weight_decay · w to the gradient before its moments: weight_decay = 2 λ is the same.
    """
    kernels = [p for p in model.parameters() if p.ndim > 1]
    biases = [p for p in model.parameters() if p.ndim == 1]
    groups = [
        {"params": kernels, "weight_decay": 2.0 * model.config.l2},
        {"params": biases, "weight_decay": 0.0},
    ]
    return torch.optim.NAdam(groups)


def rate(config: Config, step: int) -> float:
    """The learning rate of a step, counted through both: each warms up and falls by itself."""
    if step < config.steps_1:
        return learning_rate(step, config.steps_1, config.rate_1, 0.0)
    return learning_rate(step - config.steps_1, config.steps_2, config.rate_2, 0.0)


def ease(config: Config, step: int) -> float:
    """How much easier than at last the craters of a step are: 1 at first, 0 after easy_share of step one."""
    if not config.easy_share:
        return 0.0
    return float(np.clip(1.0 - step / max(1.0, config.easy_share * config.steps_1), 0.0, 1.0))
