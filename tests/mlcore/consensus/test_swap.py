"""Skills, online odds and stopping: what judges the answers of volunteers."""

from math import log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.consensus.answers.skill import Answer, Rates, Skill
from mlcore.consensus.answers.stopping import Outcome, StoppingRule, Tally, outcome
from mlcore.consensus.answers.swap import MAX_STEP, evidence, expected_information, log_odds, probability
from mlcore.errors import InvalidInput

known = st.lists(st.tuples(st.booleans(), st.sampled_from(Answer)), max_size=60)
shares = st.floats(0.01, 0.99)


def taught(answers: list[tuple[bool, Answer]]) -> Skill:
    skill = Skill()
    for is_crater, answer in answers:
        skill = skill.after(is_crater=is_crater, answer=answer)
    return skill


def space_warps(training: list[tuple[bool, bool]], votes: list[bool], p: float) -> float:
    """The first SWAP written out plainly, one trajectory without draws: one person, then one subject."""
    pl = pd = 0.5
    nl = nd = 4
    for is_lens, said_lens in training:
        if is_lens:
            pl = min(0.99, max(0.01, (pl * nl + said_lens) / (nl + 1)))
            nl += 1
        else:
            pd = min(0.99, max(0.01, (pd * nd + (not said_lens)) / (nd + 1)))
            nd += 1
    for said_lens in votes:
        p = (
            p * pl / (p * pl + (1 - p) * (1 - pd))
            if said_lens
            else p * (1 - pl) / (p * (1 - pl) + (1 - p) * pd)
        )
    return p


def test_a_subject_becomes_a_candidate_by_the_calls_of_practised_people():
    skill = taught([(True, Answer.CRATER)] * 16 + [(False, Answer.NOTHING)] * 16)
    odds = log_odds(0.01)
    for _ in range(4):
        odds += evidence(skill, Answer.CRATER)
    assert probability(odds) > 0.95
    assert outcome(StoppingRule(), Tally(odds, votes=4, practised=4)) == Outcome.CANDIDATE


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40), st.lists(st.booleans(), max_size=3))
def test_odds_are_those_of_the_first_swap(training: list[tuple[bool, bool]], votes: list[bool]):
    skill = taught([(truth, Answer.CRATER if said else Answer.NOTHING) for truth, said in training])
    rates = skill.rates
    steps = [
        log(rates.sensitivity / (1 - rates.specificity)),
        log((1 - rates.sensitivity) / rates.specificity),
    ]
    if skill.is_reversed or max(map(abs, steps)) > MAX_STEP:
        return  # Where ours is meant to differ: see below.
    odds = log_odds(0.02) + sum(evidence(skill, Answer.CRATER if said else Answer.NOTHING) for said in votes)
    assert probability(odds) == pytest.approx(space_warps(training, votes, 0.02), rel=1e-9)


@given(known, st.randoms(use_true_random=False))
def test_a_skill_does_not_depend_on_the_order_of_answers(answers: list[tuple[bool, Answer]], random: Random):
    shuffled = list(answers)
    random.shuffle(shuffled)
    assert taught(shuffled) == taught(answers)


@given(known, st.sampled_from(Answer))
def test_no_answer_moves_the_odds_more_than_twentyfold(answers: list[tuple[bool, Answer]], answer: Answer):
    assert abs(evidence(taught(answers), answer)) <= MAX_STEP


@given(shares)
def test_a_beginner_tells_nothing(p: float):
    assert evidence(Skill(), Answer.CRATER) == evidence(Skill(), Answer.NOTHING) == 0.0
    assert expected_information(Skill(), log_odds(p)) == pytest.approx(0.0, abs=1e-12)


def test_a_beginner_starts_from_what_the_population_can_do():
    assert evidence(Skill(prior=Rates(0.8, 0.9)), Answer.CRATER) == pytest.approx(log(8))


def test_who_cannot_tell_says_nothing_about_the_subject_nor_about_themselves():
    skill = taught([(True, Answer.CRATER), (True, Answer.CANNOT_TELL), (False, Answer.CANNOT_TELL)])
    assert (skill.craters, skill.blanks) == (1, 0)
    assert evidence(skill, Answer.CANNOT_TELL) == 0.0


def test_nobody_is_believed_upside_down():
    reversed_ = taught([(True, Answer.NOTHING)] * 20 + [(False, Answer.CRATER)] * 20)
    assert reversed_.is_reversed
    assert evidence(reversed_, Answer.NOTHING) == 0.0
    assert not taught([(True, Answer.NOTHING)] * 2).is_reversed, "two mistakes prove nothing"


def test_the_interval_of_a_skill_narrows_with_answers():
    few, many = (taught([(True, Answer.CRATER), (False, Answer.NOTHING)] * n) for n in (2, 50))
    (low, high), _ = few.interval()
    (lower, higher), _ = many.interval()
    assert low < few.rates.sensitivity < high
    assert higher - lower < (high - low) / 2


@given(shares)
def test_probability_and_log_odds_are_inverse(p: float):
    assert probability(log_odds(p)) == pytest.approx(p)


def test_a_network_that_is_certain_is_not_believed_so():
    assert probability(log_odds(0.0)) == pytest.approx(1e-4, rel=1e-3)
    assert probability(log_odds(1.0)) == pytest.approx(1 - 1e-4)


def test_information_is_greatest_where_it_is_open():
    skill = taught([(True, Answer.CRATER), (False, Answer.NOTHING)] * 20)
    assert expected_information(skill, log_odds(0.5)) > 5 * expected_information(skill, log_odds(0.01))


class TestStopping:
    rule = StoppingRule(min_votes=3, max_votes=6, accept=0.9, reject=1e-3, practised_people=2)

    def test_no_subject_retires_before_the_fewest_answers(self):
        assert outcome(self.rule, Tally(20.0, votes=2, practised=2)) is None

    def test_nothing_needs_practised_people(self):
        assert outcome(self.rule, Tally(-20.0, votes=4, practised=1)) is None
        assert outcome(self.rule, Tally(-20.0, votes=4, practised=2)) == Outcome.NOTHING

    def test_what_stays_open_goes_to_reviewers_and_is_never_dropped(self):
        assert outcome(self.rule, Tally(0.0, votes=5, practised=5)) is None
        assert outcome(self.rule, Tally(0.0, votes=6, practised=6)) == Outcome.UNDECIDED
        assert outcome(self.rule, Tally(-20.0, votes=6, practised=0)) == Outcome.UNDECIDED

    def test_an_image_that_most_cannot_read_is_bad(self):
        assert outcome(self.rule, Tally(20.0, votes=5, cannot_tell=3)) == Outcome.BAD_IMAGE

    def test_it_travels_as_json(self):
        assert StoppingRule.from_json(self.rule.to_json()) == self.rule

    @pytest.mark.parametrize(
        ("wrong", "sentence"),
        [
            ({"min_votes": 0}, "at least 1"),
            ({"min_votes": 9, "max_votes": 5}, "from min_votes to 1000"),
            ({"reject": 0.5, "accept": 0.4}, "below accept"),
            ({"accept": 1.0}, "below 1"),
            ({"bad_image_share": 0.0}, "above 0"),
            ({"patience": 3}, "no setting 'patience'"),
        ],
    )
    def test_a_rule_that_makes_no_sense_is_refused(self, wrong: dict, sentence: str):
        with pytest.raises(InvalidInput, match=sentence):
            StoppingRule.from_json(wrong)


def test_what_is_no_probability_is_refused():
    with pytest.raises(InvalidInput, match=r"between 0 and 1, not at 1\.5"):
        log_odds(1.5)
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        Skill().interval(1.0)
