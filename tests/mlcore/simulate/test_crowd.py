import numpy as np
import pytest

from mlcore.simulate.crowd import Volunteer, draw
from mlcore.simulate.terrain import Circle

CRATERS = [Circle(50.0 * i, 30.0, 10.0 + i % 40) for i in range(400)]
PITS = [Circle(50.0 * i, 90.0, 30.0, "pit") for i in range(400)]
PERFECT = Volunteer(hit_rate=1.0, false_rate=0.0, center_sd=0.0, diameter_sd=0.0)


def seen(volunteer: Volunteer, seed: int = 1, min_diameter_px: float = 10.0) -> list[Circle]:
    return draw(volunteer, CRATERS, PITS, min_diameter_px=min_diameter_px, seed=seed)


def test_it_works():
    drawn = seen(Volunteer())
    assert 0.75 * 400 < len(drawn) < 440
    assert all(circle.diameter_px >= 10.0 for circle in drawn)


def test_the_same_seed_draws_the_same():
    assert seen(Volunteer(), seed=[3, 4]) == seen(Volunteer(), seed=[3, 4])
    assert seen(Volunteer(), seed=3) != seen(Volunteer(), seed=4)


def test_one_more_crater_changes_no_other_mark():
    first = draw(Volunteer(), CRATERS[:-1], [], min_diameter_px=10.0, seed=1)
    assert draw(Volunteer(), CRATERS, [], min_diameter_px=10.0, seed=1)[: len(first)] == first


def test_small_craters_are_missed_most():
    drawn = {circle.x_px for circle in seen(PERFECT)}
    small = [circle.x_px in drawn for circle in CRATERS if circle.diameter_px < 13]
    large = [circle.x_px in drawn for circle in CRATERS if circle.diameter_px > 30]
    assert np.mean(small) < 0.9
    assert np.mean(large) > 0.99


def test_a_perfect_eye_draws_the_truth_and_no_lookalike():
    assert {circle.y_px for circle in seen(PERFECT)} == {30.0}
    sizes = {circle.x_px: circle.diameter_px for circle in CRATERS}
    assert all(circle.diameter_px == sizes[circle.x_px] for circle in seen(PERFECT))


def test_lookalikes_are_taken_for_craters_as_often_as_said():
    drawn = seen(Volunteer(hit_rate=0.0, false_rate=0.25))
    assert len(drawn) == pytest.approx(100, abs=30)


def test_nothing_below_the_smallest_diameter_is_drawn():
    drawn = seen(Volunteer(diameter_sd=0.3), min_diameter_px=30.0)
    assert drawn and min(circle.diameter_px for circle in drawn) >= 30.0
