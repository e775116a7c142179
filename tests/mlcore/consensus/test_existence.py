import numpy as np
import pytest

from mlcore.consensus.existence import PersonSkill, existence


def test_it_works():
    marked = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 1]], dtype=float)
    probability, _ = existence(marked, [PersonSkill()] * 5)
    assert probability[0] > probability[1] > 0.9
    assert probability[2] < 0.2


def test_with_one_person_it_is_the_prior_share_whatever_the_number_of_marks():
    for n in (1, 10, 1000):
        probability, hit_rate = existence(np.ones((n, 1)), [PersonSkill()])
        assert probability == pytest.approx(np.full(n, 0.75))
        assert hit_rate == pytest.approx([0.7])


def test_rates_of_people_are_found_from_what_they_agree_on():
    rng = np.random.default_rng(2)
    real = rng.uniform(size=600) < 0.6
    hits, false = np.array([0.9, 0.8, 0.6, 0.4, 0.8]), np.array([0.02, 0.05, 0.1, 0.05, 0.3])
    marked = (rng.uniform(size=(600, 5)) < np.where(real[:, None], hits, false)).astype(float)
    seen = marked.any(axis=1)
    probability, hit_rate = existence(marked[seen], [PersonSkill()] * 5)
    assert hit_rate == pytest.approx(hits, abs=0.07)
    assert ((probability > 0.5) == real[seen]).mean() > 0.93
    # Of the places said to exist with probability p, a share of about p does.
    for low, high in ((0.0, 0.3), (0.3, 0.8), (0.8, 1.01)):
        there = (probability >= low) & (probability < high)
        assert probability[there].mean() == pytest.approx(real[seen][there].mean(), abs=0.15)


def test_extreme_skills_keep_it_finite():
    marked = np.array([[1.0, 0.0], [0.0, 1.0], [0.25, 1.0]])
    probability, _ = existence(marked, [PersonSkill(1.0, 0.0, 1e6), PersonSkill(0.0, 1.0, 1e6)])
    assert np.isfinite(probability).all()
