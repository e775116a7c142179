"""Whose answers are set aside until somebody has looked."""

from dataclasses import replace

import numpy as np

from mlcore.consensus.answers.suspicion import Habits, Reason, suspects

USUAL = Habits(
    answers=400,
    called=40,
    median_ms=2500,
    gold_answers=60,
    gold_right=50,
    shared_answers=300,
    shared_agree=270,
    marks=40,
    marks_at_one_place=1,
)


def crowd() -> dict[int, Habits]:
    random = np.random.default_rng(1)
    return {
        person: replace(USUAL, called=int(random.binomial(400, np.clip(random.normal(0.1, 0.03), 0.02, 0.3))))
        for person in range(200)
    }


def test_people_who_look_are_left_alone():
    assert len(suspects(crowd())) <= 2


def test_each_way_of_not_looking_has_its_reason():
    odd = {
        1000: (replace(USUAL, called=0, marks=0), Reason.ALWAYS_THE_SAME),
        1001: (replace(USUAL, called=400), Reason.ALWAYS_THE_SAME),
        1002: (replace(USUAL, median_ms=250), Reason.HASTY),
        1003: (replace(USUAL, gold_right=60, shared_agree=160), Reason.KNOWS_THE_GOLD),
        1004: (replace(USUAL, marks_at_one_place=35), Reason.SAME_PLACE),
    }
    found = suspects(crowd() | {person: habits for person, (habits, _) in odd.items()})
    assert {person: found.get(person) for person in odd} == {
        person: [reason] for person, (_, reason) in odd.items()
    }


def test_few_answers_prove_nothing():
    assert suspects(crowd() | {7: replace(USUAL, answers=12, called=12, median_ms=100)}).get(7) is None


def test_a_minority_of_odd_people_does_not_make_the_rest_odd():
    people = crowd() | {2000 + n: replace(USUAL, called=390) for n in range(60)}
    found = suspects(people)
    assert all(person in found for person in range(2000, 2060))
    assert sum(person < 200 for person in found) <= 2
