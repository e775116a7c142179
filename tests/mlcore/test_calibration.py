"""From scores to probabilities."""

import numpy as np
import pytest
from scipy.optimize import minimize

from mlcore.errors import InvalidInput
from mlcore.metrics.calibration import calibration_error, fit_platt, reliability
from mlcore.metrics.intervals import clopper_pearson


def scored(n: int = 20_000, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose true log-odds are -2 + 1.5 · score."""
    random = np.random.default_rng(seed)
    score = random.normal(size=n)
    return score, random.random(n) < 1 / (1 + np.exp(2 - 1.5 * score))


def test_it_finds_the_line_that_made_the_answers():
    found = fit_platt(*scored())
    assert (found.intercept, found.slope) == pytest.approx((-2.0, 1.5), abs=0.1)


def test_calibrated_probabilities_come_true():
    score, truth = scored(seed=2)
    p = 1 / (1 + np.exp(-fit_platt(*scored(seed=3)).log_odds(score)))
    assert calibration_error(p, truth) < 0.02
    assert sum(b.n for b in reliability(p, truth)) == len(score)


def test_scores_that_separate_the_kinds_make_nothing_certain():
    found = fit_platt(np.array([-3.0, -2.0, 2.0, 3.0]), np.array([False, False, True, True]))
    p = 1 / (1 + np.exp(-found.log_odds(np.array([-3.0, 3.0]))))
    assert 0.1 < p[0] < 0.5 < p[1] < 0.9


def test_a_score_that_points_the_wrong_way_says_nothing():
    assert fit_platt(np.array([2.0, 1.0, -1.0]), np.array([False, False, True])).slope == 0.0


@pytest.mark.parametrize(
    ("score", "truth", "sentence"),
    [
        ([1.0, 2.0], [True, True], "only one"),
        ([1.0, np.nan], [True, False], "not a finite number"),
        ([1.0], [True, False], "do not fit"),
    ],
)
def test_what_cannot_be_fitted_is_refused(score: list[float], truth: list[bool], sentence: str):
    with pytest.raises(InvalidInput, match=sentence):
        fit_platt(np.array(score), np.array(truth))


def test_the_exact_interval_of_18_of_27_is_the_published_one():
    assert clopper_pearson(18, 27) == pytest.approx((0.46, 0.83), abs=0.005)
    assert clopper_pearson(0, 0) == (0.0, 1.0)
    assert clopper_pearson(0, 1000)[1] == pytest.approx(0.00368, abs=1e-5)
    with pytest.raises(InvalidInput, match="got 3 of 2"):
        clopper_pearson(3, 2)


def test_a_rare_kind_far_from_the_other_has_the_slope_of_the_least_loss():
    """Evidence on 21 craters among 2000 known pictures: full steps of Newton's ended at a falling line."""
    craters = np.concatenate([[-8.3, -6.1, -5.1, -4.3], np.linspace(6.6, 9.5, 17)])
    blanks = np.repeat(np.arange(-15, 11, 2.0), [1, 84, 465, 1073, 149, 72, 45, 20, 18, 7, 10, 14, 21])
    score = np.concatenate([craters, blanks])
    is_positive = np.arange(2000) < 21
    fitted = fit_platt(score, is_positive)
    assert fitted.slope > 0.3
    target = np.where(is_positive, 22 / 23, 1 / 1981)

    def loss(weights: np.ndarray) -> float:
        odds = weights[0] + weights[1] * score
        return float((np.logaddexp(0.0, odds) - target * odds).sum())

    best = minimize(loss, [-4.0, 0.1], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    assert [fitted.intercept, fitted.slope] == pytest.approx(best.x, abs=1e-3)
