"""What an audit of images never shown can say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import InvalidInput
from mlcore.metrics.audit import Missed, Stratum, missed


@pytest.mark.parametrize(("n", "at_most"), [(1000, 1227), (2000, 614), (5000, 245)])
def test_finding_none_bounds_what_was_missed(n: int, at_most: int):
    """Of 409,000 images below the threshold, as the rule of three gives it."""
    found = missed([Stratum(409_000, n, 0)])
    assert found.estimate == 0.0
    assert found.upper == pytest.approx(at_most, rel=0.02)


def test_strata_are_weighed_by_what_they_stand_for():
    found = missed([Stratum(100_000, 1000, 0), Stratum(10_000, 1000, 4)])
    assert found.estimate == 40.0
    assert found.standard_error == pytest.approx(19, abs=1)
    assert 40 < found.upper < 600


def test_a_stratum_looked_through_leaves_no_doubt():
    assert missed([Stratum(50, 50, 3)]) == Missed(3.0, 0.0, 3)


def test_a_stratum_without_a_sample_may_hold_anything():
    assert missed([Stratum(500, 0, 0), Stratum(0, 0, 0)]) == Missed(None, None, 500)


def test_the_bound_holds_as_often_as_it_says():
    random = np.random.default_rng(1)
    sizes, shares = (5000, 800), (0.002, 0.02)
    held = 0
    for _ in range(400):
        craters = [random.binomial(size, share) for size, share in zip(sizes, shares, strict=True)]
        strata = [
            Stratum(size, 300, int(random.hypergeometric(k, size - k, 300)))
            for size, k in zip(sizes, craters, strict=True)
        ]
        held += missed(strata).upper >= sum(craters)
    assert held >= 0.94 * 400


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 10_000))
def test_estimate_and_bound_are_in_order(found: int, more: int, rest: int):
    stratum = Stratum(found + more + rest, found + more, found)
    result = missed([stratum])
    assert found <= result.upper <= stratum.population
    if result.estimate is not None and found + more < stratum.population:
        assert result.estimate <= result.upper + 1


def test_impossible_counts_are_refused():
    with pytest.raises(InvalidInput, match="not 3, 2, 10"):
        Stratum(10, 2, 3)
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        missed([], confidence=1.0)
