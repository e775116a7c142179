import random
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.catalogues.matching import match
from mlcore.consensus.circles import CircleMark, PersonSkill, SettledCircle, settle
from mlcore.consensus.clusters import overlaps
from mlcore.errors import InvalidInput
from mlcore.geodesy import destination, distance_m
from tests.mlcore.consensus.crowd import MOON_M, crowd

EXISTS = 0.5
COPERNICUS = (-20.08, 9.62, 96_070.0)


def mark(person: object, circle: tuple[float, float, float] = COPERNICUS, weight: float = 1.0) -> CircleMark:
    return CircleMark(f"{person} {circle}", person, *circle, weight)


def moved(circle: tuple[float, float, float], bearing: float, share: float, larger: float = 1.0) -> tuple:
    """A circle moved by a share of its diameter, and made larger."""
    lon, lat = destination(circle[0], circle[1], bearing, share * circle[2], MOON_M)
    return float(lon), float(lat), circle[2] * larger


def settled(marks: list[CircleMark], people: list | None = None) -> list[SettledCircle]:
    return settle(marks, people or sorted({m.person for m in marks}, key=str), {}, MOON_M)


def existing(circles: list[SettledCircle]) -> np.ndarray:
    return np.array([(c.lon, c.lat, c.diameter_m) for c in circles if c.existence >= EXISTS]).reshape(-1, 3)


def test_it_works():
    marks = [
        mark("ada", moved(COPERNICUS, 0, 0.02)),
        mark("ben", moved(COPERNICUS, 180, 0.02, 1.04)),
        mark("cem", moved(COPERNICUS, 90, 0.01, 0.98)),
        mark("ben", (-15.0, 9.0, 8_000.0)),
    ]
    crater, doubtful = settled(marks, ["ada", "ben", "cem", "dia"])
    assert crater.existence > 0.9 > EXISTS > doubtful.existence
    assert (crater.n_people, doubtful.n_people) == (3, 1)
    assert crater.mark_ids == tuple(sorted(m.id for m in marks[:3]))
    assert distance_m(crater.lon, crater.lat, *COPERNICUS[:2], MOON_M) < 0.02 * COPERNICUS[2]
    assert crater.diameter_m == pytest.approx(COPERNICUS[2])
    assert crater.diameter_sd_m == pytest.approx(1.4826 * 0.02 * COPERNICUS[2])
    assert doubtful.center_sd_m is None and doubtful.diameter_sd_m is None


def test_nobody_marked_anything():
    assert settle([], ["ada", "ben"], {}, MOON_M) == []


def test_who_looked_and_did_not_mark_counts_against_it():
    marks = [mark("ada"), mark("ben")]
    by_others = [settled(marks, ["ada", "ben", *range(n)])[0].existence for n in range(6)]
    assert by_others == sorted(by_others, reverse=True)
    assert by_others[0] > 0.9 and by_others[5] < 0.5


def test_a_single_searcher_is_believed_three_times_out_of_four():
    assert settled([mark("ada")])[0].existence == pytest.approx(0.75)


def test_one_person_twice_makes_no_crater():
    again = mark("ada", moved(COPERNICUS, 90, 0.03))
    (once,) = settled([mark("ada")], ["ada", "ben", "cem"])
    (twice,) = settled([mark("ada"), again], ["ada", "ben", "cem"])
    assert twice.n_people == 1
    assert len(twice.mark_ids) == 2
    assert twice.existence == pytest.approx(once.existence) and once.existence < EXISTS


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2])
def test_a_second_mark_of_one_person_goes_with_the_crater_and_counts_nothing(share: float):
    marks = [mark("ada"), mark("ben", moved(COPERNICUS, 0, 0.02)), mark("cem", moved(COPERNICUS, 180, 0.02))]
    more = CircleMark("again", "ada", *moved(COPERNICUS, 90, share, 1.05))
    (before,), (after,) = settled(marks), settled([*marks, more])
    assert (after.n_people, len(after.mark_ids)) == (3, 4)
    assert after.existence == pytest.approx(before.existence)


def test_a_crater_in_a_crater_stays_two():
    inner = (*COPERNICUS[:2], 0.6 * COPERNICUS[2])
    circles = settled([mark(person, circle) for person in "abc" for circle in (COPERNICUS, inner)])
    assert [round(c.diameter_m) for c in circles] == [96_070, 57_642]
    assert all(c.n_people == 3 for c in circles)


def test_near_neighbours_are_shared_out():
    # Two like craters that touch; each person's marks lie a tenth of a diameter to either side.
    other = moved(COPERNICUS, 90, 0.8)
    shifts = {"a": (90, 0.09), "b": (270, 0.09), "c": (0, 0.05), "d": (180, 0.05)}
    marks = [mark(p, moved(circle, *shift)) for p, shift in shifts.items() for circle in (COPERNICUS, other)]
    circles = settled(marks)
    assert [c.n_people for c in circles] == [4, 4]


def test_loose_marks_find_together_where_the_tight_rule_would_not_join_them():
    marks = [
        mark("a"),
        mark("b", moved(COPERNICUS, 0, 0.15, 1.2)),
        mark("c", moved(COPERNICUS, 120, 0.15, 0.9)),
    ]
    (crater,) = settled(marks)
    assert crater.n_people == 3


def test_one_bad_mark_moves_the_middle_little():
    good = [mark(p, moved(COPERNICUS, 90 * p, 0.01)) for p in range(4)]
    bad = mark("bad", moved(COPERNICUS, 45, 0.2, 1.2))
    (crater,) = settled([*good, bad])
    assert crater.n_people == 5
    assert distance_m(crater.lon, crater.lat, *COPERNICUS[:2], MOON_M) < 0.011 * COPERNICUS[2]
    assert crater.diameter_m == pytest.approx(COPERNICUS[2])


def test_an_unsure_mark_counts_less():
    people = ["ada", "ben", "cem"]
    sure = settled([mark("ada"), mark("ben")], people)[0].existence
    unsure = settled([mark("ada"), mark("ben", weight=0.5)], people)[0].existence
    assert 0.4 < unsure < sure


def test_what_is_known_of_people_counts():
    people = ["ada", "ben", "cem"]
    careful = {"ada": PersonSkill(0.95, 0.01, 100.0)}
    careless = {"ada": PersonSkill(0.5, 0.4, 100.0)}
    believed, doubted = (settle([mark("ada")], people, skills, MOON_M)[0] for skills in (careful, careless))
    assert believed.existence > doubted.existence


def test_a_person_who_marks_everything_is_found_out():
    truth, marks = crowd(4, people=4, craters=30, false_marks=0.0, spread=0.02)
    _, noise = crowd(5, people=1, craters=1, false_marks=120.0)
    spam = [replace(m, id=f"spam {m.id}", person="spammer") for m in noise]
    found = existing(settled([*marks, *spam]))
    assert len(match(found, truth, MOON_M, min_iou=0.5)) > 0.95 * len(found)


circles = st.tuples(st.floats(179.6, 180.4), st.floats(-80.3, -79.9), st.floats(1000.0, 8000.0)).map(
    lambda c: ((c[0] + 180.0) % 360.0 - 180.0, c[1], c[2])
)
crowds = st.lists(st.tuples(st.integers(0, 4), circles, st.sampled_from([0.5, 1.0])), max_size=25).map(
    lambda drawn: [CircleMark(f"m{i}", person, *circle, w) for i, (person, circle, w) in enumerate(drawn)]
)


@given(crowds, st.randoms(use_true_random=False))
def test_the_order_of_marks_and_people_changes_nothing(marks: list[CircleMark], order: random.Random):
    people = list(range(6))
    shuffled = settle(
        order.sample(marks, len(marks)), order.sample(people, 6), {0: PersonSkill(0.9, 0.02)}, MOON_M
    )
    assert shuffled == settle(marks, people, {0: PersonSkill(0.9, 0.02)}, MOON_M)


@given(crowds)
def test_every_mark_belongs_to_one_crater_and_every_person_counts_once(marks: list[CircleMark]):
    found = settle(marks, range(6), {}, MOON_M)
    assert Counter(one for crater in found for one in crater.mark_ids) == Counter(m.id for m in marks)
    drew = {m.id: m.person for m in marks}
    for crater in found:
        assert crater.n_people == len({drew[one] for one in crater.mark_ids})
        assert 0.0 <= crater.existence <= 1.0
        assert -180.0 <= crater.lon < 180.0


@pytest.mark.parametrize(
    "center", [(0.0, 0.0), (10.0, 60.0), (179.5, 0.0), (179.0, -80.0), (0.0, 89.0), (0.0, -90.0)]
)
def test_it_works_everywhere_on_the_body(center: tuple[float, float]):
    truth, marks = crowd(1, look_alikes=0, center=center)
    found = existing(settled(marks))
    pairs = match(found, truth, MOON_M, min_iou=0.5)
    assert len(pairs) >= 0.95 * len(found) and len(pairs) >= 0.8 * len(truth)


def dbscan(marks: list[CircleMark], least: int) -> np.ndarray:
    """The rule of Robbins et al. (2014), which knows no persons: DBSCAN growth, means of the members."""
    drawn = np.array([(m.lon, m.lat, m.diameter_m) for m in marks])
    near = overlaps(drawn, drawn, MOON_M, tight=True) > 0.0
    core = near.sum(axis=1) >= least
    labels = np.full(len(drawn), -1)
    for start in np.flatnonzero(core):
        if labels[start] < 0:
            stack, label = [start], start
            labels[start] = label
            while stack:
                reached = np.flatnonzero(near[stack.pop()] & (labels < 0))
                labels[reached] = label
                stack.extend(reached[core[reached]])
    return np.array(
        [drawn[labels == label].mean(axis=0) for label in np.unique(labels[labels >= 0])]
    ).reshape(-1, 3)


def f1(found: np.ndarray, truth: np.ndarray) -> float:
    return 2.0 * len(match(found, truth, MOON_M, min_iou=0.5)) / (len(found) + len(truth))


@pytest.mark.parametrize(
    ("people", "craters", "false_marks", "spread"),
    [
        (3, 40, 4.0, 0.05),
        (5, 40, 4.0, 0.03),
        (5, 40, 4.0, 0.06),
        (5, 40, 10.0, 0.10),
        (8, 60, 4.0, 0.06),
        (12, 60, 8.0, 0.06),
    ],
)
def test_it_is_better_than_the_dbscan_of_robbins_2014(
    people: int, craters: int, false_marks: float, spread: float
):
    ours, theirs = [], []
    for seed in range(4):
        truth, marks = crowd(seed, people=people, craters=craters, false_marks=false_marks, spread=spread)
        ours.append(f1(existing(settled(marks)), truth))
        # With whichever of their thresholds does better.
        theirs.append([f1(dbscan(marks, least), truth) for least in (2, 3, 5)])
    assert np.mean(ours) >= np.mean(theirs, axis=0).max()
    assert np.mean(ours) > 0.7


def test_hundreds_of_marks_settle_in_seconds():
    truth, marks = crowd(0, people=15, craters=80, false_marks=10.0)
    assert len(marks) > 800
    before = time.process_time()
    found = settled(marks)
    assert time.process_time() - before < 10.0
    assert f1(existing(found), truth) > 0.95


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (mark("ada", (0.0, 95.0, 1000.0)), "Latitude 95"),
        (mark("ada", (0.0, 0.0, -1.0)), "-1.0 m"),
        (mark("ada", weight=0.0), "weighs 0.0"),
        (mark("ada", weight=2.0), "weighs 2.0"),
    ],
)
def test_marks_that_are_none_are_refused(bad: CircleMark, said: str):
    with pytest.raises(InvalidInput, match=said):
        settled([bad])
