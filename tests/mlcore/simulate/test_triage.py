"""Made-up judges, frozen, and a whole triage played with them."""

import numpy as np
import pytest

from mlcore.consensus.answers.stopping import Outcome, StoppingRule
from mlcore.errors import InvalidInput
from mlcore.simulate.judges import EASY, HARD, LOOKALIKE, CrowdParameters, make_images, make_people, version
from mlcore.simulate.triage import Played, gold_share, play

SMALL = CrowdParameters(n_images=400, crater_share=0.1, lookalike_share=0.1, n_people=60)
GOLD = CrowdParameters(n_images=200, crater_share=0.5, lookalike_share=0.2)


def played(seed: int = 1, rule: StoppingRule | None = None) -> Played:
    images = make_images(SMALL, seed)
    return play(
        images,
        make_people(SMALL, seed),
        make_images(GOLD, seed + 100),
        prior_log_odds=np.full(SMALL.n_images, -2.0),
        rule=rule or StoppingRule(reject=1e-4),
        seed=seed,
    )


def test_the_simulator_is_frozen():
    """A changed simulator makes older figures incomparable: say so, and pin the new one."""
    assert version() == "b35f8918ac22fb38f1f1170133b2601e6aca32cf8f419ebb8815c5fa60afce5e"


def test_it_finds_most_craters_and_every_image_retires():
    result, images = played(), make_images(SMALL, 1)
    assert (result.outcome != "").all()
    assert result.goes_to_reviewers[images.is_crater].mean() > 0.9
    assert result.goes_to_reviewers[~images.is_crater].mean() < 0.5


def test_rules_hold_in_the_log():
    rule = StoppingRule(min_votes=4, max_votes=9, reject=1e-4)
    result = played(rule=rule)
    real = result.subject < SMALL.n_images
    assert np.bincount(result.subject[real], minlength=SMALL.n_images).tolist() == result.votes.tolist()
    assert result.votes.min() >= 4
    assert result.votes.max() <= 9
    assert result.votes[result.outcome == Outcome.UNDECIDED].tolist() == [9] * int(
        (result.outcome == Outcome.UNDECIDED).sum()
    )
    pairs = list(zip(result.subject.tolist(), result.person.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs), "nobody judges a subject twice"
    assert result.gold_votes == int((~real).sum()) > 0


def test_the_same_seed_plays_the_same():
    assert (played(3).subject == played(3).subject).all()
    assert len(played(3).subject) != len(played(4).subject)


def test_people_are_misled_together_and_few_do_most():
    images, people = make_images(CrowdParameters(), 1), make_people(CrowdParameters(), 1)
    chances = np.stack([people.chance_of_calling(images, j) for j in np.flatnonzero(people.habit == "")[:80]])
    means = [chances[:, images.kind == kind].mean() for kind in (LOOKALIKE, EASY, HARD)]
    assert means[1] > means[0] > 0.3
    assert means[1] > means[2]
    tempting = chances[:, images.kind == LOOKALIKE]
    assert np.corrcoef(tempting[:40].mean(axis=0), tempting[40:].mean(axis=0))[0, 1] > 0.9
    assert np.sort(people.effort)[-50:].sum() > 0.5
    assert (people.habit != "").sum() == 40


def test_known_subjects_thin_out_and_never_end():
    shares = [gold_share(n) for n in (0, 19, 20, 40, 60, 10_000)]
    assert shares == [0.4, 0.4, 0.3, 0.2, 0.1, 0.1]


def test_known_subjects_of_one_kind_are_refused():
    images, people = make_images(SMALL, 1), make_people(SMALL, 1)
    only_blank = make_images(CrowdParameters(n_images=20, crater_share=0.0), 1)
    with pytest.raises(InvalidInput, match="both kinds"):
        play(images, people, only_blank, prior_log_odds=np.zeros(400), rule=StoppingRule(), seed=1)


def test_shares_that_make_no_world_are_refused():
    with pytest.raises(InvalidInput, match="sum to at most 1"):
        CrowdParameters(crater_share=0.6, lookalike_share=0.5)
