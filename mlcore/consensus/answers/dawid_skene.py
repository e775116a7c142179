"""The nightly account: what all answers say together, whatever the order in which they came.

Dawid and Skene (1979, Applied Statistics 28, 20) by expectation and maximisation, with three changes that
sparse volunteers and shared mistakes call for: known subjects are clamped to their answer; a person's row
of the confusion matrix starts from the population's, worth a few answers; and answers to unknown subjects
teach less than answers to known ones, by a factor that `held_out` chooses on the known subjects.
Where people share a mistake, as with pits that look like craters, an account without known subjects is
worse than a plain majority.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlcore.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNKNOWN = -1
_MAX_STEPS = 100
# One answer of the whole population in each cell keeps every likelihood above 0.
_SMOOTHING = 1.0


@dataclass(frozen=True)
class Account:
    """What the answers say.

    Attributes:
        probability: Shape (subjects, classes); rows sum to 1, known subjects are 0 and 1.
        confusion: Shape (people, classes, answers); each row sums to 1.
        rests_on: Shape (people, classes): answers that each row of a confusion matrix is worth, the prior's
            included; the row's posterior is a Dirichlet distribution of confusion times this.
        population: Shape (classes, answers), the rows of the people's prior.
        steps: Of expectation and maximisation.
        has_converged: Whether the last step changed no probability by more than the tolerance.
    """

    probability: Floats
    confusion: Floats
    rests_on: Floats
    population: Floats
    steps: int
    has_converged: bool


@dataclass(frozen=True)
class Answers:
    """The log, one row for each answer that counts.

    Attributes:
        subject: Shape (n,): 0 … n_subjects - 1.
        person: Shape (n,): 0 … n_people - 1.
        answer: Shape (n,): 0 … n_answers - 1. Answer k names class k; those after the classes name none.
        n_subjects: Number of subjects.
        n_people: Number of people.
        n_answers: Number of answers to choose from, at least 2 and as many as classes.
    """

    subject: Ints
    person: Ints
    answer: Ints
    n_subjects: int
    n_people: int
    n_answers: int

    def __post_init__(self) -> None:
        for name, values, limit in (
            ("subject", self.subject, self.n_subjects),
            ("person", self.person, self.n_people),
            ("answer", self.answer, self.n_answers),
        ):
            if len(values) != len(self.subject):
                raise InvalidInput(f"{name} has {len(values)} rows and subject {len(self.subject)}.")
            if len(values) and not (values.min() >= 0 and values.max() < limit):
                raise InvalidInput(f"{name} is 0 to {limit - 1}, not {values.min()} to {values.max()}.")


def account(
    answers: Answers,
    *,
    prior: Floats,
    known: Ints,
    unknown_weight: float = 0.3,
    prior_weight: float = 4.0,
    begin_at: Floats | None = None,
    tolerance: float = 1e-6,
) -> Account:
    """Fit people and subjects together.

    Args:
        answers: Of people to subjects.
        prior: Shape (subjects, classes), rows that sum to 1: what is believed of each subject without any
            answer.
        known: Shape (subjects,): the class of known subjects, UNKNOWN of the others.
        unknown_weight: What an answer to an unknown subject teaches about its person, 0 to 1, beside one to
            a known.
        prior_weight: The answers that the population's row is worth for each person, above 0.
        begin_at: Confusion matrices of these people as another account found them; without, everybody is
            taken to be mostly right.
        tolerance: It ends where a step changes no probability by more, or after 100 steps.

    Raises:
        InvalidInput: Shapes that do not fit, probabilities out of range, or weights out of theirs.
    """
    n_classes = _check(answers, prior, known, unknown_weight, prior_weight)
    is_known = known != UNKNOWN
    fixed = np.eye(n_classes)[np.where(is_known, known, 0)]
    teaches = np.where(is_known, 1.0, unknown_weight)[answers.subject]
    log_prior = np.log(np.clip(prior, 1e-12, 1.0))
    said = answers.person * answers.n_answers + answers.answer
    begun = _believe(
        answers, said, _mostly_right(answers, n_classes) if begin_at is None else begin_at, log_prior
    )
    probability = np.where(is_known[:, None], fixed, begun)
    confusion, rests_on, population = _learn(answers, said, probability, teaches, prior_weight)
    step, has_converged = 0, False
    while step < _MAX_STEPS and not has_converged:
        step += 1
        before = probability
        probability = np.where(is_known[:, None], fixed, _believe(answers, said, confusion, log_prior))
        confusion, rests_on, population = _learn(answers, said, probability, teaches, prior_weight)
        has_converged = bool(np.abs(probability - before).max(initial=0.0) < tolerance)
    return Account(probability, confusion, rests_on, population, step, has_converged)


def _mostly_right(answers: Answers, n_classes: int) -> Floats:
    """Where to begin: from people who know nothing, or from the prior alone, no step would lead away."""
    row = np.full((n_classes, answers.n_answers), 0.3 / (answers.n_answers - 1))
    np.fill_diagonal(row, 0.7)
    return np.broadcast_to(row, (answers.n_people, *row.shape))


def _believe(answers: Answers, said: Ints, confusion: Floats, log_prior: Floats) -> Floats:
    """Expectation: the classes' probabilities of every subject."""
    log_p = log_prior.copy()
    for k in range(log_p.shape[1]):
        says = np.log(confusion[:, k]).ravel()
        log_p[:, k] += np.bincount(answers.subject, says[said], minlength=answers.n_subjects)
    log_p -= log_p.max(axis=1, keepdims=True)
    p = np.exp(log_p)
    return p / p.sum(axis=1, keepdims=True)


def _learn(
    answers: Answers, said: Ints, probability: Floats, teaches: Floats, prior_weight: float
) -> tuple[Floats, Floats, Floats]:
    """Maximisation: the people's confusion matrices, what they rest on, and the population's."""
    n_classes = probability.shape[1]
    counts = np.empty((answers.n_people, n_classes, answers.n_answers))
    for k in range(n_classes):
        weight = probability[:, k][answers.subject] * teaches
        flat = np.bincount(said, weight, minlength=answers.n_people * answers.n_answers)
        counts[:, k] = flat.reshape(answers.n_people, answers.n_answers)
    pooled = counts.sum(axis=0) + _SMOOTHING
    population = pooled / pooled.sum(axis=1, keepdims=True)
    counts += prior_weight * population
    rests_on = counts.sum(axis=2)
    return counts / rests_on[:, :, None], rests_on, population


def _check(answers: Answers, prior: Floats, known: Ints, unknown_weight: float, prior_weight: float) -> int:
    """The number of classes, once everything fits."""
    if prior.ndim != 2 or len(prior) != answers.n_subjects or known.shape != (answers.n_subjects,):
        raise InvalidInput(
            f"Of {answers.n_subjects} subjects, prior has shape {prior.shape} and known {known.shape}."
        )
    n_classes = int(prior.shape[1])
    if answers.n_answers < max(2, n_classes):
        raise InvalidInput(
            f"{n_classes} classes need at least 2 and as many answers, not {answers.n_answers}."
        )
    if (
        not np.isfinite(prior).all()
        or prior.min(initial=0.0) < 0.0
        or (np.abs(prior.sum(axis=1) - 1) > 1e-6).any()
    ):
        raise InvalidInput("Each row of prior holds probabilities that sum to 1.")
    if len(known) and not (known.min() >= UNKNOWN and known.max() < n_classes):
        raise InvalidInput(
            f"known is 0 to {n_classes - 1}, or {UNKNOWN}, not {known.min()} to {known.max()}."
        )
    if not 0.0 <= unknown_weight <= 1.0 or not prior_weight > 0.0:
        raise InvalidInput(
            f"unknown_weight is 0 to 1 and prior_weight above 0, not {unknown_weight} and {prior_weight}."
        )
    return n_classes
