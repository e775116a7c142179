"""The online odds of a subject: what to show next and when to stop, one addition for each answer.

SWAP (Marshall et al. 2016, MNRAS 455, 1171, equations 3 and 4) in log-odds, with the prior of a calibrated
network in the place of one number for all, and a cap on what a single answer can do. What is published does
not come from here: odds depend on the order of answers, since people learn meanwhile (see dawid_skene).
"""

from math import exp, log

import numpy as np
from numpy.typing import NDArray

from mlcore.consensus.answers.skill import LEAST, Answer, Skill
from mlcore.errors import InvalidInput

# One answer moves the odds at most twentyfold, so that no single "expert" decides.
MAX_STEP = log(20.0)
# A network is never believed to be surer than this: people must have looked before anything retires.
MAX_PRIOR = log(1e4)


def evidence(skill: Skill, answer: Answer) -> float:
    """What an answer adds to the log-odds of a crater; 0 for "cannot tell" and for who is worse than chance.

    Returns:
        Natural log of the likelihoods' ratio, within ±MAX_STEP.
    """
    if answer == Answer.CANNOT_TELL or skill.is_reversed:
        return 0.0
    rates = skill.rates
    if answer == Answer.CRATER:
        step = log(rates.sensitivity / (1.0 - rates.specificity))
    else:
        step = log((1.0 - rates.sensitivity) / rates.specificity)
    return min(MAX_STEP, max(-MAX_STEP, step))


def log_odds(probability: float) -> float:
    """Of a calibrated score, held within odds of one to ten thousand.

    Raises:
        InvalidInput: Not a probability.
    """
    if not 0.0 <= probability <= 1.0:
        raise InvalidInput(f"A probability lies between 0 and 1, not at {probability}.")
    if probability in (0.0, 1.0):
        return MAX_PRIOR if probability else -MAX_PRIOR
    return min(MAX_PRIOR, max(-MAX_PRIOR, log(probability / (1.0 - probability))))


def probability(odds: float) -> float:
    """Inverse of log_odds, without its bounds; safe for any finite number."""
    return 1.0 / (1.0 + exp(-odds)) if odds >= 0.0 else exp(odds) / (1.0 + exp(odds))


def probabilities(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """`probability` of many: the same numbers, to the last digits of the exponential."""
    small = np.exp(-np.abs(odds))
    return np.where(odds >= 0.0, 1.0, small) / (1.0 + small)


def expected_information(skill: Skill, odds: float) -> float:
    """Bits that this person's next answer should tell about the subject (Marshall et al. 2016, 3.3).

    Returns:
        0 to 1; 0 for a person of whom nothing is known.
    """
    if skill.is_reversed:
        return 0.0
    p, rates = probability(odds), skill.rates
    yes = p * rates.sensitivity + (1.0 - p) * (1.0 - rates.specificity)
    given = p * _entropy(rates.sensitivity) + (1.0 - p) * _entropy(rates.specificity)
    return max(0.0, _entropy(yes) - given)


def _entropy(p: float) -> float:
    """Of a coin, bits."""
    p = min(1.0 - LEAST * 1e-9, max(LEAST * 1e-9, p))
    return -(p * log(p) + (1.0 - p) * log(1.0 - p)) / log(2.0)
