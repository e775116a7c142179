"""What is published: calibrated, with intervals; neither the order of votes nor names of people matter."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.consensus.answers.dawid_skene import UNKNOWN, account
from mlcore.consensus.answers.held_out import hold_out, says, stop
from mlcore.consensus.answers.published import DRAWS, Published, publish
from mlcore.consensus.answers.skill import Answer, Skill
from mlcore.consensus.answers.stopping import Outcome, StoppingRule, Tally, outcome
from mlcore.consensus.answers.swap import MAX_STEP, evidence
from mlcore.consensus.answers.votes import CANNOT_TELL, CRATER, NOTHING, Votes, order, record
from mlcore.errors import InvalidInput
from mlcore.metrics.calibration import calibration_error, fit_platt

RULE = StoppingRule()
ODDS = math.log(0.1 / 0.9)


def made(
    *, n_subjects: int = 240, n_known: int = 80, n_people: int = 30, each: int = 8, seed: int = 1
) -> tuple[Votes, np.ndarray]:
    """Votes of mixed people; the known subjects come first, half of them craters; and the truth."""
    random = np.random.default_rng(seed)
    truth = np.where(random.random(n_subjects) < 0.1, CRATER, NOTHING)
    truth[:n_known] = np.arange(n_known) % 2
    right = random.uniform(0.7, 0.95, n_people)
    subject = np.repeat(np.arange(n_subjects), each)
    person = np.concatenate([random.permutation(n_people)[:each] for _ in range(n_subjects)])
    is_right = random.random(len(subject)) < right[person]
    answer = np.where(is_right, truth[subject], 1 - truth[subject])
    answer[random.random(len(subject)) < 0.03] = CANNOT_TELL
    known = np.where(np.arange(n_subjects) < n_known, truth, UNKNOWN)
    prior = np.full(n_subjects, ODDS)
    return Votes(subject, person, answer, n_people, 10 + 3 * np.arange(n_subjects), prior, known), truth


def told_otherwise(votes: Votes, seed: int) -> tuple[Votes, np.ndarray]:
    """The same votes in another order and under other numbers of people; and the new numbers."""
    random = np.random.default_rng(seed)
    rows, numbers = random.permutation(len(votes.subject)), random.permutation(votes.n_people)
    return (
        replace(
            votes,
            subject=votes.subject[rows],
            person=numbers[votes.person][rows],
            answer=votes.answer[rows],
        ),
        numbers,
    )


def bits(found: Published) -> list[bytes]:
    columns = (found.probability, found.low, found.high, found.n_votes, found.outcome, found.among_known)
    return [column.tobytes() for column in columns]


def test_it_finds_the_craters_and_says_how_sure_it_is():
    votes, truth = made(each=12)
    found = publish(votes, RULE)
    unknown = votes.known == UNKNOWN
    is_crater = truth == CRATER
    assert ((found.probability > 0.5) == is_crater)[unknown].mean() > 0.97
    assert (found.low <= found.probability).all() and (found.probability <= found.high).all()
    assert (found.high - found.low)[unknown].max() > 0.01
    assert (found.n_votes[unknown] == 12).all()
    assert calibration_error(found.probability[unknown], is_crater[unknown]) < 0.1
    assert found.calibration is not None and found.has_converged


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_known=st.sampled_from([0, 6, 40]), each=st.integers(1, 6))
def test_neither_the_order_of_the_log_nor_peoples_names_change_a_bit(seed: int, n_known: int, each: int):
    votes, _ = made(n_subjects=60, n_known=n_known, n_people=12, each=each, seed=seed % 97)
    other, numbers = told_otherwise(votes, seed)
    one, two = publish(votes, RULE), publish(other, RULE)
    assert bits(one) == bits(two)
    assert one.sha256 == two.sha256
    for mine, theirs in zip(one.people.columns, two.people.columns, strict=True):
        assert (mine == theirs[numbers]).all()


def test_people_who_say_exactly_the_same_may_change_places():
    votes, _ = made(n_subjects=60, n_known=20, n_people=6, each=6)
    # Three of six people always say what person 0 says.
    answer = votes.answer.copy()
    of_first = dict(zip(votes.subject[votes.person == 0], votes.answer[votes.person == 0], strict=True))
    for person in (1, 2):
        theirs = votes.person == person
        answer[theirs] = [of_first[subject] for subject in votes.subject[theirs]]
    votes = replace(votes, answer=answer)
    results = {tuple(bits(publish(told_otherwise(votes, seed)[0], RULE))) for seed in range(4)}
    assert len(results) == 1


@pytest.mark.parametrize("change", ["answer", "known", "prior", "rule"])
def test_another_input_has_another_hash(change: str):
    votes, _ = made(n_subjects=30, n_known=10)
    rule = RULE
    if change == "answer":
        answer = votes.answer.copy()
        answer[5] = (answer[5] + 1) % 3
        other = replace(votes, answer=answer)
    elif change == "known":
        other = replace(votes, known=np.where(np.arange(30) == 3, UNKNOWN, votes.known))
    elif change == "prior":
        other = replace(votes, prior_log_odds=votes.prior_log_odds + 0.1)
    else:
        other, rule = votes, StoppingRule(min_votes=4)
    assert order(votes, RULE).sha256 != order(other, rule).sha256


def test_the_probability_is_prior_and_calibrated_evidence_as_written_out():
    """Against a plain transcription, with weight, folds and calibration of the result itself."""
    votes, _ = made(n_subjects=80, n_known=40, n_people=10, each=5)
    found = publish(votes, RULE)
    ordered = order(votes, RULE).votes
    crater = 1.0 / (1.0 + math.exp(-ODDS))
    prior = np.tile([crater, 1.0 - crater], (80, 1))
    confusion = account(
        ordered.answers, prior=prior, known=ordered.known, unknown_weight=found.unknown_weight
    ).confusion
    for subject in (45, 60, 79):
        total = 0.0
        for s, person, answer in zip(ordered.subject, ordered.person, ordered.answer, strict=True):
            if s != subject:
                continue
            step = math.log(confusion[person, CRATER, answer] / confusion[person, NOTHING, answer])
            least = {CRATER: 0.0, NOTHING: -MAX_STEP, CANNOT_TELL: 0.0}[answer]
            most = {CRATER: MAX_STEP, NOTHING: 0.0, CANNOT_TELL: 0.0}[answer]
            total += min(most, max(least, step))
        odds = ODDS + found.calibration.intercept + found.calibration.slope * total
        assert found.probability[subject] == pytest.approx(1.0 / (1.0 + math.exp(-odds)), abs=1e-4)


def test_calibration_is_fitted_on_known_subjects_that_were_hidden():
    votes, _ = made(n_subjects=120, n_known=60, each=5)
    found = publish(votes, RULE)
    ordered = order(votes, RULE)
    stopped = stop(ordered.votes, RULE, record(ordered.votes), seed=ordered.seed)
    held, _ = hold_out(ordered.votes, stopped.asked, seed=ordered.seed)
    truth = ordered.votes.known[held.at] == CRATER
    fitted = fit_platt(held.evidence, truth)
    assert found.calibration.slope == pytest.approx(fitted.slope)
    share = truth.mean()
    assert found.calibration.intercept == pytest.approx(fitted.intercept - math.log(share / (1 - share)))


def test_a_known_subject_is_foretold_without_its_own_votes_and_truth():
    """Somebody who alone answers one known subject is as unknown there as a newcomer."""
    votes, _ = made(n_subjects=100, n_known=60, n_people=10, each=6)
    alone = np.full(1, 10)
    more = replace(
        votes,
        subject=np.append(votes.subject, 0),
        person=np.append(votes.person, alone),
        answer=np.append(votes.answer, votes.known[0]),
        n_people=11,
    )
    flipped = replace(more, answer=np.append(votes.answer, 1 - votes.known[0]))
    rule = StoppingRule(min_votes=7, max_votes=7)
    right, wrong = publish(more, rule), publish(flipped, rule)
    for found in (right, wrong):
        assert found.n_votes[0] == 7
    # With its own truth the newcomer's answer would have counted as a hit in one world, a miss in the other.
    ordered = order(more, rule)
    stopped = stop(ordered.votes, rule, record(ordered.votes), seed=ordered.seed)
    held, full = hold_out(ordered.votes, stopped.asked, seed=ordered.seed)
    newcomer = order(more, rule).number_of[10]
    fold = held.fold[list(held.at).index(0)]
    assert held.accounts[fold].confusion[newcomer] == pytest.approx(held.accounts[fold].population)
    assert full.confusion[newcomer] != pytest.approx(full.population)


def test_rows_are_drawn_from_their_posterior():
    """One person, one unknown subject: the interval is that of two Dirichlet rows, drawn another way."""
    rng = np.random.default_rng(3)
    n_known = 200
    known = np.append(np.arange(n_known) % 2, UNKNOWN)
    subject = np.arange(n_known + 1)
    answer = np.append(np.where(rng.random(n_known) < 0.8, known[:-1], 1 - known[:-1]), CRATER)
    votes = Votes(subject, np.zeros(n_known + 1, int), answer, 1, subject, np.zeros(n_known + 1), known)
    rule = StoppingRule(min_votes=1, practised_people=0)
    found = publish(votes, rule)
    prior = np.full((n_known + 1, 2), 0.5)
    fitted = account(votes.answers, prior=prior, known=known, unknown_weight=found.unknown_weight)
    alpha = fitted.confusion[0] * fitted.rests_on[0][:, None]
    rows = [rng.dirichlet(row, 40_000) for row in alpha]
    drawn = np.clip(np.log(rows[CRATER][:, CRATER] / rows[NOTHING][:, CRATER]), 0.0, MAX_STEP)
    for at, quantile in ((found.low, 0.05), (found.high, 0.95)):
        odds = found.calibration.intercept + found.calibration.slope * np.quantile(drawn, quantile)
        told = math.log(at[-1] / (1.0 - at[-1]))
        assert told == pytest.approx(odds, abs=0.15)
    assert DRAWS == 200


def test_memory_is_bounded_by_taking_subjects_in_turns(monkeypatch: pytest.MonkeyPatch):
    votes, _ = made(n_subjects=80, n_known=40)
    whole = publish(votes, RULE)
    monkeypatch.setattr("mlcore.consensus.answers.published._AT_ONCE", DRAWS * 20)
    assert bits(publish(votes, RULE)) == bits(whole)


def test_nobody_is_believed_upside_down_and_nobody_decides_alone():
    liar = np.array([[0.05, 0.9, 0.05], [0.9, 0.05, 0.05]])
    sage = np.array([[0.998, 0.001, 0.001], [0.001, 0.998, 0.001]])
    assert says(liar).tolist() == pytest.approx([0.0, 0.0, 0.0])
    assert says(sage).tolist() == pytest.approx([MAX_STEP, -MAX_STEP, 0.0])


def test_the_rule_is_played_on_known_subjects_as_written_out():
    votes, _ = made(n_subjects=40, n_known=40, n_people=20, each=15)
    ordered = order(votes, RULE)
    people = record(ordered.votes)
    stopped = stop(ordered.votes, RULE, people, seed=ordered.seed)
    said = (Answer.CRATER, Answer.NOTHING, Answer.CANNOT_TELL)
    assert set(stopped.outcome) <= {"", *Outcome}
    for subject in range(40):
        rows = np.flatnonzero((ordered.votes.subject == subject) & stopped.asked)
        tally = Tally(ODDS)
        for row in rows:
            person, answer = ordered.votes.person[row], said[ordered.votes.answer[row]]
            counts = [float(column[person]) for column in people.columns]
            if answer != Answer.CANNOT_TELL:
                kind = 0 if ordered.votes.known[subject] == CRATER else 2
                counts[kind + 1] -= 1
                counts[kind] -= ordered.votes.answer[row] == ordered.votes.known[subject]
            skill = Skill(*counts, prior=people.population)
            tally = Tally(
                tally.log_odds + evidence(skill, answer),
                tally.votes + 1,
                tally.cannot_tell + (answer == Answer.CANNOT_TELL),
                tally.practised + (skill.known_answers >= RULE.practised_after),
            )
        assert (outcome(RULE, tally) or "") == stopped.outcome[subject]


def test_a_known_subject_counts_no_more_votes_than_the_rule_asks_for():
    votes, _ = made(n_subjects=60, n_known=40, n_people=60, each=50)
    found = publish(votes, RULE)
    known = votes.known != UNKNOWN
    assert (found.n_votes[known] <= RULE.max_votes).all()
    assert (found.n_votes[~known] == 50).all()


def test_without_known_subjects_nothing_is_calibrated_and_it_says_so():
    votes, _ = made(n_known=0)
    found = publish(votes, RULE)
    assert found.calibration is None and found.unknown_weight == 0.3
    assert len(found.hidden) == 0
    assert np.isfinite(found.probability).all()


def test_few_known_subjects_are_foretold_but_calibrate_nothing():
    votes, _ = made(n_known=16)
    found = publish(votes, RULE)
    assert found.calibration is None
    assert len(found.hidden) == 16
    assert np.isfinite(found.probability[found.hidden]).all()


def test_what_nobody_has_answered_has_no_probability():
    votes, _ = made()
    keep = votes.subject != 200
    fewer = replace(votes, subject=votes.subject[keep], person=votes.person[keep], answer=votes.answer[keep])
    found = publish(fewer, RULE)
    assert np.isnan(found.probability[200]) and found.n_votes[200] == 0


@pytest.mark.parametrize("n_known", [0, 80])
def test_where_nobody_can_tell_the_prior_stands(n_known: int):
    votes, _ = made(n_known=n_known)
    answer = np.where(votes.subject == 100, CANNOT_TELL, votes.answer)
    found = publish(replace(votes, answer=answer), RULE)
    assert found.probability[100] == pytest.approx(0.1)
    assert found.low[100] == found.high[100] == found.probability[100]
    assert (found.calibration is None) == (n_known == 0)


def test_no_votes_at_all():
    none = np.empty(0, np.int64)
    found = publish(Votes(none, none, none, 0, np.array([4]), np.zeros(1), np.array([UNKNOWN])), RULE)
    assert np.isnan(found.probability).all() and found.has_converged


def test_two_votes_of_one_person_are_refused():
    votes, _ = made(n_subjects=10, n_known=0)
    twice = replace(
        votes,
        subject=np.append(votes.subject, votes.subject[0]),
        person=np.append(votes.person, votes.person[0]),
        answer=np.append(votes.answer, NOTHING),
    )
    with pytest.raises(InvalidInput, match="two votes on one subject"):
        publish(twice, RULE)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"key": np.array([2, 1])}, "ascend"),
        ({"known": np.array([0, 5])}, "known is"),
        ({"prior_log_odds": np.array([0.0, np.inf])}, "not a finite number"),
        ({"prior_log_odds": np.zeros(3)}, "2 subjects have 3 priors"),
        ({"answer": np.array([3])}, "answer is 0 to 2"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict, sentence: str):
    one = np.zeros(1, np.int64)
    fields = {
        "subject": one,
        "person": one,
        "answer": one,
        "n_people": 1,
        "key": np.array([1, 2]),
        "prior_log_odds": np.zeros(2),
        "known": np.array([0, UNKNOWN]),
    }
    with pytest.raises(InvalidInput, match=sentence):
        Votes(**fields | changes)
