from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mlcore.errors import InvalidInput
from mlcore.foil_classifier.config import PRESETS, make_config
from mlcore.foil_classifier.losses import ease, losses, optimiser, rate
from mlcore.foil_classifier.model import (
    BatchNorm,
    FoilClassifier,
    load_weights,
    parameter_count,
    save_weights,
)


@pytest.mark.parametrize("preset", list(PRESETS))
def test_it_has_the_published_number_of_weights_and_layers(preset: str):
    model = FoilClassifier(PRESETS[preset])
    assert parameter_count(model) == 216_465
    kinds = [type(module) for module in model.modules()]
    assert (kinds.count(nn.Conv2d), kinds.count(nn.Linear)) == (8, 7)
    assert kinds.count(nn.Dropout) > 0


def test_maps_are_normalised_over_the_batch_in_training_and_by_running_means_afterwards():
    norm = BatchNorm(2)
    maps = torch.randn(4, 2, 8, 8) * torch.tensor([3.0, 0.5])[:, None, None] + 5.0
    for _ in range(300):
        trained = norm(maps)
    torch.testing.assert_close(trained.mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(trained.std((0, 2, 3)), torch.ones(2), atol=0.01, rtol=0.0)
    norm.eval()
    torch.testing.assert_close(norm(maps), trained, atol=0.05, rtol=0.0)
    # One image alone: its own mean stays in it.
    assert norm(maps[:1] + 3.0).mean() > 0.5


def test_a_network_that_begins_anew_has_seen_nothing():
    model, fresh = FoilClassifier(PRESETS["quick"]), BatchNorm(8)
    model(torch.randn(2, 1, 64, 64))
    model.initialise()
    norm = next(module for module in model.modules() if isinstance(module, BatchNorm))
    torch.testing.assert_close(norm.state_dict(), fresh.state_dict())


@given(st.integers(32, 90), st.integers(32, 90), st.integers(1, 3))
@settings(max_examples=10, deadline=None)
def test_it_takes_images_of_any_size(height: int, width: int, n: int):
    model = FoilClassifier(PRESETS["quick"]).eval()
    with torch.no_grad():
        logits = model(torch.randn(n, 1, height, width))
    assert logits.shape == (n,)
    assert torch.isfinite(logits).all()


def test_weights_come_back(tmp_path: Path):
    one, other = (FoilClassifier(PRESETS["quick"]).eval() for _ in range(2))
    images = torch.randn(2, 1, 64, 64)
    assert not torch.equal(one(images), other(images))
    save_weights(one, tmp_path / "w.safetensors")
    load_weights(other, tmp_path / "w.safetensors")
    assert torch.equal(one(images), other(images))


def test_weights_of_another_layout_are_refused_with_both_layouts_named(tmp_path: Path):
    save_weights(FoilClassifier(make_config("quick", {"first_kernel_px": 5})), tmp_path / "w.safetensors")
    with pytest.raises(InvalidInput, match=r"first kernel 5 px.*first kernel 7 px.*start from scratch"):
        load_weights(FoilClassifier(PRESETS["quick"]), tmp_path / "w.safetensors")


def test_what_is_no_file_of_weights_is_refused(tmp_path: Path):
    (tmp_path / "w.safetensors").write_bytes(b"nothing")
    with pytest.raises(InvalidInput, match="cannot be read as weights"):
        load_weights(FoilClassifier(PRESETS["quick"]), tmp_path / "w.safetensors")


def test_weight_decay_is_the_gradient_of_keras_l2():
    """One step of NAdam on the loss with λ Σ w² added is one with the decay, of kernels and not biases."""
    config = make_config("quick", {"l2": 0.01, "dropout": 0.0})
    images, labels = torch.randn(4, 1, 48, 48), torch.tensor([0.0, 1.0, 0.0, 1.0])
    torch.manual_seed(1)
    ours = FoilClassifier(config)
    theirs = FoilClassifier(config)
    theirs.load_state_dict(ours.state_dict())

    steps = optimiser(ours)
    losses(ours, images, labels)["cross-entropy"].backward()
    steps.step()

    keras = torch.optim.NAdam(theirs.parameters(), weight_decay=0.0)
    kernels = [p for name, p in theirs.named_parameters() if name.endswith("weight")]
    penalty = torch.stack([0.01 * kernel.square().sum() for kernel in kernels]).sum()
    (losses(theirs, images, labels)["cross-entropy"] + penalty).backward()
    keras.step()
    for (name, one), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5, msg=name)


def test_the_rate_warms_up_and_falls_in_each_step_by_itself():
    config = make_config("quick", {"steps_1": 100, "steps_2": 50, "rate_1": 1.0, "rate_2": 0.1})
    rates = [rate(config, step) for step in range(150)]
    assert max(rates[:100]) == 1.0 == rates[9]
    assert max(rates[100:]) == 0.1 == rates[104]
    assert rates[99] < 0.02
    assert rates[149] < 0.002


def test_sizes_come_down_over_the_first_part_of_the_first_step():
    config = make_config("quick", {"steps_1": 100, "easy_share": 0.5})
    assert [ease(config, step) for step in (0, 25, 50, 99, 120)] == [1.0, 0.5, 0.0, 0.0, 0.0]
    assert ease(make_config("paper", {}), 0) == 0.0
