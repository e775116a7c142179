"""The log judged again: when each subject would have retired under a rule, answer after answer.

A rule that asks for less stops a subject before its last answer; a rule that asks for more finds answers
missing, and its subject stays open: what nobody was asked cannot be replayed. Answers that came after a
subject would have retired are left out for it, since they would not have been asked for.

Everybody's skill grows along the log, as it did. A subject's odds are taken anew from its answers at each
of them, every giver weighed as known by then. A known subject is judged as if it were not known; its
answers weigh as their givers were known before, so that no answer vouches for itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlcore.consensus.answers.dawid_skene import UNKNOWN
from mlcore.consensus.answers.skill import Answer, Rates, Skill
from mlcore.consensus.answers.stopping import StoppingRule, Tally, outcome
from mlcore.consensus.answers.swap import evidence
from mlcore.consensus.answers.votes import CANNOT_TELL, CRATER
from mlcore.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Beside the answers of mlcore.consensus.answers.votes: what was said before is taken back.
WITHDRAWN = 3
_ANSWERS = (Answer.CRATER, Answer.NOTHING, Answer.CANNOT_TELL)


@dataclass(frozen=True)
class Log:
    """Answers in the order in which they were given.

    Attributes:
        subject: Shape (n,): 0 … subjects - 1.
        person: Shape (n,): 0 … people - 1.
        answer: Shape (n,): CRATER, NOTHING, CANNOT_TELL (mlcore.consensus.answers.votes) or WITHDRAWN. A
            person's later answer to the same subject stands in place of the earlier one.
        prior_log_odds: Shape (subjects,): natural log-odds of a crater before the first answer.
        known: Shape (subjects,): CRATER or NOTHING of known subjects, UNKNOWN of the others.
        is_right: Shape (n,): whether an answer to a known subject is right; a crater called at the wrong
            place is not. Not asked of other answers.
        counts: Shape (people,): False for those whose answers are set aside.
    """

    subject: Ints
    person: Ints
    answer: Ints
    prior_log_odds: Floats
    known: Ints
    is_right: NDArray[np.bool_]
    counts: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for name, values, limit in (
            ("subject", self.subject, len(self.prior_log_odds)),
            ("person", self.person, len(self.counts)),
            ("answer", self.answer, WITHDRAWN + 1),
            ("is_right", self.is_right, 2),
        ):
            if len(values) != len(self.subject):
                raise InvalidInput(f"{name} has {len(values)} rows and subject {len(self.subject)}.")
            if len(values) and not (values.min() >= 0 and values.max() < limit):
                raise InvalidInput(f"{name} is 0 to {limit - 1}, not {values.min()} to {values.max()}.")
        if self.known.shape != self.prior_log_odds.shape:
            raise InvalidInput(
                f"{len(self.prior_log_odds)} subjects need as many truths, not {self.known.shape}."
            )
        if not np.isfinite(self.prior_log_odds).all():
            raise InvalidInput("Each prior_log_odds is a finite number.")


@dataclass(frozen=True)
class Night:
    """A moment at which all odds were taken anew.

    Attributes:
        after: So many rows of the log had come.
        population: The rates from which beginners start from then on.
    """

    after: int
    population: Rates


@dataclass(frozen=True)
class Replayed:
    """What the rule would have done.

    Attributes:
        outcome: Shape (subjects,): an Outcome's value, "" where the log's answers do not suffice.
        votes: Shape (subjects,): answers used, up to the one with which it retired.
        at: Shape (subjects,): the row of the log at which it retired (at a night, the last before it), -1
            where it did not.
        log_odds: Shape (subjects,): at the end.
    """

    outcome: NDArray[np.str_]
    votes: Ints
    at: Ints
    log_odds: Floats


def replay(
    log: Log,
    rule: StoppingRule,
    *,
    nights: Sequence[Night] = (),
    population: Rates | None = None,
    weighs_anew: bool = True,
) -> Replayed:
    """Go through the log once.

    Args:
        log: In its order; what depends on it is when a subject retires, not what its answers weigh.
        rule: When a subject retires.
        nights: In their order.
        population: Rates from which beginners start before the first night; 0.5 each by default.
        weighs_anew: False for what the first SWAP does between nights: an answer counts as its giver was
            known when giving it.

    Raises:
        InvalidInput: Nights that are not in order or beyond the log.
    """
    times = [night.after for night in nights]
    if times != sorted(times) or (times and not 0 <= times[0] <= times[-1] <= len(log.subject)):
        raise InvalidInput(
            f"Nights come in their order, within 0 to {len(log.subject)} answers, not {times}."
        )
    return _Replay(log, rule, population or Rates(), weighs_anew).run(nights)


@dataclass(frozen=True)
class _Word:
    """What somebody says of a subject, and what it weighs as long as it is not weighed anew."""

    answer: int
    step: float
    is_practised: bool


class _Replay:
    """The state of all subjects and people between two rows."""

    def __init__(self, log: Log, rule: StoppingRule, population: Rates, weighs_anew: bool) -> None:
        self.log, self.rule, self.weighs_anew = log, rule, weighs_anew
        n_subjects, n_people = len(log.prior_log_odds), len(log.counts)
        self.prior, self.known = log.prior_log_odds.tolist(), log.known.tolist()
        self.counts = log.counts.tolist()
        self.skills = [Skill(prior=population)] * n_people
        self.words = [self._words(Skill(prior=population))] * n_people
        # Of each subject, what each person says of it; and what known subjects have taught so far.
        self.said: list[dict[int, _Word]] = [{} for _ in range(n_subjects)]
        self.taught: dict[tuple[int, int], Skill] = {}
        self.odds = list(self.prior)
        self.outcomes = [""] * n_subjects
        self.at = [-1] * n_subjects

    def run(self, nights: Sequence[Night]) -> Replayed:
        log, left = self.log, list(nights)
        columns = (log.subject.tolist(), log.person.tolist(), log.answer.tolist(), log.is_right.tolist())
        for number, (subject, person, answer, is_right) in enumerate(zip(*columns, strict=True)):
            while left and left[0].after <= number:
                self._night(left.pop(0))
            self._take(number, subject, person, answer, is_right)
        for night in left:
            self._night(night)
        return Replayed(
            np.array(self.outcomes, dtype="<U16"),
            np.array([len(said) for said in self.said], dtype=np.int64),
            np.array(self.at, dtype=np.int64),
            np.array(self.odds, dtype=float),
        )

    def _take(self, number: int, subject: int, person: int, answer: int, is_right: bool) -> None:
        """One row: what its giver was known to be before, then what it says."""
        words = self.words[person]
        if self.known[subject] != UNKNOWN:
            words = self._learn(subject, person, answer, is_right)
        if self.outcomes[subject] or not self.counts[person]:
            return
        if answer == WITHDRAWN:
            self.said[subject].pop(person, None)
        else:
            self.said[subject][person] = words[answer]
        self._settle(subject, number, is_anew=self.weighs_anew)

    def _learn(self, subject: int, person: int, answer: int, is_right: bool) -> list[_Word]:
        """Let a known subject teach; what the person's words weighed without what they say of it."""
        skill = self.skills[person]
        earlier = self.taught.pop((subject, person), None)
        if earlier is not None:
            skill = _plus(skill, earlier, -1)
        before = self._words(skill)
        if answer < CANNOT_TELL:
            taught = _lesson(self.known[subject] == CRATER, is_right)
            skill, self.taught[subject, person] = _plus(skill, taught, 1), taught
        self.skills[person], self.words[person] = skill, self._words(skill)
        return before

    def _settle(self, subject: int, number: int, *, is_anew: bool) -> None:
        """The subject's odds from what is said of it, and whether it retires with that."""
        said = self.said[subject]
        if is_anew and self.known[subject] == UNKNOWN:
            said = {who: self.words[who][word.answer] for who, word in said.items()}
            self.said[subject] = said
        words = said.values()
        self.odds[subject] = self.prior[subject] + sum(word.step for word in words)
        tally = Tally(
            self.odds[subject],
            votes=len(said),
            cannot_tell=sum(word.answer == CANNOT_TELL for word in words),
            practised=sum(word.is_practised for word in words),
        )
        became = outcome(self.rule, tally)
        if (became or "") != self.outcomes[subject]:
            self.outcomes[subject], self.at[subject] = became or "", -1 if became is None else number

    def _night(self, night: Night) -> None:
        """Beginners start from what people can do on average, and all odds are taken anew."""
        self.skills = [replace(skill, prior=night.population) for skill in self.skills]
        self.words = [self._words(skill) for skill in self.skills]
        for subject, said in enumerate(self.said):
            if said:
                self._settle(subject, night.after - 1, is_anew=True)

    def _words(self, skill: Skill) -> list[_Word]:
        """What each answer of such a person weighs."""
        is_practised = skill.known_answers >= self.rule.practised_after
        return [_Word(code, evidence(skill, answer), is_practised) for code, answer in enumerate(_ANSWERS)]


def _lesson(is_crater: bool, is_right: bool) -> Skill:
    """What one answer to a known subject counts for."""
    right = float(is_right)
    return Skill(hits=right, craters=1.0) if is_crater else Skill(passes=right, blanks=1.0)


def _plus(skill: Skill, lesson: Skill, times: int) -> Skill:
    return replace(
        skill,
        hits=skill.hits + times * lesson.hits,
        craters=skill.craters + times * lesson.craters,
        passes=skill.passes + times * lesson.passes,
        blanks=skill.blanks + times * lesson.blanks,
    )
