import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import InvalidInput
from mlcore.metrics.intervals import wilson


def test_it_works():
    # Worked example of Newcombe (1998), table I: 81 of 263.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_it_is_wider_for_more_confidence_and_narrower_for_more_trials():
    assert wilson(5, 10, 0.99)[0] < wilson(5, 10)[0] < wilson(50, 100)[0]


@pytest.mark.parametrize(
    ("k", "n", "bounds"), [(0, 0, (0.0, 1.0)), (0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0))]
)
def test_the_ends_stay_within_0_and_1(k: int, n: int, bounds: tuple[float, float]):
    assert wilson(k, n) == pytest.approx(bounds, abs=5e-5)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_it_covers_the_share(counts: tuple[int, int]):
    k, n = counts
    low, high = wilson(k, n)
    assert 0.0 <= low <= k / n <= high <= 1.0


@pytest.mark.parametrize(("k", "n", "confidence"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0)])
def test_impossible_counts_are_refused(k: int, n: int, confidence: float):
    with pytest.raises(InvalidInput):
        wilson(k, n, confidence)
