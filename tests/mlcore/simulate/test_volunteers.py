"""A triage with people like real ones: as good as they were, as unsure as we are, and rules compared."""

import numpy as np
import pytest

from mlcore.consensus.answers.skill import Rates, Skill
from mlcore.consensus.answers.stopping import StoppingRule
from mlcore.errors import InvalidInput
from mlcore.simulate.judges import EASY, HARD, LOOKALIKE, CrowdParameters, make_images, make_people
from mlcore.simulate.volunteers import World, around, curve, images_like, people_like

GOLD = make_images(CrowdParameters(n_images=1000, crater_share=0.5, lookalike_share=0.1), 1)
GOOD = Skill(hits=900, craters=1000, passes=950, blanks=1000)


def called(people: object, person: int, which: np.ndarray) -> float:
    return float(people.chance_of_calling(GOLD, person)[which].mean())


def test_on_known_subjects_people_are_as_good_as_they_were():
    people = people_like([GOOD] * 3, np.array([1.0, 2.0, 1.0]), GOLD, seed=1)
    for person in range(3):
        assert called(people, person, GOLD.is_crater) == pytest.approx(0.9, abs=0.03)
        assert called(people, person, ~GOLD.is_crater) == pytest.approx(0.05, abs=0.03)
    assert people.effort.tolist() == [0.25, 0.5, 0.25]


def test_of_whom_little_is_known_anything_may_be_drawn():
    some = people_like([Skill(prior=Rates(0.8, 0.8))] * 200, np.ones(200), GOLD, seed=1)
    sure = people_like([GOOD] * 200, np.ones(200), GOLD, seed=1)
    assert some.sensitivity_logit.std() > 5 * sure.sensitivity_logit.std()


def test_another_seed_draws_other_people():
    one, again, other = (people_like([GOOD], np.ones(1), GOLD, seed=seed) for seed in (1, 1, 2))
    assert one.sensitivity_logit == again.sensitivity_logit != other.sensitivity_logit


def test_craters_are_as_frequent_as_the_priors_say():
    priors = np.repeat([-4.0, 0.0], 10_000)
    images = images_like(priors, seed=1)
    assert images.is_crater[:10_000].mean() == pytest.approx(0.018, abs=0.004)
    assert images.is_crater[10_000:].mean() == pytest.approx(0.5, abs=0.02)
    assert (images.kind == HARD).sum() / images.is_crater.sum() == pytest.approx(0.3, abs=0.02)
    assert (images.kind == LOOKALIKE).sum() / (images.kind < EASY).sum() == pytest.approx(0.0505, abs=0.01)


def world_of(seed: int) -> World:
    parameters = CrowdParameters(n_images=300, n_people=40)
    priors = np.full(300, -2.0)
    return World(images_like(priors, seed=seed), make_people(parameters, seed), GOLD, priors)


def test_a_rule_that_rejects_less_easily_takes_more_votes_and_finds_no_less():
    told = []
    rules = around(StoppingRule(reject=1e-4))
    points = curve(world_of, [rules[0], rules[-1]], (1, 2, 3), lambda *done: told.append(done))
    easy, strict = points
    assert easy.votes.high < strict.votes.low
    assert easy.completeness.mean <= strict.completeness.mean
    for point in points:
        assert point.votes.low <= point.votes.mean <= point.votes.high
        assert 0.0 <= point.completeness.low <= point.completeness.high <= 1.0
    assert told == [(n, 6) for n in range(1, 7)]


def test_having_found_every_crater_of_a_few_is_no_certainty():
    """All seeds agree, yet so few craters leave room for some that would be missed."""
    [point] = curve(world_of, [StoppingRule(min_votes=3, max_votes=3, reject=1e-9, accept=0.5)], (1, 2))
    assert point.completeness.mean == point.completeness.high == 1.0
    assert 0.8 < point.completeness.low < 0.99


def test_where_no_crater_lies_nothing_is_said_of_completeness():
    def barren(seed: int) -> World:
        priors = np.full(50, -40.0)
        parameters = CrowdParameters(n_people=20)
        return World(images_like(priors, seed=seed), make_people(parameters, seed), GOLD, priors)

    [point] = curve(barren, [StoppingRule(min_votes=1, max_votes=3)], (1,))
    assert np.isnan(point.completeness.mean)
    assert (point.completeness.low, point.completeness.high) == (0.0, 1.0)


def test_the_rules_around_a_rule_hold_it_and_stay_rules():
    assert StoppingRule() in around(StoppingRule())
    assert [rule.reject for rule in around(StoppingRule(reject=1e-6))] == pytest.approx(
        [1e-4, 1e-5, 1e-6, 1e-7, 1e-8]
    )
    assert all(rule.reject < 0.3 for rule in around(StoppingRule(accept=0.3, reject=0.1)))


def test_nobody_is_refused():
    with pytest.raises(InvalidInput, match="0 people"):
        people_like([], np.array([]), GOLD, seed=1)
    with pytest.raises(InvalidInput, match="not only zeros"):
        people_like([GOOD], np.zeros(1), GOLD, seed=1)
