"""Ways of answering that are not looking: reasons to set somebody's answers aside until a person has looked.

Nothing here is proof. What is flagged counts for nothing, is kept, and counts again when a lead says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log, sqrt

import numpy as np

# With fewer answers nobody is suspected of anything.
FEWEST = 30
HASTY_MS = 400.0
# How much better on known subjects than in agreement with others on the rest: a sign that gold can be told.
LEAK = 0.25
SAME_PLACE_SHARE = 0.5
# Two-sided 99 %, and how rare luck must be beyond it: with a thousand people hardly one is flagged by chance.
_USUAL, _BY_LUCK = 2.58, 0.001
_TOO_FAR = 3.29


class Reason(StrEnum):
    """Why."""

    ALWAYS_THE_SAME = "always_the_same"
    HASTY = "hasty"
    KNOWS_THE_GOLD = "knows_the_gold"
    SAME_PLACE = "same_place"


@dataclass(frozen=True)
class Habits:
    """One person's answers in numbers.

    Attributes:
        answers: How many, without "cannot tell".
        called: Of these, how many said that there is a crater.
        median_ms: Half of the answers took less.
        gold_answers: Answers to known subjects.
        gold_right: Of these, right.
        shared_answers: Answers to other subjects that others have answered too.
        shared_agree: Of these, with the majority of the others.
        marks: Places clicked.
        marks_at_one_place: Of these, the most at one and the same place of the image.
    """

    answers: int = 0
    called: int = 0
    median_ms: float = 5000.0
    gold_answers: int = 0
    gold_right: int = 0
    shared_answers: int = 0
    shared_agree: int = 0
    marks: int = 0
    marks_at_one_place: int = 0


def suspects(people: Mapping[int, Habits]) -> dict[int, list[Reason]]:
    """Who answers in a way that needs looking at, and why; the others are left out."""
    rates = [h for h in people.values() if h.answers >= FEWEST]
    found = {person: _reasons(habits, rates) for person, habits in people.items() if habits.answers >= FEWEST}
    return {person: reasons for person, reasons in found.items() if reasons}


def _reasons(habits: Habits, everybody: Sequence[Habits]) -> list[Reason]:
    checks = {
        Reason.ALWAYS_THE_SAME: _is_far_from_others(habits, everybody),
        Reason.HASTY: habits.median_ms < HASTY_MS,
        Reason.KNOWS_THE_GOLD: _knows_the_gold(habits),
        Reason.SAME_PLACE: habits.marks >= FEWEST
        and habits.marks_at_one_place > SAME_PLACE_SHARE * habits.marks,
    }
    return [reason for reason, holds in checks.items() if holds]


def _is_far_from_others(habits: Habits, everybody: Sequence[Habits]) -> bool:
    """Calls craters more or less often than luck could make anybody do whose rate is a usual one.

    Usual is 99 % of people by the median and its absolute deviation, which a few odd people cannot move.
    """
    if len(everybody) < 10:
        return False
    logits = np.array([_logit(h) for h in everybody])
    middle = float(np.median(logits))
    reach = _USUAL * max(1.4826 * float(np.median(np.abs(logits - middle))), 0.2)
    least, most = (1.0 / (1.0 + exp(-(middle + side))) for side in (-reach, reach))
    # Imported late: scipy.stats takes a second to load, and web processes only name reasons.
    from scipy.stats import binom

    by_luck = min(
        float(binom.cdf(habits.called, habits.answers, least)),
        float(binom.sf(habits.called - 1, habits.answers, most)),
    )
    return by_luck < _BY_LUCK


def _logit(habits: Habits) -> float:
    return log((habits.called + 0.5) / (habits.answers - habits.called + 0.5))


def _knows_the_gold(habits: Habits) -> bool:
    if habits.gold_answers < FEWEST or habits.shared_answers < FEWEST:
        return False
    gold, shared = habits.gold_right / habits.gold_answers, habits.shared_agree / habits.shared_answers
    error = sqrt(
        gold * (1 - gold) / habits.gold_answers + shared * (1 - shared) / habits.shared_answers + 1e-9
    )
    return gold - shared > LEAK and gold - shared > _TOO_FAR * error
