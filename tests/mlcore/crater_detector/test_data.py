from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlcore.crater_detector.config import PRESETS, make_config
from mlcore.crater_detector.data import TrainingCrops, channels, training_view
from mlcore.dataset import Dataset
from mlcore.errors import InvalidInput
from mlcore.split import TRAIN, VALIDATION

QUICK = PRESETS["quick"]


def test_it_works(dataset: Path):
    images, targets = TrainingCrops(list(Dataset(dataset)), QUICK).batch(np.random.default_rng(0))
    assert images.shape == (4, 3, 192, 192) and images.dtype == np.float32
    assert np.isfinite(images).all() and np.abs(images).max() <= 4
    assert len(targets) == 4 and sum(len(t.boxes) for t in targets) > 0


def test_the_same_generator_draws_the_same_batch(dataset: Path):
    crops = TrainingCrops(list(Dataset(dataset)), QUICK)
    first, second = (crops.batch(np.random.default_rng(7))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_training_never_sees_a_held_out_pixel(dataset: Path):
    """Whatever lies on the other sides, at any level, batches are the same to the bit."""
    samples = list(Dataset(dataset))
    poisoned = [
        replace(s, elevation_m=np.where(s.side == TRAIN, s.elevation_m, 1e6).astype(np.float32))
        for s in samples
    ]
    assert any((s.side == VALIDATION).any() for s in samples)
    clean, dirty = (
        TrainingCrops(given, QUICK).batch(np.random.default_rng(3))[0] for given in (samples, poisoned)
    )
    np.testing.assert_array_equal(clean, dirty)


def test_craters_that_meet_hidden_ground_are_not_taught(dataset: Path):
    for sample in Dataset(dataset):
        seen = training_view(sample)
        assert np.isnan(seen.elevation_m[sample.side != TRAIN]).all()


def test_boxes_follow_the_turned_ground(dataset: Path):
    """In every crop the ground inside a truth's box is lower in the middle than at its rim."""
    crops, random = TrainingCrops(list(Dataset(dataset)), QUICK), np.random.default_rng(5)
    slopes_in, slopes_rim = [], []
    for _ in range(6):
        images, targets = crops.batch(random)
        for image, target in zip(images, targets, strict=True):
            y, x = np.mgrid[:192, :192] + 0.5
            for x0, y0, x1, y1 in target.boxes:
                r = np.hypot(x - (x0 + x1) / 2, y - (y0 + y1) / 2) / ((x1 - x0) / 2)
                slopes_in.append(image[1][r < 0.25].mean())
                slopes_rim.append(image[1][(r > 0.6) & (r < 0.95)].mean())
    assert np.mean(slopes_rim) > np.mean(slopes_in) + 0.3


def test_heights_in_other_units_look_the_same():
    relief = np.random.default_rng(0).normal(size=(64, 64)).cumsum(1).astype(np.float32)
    np.testing.assert_allclose(channels(relief, 10.0), channels(relief * 3, 10.0), atol=1e-2)


def test_unknown_ground_is_zero():
    relief = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    relief[:20] = np.nan
    assert (channels(relief, 1.0)[:, :19] == 0).all()
    assert (channels(np.full((32, 32), np.nan, np.float32), 1.0) == 0).all()


def test_no_craters_is_refused_before_anything_is_trained(dataset: Path):
    bare = [replace(sample, craters=[]) for sample in Dataset(dataset)]
    with pytest.raises(InvalidInput, match="no crater to learn from"):
        TrainingCrops(bare, QUICK)


def test_no_training_side_is_refused(dataset: Path):
    held_out = [replace(s, side=np.full_like(s.side, VALIDATION)) for s in Dataset(dataset)]
    with pytest.raises(InvalidInput, match="training side"):
        TrainingCrops(held_out, QUICK)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"epochs": 3}, "no setting 'epochs'"),
        ({"steps": 0}, "whole number from 1"),
        ({"steps": "many"}, "whole number"),
        ({"learning_rate": float("nan")}, "a number from 0"),
        ({"backbone": "vgg"}, "tiny, resnet101"),
        ({"anchors_px": []}, "numbers above 0"),
    ],
)
def test_wrong_settings_are_refused(overrides: dict[str, object], says: str):
    with pytest.raises(InvalidInput, match=says):
        make_config("quick", overrides)


def test_an_unknown_preset_is_refused():
    with pytest.raises(InvalidInput, match="quick, full, paper"):
        make_config("best", {})
