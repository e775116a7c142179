"""Known subjects taken as if they were not known: what the votes on them would have said.

Each known subject is foretold by an account from which its own votes are left out, and from as many votes
as a stopping rule would have asked for: known subjects are shown to far more people than others, and what
all of these say together would flatter what is found elsewhere with a few votes each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlcore.consensus.answers.dawid_skene import Account, Answers, account
from mlcore.consensus.answers.skill import Answer, Skill
from mlcore.consensus.answers.stopping import StoppingRule, Tally, outcome
from mlcore.consensus.answers.swap import MAX_STEP, evidence
from mlcore.consensus.answers.votes import (
    CANNOT_TELL,
    CRATER,
    NOTHING,
    Floats,
    Ints,
    Record,
    Votes,
    shuffled_known,
)

FOLDS = 5
UNKNOWN_WEIGHTS = (0.0, 0.1, 0.3, 1.0)
USUAL_WEIGHT = 0.3
# While weights are compared an account need not be followed to its last digit.
_ROUGHLY = 1e-3
_SAID = (Answer.CRATER, Answer.NOTHING, Answer.CANNOT_TELL)


@dataclass(frozen=True)
class Stopped:
    """What a stopping rule would have made of the known subjects.

    Attributes:
        asked: Shape (n,): whether the vote is one that the rule would have asked for; none on others.
        outcome: Shape (subjects,): an Outcome's value; "" of unknown subjects and where votes ran out.
    """

    asked: NDArray[np.bool_]
    outcome: NDArray[np.str_]


@dataclass(frozen=True)
class HeldOut:
    """Known subjects foretold while they were hidden.

    Attributes:
        at: Shape (known,): the subjects.
        evidence: Shape (known,): the votes' log-likelihood ratio of a crater.
        fold: Shape (known,): which account foretold it.
        accounts: One for each fold.
        unknown_weight: With which they were made.
    """

    at: Ints
    evidence: Floats
    fold: Ints
    accounts: Sequence[Account]
    unknown_weight: float


def stop(votes: Votes, rule: StoppingRule, people: Record, *, seed: int) -> Stopped:
    """Ask for the votes on each known subject one by one, until the rule has enough.

    They come in an order drawn from the seed and not in the one they were given in, so that the result
    hangs on no order. A person's skill is taken without their vote on the subject itself.
    """
    asked = np.zeros(len(votes.subject), bool)
    outcomes = np.full(len(votes.key), "", dtype="<U16")
    rows = shuffled_known(votes, seed)
    population = people.population
    skill_of = [
        Skill(float(hits), float(craters), float(passes), float(blanks), population)
        for hits, craters, passes, blanks in zip(*(n.tolist() for n in people.columns), strict=True)
    ]
    steps = zip(
        rows.tolist(),
        votes.subject[rows].tolist(),
        votes.person[rows].tolist(),
        votes.answer[rows].tolist(),
        strict=True,
    )
    tally, last = Tally(0.0), -1
    for row, subject, person, answer in steps:
        if subject != last:
            tally, last = Tally(float(votes.prior_log_odds[subject])), subject
        if outcomes[subject]:
            continue
        skill = _without(skill_of[person], int(votes.known[subject]), answer)
        asked[row] = True
        tally = Tally(
            tally.log_odds + evidence(skill, _SAID[answer]),
            tally.votes + 1,
            tally.cannot_tell + (answer == CANNOT_TELL),
            tally.practised + (skill.known_answers >= rule.practised_after),
        )
        outcomes[subject] = outcome(rule, tally) or ""
    return Stopped(asked, outcomes)


def hold_out(
    votes: Votes, asked: NDArray[np.bool_], *, seed: int, choices: Sequence[float] = UNKNOWN_WEIGHTS
) -> tuple[HeldOut | None, Account]:
    """Choose what answers to unknown subjects teach, and foretell the known ones with it.

    The weight is the one of the choices under which known subjects, hidden in turn, are best foretold: by
    mean log-loss, each kind at its own share.

    Args:
        votes: In their one order (mlcore.consensus.answers.votes.order).
        asked: Shape (n,): the votes by which known subjects are foretold.
        seed: Of the folds.
        choices: Weights, ascending.

    Returns:
        None, where there are fewer known subjects of a kind with votes than folds; and the account of all
        votes with the chosen weight, USUAL_WEIGHT where none could be chosen.
    """
    at = np.unique(votes.subject[asked])
    fold = _folds(votes.known[at], seed)
    if fold is None:
        return None, _account(votes, USUAL_WEIGHT)
    best: tuple[float, HeldOut, Account] | None = None
    begin_at: Floats | None = None
    for weight in choices:
        found = _account(votes, weight, begin_at=begin_at, tolerance=_ROUGHLY)
        begin_at = found.confusion
        held = _hide(votes, asked, at, fold, weight, begin_at)
        loss = _loss(held.evidence, votes.known[at] == CRATER)
        if best is None or loss < best[0]:
            best = loss, held, found
    assert best is not None, "choices are never empty"
    return best[1], _account(votes, best[1].unknown_weight, begin_at=best[2].confusion)


def says(confusion: Floats) -> Floats:
    """What each answer of each person says: log-likelihood ratios of a crater.

    Nobody is believed upside down, and no answer moves the odds more than twentyfold. "Cannot tell" says
    nothing: it is said of bad images, of which there are none among the known ones.

    Args:
        confusion: Shape (..., classes, answers).

    Returns:
        Shape (..., answers).
    """
    ratio = np.log(confusion[..., CRATER, :]) - np.log(confusion[..., NOTHING, :])
    ratio[..., CRATER] = np.clip(ratio[..., CRATER], 0.0, MAX_STEP)
    ratio[..., NOTHING] = np.clip(ratio[..., NOTHING], -MAX_STEP, 0.0)
    ratio[..., CANNOT_TELL] = 0.0
    return np.asarray(ratio, dtype=np.float64)


def evidence_of(votes: Votes, confusion: Floats) -> Floats:
    """Shape (subjects,): what the votes on each say together; confusion is (people, classes, answers)."""
    each: Floats = says(confusion)[votes.person, votes.answer]
    return np.bincount(votes.subject, weights=each, minlength=len(votes.key)).astype(np.float64)


def only(votes: Votes, keep: NDArray[np.bool_]) -> Votes:
    """Some of the votes, on the same subjects and by the same people."""
    return replace(votes, subject=votes.subject[keep], person=votes.person[keep], answer=votes.answer[keep])


def _hide(
    votes: Votes, asked: NDArray[np.bool_], at: Ints, fold: Ints, weight: float, begin_at: Floats
) -> HeldOut:
    fold_of = np.full(len(votes.key), -1)
    fold_of[at] = fold
    row_fold = fold_of[votes.subject]
    found = np.empty(len(votes.key))
    accounts = []
    for number in range(FOLDS):
        hidden = row_fold == number
        made = _account(only(votes, ~hidden), weight, begin_at=begin_at, tolerance=_ROUGHLY)
        accounts.append(made)
        there = at[fold == number]
        found[there] = evidence_of(only(votes, hidden & asked), made.confusion)[there]
    return HeldOut(at, found[at], fold, accounts, weight)


def _folds(known: Ints, seed: int) -> Ints | None:
    """Each kind dealt out evenly; None where there is too little of one."""
    fold = np.empty(len(known), np.int64)
    random = np.random.default_rng((seed, 1))
    for kind in (CRATER, NOTHING):
        of_kind = np.flatnonzero(known == kind)
        if len(of_kind) < FOLDS:
            return None
        fold[of_kind] = random.permutation(len(of_kind)) % FOLDS
    return fold


def _loss(evidence: Floats, is_crater: NDArray[np.bool_]) -> float:
    """Mean log-loss at the share of craters among the known subjects."""
    share = is_crater.mean()
    odds = evidence + np.log(share / (1.0 - share))
    return float(np.logaddexp(0.0, np.where(is_crater, -odds, odds)).mean())


def _account(
    votes: Votes, weight: float, *, begin_at: Floats | None = None, tolerance: float = 1e-6
) -> Account:
    crater = 1.0 / (1.0 + np.exp(-votes.prior_log_odds))
    prior = np.stack([crater, 1.0 - crater], axis=1)
    answers: Answers = votes.answers
    return account(
        answers, prior=prior, known=votes.known, unknown_weight=weight, begin_at=begin_at, tolerance=tolerance
    )


def _without(skill: Skill, known: int, answer: int) -> Skill:
    """The skill before this answer to a known subject."""
    if answer == CANNOT_TELL:
        return skill
    right = float(answer == known)
    if known == CRATER:
        return replace(skill, craters=skill.craters - 1.0, hits=skill.hits - right)
    return replace(skill, blanks=skill.blanks - 1.0, passes=skill.passes - right)
