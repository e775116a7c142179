"""How probably a crater exists, from who marked it and who looked and did not.

Two kinds of candidate places are taken to be: craters, which person j marks with probability
`hit_rate`, and others, which they mark with `false_rate`. Places that nobody marked are not seen, so
both likelihoods are those of at least one mark. The rates and the share of craters are found by
expectation and maximisation with priors worth a few places, so that a tile with little on it leaves
them where they were.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MAX_STEPS = 200
_TOLERANCE = 1e-9
# Share of the marked places that are craters, and the number of places that this is worth.
_SHARE, _SHARE_WEIGHT = 0.75, 4.0
_LEAST, _MOST = 0.01, 0.99


@dataclass(frozen=True)
class PersonSkill:
    """What is known of a person beforehand.

    Attributes:
        hit_rate: Probability that they mark a crater, 0 to 1.
        false_rate: Probability that they mark a place which somebody takes for a crater and is none.
        weight: The number of places that this knowledge is worth, above 0.
    """

    hit_rate: float = 0.7
    false_rate: float = 0.05
    weight: float = 10.0


def existence(marked: Floats, skills: Sequence[PersonSkill]) -> tuple[Floats, Floats]:
    """Probability of each place to be a crater, and how much to trust each person.

    Args:
        marked: Shape (places, people): the weight of the person's mark, 0 where they looked and made
            none, 1 for a sure one. A mark of weight w counts as w marks. Each place has a mark.
        skills: One for each person.

    Returns:
        Shape (places,): probabilities; shape (people,): the rates of hits found.
    """
    prior = np.array([(skill.hit_rate, skill.false_rate, skill.weight) for skill in skills]).reshape(-1, 3)
    prior_hit, prior_false = (np.clip(prior[:, k], _LEAST, _MOST) for k in (0, 1))
    weight = prior[:, 2]
    hit, false, share = prior_hit, prior_false, _SHARE
    yes = marked > 0.0
    probability = np.zeros(len(marked))
    for _ in range(_MAX_STEPS):
        before = probability
        log_odds = np.log(share / (1.0 - share)) + _log_ratio(marked, yes, hit, false)
        probability = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -700.0, 700.0)))
        if np.abs(probability - before).max(initial=0.0) < _TOLERANCE:
            break
        hit = _rate(probability, yes, hit, prior_hit, weight)
        false = _rate(1.0 - probability, yes, false, prior_false, weight)
        share = (probability.sum() + _SHARE * _SHARE_WEIGHT) / (len(marked) + _SHARE_WEIGHT)
    return probability, hit


def _log_ratio(marked: Floats, yes: NDArray[np.bool_], hit: Floats, false: Floats) -> Floats:
    """Log of the likelihoods' ratio of each place, crater to none."""
    present, absent = np.log(hit / false), np.log((1.0 - hit) / (1.0 - false))
    seen = np.log(_seen(false)) - np.log(_seen(hit))
    return (marked * present).sum(axis=1) + np.where(yes, 0.0, absent).sum(axis=1) + seen


def _seen(rate: Floats) -> float:
    """Probability that at least one person marks a place."""
    return float(-np.expm1(np.log1p(-rate).sum()))


def _rate(of_kind: Floats, yes: NDArray[np.bool_], rate: Floats, prior: Floats, weight: Floats) -> Floats:
    """A rate from the places of a kind, those that nobody marked included."""
    n = of_kind.sum() / _seen(rate)
    return np.clip((of_kind @ yes + weight * prior) / (n + weight), _LEAST, _MOST)
