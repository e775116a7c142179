"""The log judged again under a rule: what happened comes out again, and what does not matter does not."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.consensus.answers.dawid_skene import UNKNOWN
from mlcore.consensus.answers.replay import WITHDRAWN, Log, Night, replay
from mlcore.consensus.answers.skill import Answer, Rates, Skill
from mlcore.consensus.answers.stopping import Outcome, StoppingRule, Tally, outcome, outcomes
from mlcore.consensus.answers.swap import evidence
from mlcore.consensus.answers.votes import CANNOT_TELL, CRATER, NOTHING
from mlcore.errors import InvalidInput
from mlcore.simulate.judges import CrowdParameters, make_images, make_people
from mlcore.simulate.triage import Played, play

IMAGES = CrowdParameters(n_images=250, crater_share=0.1, lookalike_share=0.1, n_people=40)
GOLD = CrowdParameters(n_images=80, crater_share=0.5, lookalike_share=0.2)
RULE = StoppingRule(reject=1e-4)
NEVER = StoppingRule(min_votes=1000, max_votes=1000)
PRIOR = -2.0


@cache
def played(seed: int, rule: StoppingRule = RULE) -> tuple[Played, Log]:
    """A triage of made-up people without nights, and its log."""
    gold = make_images(GOLD, seed + 100)
    result = play(
        make_images(IMAGES, seed),
        make_people(IMAGES, seed),
        gold,
        prior_log_odds=np.full(IMAGES.n_images, PRIOR),
        rule=rule,
        seed=seed,
        has_nights=False,
    )
    truth = np.r_[np.full(IMAGES.n_images, UNKNOWN), np.where(gold.is_crater, CRATER, NOTHING)]
    return result, a_log(
        result.subject, result.person, np.where(result.called, CRATER, NOTHING), truth, IMAGES.n_people
    )


def a_log(subject: object, person: object, answer: object, truth: object, n_people: int = 4) -> Log:
    subject, person, answer, truth = (
        np.asarray(column, dtype=np.int64) for column in (subject, person, answer, truth)
    )
    fits = len(subject) == len(answer) and len(truth) > subject.max(initial=0)
    is_right = answer == truth[subject] if fits else np.zeros(len(answer), dtype=bool)
    return Log(
        subject, person, answer, np.full(len(truth), PRIOR), truth, is_right, np.ones(n_people, dtype=bool)
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_the_rule_that_was_in_force_gives_what_happened(seed: int):
    result, log = played(seed)
    again = replay(log, RULE, weighs_anew=False)
    n = IMAGES.n_images
    assert again.outcome[:n].tolist() == result.outcome.tolist()
    assert again.votes[:n].tolist() == result.votes.tolist()
    last = {int(subject): row for row, subject in enumerate(log.subject)}
    assert again.at[:n].tolist() == [last[i] if result.outcome[i] else -1 for i in range(n)]


def test_a_rule_that_asks_for_less_uses_no_more_answers():
    result, log = played(3)
    easier = replay(log, StoppingRule(reject=1e-2), weighs_anew=False)
    n = IMAGES.n_images
    assert (easier.votes[:n] <= result.votes).all()
    assert easier.votes[:n].sum() < 0.8 * result.votes.sum()


def test_a_rule_that_asks_for_more_leaves_open_what_nobody_was_asked():
    result, log = played(4)
    stricter = replay(log, StoppingRule(min_votes=6, max_votes=30, reject=1e-8), weighs_anew=False)
    n = IMAGES.n_images
    assert (stricter.outcome[:n] == "").sum() > 0.3 * n
    assert stricter.votes[:n].tolist() == result.votes.tolist()


def test_each_answer_weighs_as_its_giver_is_known_by_now():
    """Person 0 calls a crater, learns from a known one, and with person 1's answer counts for more."""
    truth = [UNKNOWN, CRATER]
    log = a_log([0, 1, 0], [0, 0, 1], [CRATER, CRATER, CRATER], truth)
    begun, learnt = Skill(), Skill().after(is_crater=True, answer=Answer.CRATER)
    now = replay(log, NEVER).log_odds[0]
    then = replay(log, NEVER, weighs_anew=False).log_odds[0]
    assert now == pytest.approx(PRIOR + evidence(learnt, Answer.CRATER) + evidence(begun, Answer.CRATER))
    assert then == pytest.approx(PRIOR + 2 * evidence(begun, Answer.CRATER)) != now


def test_no_answer_to_a_known_subject_vouches_for_itself():
    log = a_log([0], [0], [CRATER], [CRATER])
    assert replay(log, NEVER).log_odds[0] == PRIOR


def test_a_known_subject_is_judged_as_if_it_were_not_known():
    people = [0, 1, 2, 3]
    taught = a_log([1] * 4 + [0] * 4, people * 2, [CRATER] * 8, [NOTHING, CRATER])
    assert replay(taught, StoppingRule(accept=0.2)).outcome.tolist() == ["candidate", ""]


def test_a_correction_stands_in_place_of_what_it_corrects():
    truth = [UNKNOWN, CRATER]
    told = a_log([1, 1, 0], [0, 0, 0], [NOTHING, CRATER, CRATER], truth)
    once = a_log([1, 0], [0, 0], [CRATER, CRATER], truth)
    assert replay(told, NEVER).log_odds.tolist() == replay(once, NEVER).log_odds.tolist()
    assert replay(told, NEVER).votes.tolist() == [1, 1]


def test_what_is_taken_back_has_not_been_said():
    truth = [UNKNOWN, CRATER]
    told = a_log([1, 1, 0, 0], [0, 0, 0, 0], [CRATER, WITHDRAWN, CRATER, WITHDRAWN], truth)
    again = replay(told, NEVER)
    assert again.log_odds.tolist() == [PRIOR, PRIOR]
    assert again.votes.tolist() == [0, 0]


def test_a_crater_called_at_the_wrong_place_is_not_found():
    log = a_log([1, 0], [0, 0], [CRATER, CRATER], [UNKNOWN, CRATER])
    missed = replace(log, is_right=np.array([False, True]))
    assert replay(missed, NEVER).log_odds[0] < PRIOR < replay(log, NEVER).log_odds[0]


def test_those_set_aside_count_for_nothing():
    log = a_log([0, 0, 0, 0], [0, 1, 2, 3], [CANNOT_TELL] * 4, [UNKNOWN])
    assert replay(log, StoppingRule()).outcome.tolist() == ["bad_image"]
    few = replace(log, counts=np.array([True, True, False, False]))
    again = replay(few, StoppingRule())
    assert (again.outcome.tolist(), again.votes.tolist()) == ([""], [2])


def test_a_night_gives_beginners_the_population_and_opens_what_it_no_longer_supports():
    truth = [UNKNOWN, CRATER, CRATER]
    rows = a_log([1, 2, 0, 0], [0, 0, 0, 1], [CRATER, CRATER, CRATER, CRATER], truth)
    rule = StoppingRule(min_votes=1, accept=0.15)
    assert replay(rows, rule).outcome[0] == Outcome.CANDIDATE
    # By then everybody is known to call craters anywhere: the call says less than it seemed to.
    night = Night(4, Rates(0.9, 0.1))
    assert replay(rows, rule, nights=[night]).outcome[0] == ""


@given(st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_after_a_night_odds_do_not_depend_on_the_order(random: object):
    _, log = played(5)
    order = np.arange(len(log.subject))
    random.shuffle(order)
    night = [Night(len(order), Rates(0.8, 0.9))]
    shuffled = a_log(log.subject[order], log.person[order], log.answer[order], log.known, IMAGES.n_people)
    n = IMAGES.n_images
    one, other = replay(log, NEVER, nights=night), replay(shuffled, NEVER, nights=night)
    assert one.log_odds[:n] == pytest.approx(other.log_odds[:n])


def test_names_do_not_matter():
    _, log = played(6)
    random = np.random.default_rng(1)
    people, subjects = random.permutation(IMAGES.n_people), random.permutation(len(log.known))
    truth = np.empty_like(log.known)
    truth[subjects] = log.known
    renamed = a_log(subjects[log.subject], people[log.person], log.answer, truth, IMAGES.n_people)
    one, other = replay(log, RULE), replay(renamed, RULE)
    assert one.outcome.tolist() == other.outcome[subjects].tolist()
    assert one.at.tolist() == other.at[subjects].tolist()


def test_an_empty_log_retires_nothing():
    again = replay(a_log([], [], [], [UNKNOWN]), RULE, nights=[Night(0, Rates())])
    assert (again.outcome.tolist(), again.at.tolist()) == ([""], [-1])


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (([2], [0], [CRATER]), "subject is 0 to 0, not 2"),
        (([0], [9], [CRATER]), "person is 0 to 3, not 9"),
        (([0], [0], [4]), "answer is 0 to 3, not 4"),
        (([0, 0], [0], [CRATER]), "person has 1 rows and subject 2"),
    ],
)
def test_a_log_that_does_not_fit_is_refused(columns: tuple[list[int], ...], sentence: str):
    with pytest.raises(InvalidInput, match=sentence):
        a_log(*columns, [UNKNOWN])


def test_nights_come_in_their_order():
    log = a_log([0], [0], [CRATER], [UNKNOWN])
    for nights in ([Night(1, Rates()), Night(0, Rates())], [Night(2, Rates())]):
        with pytest.raises(InvalidInput, match="Nights come in their order"):
            replay(log, RULE, nights=nights)


tallies = st.tuples(st.floats(-60, 60), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))


@given(st.lists(tallies, max_size=30), st.integers(1, 10), st.integers(0, 20), st.floats(1e-9, 0.4))
@settings(max_examples=100, deadline=None)
def test_many_outcomes_at_once_are_the_outcomes_of_each(
    rows: list[tuple[float, int, int, int]], min_votes: int, more: int, reject: float
):
    rule = StoppingRule(min_votes=min_votes, max_votes=min_votes + more, reject=reject, practised_people=1)
    columns = np.array(rows, dtype=float).reshape(-1, 4)
    found = outcomes(
        rule,
        log_odds=columns[:, 0],
        **{
            name: columns[:, i].astype(np.int64)
            for i, name in enumerate(("votes", "cannot_tell", "practised"), start=1)
        },
    )
    assert found.tolist() == [outcome(rule, Tally(*row)) or "" for row in rows]
