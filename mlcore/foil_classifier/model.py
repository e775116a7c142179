"""The foil classifier's network: convolutions, one maximum over the whole image, dense layers."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mlcore.errors import InvalidInput
from mlcore.foil_classifier.config import NORM_EPSILON, NORM_MOMENTUM, Config, other_layout

# The first so many dense layers are followed by dropout.
DROPPED_LAYERS = 2


class BatchNorm(nn.Module):
    """Brings each map to mean 0 and deviation 1, then adds a trained bias (Ioffe & Szegedy 2015).

    torch's own has a trained scale, too, or neither of the two.

    Args:
        channels: How many maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """By the batch's own mean and deviation in training, by their running means in scoring.

        Args:
            maps: (n, C, H, W).
        """
        mean, variance = self.get_buffer("mean"), self.get_buffer("variance")
        return nn.functional.batch_norm(
            maps, mean, variance, None, self.bias, self.training, NORM_MOMENTUM, NORM_EPSILON
        )

    def initialise(self) -> None:
        """As if nothing had been seen."""
        nn.init.zeros_(self.bias)
        nn.init.zeros_(self.get_buffer("mean"))
        nn.init.ones_(self.get_buffer("variance"))


class FoilClassifier(nn.Module):
    """Says of grey images of any size how surely they show a crater.

    The published network (seeds/stardust-foils.txt) has 8 convolutions, 7 dense layers and 216,465 weights;
    its layer list is unpublished, and the default one of Config is one of many that fit these numbers.

    Args:
        config: channels, first_kernel_px, first_stride, pool_after, dense, batch_norm, dropout.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        width = 1
        for number, channels in enumerate(config.channels):
            kernel, stride = (config.first_kernel_px, config.first_stride) if number == 0 else (3, 1)
            layers.append(nn.Conv2d(width, channels, kernel, stride, kernel // 2, bias=not config.batch_norm))
            layers += [BatchNorm(channels), nn.ReLU()] if config.batch_norm else [nn.ReLU()]
            if number in config.pool_after:
                layers.append(nn.MaxPool2d(2))
            width = channels
        self.features = nn.Sequential(*layers)
        layers = []
        for number, wide in enumerate(config.dense):
            layers.append(nn.Linear(width, wide))
            if number < len(config.dense) - 1:
                layers.append(nn.ReLU())
                if number < DROPPED_LAYERS:
                    layers.append(nn.Dropout(config.dropout))
            width = wide
        self.head = nn.Sequential(*layers)
        self.initialise()

    def initialise(self) -> None:
        """Draw new weights from torch's generator (He et al. 2015); biases are 0."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, BatchNorm):
                module.initialise()

    def forward(self, images: Tensor) -> Tensor:
        """The logit of a crater being in each image.

        Args:
            images: (n, 1, H, W), normalised; any H and W.

        Returns:
            (n,).
        """
        return self.head(self.features(images).amax((2, 3)))[:, 0]


def is_dead(model: FoilClassifier, images: Tensor) -> bool:
    """Whether the network says exactly the same of all images, so that no gradient reaches its kernels.

    One of the narrow dense layers is 0 for whatever comes. At a rate of 2e-3 two trainings of twenty began
    so, at 1e-3 none.

    Args:
        model: The network.
        images: (n, 1, H, W), two or more.
    """
    was_training = model.training
    model.eval()
    # In fewer bits different logits may round to the same.
    with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
        logits = model(images)
    model.train(was_training)
    return bool((logits - logits[0]).abs().max() <= 1e-6 * logits[0].abs().clamp(min=1.0))


def parameter_count(model: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def save_weights(model: FoilClassifier, path: Path) -> None:
    """Write the weights as safetensors; their layout stands in the file."""
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, path, {"layout": json.dumps(model.config.layout())})


def load_weights(model: FoilClassifier, path: Path) -> None:
    """Read the weights.

    Raises:
        InvalidInput: The file is none of this system's, or of another layout: the sentence names both.
    """
    try:
        with safe_open(path, "pt") as file:
            said = (file.metadata() or {}).get("layout")
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InvalidInput(f"{path.name} cannot be read as weights ({error}); train again.") from None
    layout = model.config.layout()
    if said is None:
        raise InvalidInput(
            f"{path.name} does not hold weights of a foil classifier; continue from one of its versions."
        )
    if json.loads(said) != layout:
        raise InvalidInput(other_layout(json.loads(said), layout), code="other_layout")
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise InvalidInput(
            f"{path.name} does not hold what its layout says ({str(error).splitlines()[0]}); train again."
        ) from None
