from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mlcore.api import PredictJob, Window
from mlcore.crater_detector.config import PRESETS
from mlcore.crater_detector.evaluation import (
    Scored,
    choose_threshold,
    fit_calibration,
    metrics,
    score_sides,
)
from mlcore.crater_detector.model import CraterDetector
from mlcore.crater_detector.predict import Searcher, calibrate, logit, uncertainty_of, whole
from mlcore.dataset import Dataset

GRID = PredictJob.example().grid
QUICK = PRESETS["quick"]


class Fixed(CraterDetector):
    """Sees one crater at a fixed place of the ground: a bright pixel's position is its centre."""

    def detect(self, images: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        slope = images[0, 1]
        y, x = divmod(int(slope.argmax()), slope.shape[1])
        middle = torch.tensor([x, y, x, y]) + 0.5
        return [((middle + torch.tensor([-10, -10, 10, 10]))[None], torch.tensor([0.8]))]


def test_it_works_every_view_sees_the_same_place():
    elevation = np.zeros((120, 200), np.float32)
    elevation[30:33, 150:153] = 50
    for views in (1, 2, 4):
        model = Fixed(QUICK)
        model.config = type(QUICK)(views=views)
        rows = Searcher(model).find(elevation, 100.0)
        assert len(rows) == 1
        np.testing.assert_allclose(rows[0, :3], [151.5, 31.5, 20], atol=2.0)
        assert rows[0, 3] == pytest.approx(0.8) and rows[0, 4] == pytest.approx(0.0)


def test_nothing_known_is_not_searched():
    rows = Searcher(Fixed(QUICK)).find(np.full((64, 64), np.nan, np.float32), 100.0)
    assert rows.shape == (0, 5)


def test_what_is_cut_at_an_inner_edge_is_dropped():
    rows = np.array([[5.0, 500, 20, 0.9, 0], [500, 500, 20, 0.9, 0]])
    inner = Window(0, 2, 2048, 0, 2048, 2048, (True, False, False, False))
    outer = Window(0, 2, 0, 0, 2048, 2048, (False, False, False, False))
    assert whole(rows, GRID, inner, QUICK).tolist() == [False, True]
    assert whole(rows, GRID, outer, QUICK).tolist() == [True, True]


def test_views_that_disagree_are_uncertain():
    sure, torn = uncertainty_of(np.array([0.99, 0.99]), np.array([0.0, 0.8]))
    assert sure < 0.1 < 0.7 < torn


def scored(n: int = 200) -> Scored:
    """Raw scores that are too sure of themselves: the true odds are the square root of the claimed."""
    random = np.random.default_rng(0)
    raw = random.uniform(0.02, 0.98, n)
    right = random.random(n) < 1 / (1 + np.exp(-0.5 * logit(raw)))
    return Scored(raw, right, np.where(right, raw, -1)[right], np.full(int(right.sum()), 1e4))


def test_calibration_finds_the_true_odds():
    slope, intercept = fit_calibration(scored(4000))
    assert slope == pytest.approx(0.5, abs=0.1) and intercept == pytest.approx(0, abs=0.15)
    assert calibrate(np.array([0.5]), (slope, intercept))[0] == pytest.approx(0.5, abs=0.05)


def test_too_few_detections_calibrate_nothing():
    assert fit_calibration(scored(10)) == (1.0, 0.0)


def test_the_threshold_parts_right_from_wrong():
    score, right = np.array([0.9, 0.8, 0.7, 0.3, 0.2]), np.array([True, True, True, False, False])
    clear = Scored(score, right, score[:3], np.full(3, 1e4))
    assert 0.3 < choose_threshold(clear) < 0.7
    assert choose_threshold(Scored(score, right, np.empty(0), np.empty(0)), fallback=0.4) == 0.4


def test_metrics_count_by_diameter():
    found = Scored(
        np.array([0.9, 0.9]), np.array([True, False]), np.array([0.9, -1.0]), np.array([5e3, 40e3])
    )
    result = metrics(found, 0.5)
    assert result is not None
    assert (result["recall"], result["precision"]) == (0.5, 0.5)
    assert [row["n_truth_hit"] for row in result["by_diameter"]] == [1, 0, 0, 0]  # type: ignore[attr-defined]
    assert metrics(Scored(*(np.empty(0),) * 4), 0.5) is None


def test_craters_that_most_people_doubt_are_not_asked_for(dataset: Path):
    doubted = [
        replace(sample, craters=[replace(circle, weight=0.4) for circle in sample.craters])
        for sample in Dataset(dataset)
    ]
    sure, none = (
        score_sides(Searcher(Fixed(QUICK)), list(samples), ["test"])["test"]
        for samples in (Dataset(dataset), doubted)
    )
    assert len(sure.truth_score) > 0 and len(none.truth_score) == 0


def test_only_what_is_centred_on_the_side_is_asked_for(dataset: Path):
    samples = list(Dataset(dataset))
    found = score_sides(Searcher(Fixed(QUICK)), samples, ["train", "validation", "test"])
    numbers = {
        (sample.grid, circle.number)
        for sample in samples
        for circle in sample.craters
        if circle.diameter_px >= sample.min_diameter_px
    }
    assert 0 < sum(len(scored.truth_score) for scored in found.values()) <= len(numbers)
