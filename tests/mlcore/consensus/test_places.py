"""Clicks of several people become places; strays and second clicks do no harm."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from mlcore.consensus.places import Click, geometric_median, places
from mlcore.errors import InvalidInput


def test_clicks_near_each_other_are_one_place():
    clicks = [Click("ada", 100, 100), Click("bob", 104, 100), Click("eve", 102, 103), Click("dan", 300, 50)]
    first, second = places(clicks, radius_px=16)
    assert (first.n_people, second.n_people) == (3, 1)
    assert math.hypot(first.x_px - 102, first.y_px - 101) < 2
    assert (second.x_px, second.y_px, second.spread_px) == (300, 50, 0)


def test_a_second_click_of_the_same_person_counts_nothing():
    once = places([Click("ada", 10, 10), Click("bob", 14, 10)], radius_px=16)
    twice = places([Click("ada", 10, 10), Click("bob", 14, 10), Click("bob", 20, 10)], radius_px=16)
    assert [place.n_people for place in twice] == [2]
    assert once[0].n_people == 2


def test_two_craters_of_one_person_stay_two():
    clicks = [Click(name, x, 50) for name in ("ada", "bob") for x in (50, 150)]
    assert [(p.x_px, p.n_people) for p in places(clicks, radius_px=16)] == [(50, 2), (150, 2)]


def test_no_clicks_no_places():
    assert places([], radius_px=16) == []


def test_a_radius_of_nothing_is_refused():
    with pytest.raises(InvalidInput, match="radius above 0"):
        places([], radius_px=0)


clicks_of = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=14
)


@given(rows=clicks_of, seed=st.integers(0, 99))
def test_the_order_of_clicks_changes_nothing_and_nobody_counts_twice(rows: list, seed: int):
    clicks = [Click(*row) for row in rows]
    other = clicks.copy()
    random.Random(seed).shuffle(other)
    found = places(clicks, radius_px=10)
    assert found == places(other, radius_px=10)
    assert all(place.n_people <= 5 for place in found)
    # Whatever was clicked lies at a place.
    assert all(min(math.hypot(c.x_px - p.x_px, c.y_px - p.y_px) for p in found) <= 20 for c in clicks)


@given(
    points=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=9),
)
def test_the_middle_has_the_least_sum_of_distances(points: list):
    at = np.array(points, float)

    def total(middle: np.ndarray) -> float:
        return float(np.hypot(*(at - middle).T).sum())

    found = total(geometric_median(at))
    best = min(minimize(total, start, method="Nelder-Mead").fun for start in (at.mean(axis=0), at[0]))
    assert found <= best + 0.05
