import json
import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import InvalidInput
from mlcore.metrics.boxes import Tally, iou, match_detections, tally, tally_by_diameter

circle = st.tuples(st.floats(0.0, 60.0), st.floats(0.0, 60.0), st.floats(2.0, 30.0))
detection = st.tuples(circle, st.sampled_from([0.2, 0.5, 0.9]))


def test_it_works():
    truth = [(10.0, 10.0, 8.0), (40.0, 40.0, 20.0), (80.0, 10.0, 6.0)]
    found = [(10.5, 10.0, 8.0), (41.0, 40.0, 19.0), (41.5, 40.0, 20.0), (60.0, 60.0, 5.0)]
    matched = match_detections(truth, found, [0.9, 0.8, 0.7, 0.95])
    # The third finds the second crater again: a repeat is wrong.
    assert matched.tolist() == [0, 1, -1, -1]
    counts = tally(matched, len(truth))
    assert counts == Tally(n_truth=3, n_truth_hit=2, n_found=4, n_found_hit=2)
    assert (counts.recall, counts.precision) == (pytest.approx(2 / 3), 0.5)
    assert counts.f1 == pytest.approx(4 / 7)


@given(circle, circle)
def test_box_iou_is_that_of_polygons(one: tuple, two: tuple):
    def box(c: tuple) -> shapely.Polygon:
        return shapely.box(c[0] - c[2] / 2, c[1] - c[2] / 2, c[0] + c[2] / 2, c[1] + c[2] / 2)

    expected = box(one).intersection(box(two)).area / box(one).union(box(two)).area
    assert iou(one, [two])[0] == pytest.approx(expected, abs=1e-9)


def test_circles_ask_for_more_than_boxes():
    one, two = (0.0, 0.0, 10.0), (2.5, 2.5, 10.0)
    assert iou(one, [two], "circle")[0] < iou(one, [two], "box")[0]


def test_the_best_score_chooses_first():
    truth = [(10.0, 10.0, 10.0)]
    found = [(10.0, 10.0, 10.0), (11.0, 10.0, 10.0)]
    assert match_detections(truth, found, [0.3, 0.9]).tolist() == [-1, 0]


@given(st.lists(circle, max_size=8), st.lists(detection, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_count(truth: list, found: list, random):  # noqa: ANN001
    def counts(truths: list, detections: list) -> Tally:
        circles, scores = [c for c, _ in detections], [s for _, s in detections]
        return tally(match_detections(truths, circles, scores), len(truths))

    shuffled = counts(random.sample(truth, len(truth)), random.sample(found, len(found)))
    assert shuffled == counts(truth, found)
    assert shuffled.n_truth_hit == shuffled.n_found_hit


def test_only_those_asked_about_count_and_a_partner_outside_is_still_a_hit():
    matched = np.array([0, -1])
    counts = tally(matched, 2, truth_counts=[True, False], found_counts=[False, True])
    assert counts == Tally(n_truth=1, n_truth_hit=1, n_found=1, n_found_hit=0)


def test_bins_count_each_side_by_its_own_diameter():
    rows = tally_by_diameter([0], [9.5, 20.0], [10.5], [5.0, 10.0, 30.0])
    assert rows[0] == (5.0, 10.0, Tally(1, 1, 0, 0))
    assert rows[1] == (10.0, 30.0, Tally(1, 0, 1, 1))


def test_tallies_of_images_add_up_and_go_into_json():
    both = sum([Tally(10, 8, 9, 8), Tally(0, 0, 1, 0)], Tally())
    assert both == Tally(10, 8, 10, 8)
    card = json.loads(json.dumps(both.to_json(), allow_nan=False))
    assert [card[key] for key in ("recall", "precision", "f1")] == pytest.approx([0.8] * 3)
    assert card["recall_interval"] == pytest.approx([0.490, 0.943], abs=1e-3)


def test_nothing_there_has_no_share():
    empty = tally(match_detections([], [], []), 0)
    assert math.isnan(empty.recall) and math.isnan(empty.precision) and math.isnan(empty.f1)
    assert empty.to_json()["recall"] is None
    assert tally(match_detections([(1.0, 1.0, 1.0)], [], []), 1).f1 == 0.0
    assert tally(match_detections([], [(1.0, 1.0, 1.0)], [0.5]), 0).f1 == 0.0


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(InvalidInput, match="1 detections but 2 scores"):
        match_detections([], [(1.0, 1.0, 1.0)], [0.5, 0.6])
    with pytest.raises(InvalidInput, match="least overlap"):
        match_detections([], [], [], min_iou=0.0)
