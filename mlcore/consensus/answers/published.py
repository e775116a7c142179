"""What is published of each subject: a calibrated probability with its interval, from all votes together.

The evidence of an account (mlcore.consensus.answers.dawid_skene) is too sure of itself, as people share
mistakes. It is put right on known subjects, which were hidden for it, and then added to what was believed
before. The interval tells how well the judges are known: their confusion matrices are drawn anew from
their posteriors. It does not tell how well the calibration is known.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlcore.consensus.answers.dawid_skene import UNKNOWN, Account
from mlcore.consensus.answers.held_out import (
    USUAL_WEIGHT,
    HeldOut,
    evidence_of,
    hold_out,
    only,
    says,
    stop,
)
from mlcore.consensus.answers.stopping import StoppingRule
from mlcore.consensus.answers.votes import (
    CANNOT_TELL,
    CRATER,
    N_ANSWERS,
    Floats,
    Ints,
    Record,
    Votes,
    order,
    record,
)
from mlcore.metrics.calibration import Calibration, fit_platt

DRAWS = 200
CONFIDENCE = 0.9
# With fewer known subjects of a kind nothing is calibrated, and the evidence is taken as it is.
FEWEST_KNOWN = 10
# So many votes times draws are in memory at once: 8 bytes each.
_AT_ONCE = 5_000_000


@dataclass(frozen=True)
class Published:
    """The numbers of one night.

    Attributes:
        probability: Shape (subjects,): of a crater; of a known subject as if it were not known. NaN without
            votes, and of known subjects where too few are known.
        low: Shape (subjects,): the lower end of its 90 % interval.
        high: Shape (subjects,): the upper end.
        n_votes: Shape (subjects,): votes that it rests on; of a known subject those that the rule would have
            asked for.
        outcome: Shape (subjects,): of known subjects, what the rule would have made of them; "" of others.
        hidden: Shape (known,): the known subjects that could be foretold while hidden.
        among_known: Shape (known,): their probabilities if craters were as common as they are among these.
        people: How people did on the known subjects, in the caller's numbers of people.
        unknown_weight: What an answer to an unknown subject taught beside one to a known.
        calibration: From evidence to calibrated evidence; None with too few known subjects.
        steps: Of the account.
        has_converged: Whether the account had.
        sha256: Of the votes in their one order, the truths, the priors and the rule.
    """

    probability: Floats
    low: Floats
    high: Floats
    n_votes: Ints
    outcome: NDArray[np.str_]
    hidden: Ints
    among_known: Floats
    people: Record
    unknown_weight: float
    calibration: Calibration | None
    steps: int
    has_converged: bool
    sha256: str


def publish(votes: Votes, rule: StoppingRule) -> Published:
    """Reckon all votes together; neither their order nor the people's numbers change a bit of the result.

    Raises:
        InvalidInput: Somebody has two votes on one subject.
    """
    ordered = order(votes, rule)
    seed, votes = ordered.seed, ordered.votes
    people = record(votes)
    stopped = stop(votes, rule, people, seed=seed)
    held, account = hold_out(votes, stopped.asked, seed=seed)
    calibrations = _calibrations(held, votes.known)
    estimates = _Estimates(votes.prior_log_odds)
    unknown = only(votes, votes.known[votes.subject] == UNKNOWN)
    estimates.add(unknown, account, calibrations[-1], np.random.default_rng((seed, 2)))
    if held is not None:
        fold_of = np.full(len(votes.key), -1)
        fold_of[held.at] = held.fold
        for fold, foretold_by in enumerate(held.accounts):
            theirs = only(votes, stopped.asked & (fold_of[votes.subject] == fold))
            estimates.add(theirs, foretold_by, calibrations[fold], np.random.default_rng((seed, 3, fold)))
    return Published(
        probability=_share(estimates.middle),
        low=_share(estimates.low),
        high=_share(estimates.high),
        n_votes=estimates.n_votes,
        outcome=stopped.outcome,
        hidden=np.empty(0, np.int64) if held is None else held.at,
        among_known=np.empty(0) if held is None else _among_known(held, calibrations, votes.known),
        people=people.of(ordered.number_of),
        unknown_weight=USUAL_WEIGHT if held is None else held.unknown_weight,
        calibration=calibrations[-1],
        steps=account.steps,
        has_converged=account.has_converged,
        sha256=ordered.sha256,
    )


class _Estimates:
    """Log-odds of all subjects, filled in group by group; NaN where no group had votes."""

    def __init__(self, prior: Floats) -> None:
        self.prior = prior
        self.middle, self.low, self.high = (np.full(len(prior), np.nan) for _ in range(3))
        self.n_votes = np.zeros(len(prior), np.int64)

    def add(
        self, votes: Votes, account: Account, calibration: Calibration | None, random: np.random.Generator
    ) -> None:
        """Fill in the subjects of these votes, by judges as the account knows them."""
        if not len(votes.subject):
            return
        at, first = np.unique(votes.subject, return_index=True)
        self.n_votes[at] = np.diff(first, append=len(votes.subject))
        says_something = np.bincount(votes.subject[votes.answer != CANNOT_TELL], minlength=len(self.prior))
        evidence = evidence_of(votes, account.confusion)[at]
        # Draws lie about the middle and not around it where judges are hardly known.
        low, high = _tails(votes, first, _drawn(votes, account, random))
        for odds, told in (
            (self.middle, evidence),
            (self.low, np.minimum(low, evidence)),
            (self.high, np.maximum(high, evidence)),
        ):
            # Where nobody can tell there is nothing to calibrate.
            odds[at] = self.prior[at] + np.where(says_something[at] > 0, _calibrated(calibration, told), 0.0)


def _drawn(votes: Votes, account: Account, random: np.random.Generator) -> Floats:
    """Shape (people, answers, DRAWS): what answers would say if confusion matrices were other likely ones.

    Nothing is drawn for those who have no vote here; the others are drawn in the order of their numbers.
    """
    drawn = np.zeros((votes.n_people, N_ANSWERS, DRAWS))
    for person in np.unique(votes.person).tolist():
        alpha = account.confusion[person] * account.rests_on[person][:, None]
        gamma = random.standard_gamma(np.broadcast_to(alpha, (DRAWS, *alpha.shape)))
        # A share so small that it is drawn as nothing is still above nothing.
        drawn[person] = says(np.maximum(gamma, 1e-300) / gamma.sum(axis=2, keepdims=True)).T
    return drawn


def _tails(votes: Votes, first: Ints, drawn: Floats) -> tuple[Floats, Floats]:
    """Shape (subjects with votes,) each: where 5 and 95 % of the drawn evidence ends.

    Args:
        votes: Sorted by subject.
        first: Where each subject's votes begin.
        drawn: Shape (people, answers, DRAWS).
    """
    low, high = np.empty(len(first)), np.empty(len(first))
    ends = np.append(first, len(votes.subject))
    tail, at = (1.0 - CONFIDENCE) / 2.0, 0
    while at < len(first):
        # As many subjects as fit, and one at least.
        until = max(at + 1, int(np.searchsorted(ends, ends[at] + _AT_ONCE // DRAWS, side="right")) - 1)
        rows = slice(ends[at], ends[until])
        each = drawn[votes.person[rows], votes.answer[rows]]
        together = np.add.reduceat(each, first[at:until] - ends[at], axis=0)
        low[at:until], high[at:until] = np.quantile(together, (tail, 1.0 - tail), axis=1)
        at = until
    return low, high


def _calibrations(held: HeldOut | None, known: Ints) -> list[Calibration | None]:
    """For each fold one that was fitted on the others, and last the one for all that is unknown."""
    if held is None:
        return [None]
    is_crater = known[held.at] == CRATER
    folds = range(len(held.accounts))
    return [_fit(held.evidence, is_crater, held.fold != fold) for fold in (*folds, -1)]


def _fit(evidence: Floats, is_crater: NDArray[np.bool_], among: NDArray[np.bool_]) -> Calibration | None:
    """From evidence to calibrated evidence: without what the shares of the known subjects themselves say."""
    n_craters, n = int(is_crater[among].sum()), int(among.sum())
    if min(n_craters, n - n_craters) < FEWEST_KNOWN:
        return None
    fitted = fit_platt(evidence[among], is_crater[among])
    return Calibration(fitted.intercept - float(np.log(n_craters / (n - n_craters))), fitted.slope)


def _calibrated(calibration: Calibration | None, evidence: Floats) -> Floats:
    return evidence if calibration is None else calibration.log_odds(evidence)


def _among_known(held: HeldOut, calibrations: list[Calibration | None], known: Ints) -> Floats:
    """Known subjects' probabilities at their own share of craters, each by the others' calibration."""
    share = float((known[held.at] == CRATER).mean())
    odds = np.empty(len(held.at))
    for fold in range(len(held.accounts)):
        there = held.fold == fold
        odds[there] = _calibrated(calibrations[fold], held.evidence[there])
    return _share(odds + np.log(share / (1.0 - share)))


def _share(odds: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-np.clip(odds, -700.0, 700.0)))
