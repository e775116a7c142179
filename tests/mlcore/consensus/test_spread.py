import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.bodies import BODIES
from mlcore.consensus.spread import middle, weighted_median
from mlcore.geodesy import distance_m, ring

MOON_M = BODIES["moon"].radius_m


def test_it_works():
    found = middle([(10.0, 20.0, 900.0), (10.0, 20.002, 1000.0), (10.001, 20.001, 1100.0)], [1, 1, 1], MOON_M)
    assert found.lat == pytest.approx(20.001, abs=1e-5)
    assert found.diameter_m == 1000.0
    assert found.diameter_sd_m == pytest.approx(148.26)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=9))
def test_with_equal_weights_it_is_the_plain_median(values: list[int]):
    assert weighted_median(values, np.ones(len(values))) == np.median(values)


@pytest.mark.parametrize(
    ("weights", "expected"), [([1, 1, 3], 9.0), ([3, 1, 1], 1.0), ([1, 1, 2], 6.5), ([0.5, 1, 0.5], 4.0)]
)
def test_half_of_the_weight_lies_on_either_side(weights: list[float], expected: float):
    assert weighted_median([1.0, 4.0, 9.0], weights) == expected


def test_a_single_circle_is_itself_to_the_last_digit_and_has_no_spread():
    assert middle([(179.123, -80.456, 321.0)], [0.5], MOON_M) == (179.123, -80.456, 321.0, None, None)


@pytest.mark.parametrize("center", [(0.0, 0.0), (180.0, 60.0), (77.0, -80.0), (0.0, 90.0), (0.0, -90.0)])
def test_centres_round_a_place_have_their_middle_there(center: tuple[float, float]):
    places = ring(*center, 2000.0, MOON_M, n=12)[:-1]
    found = middle([(lon, lat, 500.0) for lon, lat in places], np.ones(12), MOON_M)
    assert distance_m(found.lon, found.lat, *center, MOON_M) < 1e-6
    assert found.center_sd_m == pytest.approx(1.4826 * 1000.0 / 2**0.5, rel=0.1)
