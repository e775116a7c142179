from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.foil_classifier import evaluation
from mlcore.foil_classifier.config import PRESETS
from mlcore.foil_classifier.dataset import FoilDataset
from mlcore.foil_classifier.evaluation import Scored, choose_threshold, curve, fit_calibration, metrics
from mlcore.foil_classifier.model import FoilClassifier
from mlcore.foil_classifier.normalise import normalise
from mlcore.foil_classifier.probability import probability
from mlcore.metrics.intervals import clopper_pearson

NONE = np.empty(0)
logit_lists = st.lists(st.floats(-12, 12), min_size=20, max_size=60).map(np.array)


def scored(blank: np.ndarray, pasted: np.ndarray) -> Scored:
    return Scored(blank, pasted, NONE, NONE, NONE)


@given(logit_lists, logit_lists, st.floats(0.5, 1.0))
@settings(deadline=None)
def test_the_threshold_is_the_highest_that_keeps_what_is_wanted(
    blank: np.ndarray, pasted: np.ndarray, wanted: float
):
    threshold = choose_threshold(scored(blank, pasted), wanted)
    assert threshold is not None
    assert 0 < threshold < 1
    found = probability(pasted, evaluation.AS_IT_IS)
    assert (found >= threshold).mean() >= wanted
    higher = found[found > threshold + 1e-5]
    if len(higher):
        assert (found >= higher.min() + 1e-9).mean() < wanted or higher.min() - threshold < 1e-5


def test_too_few_images_choose_no_threshold_and_calibrate_nothing():
    few = scored(np.zeros(19), np.ones(200))
    assert choose_threshold(few, 0.98) is None
    assert fit_calibration(few) == (1.0, 0.0)


def test_calibrated_probabilities_are_shares():
    random = np.random.default_rng(1)
    blank, pasted = random.normal(-1, 2, 4000), random.normal(3, 2, 4000)
    slope, intercept = fit_calibration(scored(blank, pasted))
    found = scored(blank, pasted).calibrated(slope, intercept)
    p = probability(np.concatenate([found.blank, found.pasted]), evaluation.AS_IT_IS)
    has_crater = np.arange(8000) >= 4000
    for low in np.arange(0.1, 0.9, 0.2):
        inside = (p >= low) & (p < low + 0.2)
        assert has_crater[inside].mean() == pytest.approx(p[inside].mean(), abs=0.06)


def test_a_network_that_is_wrong_way_round_is_not_turned():
    slope, _ = fit_calibration(scored(np.linspace(1, 3, 40), np.linspace(-3, -1, 40)))
    assert slope == 1.0


def test_the_card_counts_and_gives_intervals():
    blank, pasted = np.array([-3.0] * 48 + [2.0] * 2), np.array([3.0] * 45 + [-2.0] * 5)
    found = metrics(Scored(blank, pasted, np.array([1.0, -1.0, 1.0]), np.array([-1.0, 1.0]), blank), 0.5)
    assert found is not None
    assert (found["sensitivity"], found["specificity"]) == (0.9, 0.96)
    assert found["sensitivity_interval"] == list(clopper_pearson(45, 50))
    assert found["specificity_interval"] == list(clopper_pearson(48, 50))
    assert (found["n_found"], found["n_craters"], found["n_removed"], found["n_blanks"]) == (45, 50, 48, 50)
    assert (found["confirmed"]["n_right"], found["confirmed"]["n"]) == (2, 3)
    assert found["look_alikes"]["specificity"] == 0.5
    assert (found["control"]["n_right"], found["control"]["n"]) == (48, 50)


def test_nothing_to_measure_is_told_as_nothing():
    assert metrics(Scored(NONE, NONE, NONE, NONE, NONE), 0.5) is None
    only = metrics(Scored(np.zeros(3), NONE, NONE, NONE, NONE), 0.7)
    assert only is not None
    assert (only["sensitivity"], only["specificity"], only["auc"]) == (None, 1.0, None)
    assert only["confirmed"]["sensitivity"] is None


@given(logit_lists, logit_lists)
@settings(deadline=None, max_examples=30)
def test_along_the_curve_more_is_removed_and_more_is_lost(blank: np.ndarray, pasted: np.ndarray):
    points = curve(scored(blank, pasted))
    for name in ("threshold", "n_lost", "n_removed"):
        values = [point[name] for point in points]
        assert values == sorted(values)
    assert points[0]["threshold"] < 0.001 < 0.999 < points[-1]["threshold"]
    at = points[46]
    assert at["threshold"] == 0.5
    assert at["n_lost"] == int((pasted < evaluation.CURVE_LOGITS[46]).sum())


@given(logit_lists, logit_lists)
@settings(deadline=None, max_examples=30)
def test_auc_is_the_share_of_pairs_in_order(blank: np.ndarray, pasted: np.ndarray):
    blank, pasted = np.round(blank), np.round(pasted)
    pairs = pasted[:, None] - blank[None, :]
    expected = (pairs > 0).mean() + (pairs == 0).mean() / 2
    found = metrics(scored(blank, pasted), 0.5)
    assert found is not None
    assert found["auc"] == pytest.approx(expected)


def test_pictures_of_many_sizes_are_scored_in_their_order():
    model = FoilClassifier(PRESETS["quick"])
    random = np.random.default_rng(1)
    shapes = [(40, 50), (64, 48), (40, 50), (40, 50), (64, 48)]
    pictures = [random.integers(0, 255, shape).astype(np.uint8) for shape in shapes]
    found = evaluation.logits(model, iter(pictures))
    model.eval()
    with torch.no_grad():
        alone = [float(model(torch.from_numpy(normalise(p))[None, None])) for p in pictures]
    np.testing.assert_allclose(found, alone, atol=1e-4)
    assert model.eval()
    assert len(evaluation.logits(model, iter([]))) == 0


def test_a_sides_pasted_craters_are_the_same_every_time_and_on_its_own_blanks(foil_dataset: Path):
    dataset = FoilDataset(foil_dataset)
    first, second = (list(evaluation.pasted_pictures(dataset, "validation", 8)) for _ in range(2))
    assert len(first) == 8
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    blanks = [dataset.pixels(entry) for entry in dataset.of("blank", "validation")]
    for one in first:
        assert max((one == blank).mean() for blank in blanks) > 0.5
        assert not any((one == blank).all() for blank in blanks)


def test_the_control_is_foil_pasted_in_the_same_places_as_the_craters(foil_dataset: Path):
    dataset = FoilDataset(foil_dataset)
    craters = list(evaluation.pasted_pictures(dataset, "test", 20))
    control = list(evaluation.control_pictures(dataset, "test", 20))
    blanks = [dataset.pixels(entry) for entry in sorted(dataset.of("blank", "test"), key=lambda e: e.pixels)]
    assert len(control) == len(craters) == 20
    contrasts = []
    for blank, crater, foil in zip(blanks, craters, control, strict=True):
        np.testing.assert_array_equal(foil != blank, (foil != blank) & _near(crater != blank))
        contrasts.append([float(np.abs(one.astype(float) - blank).mean()) for one in (crater, foil)])
    crater, foil = np.mean(contrasts, axis=0)
    assert 0 < foil < crater


def _near(changed: np.ndarray) -> np.ndarray:
    """Within the box of what changed."""
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    box = np.zeros_like(changed)
    box[max(0, rows[0] - 2) : rows[-1] + 3, max(0, columns[0] - 2) : columns[-1] + 3] = True
    return box
