"""R-FCN (Dai et al. 2016): proposals from one feature map, judged by position-sensitive score maps.

Assembled from torchvision's operators; `tiny` for a CPU, `resnet101` for the paper's settings (SCIENCE §1).
Boxes are (n, 4) x0, y0, x1, y1 in pixels of the input.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_model, save_model
from torch import Tensor, nn
from torchvision.models import resnet101
from torchvision.ops import batched_nms, ps_roi_align

from mlcore.crater_detector.config import Config
from mlcore.errors import InvalidInput

# Proposals and detections never grow beyond this from their anchor or proposal, in logarithm.
MAX_LOG_SCALE = math.log(1000 / 16)
# Offsets of a region's box are learned in these units (Girshick 2015).
REGION_UNITS = (10.0, 10.0, 5.0, 5.0)


def _block(inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    """Two 3×3 convolutions beside the identity."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.first = _block(width, width, dilation=dilation)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, dilation, dilation, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


def tiny_backbone() -> tuple[nn.Module, int, int]:
    """A small body, its output width and its stride."""
    body = nn.Sequential(
        _block(3, 16, stride=2),
        _block(16, 32, stride=2),
        _Residual(32, 1),
        _block(32, 64, stride=2),
        _Residual(64, 1),
        _Residual(64, 2),
        _block(64, 96, dilation=2),
        _Residual(96, 4),
    )
    return body, 96, 8


def resnet101_backbone() -> tuple[nn.Module, int, int]:
    """ResNet-101 with conv5 dilated instead of strided, reduced to 1,024 channels as in the R-FCN paper."""
    net = resnet101(weights=None, replace_stride_with_dilation=[False, False, True])
    body = nn.Sequential(
        net.conv1, net.bn1, net.relu, net.maxpool, net.layer1, net.layer2, net.layer3, net.layer4,
        nn.Conv2d(2048, 1024, 1), nn.ReLU(inplace=True),
    )  # fmt: skip
    return body, 1024, 16


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    """(n, 4) offsets that turn anchors into boxes."""
    size = anchors[:, 2:] - anchors[:, :2]
    box_size = boxes[:, 2:] - boxes[:, :2]
    shift = (boxes[:, :2] + box_size / 2 - anchors[:, :2] - size / 2) / size
    return torch.cat([shift, torch.log(box_size / size)], 1)


def decode(offsets: Tensor, anchors: Tensor) -> Tensor:
    """Inverse of encode."""
    size = anchors[:, 2:] - anchors[:, :2]
    centre = anchors[:, :2] + size / 2 + offsets[:, :2] * size
    half = size * torch.exp(offsets[:, 2:].clamp(-MAX_LOG_SCALE, MAX_LOG_SCALE)) / 2
    return torch.cat([centre - half, centre + half], 1)


@dataclass
class Proposals:
    """What the first stage says.

    Attributes:
        objectness: (B, A) logits.
        offsets: (B, A, 4).
        anchors: (A, 4).
        boxes: Per image (n, 4), without gradient, best first.
    """

    objectness: Tensor
    offsets: Tensor
    anchors: Tensor
    boxes: list[Tensor]


class CraterDetector(nn.Module):
    """The whole network.

    Args:
        config: backbone, anchors, heads and limits.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        build = {"tiny": tiny_backbone, "resnet101": resnet101_backbone}[config.backbone]
        self.body, width, self.stride = build()
        shapes = [
            (edge / math.sqrt(ratio), edge * math.sqrt(ratio))
            for edge in config.anchors_px
            for ratio in config.anchor_ratios
        ]
        self.register_buffer("anchor_shapes", torch.tensor(shapes), persistent=False)
        self.rpn = nn.Sequential(nn.Conv2d(width, config.rpn_channels, 3, padding=1), nn.ReLU(inplace=True))
        self.rpn_objectness = nn.Conv2d(config.rpn_channels, len(shapes), 1)
        self.rpn_offsets = nn.Conv2d(config.rpn_channels, 4 * len(shapes), 1)
        bins = config.head_bins**2
        self.class_maps = nn.Conv2d(width, 2 * bins, 1)
        self.box_maps = nn.Conv2d(width, 4 * bins, 1)
        for layer in (self.rpn_objectness, self.rpn_offsets, self.class_maps, self.box_maps):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) channels → (B, C, H/stride, W/stride)."""
        return self.body(images)

    def _anchors(self, height: int, width: int) -> Tensor:
        """(A, 4) boxes in the order of the proposal head's flattened maps (h, w, shape)."""
        shapes: Tensor = self.anchor_shapes  # type: ignore[assignment]
        y, x = torch.meshgrid(
            (torch.arange(height, device=shapes.device) + 0.5) * self.stride,
            (torch.arange(width, device=shapes.device) + 0.5) * self.stride,
            indexing="ij",
        )
        centre = torch.stack([x, y], -1).view(-1, 1, 2)
        return torch.cat([centre - shapes / 2, centre + shapes / 2], -1).view(-1, 4)

    def propose(self, features: Tensor, image_size: tuple[int, int], area: float = 1.0) -> Proposals:
        """The first stage.

        Args:
            features: (B, C, h, w).
            image_size: (H, W) of the input.
            area: Of the input ÷ that of a training crop: as many times more proposals are kept.
        """
        hidden = self.rpn(features)
        objectness = self.rpn_objectness(hidden).permute(0, 2, 3, 1).flatten(1).float()
        offsets = self.rpn_offsets(hidden).permute(0, 2, 3, 1).reshape(len(features), -1, 4).float()
        anchors = self._anchors(*features.shape[-2:])
        boxes = [
            self._best(objectness[i].detach(), offsets[i].detach(), anchors, image_size, area)
            for i in range(len(features))
        ]
        return Proposals(objectness, offsets, anchors, boxes)

    def _best(
        self, objectness: Tensor, offsets: Tensor, anchors: Tensor, image_size: tuple[int, int], area: float
    ) -> Tensor:
        """(n, 4) proposals of one image after NMS, best first."""
        config = self.config
        top = objectness.topk(min(int(config.proposals_before_nms * area), len(objectness))).indices
        height, width = image_size
        boxes = decode(offsets[top], anchors[top])
        boxes = torch.stack([boxes[:, 0::2].clamp(0, width), boxes[:, 1::2].clamp(0, height)], 2).flatten(1)
        large = ((boxes[:, 2:] - boxes[:, :2]) >= self.stride).all(1)
        boxes, scores = boxes[large], objectness[top][large]
        return boxes[_nms(boxes, scores, config.rpn_nms_iou)[: int(config.proposals * area)]]

    def judge(self, features: Tensor, boxes: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The second stage: (n, 2) class logits and (n, 4) offsets for all boxes of all images in order."""
        # The pooling knows no bf16 on a CPU.
        bins, scale = self.config.head_bins, 1 / self.stride
        exact = [box.float() for box in boxes]
        pooled = [
            ps_roi_align(maps(features).float(), exact, (bins, bins), scale, 2).mean((2, 3))
            for maps in (self.class_maps, self.box_maps)
        ]
        return pooled[0], pooled[1]

    def refine(self, offsets: Tensor, boxes: Tensor) -> Tensor:
        """(n, 4) boxes after the second stage's correction."""
        return decode(offsets / offsets.new_tensor(REGION_UNITS), boxes)

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Find craters.

        Args:
            images: (B, 3, H, W) channels.

        Returns:
            For each image (n, 4) boxes and (n,) scores 0–1 of at least floor_score, after NMS, best first.
        """
        size = (images.shape[-2], images.shape[-1])
        features = self.features(images)
        area = max(1.0, size[0] * size[1] / self.config.crop_px**2)
        found = self.propose(features, size, area).boxes
        logits, offsets = self.judge(features, found)
        results, start = [], 0
        for boxes in found:
            part = slice(start, start + len(boxes))
            start += len(boxes)
            scores = logits[part].softmax(1)[:, 1]
            refined = self.refine(offsets[part], boxes)
            strong = scores >= self.config.floor_score
            refined, scores = refined[strong], scores[strong]
            keep = _nms(refined, scores, self.config.nms_iou)
            results.append((refined[keep], scores[keep]))
        return results


def _nms(boxes: Tensor, scores: Tensor, iou: float) -> Tensor:
    return batched_nms(boxes, scores, torch.zeros(len(boxes), dtype=torch.int64, device=boxes.device), iou)


def save_weights(model: CraterDetector, path: Path) -> None:
    """Write the weights as safetensors."""
    save_model(model, str(path))


def load_weights(model: CraterDetector, path: Path) -> None:
    """Read the weights; InvalidInput where they are of another network."""
    try:
        load_model(model, path, strict=True)
    except (RuntimeError, OSError) as error:
        raise InvalidInput(
            f"{path.name} does not hold weights of this network ({str(error).splitlines()[0]}); "
            "train with the settings of the model that it continues."
        ) from None
