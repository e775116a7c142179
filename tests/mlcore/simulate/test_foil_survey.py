"""Simulated surveys of foils: each place a function of seed and number, its score made up of its truth."""

import numpy as np
import pytest

from mlcore.errors import InvalidInput
from mlcore.simulate.foil_survey import FOCUS_PX, SurveyParameters, take, take_all
from mlcore.simulate.foils import FoilParameters
from mlcore.simulate.judges import BLANK, EASY, HARD

SMALL = FoilParameters(width_px=128, height_px=96, pits=0.3)


def test_it_works():
    parameters = SurveyParameters(foil=SMALL, crater_share=0.5, series_share=0.3)
    survey = list(take_all(parameters, 3, list(range(1, 21))))
    assert [taken.place.number for taken in survey] == list(range(1, 21))
    assert {len(taken.frames) for taken in survey} == {1, len(FOCUS_PX)}
    assert all(frame.shape == (96, 128) for taken in survey for frame in taken.frames)
    assert all((taken.place.kind in (EASY, HARD)) == bool(taken.place.craters) for taken in survey)
    assert all(0.0 < taken.place.score < 1.0 for taken in survey)


def test_a_place_is_the_same_whatever_else_is_taken():
    parameters = SurveyParameters(foil=SMALL, crater_share=0.5)
    alone, (beside,) = take(parameters, 3, 7), list(take_all(parameters, 3, [7]))
    assert alone.place == beside.place
    assert np.array_equal(alone.frames[0], beside.frames[0])
    assert alone.place != take(parameters, 4, 7).place


def test_many_are_the_same_from_several_processes():
    parameters = SurveyParameters(foil=SMALL, crater_share=0.2)
    numbers = list(range(1, 31))
    many = [taken.place for taken in take_all(parameters, 5, numbers)]
    assert many == [take(parameters, 5, number).place for number in numbers]


def test_craters_score_higher():
    parameters = SurveyParameters(foil=SMALL, crater_share=0.3)
    places = [take(parameters, 1, number).place for number in range(1, 101)]
    craters = [place.score for place in places if place.craters]
    blanks = [place.score for place in places if place.kind == BLANK]
    assert np.median(craters) > 3 * np.median(blanks)


def test_pieces_of_foil_follow_each_other_and_places_do_not_overlap():
    parameters = SurveyParameters(foil=SMALL, places_per_foil=30)
    places = [take(parameters, 1, number).place for number in (1, 2, 26, 30, 31)]
    assert [place.foil for place in places] == [1, 1, 1, 1, 2]
    assert (places[1].x_um, places[1].y_um) == (6.4, 0.0)
    assert (places[2].x_um, places[2].y_um) == (0.0, 4.8)
    assert (places[4].x_um, places[4].y_um) == (0.0, 0.0)


@pytest.mark.parametrize("wrong", [{"crater_share": 0.0}, {"series_share": 1.5}, {"places_per_foil": 0}])
def test_impossible_surveys_are_refused(wrong: dict[str, float]):
    with pytest.raises(InvalidInput, match=r"between 0 and 1|at least 1 place"):
        SurveyParameters(**wrong)
