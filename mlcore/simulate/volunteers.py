"""A triage as it would go on with a project's own people: how many votes a rule takes, and what it finds.

The people are drawn from what known subjects say of the real ones, uncertainty included. What they look at
is made up: craters, hard craters and look-alikes of the frozen world (mlcore.simulate.judges), each image
with a prior of the project's own. So it holds if the real craters are as hard to see as the known ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from mlcore.consensus.answers.skill import Skill
from mlcore.consensus.answers.stopping import StoppingRule
from mlcore.consensus.answers.swap import probabilities
from mlcore.errors import InvalidInput
from mlcore.metrics.intervals import clopper_pearson
from mlcore.simulate.judges import BLANK, EASY, HARD, LOOKALIKE, CrowdParameters, Floats, Images, People
from mlcore.simulate.triage import play

# Nobody is played as if they never erred: an appeal without end would have to make up for it.
_LEAST, _MOST = 0.02, 0.98
_LOGITS = np.linspace(-12.0, 12.0, 481)
# Rules around the one that is asked about: the rejecting threshold so many times as high.
FACTORS = (100.0, 10.0, 1.0, 0.1, 0.01)
_LOWEST_REJECT = 1e-12
CONFIDENCE = 0.9


@dataclass(frozen=True)
class World:
    """One seed's images, people and known subjects."""

    images: Images
    people: People
    gold: Images
    prior_log_odds: Floats


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and where it lies with 90 % confidence (Student's t); equal where one seed is all.

    A completeness is of all seeds' craters together, and its interval at least Clopper and Pearson's.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Point:
    """What a rule takes and gives.

    Attributes:
        rule: Which.
        votes: Answers for each image, those to known subjects not counted.
        completeness: Share of the craters that go to reviewers.
        to_reviewers: Share of all images that go to reviewers.
        gold_votes: Answers to known subjects for each image, beside its votes.
        left_open: Share of images for which nobody was left who had not judged them.
    """

    rule: StoppingRule
    votes: Interval
    completeness: Interval
    to_reviewers: Interval
    gold_votes: Interval
    left_open: float


def people_like(skills: Sequence[Skill], answers: Floats, gold: Images, *, seed: int) -> People:
    """People drawn from the posteriors of real ones.

    Args:
        skills: Of each.
        answers: Shape (people,): how many answers each gave; what somebody does of all is their share.
        gold: Known subjects as they will be played: on these, each person is as good as drawn.
        seed: Of the draw.

    Raises:
        InvalidInput: Nobody, or numbers that do not fit.
    """
    if len(skills) == 0 or answers.shape != (len(skills),) or answers.min() < 0 or answers.sum() <= 0:
        raise InvalidInput(f"{len(skills)} people need a number of answers each, and not only zeros.")
    random = np.random.default_rng((seed, 4))
    drawn = np.array([[random.beta(*posterior) for posterior in skill.betas] for skill in skills])
    drawn = np.clip(drawn, _LEAST, _MOST)
    at_crater = gold.appeal[gold.is_crater]
    elsewhere = gold.appeal[~gold.is_crater]
    return People(
        sensitivity_logit=_logits(drawn[:, 0], at_crater),
        # Not to be misled is to be above the appeal: 1 − logistic(a − s) = logistic(s − a).
        specificity_logit=_logits(drawn[:, 1], -elsewhere),
        habit=np.full(len(skills), "", dtype="<U8"),
        effort=answers / answers.sum(),
    )


def images_like(prior_log_odds: Floats, *, seed: int, parameters: CrowdParameters | None = None) -> Images:
    """Images whose craters are as frequent as their priors say.

    Args:
        prior_log_odds: Shape (n,): calibrated, natural logarithm.
        seed: Of what each image shows.
        parameters: Shares of hard craters and of look-alikes among the rest, and appeals.
    """
    world = parameters or CrowdParameters()
    random = np.random.default_rng((seed, 5))
    n = len(prior_log_odds)
    is_crater = random.random(n) < probabilities(prior_log_odds)
    odd = random.random(n)
    lookalike_share = world.lookalike_share / max(1e-9, 1.0 - world.crater_share)
    kind = np.where(
        is_crater,
        np.where(odd < world.hard_share, HARD, EASY),
        np.where(odd < lookalike_share, LOOKALIKE, BLANK),
    )
    means = np.array([0.0, world.lookalike_logit, 0.0, -world.hard_logit])
    return Images(kind, means[kind] + world.appeal_sd * random.normal(size=n), prior_log_odds)


def around(rule: StoppingRule) -> list[StoppingRule]:
    """The rule itself and some that reject more easily and less easily, the easiest first."""
    rejects = [rule.reject * factor for factor in FACTORS]
    return [
        replace(rule, reject=reject) for reject in rejects if _LOWEST_REJECT <= reject < min(rule.accept, 0.5)
    ]


def curve(
    world_of: Callable[[int], World],
    rules: Sequence[StoppingRule],
    seeds: Sequence[int],
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> list[Point]:
    """Play each rule on each seed's world.

    Args:
        world_of: Makes a seed's world, the same for every rule.
        rules: To be compared.
        seeds: At least one.
        tell: Called with how many plays are done, and of how many.
    """
    worlds = [world_of(seed) for seed in seeds]
    points = []
    for number, rule in enumerate(rules):
        figures = []
        for at, (seed, world) in enumerate(zip(seeds, worlds, strict=True)):
            figures.append(_figures(world, rule, seed))
            tell(number * len(seeds) + at + 1, len(rules) * len(seeds))
        votes, found, craters, queue, gold_votes, left_open = np.array(figures).T
        points.append(
            Point(
                rule,
                _interval(votes),
                _completeness(found, craters),
                _interval(queue, most=1.0),
                _interval(gold_votes),
                float(left_open.mean()),
            )
        )
    return points


def _figures(world: World, rule: StoppingRule, seed: int) -> tuple[float, ...]:
    """Votes per image, craters found, craters, share to reviewers, gold votes per image, share left open."""
    played = play(
        world.images, world.people, world.gold, prior_log_odds=world.prior_log_odds, rule=rule, seed=seed
    )
    n, craters = len(played.votes), world.images.is_crater
    queue = played.goes_to_reviewers
    return (
        float(played.votes.mean()),
        float(queue[craters].sum()),
        float(craters.sum()),
        float(queue.mean()),
        played.gold_votes / n,
        float((played.outcome == "").mean()),
    )


def _logits(shares: Floats, appeal: Floats) -> Floats:
    """For each share the logit at which the mean of logistic(appeal + logit) is that share."""
    means = (1.0 / (1.0 + np.exp(-(appeal[None, :] + _LOGITS[:, None])))).mean(axis=1)
    return np.interp(shares, means, _LOGITS)


def _completeness(found: Floats, craters: Floats) -> Interval:
    """Of all seeds' craters; its interval is as wide as their scatter and their number ask."""
    if not craters.any():
        return Interval(float("nan"), 0.0, 1.0)
    n_found, n = int(found.sum()), int(craters.sum())
    exact_low, exact_high = clopper_pearson(n_found, n, CONFIDENCE)
    # A world in which no crater happens to lie says nothing of completeness.
    scatter = _interval(found[craters > 0] / craters[craters > 0], most=1.0)
    return Interval(n_found / n, min(exact_low, scatter.low), max(exact_high, scatter.high))


def _interval(values: Floats, *, most: float = float("inf")) -> Interval:
    mean = float(values.mean())
    if len(values) == 1:
        return Interval(mean, mean, mean)
    # Imported late: scipy.stats takes a second to load.
    from scipy.stats import t

    reach = float(t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1) * values.std(ddof=1) / sqrt(len(values)))
    return Interval(mean, max(0.0, mean - reach), min(most, mean + reach))
