import math
import os
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from mlcore.bodies import BODIES
from mlcore.catalogues.matching import circle_iou, match, rate_table
from mlcore.errors import InvalidInput
from mlcore.formats.crater_survey import survey
from mlcore.geodesy import destination, distance_m

DATA = Path(os.environ.get("TEKTITE_DATA", Path(__file__).parents[4] / "shared" / "data"))
MOON_M = BODIES["moon"].radius_m
# Crowded on purpose: craters of a few kilometres within half a degree compete for each other.
crater = st.tuples(st.floats(179.8, 180.2), st.floats(-80.3, -79.9), st.floats(800.0, 6000.0)).map(
    lambda c: ((c[0] + 180.0) % 360.0 - 180.0, c[1], c[2])
)
catalogues = st.lists(crater, max_size=12)


def moved(circle: tuple[float, float, float], bearing: float, metres: float) -> tuple[float, float, float]:
    lon, lat = destination(circle[0], circle[1], bearing, metres, MOON_M)
    return float(lon), float(lat), circle[2]


def test_it_works():
    copernicus, eratosthenes = (-20.08, 9.62, 96_070.0), (-11.32, 14.47, 58_770.0)
    pairs = match([copernicus, eratosthenes], [moved(eratosthenes, 30.0, 2000.0), (0.0, 0.0, 5000.0)], MOON_M)
    assert [(pair.i, pair.j) for pair in pairs] == [(1, 0)]
    assert pairs[0].offset == pytest.approx(2000.0 / 58_770.0)
    assert pairs[0].iou == pytest.approx(0.917, abs=0.001)


@pytest.mark.parametrize("center", [(0.0, 0.0), (180.0, 60.0), (-180.0, -80.0), (77.0, 90.0), (0.0, -90.0)])
def test_both_conditions_hold_up_to_their_limits(center: tuple[float, float]):
    crater = (*center, 10_000.0)
    assert match([crater], [moved(crater, 90.0, 2499.0)], MOON_M)
    assert not match([crater], [moved(crater, 90.0, 2501.0)], MOON_M)
    # Concentric circles: IoU is the square of the diameters' ratio.
    assert match([crater], [(*center, 3163.0)], MOON_M)
    assert not match([crater], [(*center, 3161.0)], MOON_M)


def test_a_crater_is_matched_once_and_to_the_better_one():
    truth = (10.0, 20.0, 10_000.0)
    pairs = match([truth], [moved(truth, 0.0, 1500.0), moved(truth, 0.0, 200.0)], MOON_M)
    assert [(pair.i, pair.j) for pair in pairs] == [(0, 1)]


def test_competing_craters_share_out_for_the_greatest_overlap():
    # Greedily, a1 would take b0 and leave a0 without any.
    a0 = (10.0, 20.0, 10_000.0)
    b0, a1, b1 = moved(a0, 90.0, 1500.0), moved(a0, 90.0, 2700.0), moved(a0, 90.0, 4600.0)
    assert {(pair.i, pair.j) for pair in match([a0, a1], [b0, b1], MOON_M)} == {(0, 0), (1, 1)}


@given(catalogues, catalogues)
def test_the_pairs_are_those_of_a_plain_search(a: list[tuple], b: list[tuple]):
    value = {}
    for i, one in enumerate(a):
        for j, two in enumerate(b):
            away_m = distance_m(one[0], one[1], two[0], two[1], MOON_M)
            iou = circle_iou(away_m, one[2], two[2])
            if away_m <= 0.25 * (one[2] + two[2]) / 2.0 and iou >= 0.1:
                value[i, j] = iou
    pairs = match(a, b, MOON_M)
    assert all(pair.iou == pytest.approx(value[pair.i, pair.j]) for pair in pairs)
    assert len({pair.i for pair in pairs}) == len({pair.j for pair in pairs}) == len(pairs)
    # Nothing that could still be matched is left over.
    taken_i, taken_j = {pair.i for pair in pairs}, {pair.j for pair in pairs}
    assert all(i in taken_i or j in taken_j for i, j in value)


@given(st.lists(crater, max_size=5), st.lists(crater, max_size=5))
def test_the_sum_of_overlaps_is_the_greatest_there_is(a: list[tuple], b: list[tuple]):
    if len(a) > len(b):
        a, b = b, a
    best = 0.0
    for chosen in permutations(range(len(b)), len(a)):
        total = 0.0
        for i, j in enumerate(chosen):
            away_m = distance_m(a[i][0], a[i][1], b[j][0], b[j][1], MOON_M)
            iou = circle_iou(away_m, a[i][2], b[j][2])
            total += iou if away_m <= 0.25 * (a[i][2] + b[j][2]) / 2.0 and iou >= 0.1 else 0.0
        best = max(best, total)
    assert sum(pair.iou for pair in match(a, b, MOON_M)) == pytest.approx(best)


@given(catalogues, catalogues, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(a: list[tuple], b: list[tuple], random):  # noqa: ANN001
    def craters(one: list[tuple], two: list[tuple]) -> list[tuple]:
        return sorted((one[pair.i], two[pair.j], pair.iou) for pair in match(one, two, MOON_M))

    before = craters(a, b)
    assert craters(random.sample(a, len(a)), random.sample(b, len(b))) == before


@given(catalogues, catalogues)
def test_both_directions_find_as_much(a: list[tuple], b: list[tuple]):
    there, back = match(a, b, MOON_M), match(b, a, MOON_M)
    assert sum(pair.iou for pair in there) == pytest.approx(sum(pair.iou for pair in back))


def test_a_catalogue_matches_itself():
    rng = np.random.default_rng(3)
    craters = np.column_stack(
        [rng.uniform(-180, 180, 500), rng.uniform(-90, 90, 500), 10 ** rng.uniform(2, 5.5, 500)]
    )
    assert [(pair.i, pair.j) for pair in match(craters, craters, MOON_M)] == [(i, i) for i in range(500)]


def test_nothing_matches_nothing():
    assert match([], [], MOON_M) == []
    assert match([(0.0, 0.0, 1000.0)], np.empty((0, 3)), MOON_M) == []


@pytest.mark.parametrize(
    "row", [(0.0, 0.0, 0.0), (0.0, 0.0, -5.0), (math.nan, 0.0, 5.0), (0.0, math.inf, 5.0), (0.0, 0.0)]
)
def test_rows_that_are_no_craters_are_refused(row: tuple[float, ...]):
    with pytest.raises(InvalidInput, match="second catalogue"):
        match([(0.0, 0.0, 5.0)], [row], MOON_M)


def test_limits_that_match_everything_are_refused():
    with pytest.raises(InvalidInput, match="min_iou"):
        match([(0.0, 0.0, 5.0)], [(0.0, 0.0, 5.0)], MOON_M, min_iou=0.0)


@given(st.floats(0.0, 3.0), st.floats(0.05, 2.0), st.floats(0.05, 2.0))
def test_circle_iou_is_that_of_polygons(distance: float, d1: float, d2: float):
    one = shapely.Point(0.0, 0.0).buffer(d1 / 2.0, quad_segs=400)
    two = shapely.Point(distance, 0.0).buffer(d2 / 2.0, quad_segs=400)
    expected = one.intersection(two).area / one.union(two).area
    assert circle_iou(distance, d1, d2) == pytest.approx(expected, abs=2e-5)


def test_circle_iou_takes_arrays_and_the_edges():
    iou = circle_iou([0.0, 0.0, 1.0, 0.25, 2.0], 1.0, [1.0, 0.5, 1.0, 0.5, 1.0])
    assert iou == pytest.approx([1.0, 0.25, 0.0, 0.25, 0.0])


def test_the_rate_table_counts_per_bin_and_overall():
    table = rate_table([1500.0, 2500.0, 2600.0, 9000.0], [1, 2], [1000.0, 2000.0, 4000.0, 8000.0])
    assert [(row.low_m, row.high_m, row.n, row.n_matched) for row in table] == [
        (1000.0, 2000.0, 1, 0),
        (2000.0, 4000.0, 2, 2),
        (4000.0, 8000.0, 0, 0),
        (1000.0, 8000.0, 3, 2),
    ]
    assert table[1].rate == 1.0
    assert math.isnan(table[2].rate)
    assert table[3].rate == pytest.approx(2.0 / 3.0)


def test_thousands_of_moved_craters_are_found_again_in_a_crowd():
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(-180, 180, 100_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 100_000)))
    crowd = np.column_stack([lon, lat, np.minimum(1000.0 * rng.uniform(size=100_000) ** -0.5, 5e5)])
    pairs = match(crowd[:10_000] + np.array([0.0, 0.0005, 1.0]), crowd, MOON_M)
    assert sum(pair.i == pair.j for pair in pairs) > 9_900


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="shared/data is absent")
def test_real_catalogues_match_as_published():
    def craters(file: str) -> np.ndarray:
        with (DATA / file).open("rb") as stream:
            found = survey(stream, body=BODIES["moon"])
        return np.column_stack([found.lon, found.lat, found.diameter_m])

    head = craters("catalogues/head2010_HeadCraters_ge20km.csv")
    povilaitis = craters("catalogues/povilaitis2018_LROCCraters_5_20km.csv")
    yang = craters("deepcraters/yang2020_aged_catalogue_first120.csv")
    # The data's own note counts 107 of these 120 under the paper's criteria.
    assert len(match(yang, np.concatenate([head, povilaitis]), MOON_M)) == 107
    # Two experts' lists of the same craters, both complete above 20 km.
    robbins = craters("catalogues/robbins2018_ge20km.csv")
    pairs = match(head, robbins, MOON_M)
    (overall,) = rate_table(head[:, 2], [pair.i for pair in pairs], [2e4, 3e6])[-1:]
    assert overall.n == 5185
    assert overall.rate == pytest.approx(0.913, abs=0.001)
