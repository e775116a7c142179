import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.api import Detection, merge_detections

MOON_M = 1_737_400.0


def detection(
    lon: float = 10.0, lat: float = 5.0, diameter_m: float = 10_000.0, score: float = 0.9
) -> Detection:
    return Detection(lon, lat, diameter_m, score, 0.1)


def test_it_works():
    merged = merge_detections([detection(), detection(10.02, score=0.5), detection(12.0, score=0.7)], MOON_M)
    assert [found.score for found in merged] == [0.9, 0.7]
    assert 10.0 < merged[0].lon < 10.02


def test_a_crater_inside_a_crater_stays():
    assert len(merge_detections([detection(), detection(diameter_m=4_000)], MOON_M)) == 2


def test_across_the_antimeridian():
    merged = merge_detections([detection(179.99), detection(-179.99)], MOON_M)
    assert len(merged) == 1
    assert abs(merged[0].lon) == pytest.approx(180, abs=0.01)


def test_over_the_pole():
    assert len(merge_detections([detection(0, 89.98), detection(180, 89.98)], MOON_M)) == 1


def test_nothing_gives_nothing():
    assert merge_detections([], MOON_M) == []


@settings(max_examples=30, deadline=None)
@given(st.permutations([detection(10 + 0.03 * i, score=0.5 + 0.01 * i) for i in range(9)]))
def test_the_order_never_matters(shuffled: list[Detection]):
    whole = merge_detections([detection(10 + 0.03 * i, score=0.5 + 0.01 * i) for i in range(9)], MOON_M)
    assert merge_detections(shuffled, MOON_M) == whole
