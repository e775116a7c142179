"""Settings of the crater detector. Importing this loads no torch."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from mlcore.errors import InvalidInput


@dataclass(frozen=True)
class Config:
    """One complete set of settings.

    Attributes:
        backbone: "tiny" (0.5 M parameters, stride 8) or "resnet101" (stride 16, conv5 dilated).
        anchors_px: Edges of the anchors, squares unless anchor_ratios says otherwise.
        anchor_ratios: Height ÷ width of the anchors.
        crop_px: Edge of a training crop.
        batch_size: Crops per step.
        steps: Optimiser steps.
        learning_rate: Peak; with decay_at 0 it follows a cosine after a warm-up.
        decay_at: Share of the steps after which the rate falls to a tenth; 0: cosine.
        weight_decay: Of the optimiser.
        optimiser: "adamw" or "sgd" (momentum 0.9).
        rpn_channels: Width of the proposal head.
        rpn_positive_iou: Anchors from here are positive.
        rpn_negative_iou: Anchors below are negative.
        rpn_batch: Anchors per crop that enter the loss.
        rpn_nms_iou: Proposals that overlap more are one.
        proposals_before_nms: Best anchors of a crop or window taken before NMS.
        proposals: And after, for a window of crop_px; larger windows have as many more as their area.
        head_bins: k of the k × k position-sensitive maps.
        roi_batch: Regions per crop that enter the loss.
        roi_positive_share: Of these, at most this share positive.
        negative_weight: What a rejected proposal counts against ordinary background.
        nms_iou: Detections of one view that overlap more are one.
        min_px: Smallest crater sought at a level.
        max_px: Largest.
        window_px: Edge of a prediction window in level pixels.
        overlap_px: How much neighbouring windows share.
        views: Prediction looks this many times: as it is, turned by 180°, then 90° and 270°.
        floor_score: Weaker detections are not reported at all.
    """

    backbone: str = "tiny"
    anchors_px: tuple[float, ...] = (16.0, 23.0, 33.0, 47.0, 67.0, 90.0)
    anchor_ratios: tuple[float, ...] = (1.0,)
    crop_px: int = 192
    batch_size: int = 4
    steps: int = 700
    learning_rate: float = 2e-3
    decay_at: float = 0.0
    weight_decay: float = 1e-4
    optimiser: str = "adamw"
    rpn_channels: int = 96
    rpn_positive_iou: float = 0.6
    rpn_negative_iou: float = 0.3
    rpn_batch: int = 128
    rpn_nms_iou: float = 0.7
    proposals_before_nms: int = 600
    proposals: int = 100
    head_bins: int = 3
    roi_batch: int = 64
    roi_positive_share: float = 0.25
    negative_weight: float = 2.0
    nms_iou: float = 0.3
    min_px: float = 14.0
    max_px: float = 92.0
    window_px: int = 1024
    overlap_px: int = 160
    views: int = 2
    floor_score: float = 0.05

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict with the attributes as keys."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Config":
        """Inverse of to_json."""
        return make_config("quick", value)


# `quick` reaches a useful score in about two minutes on two cores; `full` is the same with patience. `paper`
# follows Yang et al. 2020: ResNet-101, k = 7, one image a step, SGD 1e-3 → 1e-4 at 80,000 of 100,000 steps.
PRESETS: dict[str, Config] = {
    "quick": Config(),
    "full": Config(steps=4000),
    "paper": Config(
        backbone="resnet101",
        anchors_px=(128.0, 256.0, 512.0),
        anchor_ratios=(0.5, 1.0, 2.0),
        crop_px=1000,
        batch_size=1,
        steps=100_000,
        learning_rate=1e-3,
        decay_at=0.8,
        weight_decay=5e-4,
        optimiser="sgd",
        rpn_channels=512,
        rpn_positive_iou=0.7,
        rpn_batch=256,
        proposals_before_nms=6000,
        proposals=300,
        head_bins=7,
        roi_batch=128,
        min_px=32.0,
        max_px=600.0,
        window_px=1000,
        overlap_px=500,
        views=1,
    ),
}


def make_config(preset: str, overrides: dict[str, Any]) -> Config:
    """A preset with some settings changed.

    Raises:
        InvalidInput: No such preset or setting, or a value of another type or out of its range.
    """
    if preset not in PRESETS:
        raise InvalidInput(f"There is no preset '{preset}'; the crater detector has {', '.join(PRESETS)}.")
    base = PRESETS[preset]
    names = {f.name for f in fields(Config)}
    values: dict[str, Any] = {}
    for name, value in overrides.items():
        if name not in names:
            raise InvalidInput(f"There is no setting '{name}'; the detector has {', '.join(sorted(names))}.")
        values[name] = _checked(name, value, getattr(base, name))
    return replace(base, **values)


def _checked(name: str, value: Any, like: Any) -> Any:
    """The value in the setting's type, above 0 (0 is allowed for decay_at and weights)."""
    if isinstance(like, tuple):
        numbers = value if isinstance(value, list | tuple) else ()
        if numbers and all(isinstance(v, int | float) and v > 0 for v in numbers):
            return tuple(float(v) for v in numbers)
        raise InvalidInput(f"{name} is a list of numbers above 0, not {value!r}.")
    if isinstance(like, str):
        choices = {"backbone": ("tiny", "resnet101"), "optimiser": ("adamw", "sgd")}[name]
        if value in choices:
            return value
        raise InvalidInput(f"{name} is one of {', '.join(choices)}, not {value!r}.")
    whole = isinstance(like, int)
    right_type = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    lowest = 1 if whole else 0
    if not right_type or not lowest <= value < 1e9:
        kind = "a whole number" if whole else "a number"
        raise InvalidInput(f"{name} is {kind} from {lowest} up, not {value!r}.")
    return value if whole else float(value)
