from pathlib import Path

import numpy as np
import pytest
import torch

from mlcore.crater_detector.config import PRESETS, Config, make_config
from mlcore.crater_detector.data import Targets
from mlcore.crater_detector.losses import Truth, losses
from mlcore.crater_detector.model import CraterDetector, decode, encode, load_weights, save_weights
from mlcore.errors import InvalidInput

EMPTY = np.empty((0, 4), np.float32)


def targets(boxes: list[list[float]], **changes: object) -> Targets:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    given = {"boxes": array, "weights": np.ones(len(array), np.float32), "negatives": EMPTY, "ignored": EMPTY}
    return Targets(**{**given, "min_diameter_px": 0.0, **changes})  # type: ignore[arg-type]


def box(*corners: float) -> torch.Tensor:
    return torch.tensor([corners], dtype=torch.float32)


def test_it_works():
    torch.manual_seed(0)
    model = CraterDetector(PRESETS["quick"])
    assert sum(p.numel() for p in model.parameters()) < 1_000_000
    found = losses(model, torch.randn(2, 3, 192, 192), [targets([[40, 40, 80, 80]]), targets([])])
    total = torch.stack(list(found.values())).sum()
    total.backward()
    assert torch.isfinite(total)
    boxes, scores = model.eval().detect(torch.randn(1, 3, 160, 224))[0]
    assert boxes.shape[1] == 4 and len(boxes) == len(scores) and (scores >= 0.05).all()


@pytest.mark.slow
def test_the_paper_preset_takes_a_step():
    """R-FCN on ResNet-101 with its 9 anchors and 7 × 7 maps, on a small crop."""
    paper = PRESETS["paper"]
    assert (paper.head_bins, paper.learning_rate, paper.weight_decay, paper.steps) == (7, 1e-3, 5e-4, 100_000)
    torch.manual_seed(0)
    model = CraterDetector(make_config("paper", {"crop_px": 224}))
    assert model.stride == 16 and len(model.anchor_shapes) == 9
    model.train()
    optimiser = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9)
    found = losses(model, torch.randn(2, 3, 224, 224), [targets([[20, 20, 180, 180]])] * 2)
    torch.stack(list(found.values())).sum().backward()
    optimiser.step()
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_offsets_bring_anchors_to_boxes():
    anchors, boxes = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[3.0, 4, 25, 20]])
    torch.testing.assert_close(decode(encode(boxes, anchors), anchors), boxes)


def label(truth: Targets, boxes: torch.Tensor) -> tuple[float, float]:
    kind, _, weight = Truth(truth, torch.device("cpu")).label(boxes, 0.5, 0.5, 3.0, best_of_each=False)
    return kind[0].item(), weight[0].item()


def test_a_crater_counts_as_much_as_people_are_sure_of_it():
    doubtful = targets([[0, 0, 40, 40]], weights=np.array([0.3], np.float32))
    assert label(doubtful, box(1, 1, 40, 40)) == (1, pytest.approx(0.3))


def test_a_rejected_proposal_counts_more_than_bare_ground():
    rejected = targets([], negatives=np.array([[0, 0, 40, 40]], np.float32))
    assert label(rejected, box(1, 1, 40, 40)) == (0, 3)
    assert label(rejected, box(100, 100, 140, 140)) == (0, 1)


def test_ignored_craters_are_neither_right_nor_wrong():
    assert label(targets([], ignored=np.array([[0, 0, 40, 40]], np.float32)), box(1, 1, 40, 40))[0] == -1


def test_craters_too_small_to_have_been_labelled_are_no_mistake():
    assert label(targets([], min_diameter_px=30.0), box(0, 0, 20, 20))[0] == -1


def test_weights_survive_a_file(tmp_path: Path):
    torch.manual_seed(0)
    first, second = CraterDetector(PRESETS["quick"]).eval(), CraterDetector(PRESETS["quick"]).eval()
    save_weights(first, tmp_path / "w.safetensors")
    load_weights(second, tmp_path / "w.safetensors")
    image = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(first.features(image), second.features(image))


def test_weights_of_another_network_are_refused(tmp_path: Path):
    save_weights(CraterDetector(PRESETS["quick"]), tmp_path / "w.safetensors")
    other = CraterDetector(make_config("quick", {"rpn_channels": 32}))
    with pytest.raises(InvalidInput, match="does not hold weights of this network"):
        load_weights(other, tmp_path / "w.safetensors")


def test_settings_go_through_json():
    for config in PRESETS.values():
        assert Config.from_json(config.to_json()) == config
