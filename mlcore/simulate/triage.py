"""A whole triage played through with simulated people: what a stopping rule costs and what it finds.

The skills, the odds and the rule are those that judge real answers (mlcore.consensus.answers); only the
people are made up. Used to compare rules before a campaign and to show leads what their settings would do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlcore.consensus.answers.skill import Answer, Rates, Skill
from mlcore.consensus.answers.stopping import Outcome, StoppingRule, Tally, outcome
from mlcore.consensus.answers.swap import evidence
from mlcore.errors import InvalidInput
from mlcore.simulate.judges import Images, People

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Share of known subjects among what a person sees: much at first, never none (Marshall et al. 2016, 2.4).
GOLD_SHARES = ((20, 0.4), (40, 0.3), (60, 0.2))
LATER_GOLD_SHARE = 0.1
# So many answers make a "night", after which beginners start from what the population can do.
NIGHT = 20_000
_TRIES = 30


@dataclass(frozen=True)
class Played:
    """What happened.

    Attributes:
        outcome: Shape (images,): an Outcome's value, "" where nobody was left who had not judged it.
        votes: Shape (images,): answers to each.
        gold_votes: Answers to known subjects, all together.
        subject: Shape (answers,): the log: images as 0 … n - 1, known subjects after them.
        person: Shape (answers,).
        called: Shape (answers,): whether the person called it a crater.
    """

    outcome: NDArray[np.str_]
    votes: Ints
    gold_votes: int
    subject: Ints
    person: Ints
    called: NDArray[np.bool_]

    @property
    def goes_to_reviewers(self) -> NDArray[np.bool_]:
        """Shape (images,)."""
        return np.isin(self.outcome, [Outcome.CANDIDATE, Outcome.UNDECIDED])


def gold_share(seen: int) -> float:
    """Share of known subjects for someone who has given so many answers."""
    return next((share for limit, share in GOLD_SHARES if seen < limit), LATER_GOLD_SHARE)


def play(
    images: Images,
    people: People,
    gold: Images,
    *,
    prior_log_odds: Floats,
    rule: StoppingRule,
    seed: int,
    has_nights: bool = True,
) -> Played:
    """Let people judge until every image has retired.

    Args:
        images: To be judged.
        people: Who judge; each answers an image once.
        gold: Known subjects, mixed in.
        prior_log_odds: Shape (images,): what is believed before the first answer.
        rule: When an image retires.
        seed: Of who comes when, what they are shown, and what they say.
        has_nights: Whether every NIGHT answers all odds are taken anew from the log. Without, an answer
            counts for ever as its giver was known when giving it, as in the first SWAP.

    Raises:
        InvalidInput: prior_log_odds does not fit the images, or there is no known crater or no known blank.
    """
    if prior_log_odds.shape != images.appeal.shape:
        raise InvalidInput(f"{len(images.appeal)} images need as many priors, not {prior_log_odds.shape}.")
    if not gold.is_crater.any() or gold.is_crater.all():
        raise InvalidInput("Known subjects are needed of both kinds, with and without a crater.")
    return _Play(images, people, gold, prior_log_odds, rule, seed, has_nights).run()


class _Play:
    """The state of one triage in progress."""

    def __init__(
        self,
        images: Images,
        people: People,
        gold: Images,
        prior: Floats,
        rule: StoppingRule,
        seed: int,
        has_nights: bool,
    ) -> None:
        self.has_nights = has_nights
        self.random = np.random.default_rng((seed, 3))
        self.people, self.rule = people, rule
        n_people = len(people.effort)
        self.chance = [people.chance_of_calling(images, j) for j in range(n_people)]
        self.gold_chance = [people.chance_of_calling(gold, j) for j in range(n_people)]
        self.gold_truth = gold.is_crater.tolist()
        self.prior = prior
        self.tallies = [Tally(odds) for odds in prior.tolist()]
        self.outcomes = [""] * len(self.tallies)
        self.open = list(range(len(self.tallies)))
        self.skills = [Skill() for _ in range(n_people)]
        self.steps = [self._steps(skill) for skill in self.skills]
        self.seen: list[set[int]] = [set() for _ in range(n_people)]
        self.log: list[tuple[int, int, bool]] = []
        self.gold_votes = 0

    def run(self) -> Played:
        """Answer by answer."""
        order = self._arrivals()
        idle = 0
        while self.open and idle < 20 * len(self.skills):
            person = next(order)
            did = self._answer_gold(person) if self._wants_gold(person) else self._answer(person)
            idle = 0 if did else idle + 1
            if did and self.has_nights and len(self.log) % NIGHT == 0:
                self._night()
        subject, who, called = self._columns()
        votes = np.array([tally.votes for tally in self.tallies])
        return Played(np.array(self.outcomes), votes, self.gold_votes, subject, who, called)

    def _arrivals(self) -> Iterator[int]:
        while True:
            yield from self.random.choice(len(self.skills), 10_000, p=self.people.effort).tolist()

    def _wants_gold(self, person: int) -> bool:
        return self.random.random() < gold_share(len(self.seen[person]))

    def _answer_gold(self, person: int) -> bool:
        first = len(self.tallies)
        which = self._draw(person, len(self.gold_truth), lambda at: first + at)
        if which is None:
            return self._answer(person)
        called = self._record(person, first + which, self.gold_chance[person][which])
        answer = Answer.CRATER if called else Answer.NOTHING
        self.skills[person] = self.skills[person].after(is_crater=self.gold_truth[which], answer=answer)
        self.steps[person] = self._steps(self.skills[person])
        self.gold_votes += 1
        return True

    def _answer(self, person: int) -> bool:
        at = self._draw(person, len(self.open), self.open.__getitem__) if self.open else None
        if at is None:
            return False
        image = self.open[at]
        called = self._record(person, image, self.chance[person][image])
        tally = self.tallies[image]
        practised = self.skills[person].known_answers >= self.rule.practised_after
        tally = replace(
            tally,
            log_odds=tally.log_odds + self.steps[person][0 if called else 1],
            votes=tally.votes + 1,
            practised=tally.practised + practised,
        )
        self.tallies[image] = tally
        became = outcome(self.rule, tally)
        if became is not None:
            self.outcomes[image] = became
            self.open[at] = self.open[-1]
            self.open.pop()
        return True

    def _record(self, person: int, subject: int, chance: float) -> bool:
        called = bool(self.random.random() < chance)
        self.seen[person].add(subject)
        self.log.append((subject, person, called))
        return called

    def _draw(self, person: int, n: int, subject_at: Callable[[int], int]) -> int | None:
        """One of n places whose subject the person has not judged; None where luck finds none."""
        for _ in range(_TRIES):
            at = int(self.random.integers(n))
            if subject_at(at) not in self.seen[person]:
                return at
        return None

    def _night(self) -> None:
        """Beginners start from what people can do on average, and all odds are taken anew."""
        hits, craters, passes, blanks = (
            sum(getattr(skill, name) for skill in self.skills)
            for name in ("hits", "craters", "passes", "blanks")
        )
        prior = Rates(hits / craters, passes / blanks) if craters and blanks else Rates()
        self.skills = [replace(skill, prior=prior) for skill in self.skills]
        self.steps = [self._steps(skill) for skill in self.skills]
        self._weigh_again()

    def _weigh_again(self) -> None:
        """The odds of all images from the whole log; what they no longer support opens again."""
        n = len(self.tallies)
        subject, who, called = self._columns()
        real = subject < n
        steps = np.array(self.steps)
        said = np.where(called, steps[who, 0], steps[who, 1])
        odds = self.prior + np.bincount(subject[real], said[real], minlength=n)
        practised = np.array([s.known_answers >= self.rule.practised_after for s in self.skills])
        n_practised = np.bincount(subject[real], practised[who[real]], minlength=n)
        self.open = []
        for i, tally in enumerate(self.tallies):
            self.tallies[i] = replace(tally, log_odds=float(odds[i]), practised=int(n_practised[i]))
            became = outcome(self.rule, self.tallies[i])
            self.outcomes[i] = became or ""
            if became is None:
                self.open.append(i)

    def _columns(self) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        subject, who, called = (np.array(column) for column in zip(*self.log, strict=True))
        return subject, who, called

    @staticmethod
    def _steps(skill: Skill) -> tuple[float, float]:
        return evidence(skill, Answer.CRATER), evidence(skill, Answer.NOTHING)
