"""When a subject has been judged enough, and what becomes of it."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.consensus.answers.swap import probabilities, probability
from mlcore.errors import InvalidInput


class Outcome(StrEnum):
    """Why a subject retires; the first two go to reviewers, nothing is dropped for want of agreement."""

    CANDIDATE = "candidate"
    UNDECIDED = "undecided"
    BAD_IMAGE = "bad_image"
    NOTHING = "nothing"


@dataclass(frozen=True)
class StoppingRule:
    """What a lead sets. The defaults are those of the simulation in benchmarks/foils_aggregation.py.

    Attributes:
        min_votes: No subject retires with fewer answers.
        max_votes: With so many answers an undecided subject goes to reviewers.
        accept: From this probability on it is a candidate.
        reject: Below this probability it shows nothing.
        practised_people: "Nothing" needs answers of so many people who have answered practised_after known
            subjects.
        practised_after: See above.
        bad_image_share: From this share of "cannot tell" on, of at least min_votes answers, the image is bad.
    """

    min_votes: int = 3
    max_votes: int = 15
    accept: float = 0.95
    reject: float = 1e-6
    practised_people: int = 2
    practised_after: int = 10
    bad_image_share: float = 0.6

    def __post_init__(self) -> None:
        for name, holds, limit in (
            ("min_votes", self.min_votes >= 1, "at least 1"),
            ("max_votes", self.min_votes <= self.max_votes <= 1000, "from min_votes to 1000"),
            ("reject", 0.0 < self.reject < self.accept, "above 0 and below accept"),
            ("accept", self.accept < 1.0, "below 1"),
            ("practised_people", 0 <= self.practised_people <= self.max_votes, "0 to max_votes"),
            ("practised_after", self.practised_after >= 0, "0 or more"),
            ("bad_image_share", 0.0 < self.bad_image_share <= 1.0, "above 0 and at most 1"),
        ):
            if not holds:
                raise InvalidInput(f"{name} is {limit}, not {getattr(self, name)}.")

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict with the attributes as keys."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "StoppingRule":
        """Inverse of to_json.

        Raises:
            InvalidInput: A name that is no setting, or a value out of its range.
        """
        unknown = sorted(set(value) - set(cls.__dataclass_fields__))
        if unknown:
            raise InvalidInput(f"There is no setting '{unknown[0]}' of a stopping rule.")
        return cls(**value)


@dataclass(frozen=True)
class Tally:
    """What a subject has gathered.

    Attributes:
        log_odds: Of a crater, natural logarithm: the prior and the evidence of the answers.
        votes: Answers, "cannot tell" included.
        cannot_tell: Of these, "cannot tell".
        practised: Of these, by people who had answered practised_after known subjects.
    """

    log_odds: float
    votes: int = 0
    cannot_tell: int = 0
    practised: int = 0


def outcome(rule: StoppingRule, tally: Tally) -> Outcome | None:
    """What becomes of a subject now; None while it needs more answers."""
    if tally.votes < rule.min_votes:
        return None
    if tally.cannot_tell >= rule.bad_image_share * tally.votes:
        return Outcome.BAD_IMAGE
    p = probability(tally.log_odds)
    if p >= rule.accept:
        return Outcome.CANDIDATE
    if p < rule.reject and tally.practised >= rule.practised_people:
        return Outcome.NOTHING
    return Outcome.UNDECIDED if tally.votes >= rule.max_votes else None


def outcomes(
    rule: StoppingRule,
    *,
    log_odds: NDArray[np.float64],
    votes: NDArray[np.int64],
    cannot_tell: NDArray[np.int64],
    practised: NDArray[np.int64],
) -> NDArray[np.str_]:
    """What becomes of many subjects at once: `outcome` of each.

    Args:
        rule: By which.
        log_odds: Shape (n,), and so the others; as Tally has them.
        votes: See Tally.
        cannot_tell: See Tally.
        practised: See Tally.

    Returns:
        Shape (n,): an Outcome's value, "" where outcome gives None.

    Raises:
        InvalidInput: The shapes differ.
    """
    if not log_odds.shape == votes.shape == cannot_tell.shape == practised.shape:
        raise InvalidInput(
            f"Tallies of {len(log_odds)} subjects come with {len(votes)} votes, {len(cannot_tell)} "
            f"“cannot tell” and {len(practised)} practised."
        )
    p = probabilities(log_odds)
    cases = {
        "": votes < rule.min_votes,
        Outcome.BAD_IMAGE.value: cannot_tell >= rule.bad_image_share * votes,
        Outcome.CANDIDATE.value: p >= rule.accept,
        Outcome.NOTHING.value: (p < rule.reject) & (practised >= rule.practised_people),
        Outcome.UNDECIDED.value: votes >= rule.max_votes,
    }
    return np.select(list(cases.values()), list(cases), default="")
