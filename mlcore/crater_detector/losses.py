"""What the two stages are told: which boxes are right, wrong or neither, and how much each counts."""

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import box_iou

from mlcore.crater_detector.config import Config
from mlcore.crater_detector.data import Targets
from mlcore.crater_detector.model import REGION_UNITS, CraterDetector, Proposals, encode

# A region is a crater from this IoU with one, a rejected proposal from REJECTED_IOU with one.
REGION_IOU = 0.5
REJECTED_IOU = 0.4
# Whoever overlaps an ignored crater this much is neither right nor wrong.
IGNORED_IOU = 0.3
# Regions are also drawn around the truth and around what people rejected, shaken by this share of the size.
SHAKE, COPIES = 0.12, 4


class Truth:
    """One crop's targets as tensors.

    Args:
        targets: From TrainingCrops.
        device: Where the network is.
    """

    def __init__(self, targets: Targets, device: torch.device) -> None:
        self.boxes, self.weights, self.negatives, self.ignored = (
            torch.as_tensor(array, dtype=torch.float32, device=device)
            for array in (targets.boxes, targets.weights, targets.negatives, targets.ignored)
        )
        self.min_diameter_px = targets.min_diameter_px

    def label(
        self, boxes: Tensor, positive: float, negative: float, negative_weight: float, *, best_of_each: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Judge boxes (n, 4).

        Args:
            boxes: Anchors or regions.
            positive: IoU with a crater from which a box is right.
            negative: IoU below which it is wrong.
            negative_weight: What a rejected proposal counts.
            best_of_each: Whether each crater's best box is right whatever its IoU.

        Returns:
            (n,) label 1 right, 0 wrong, −1 neither; (n,) the crater each is nearest to; (n,) weight.
        """
        n = len(boxes)
        label = boxes.new_zeros(n)
        index = torch.zeros(n, dtype=torch.long, device=boxes.device)
        weight = boxes.new_ones(n)
        # Where craters may lie unlabelled, finding one is no mistake.
        label[(boxes[:, 2:] - boxes[:, :2]).mean(1) < self.min_diameter_px] = -1
        if len(self.ignored):
            label[box_iou(boxes, self.ignored).amax(1) >= IGNORED_IOU] = -1
        if len(self.negatives):
            rejected = box_iou(boxes, self.negatives).amax(1) >= REJECTED_IOU
            label[rejected], weight[rejected] = 0, negative_weight
        if len(self.boxes):
            iou = box_iou(boxes, self.boxes)
            overlap, index = iou.max(1)
            label[(overlap >= negative) & (overlap < positive)] = -1
            right = overlap >= positive
            if best_of_each:
                right |= ((iou == iou.amax(0)) & (iou > negative)).any(1)
            label[right] = 1
            weight[right] = self.weights[index[right]]
        return label, index, weight


def _draw(label: Tensor, weight: Tensor, count: int, positive_share: float) -> Tensor:
    """Indices of at most count boxes, at most this share right, rejected proposals first among the wrong."""
    noise = torch.rand(len(label), device=label.device)
    right = torch.where(label == 1, noise + 1, noise * 0).argsort(descending=True)
    right = right[: min(int((label == 1).sum()), int(count * positive_share))]
    urgency = torch.where(label == 0, noise + weight, noise * 0 - 1)
    wrong = urgency.argsort(descending=True)[: min(int((label == 0).sum()), count - len(right))]
    return torch.cat([right, wrong])


def proposal_loss(proposals: Proposals, truths: list[Truth], config: Config) -> tuple[Tensor, Tensor]:
    """Objectness and offset loss of the first stage, each a scalar."""
    objectness, offsets = [], []
    for i, truth in enumerate(truths):
        label, index, weight = truth.label(
            proposals.anchors,
            config.rpn_positive_iou,
            config.rpn_negative_iou,
            config.negative_weight,
            best_of_each=True,
        )
        drawn = _draw(label, weight, config.rpn_batch, 0.5)
        loss = functional.binary_cross_entropy_with_logits(
            proposals.objectness[i, drawn], label[drawn], weight[drawn], reduction="sum"
        )
        objectness.append(loss / config.rpn_batch)
        right = drawn[label[drawn] == 1]
        wanted = encode(truth.boxes[index[right]], proposals.anchors[right])
        loss = functional.smooth_l1_loss(proposals.offsets[i, right], wanted, beta=1 / 9, reduction="none")
        offsets.append((loss.sum(1) * weight[right]).sum() / config.rpn_batch)
    return torch.stack(objectness).mean(), torch.stack(offsets).mean()


def _shaken(boxes: Tensor) -> Tensor:
    """(COPIES·n, 4) boxes moved and resized a little."""
    boxes = boxes.repeat(COPIES, 1)
    size = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + torch.randn_like(boxes) * size * SHAKE


def region_loss(
    model: CraterDetector, features: Tensor, proposals: Proposals, truths: list[Truth], config: Config
) -> tuple[Tensor, Tensor]:
    """Class and offset loss of the second stage, each a scalar."""
    boxes, labels, wanted, weights = [], [], [], []
    for found, truth in zip(proposals.boxes, truths, strict=True):
        candidates = torch.cat([found, truth.boxes, _shaken(truth.boxes), _shaken(truth.negatives)])
        label, index, weight = truth.label(
            candidates, REGION_IOU, REGION_IOU, config.negative_weight, best_of_each=False
        )
        drawn = _draw(label, weight, config.roi_batch, config.roi_positive_share)
        boxes.append(candidates[drawn])
        labels.append(label[drawn].long())
        weights.append(weight[drawn])
        nearest = truth.boxes[index[drawn]] if len(truth.boxes) else candidates[drawn]
        wanted.append(encode(nearest, candidates[drawn]) * nearest.new_tensor(REGION_UNITS))
    logits, offsets = model.judge(features, boxes)
    label, weight = torch.cat(labels), torch.cat(weights)
    classes = functional.cross_entropy(logits, label, reduction="none")
    right = label == 1
    moved = functional.smooth_l1_loss(offsets[right], torch.cat(wanted)[right], reduction="none").sum(1)
    count = max(len(label), 1)
    return (classes * weight).sum() / count, (moved * weight[right]).sum() / count


def losses(model: CraterDetector, images: Tensor, targets: list[Targets]) -> dict[str, Tensor]:
    """All losses of a batch.

    Args:
        model: In training mode.
        images: (B, 3, H, W) channels.
        targets: One for each image.

    Returns:
        Scalars by name; their sum is to be minimised.
    """
    config = model.config
    truths = [Truth(target, images.device) for target in targets]
    features = model.features(images)
    proposals = model.propose(features, (images.shape[-2], images.shape[-1]))
    objectness, offsets = proposal_loss(proposals, truths, config)
    classes, moved = region_loss(model, features, proposals, truths, config)
    return {
        "proposal objectness": objectness,
        "proposal box": offsets,
        "region class": classes,
        "region box": moved,
    }
