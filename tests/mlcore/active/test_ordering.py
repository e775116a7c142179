import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.active.diversity import features_of, order
from mlcore.active.uncertainty import binary_entropy, instructiveness
from mlcore.errors import InvalidInput


def test_it_works():
    value = [1.0, 0.99, 0.5, 0.1]
    features = [[0, 0], [0.01, 0], [5, 0], [0, 0.02]]
    assert order(value, features).tolist() == [0, 2, 1, 3]


def test_among_equals_the_farthest_comes_next():
    assert order([1, 1, 1], [[0.0], [1.0], [3.0]]).tolist() == [0, 2, 1]


def test_what_is_worth_nothing_comes_last():
    assert order([0.0, 0.3], [[100.0], [0.0]]).tolist() == [1, 0]


def test_nobody_to_ask():
    assert order([], np.empty((0, 2))).tolist() == []


def test_only_so_many_are_spread():
    random = np.random.default_rng(0)
    value = random.random(50)
    found = order(value, random.random((50, 3)), count=5)
    assert (np.diff(value[found[5:]]) <= 0).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 10))
def test_everybody_is_asked_once(values: list[float], seed: int):
    features = np.random.default_rng(seed).normal(size=(len(values), 2))
    assert sorted(order(values, features)) == list(range(len(values)))


@pytest.mark.parametrize("value", [[np.nan], [np.inf]])
def test_values_that_are_no_numbers_are_refused(value: list[float]):
    with pytest.raises(InvalidInput, match="finite"):
        order(value, [[0.0]])


def test_neighbours_on_the_antimeridian_are_alike():
    near = features_of([179.99, -179.99, 0.0], [0, 0, 0], [1e4, 1e4, 1e4], 1_737_400, 50_000)
    assert np.linalg.norm(near[0] - near[1]) < 0.1 < np.linalg.norm(near[0] - near[2])


def test_even_odds_are_most_uncertain():
    np.testing.assert_allclose(binary_entropy([0.0, 0.5, 1.0]), [0, 1, 0], atol=1e-9)
    assert binary_entropy(0.3) == pytest.approx(binary_entropy(0.7))


def test_verdicts_near_the_threshold_teach_more():
    near, far = instructiveness([0.5, 0.9], [0.8, 0.8], 0.5)
    assert near > far
