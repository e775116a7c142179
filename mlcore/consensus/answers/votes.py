"""The votes that an account rests on, in an order and under numbers that depend on what was said alone.

Sums of floating-point numbers depend on their order in the last digits, and drawn numbers on who comes
first. So the same votes, told in whatever order and under whatever names of people, are put into one order.
"""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlcore.consensus.answers.dawid_skene import UNKNOWN, Answers
from mlcore.consensus.answers.skill import Rates
from mlcore.consensus.answers.stopping import StoppingRule
from mlcore.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bits = NDArray[np.uint64]

# Classes, and the answers that name them; the third answer names none.
CRATER, NOTHING, CANNOT_TELL = range(3)
N_ANSWERS = 3
# Of the way in which votes are reckoned: with another one the same votes are another input.
_EDITION = 1


@dataclass(frozen=True)
class Votes:
    """What people said of subjects, and what is known and believed of these.

    Attributes:
        subject: Shape (n,): 0 … len(key) - 1, of each vote.
        person: Shape (n,): 0 … n_people - 1; nobody has two votes on one subject.
        answer: Shape (n,): CRATER, NOTHING or CANNOT_TELL.
        n_people: Number of people.
        key: Shape (subjects,): the caller's numbers of the subjects, ascending.
        prior_log_odds: Shape (subjects,): of a crater before any vote, natural logarithm.
        known: Shape (subjects,): CRATER or NOTHING of known subjects, UNKNOWN of the others.
    """

    subject: Ints
    person: Ints
    answer: Ints
    n_people: int
    key: Ints
    prior_log_odds: Floats
    known: Ints

    def __post_init__(self) -> None:
        # Refuses votes out of range.
        Answers(self.subject, self.person, self.answer, len(self.key), self.n_people, N_ANSWERS)
        if not len(self.key) == len(self.prior_log_odds) == len(self.known):
            priors, truths = len(self.prior_log_odds), len(self.known)
            raise InvalidInput(f"{len(self.key)} subjects have {priors} priors and {truths} truths.")
        if (np.diff(self.key) <= 0).any():
            raise InvalidInput("The subjects' numbers ascend, and none comes twice.")
        if not np.isfinite(self.prior_log_odds).all():
            raise InvalidInput("A prior is not a finite number.")
        if not np.isin(self.known, (CRATER, NOTHING, UNKNOWN)).all():
            raise InvalidInput(f"known is {CRATER}, {NOTHING} or {UNKNOWN}.")

    @property
    def answers(self) -> Answers:
        """The votes as an account takes them."""
        return Answers(self.subject, self.person, self.answer, len(self.key), self.n_people, N_ANSWERS)


@dataclass(frozen=True)
class Ordered:
    """Votes in their one order.

    Attributes:
        votes: Sorted by subject, then by person; people are numbered by what they said.
        number_of: Shape (people,): under which number somebody of the caller's goes here.
        sha256: Of the rule and of all that is in the votes but the names of people.
    """

    votes: Votes
    number_of: Ints
    sha256: str

    @property
    def seed(self) -> int:
        """Of everything that is drawn: the same votes draw the same."""
        return int(self.sha256[:16], 16)


def order(votes: Votes, rule: StoppingRule) -> Ordered:
    """Bring votes into their one order; people who said exactly the same of the same are interchangeable.

    Args:
        votes: In any order.
        rule: The stopping rule that goes into the hash with them.

    Raises:
        InvalidInput: Somebody has two votes on one subject.
    """
    number_of = _numbers(votes)
    person = number_of[votes.person]
    at = np.argsort(votes.subject * np.int64(max(1, votes.n_people)) + person)
    subject, person, answer = votes.subject[at], person[at], votes.answer[at]
    if len(at) and ((np.diff(subject) == 0) & (np.diff(person) == 0)).any():
        raise InvalidInput("Somebody has two votes on one subject; the first one counts, and it alone.")
    ordered = Votes(subject, person, answer, votes.n_people, votes.key, votes.prior_log_odds, votes.known)
    return Ordered(ordered, number_of, _sha256(ordered, rule))


def shuffled_known(votes: Votes, seed: int) -> Ints:
    """The places of votes on known subjects, by subject, and within each in an order drawn from the seed.

    A subject that many have answered can so be looked at as if only some of them had.
    """
    rows = np.flatnonzero(votes.known[votes.subject] != UNKNOWN)
    of_subject = _mix(votes.key.astype(np.uint64) ^ np.uint64(seed))
    drawn = _mix(of_subject[votes.subject[rows]] + votes.person[rows].astype(np.uint64))
    return rows[np.lexsort((drawn, votes.subject[rows]))]


@dataclass(frozen=True)
class Record:
    """People's votes on known subjects, counted as mlcore.consensus.answers.skill.Skill counts them.

    Attributes:
        hits: Shape (people,): craters called craters.
        craters: Shape (people,): craters answered, without "cannot tell".
        passes: Shape (people,): images without a crater called nothing.
        blanks: Shape (people,): images without a crater answered.
    """

    hits: Ints
    craters: Ints
    passes: Ints
    blanks: Ints

    @property
    def columns(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Hits, craters, passes, blanks."""
        return self.hits, self.craters, self.passes, self.blanks

    def of(self, number_of: Ints) -> "Record":
        """The same people under other numbers: the new number i is the old number_of[i]."""
        return Record(*(n[number_of] for n in self.columns))

    @property
    def population(self) -> Rates:
        """What people do on average; a half where no known subject of a kind was answered."""
        n_craters, n_blanks = int(self.craters.sum()), int(self.blanks.sum())
        return Rates(
            int(self.hits.sum()) / n_craters if n_craters else 0.5,
            int(self.passes.sum()) / n_blanks if n_blanks else 0.5,
        )


def record(votes: Votes) -> Record:
    """How people did on the known subjects."""
    known = votes.known[votes.subject]
    told = (known != UNKNOWN) & (votes.answer != CANNOT_TELL)

    def count(which: NDArray[np.bool_]) -> Ints:
        return np.bincount(votes.person[told & which], minlength=votes.n_people)

    is_crater, is_right = known == CRATER, votes.answer == known
    return Record(
        count(is_crater & is_right), count(is_crater), count(~is_crater & is_right), count(~is_crater)
    )


def _numbers(votes: Votes) -> Ints:
    """Each person's place in an order by how many votes they gave and by a digest of these."""
    says = _mix(
        votes.key[votes.subject].astype(np.uint64) * np.uint64(N_ANSWERS) + votes.answer.astype(np.uint64)
    )
    n = np.bincount(votes.person, minlength=votes.n_people)
    digest = np.zeros(votes.n_people, np.uint64)
    if len(says):
        at = np.argsort(votes.person, kind="stable")
        # Sums wrap around at 2⁶⁴, so they do not depend on their order.
        digest[n > 0] = np.add.reduceat(says[at], (np.cumsum(n) - n)[n > 0])
    number_of = np.empty(votes.n_people, np.int64)
    number_of[np.lexsort((digest, -n))] = np.arange(votes.n_people)
    return number_of


def _mix(values: Bits) -> Bits:
    """Spread numbers over 64 bits (the finaliser of SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        mixed = values + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def _sha256(votes: Votes, rule: StoppingRule) -> str:
    sizes = [len(votes.key), votes.n_people, len(votes.subject)]
    found = hashlib.sha256(json.dumps([_EDITION, sizes, rule.to_json()], sort_keys=True).encode())
    for column, kind in (
        (votes.key, "<i8"),
        (votes.prior_log_odds, "<f8"),
        (votes.known, "<i8"),
        (votes.subject, "<i8"),
        (votes.person, "<i8"),
        (votes.answer, "<i8"),
    ):
        found.update(np.ascontiguousarray(column, dtype=kind).data)
    return found.hexdigest()
