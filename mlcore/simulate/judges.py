"""People who look for craters in images whose truth is known; always shown as simulated.

Frozen: `version()` hashes this file, its value is pinned by a test. The world is set so that five votes
each give what an earlier simulation of 15,000 images gave (at least three of five calls find 0.77 of the
craters and 0.41 of the hard ones, in a queue of which 0.18 are craters; any two find 0.92). What makes it
hard is what real crowds do: everybody is misled by the same look-alikes, since an image's appeal is shared;
effort is heavy-tailed, so that most answers come from few; and some people do not try.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlcore.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BLANK, LOOKALIKE, EASY, HARD = range(4)


@dataclass(frozen=True)
class CrowdParameters:
    """One kind of world.

    Attributes:
        n_images: Images to be judged.
        crater_share: Of them, with a crater.
        hard_share: Of the craters, faint or odd ones.
        lookalike_share: Of all images, with something that people take for a crater.
        n_people: Who judge.
        bad_share: Of the people, who click at random, always say nothing, or say the opposite.
        effort_sd: Spread of the logarithm of how much each does; at 1.8 a tenth of the people does two
            thirds.
        sensitivity_logit: Of an average person and easy craters.
        specificity_logit: Of an average person and blank images.
        skill_sd: Spread of both between people, in logits.
        hard_logit: How much harder a hard crater is.
        lookalike_logit: How much more a look-alike tempts than a blank image.
        appeal_sd: Spread between images of one kind, shared by all who look, in logits.
        score_logits: Mean score of a network for each kind; its spread is 1.
    """

    n_images: int = 15_000
    crater_share: float = 0.01
    hard_share: float = 0.3
    lookalike_share: float = 0.05
    n_people: int = 500
    bad_share: float = 0.08
    effort_sd: float = 1.7
    sensitivity_logit: float = 2.0
    specificity_logit: float = 2.6
    skill_sd: float = 0.6
    hard_logit: float = 2.05
    lookalike_logit: float = 2.5
    appeal_sd: float = 0.55
    score_logits: tuple[float, float, float, float] = (0.0, 0.9, 2.2, 1.2)

    def __post_init__(self) -> None:
        shares = (self.crater_share, self.hard_share, self.lookalike_share, self.bad_share)
        if not all(0.0 <= share <= 1.0 for share in shares) or self.crater_share + self.lookalike_share > 1.0:
            raise InvalidInput(f"Shares lie between 0 and 1 and kinds sum to at most 1, not {shares}.")
        if self.n_images < 1 or self.n_people < 1:
            raise InvalidInput(
                f"There must be an image and a person, not {self.n_images} and {self.n_people}."
            )


@dataclass(frozen=True)
class Images:
    """What is looked at.

    Attributes:
        kind: Shape (n,): BLANK, LOOKALIKE, EASY or HARD.
        appeal: Shape (n,), logits: how much more crater-like the image looks to everybody than an average
            blank.
        score: Shape (n,): a network's raw score in logits, not calibrated.
    """

    kind: Ints
    appeal: Floats
    score: Floats

    @property
    def is_crater(self) -> NDArray[np.bool_]:
        """Shape (n,)."""
        return self.kind >= EASY


@dataclass(frozen=True)
class People:
    """Who looks.

    Attributes:
        sensitivity_logit: Shape (n,), of easy craters.
        specificity_logit: Shape (n,), of blank images.
        habit: Shape (n,): "" for who tries, else "random", "nothing" or "reversed".
        effort: Shape (n,): share of all answers, sums to 1.
    """

    sensitivity_logit: Floats
    specificity_logit: Floats
    habit: NDArray[np.str_]
    effort: Floats

    def chance_of_calling(self, images: Images, person: int) -> Floats:
        """Shape (n images,): the probability that this person calls each a crater."""
        looks = images.appeal
        at_crater = looks + self.sensitivity_logit[person]
        elsewhere = looks - self.specificity_logit[person]
        honest = _logistic(np.where(images.is_crater, at_crater, elsewhere))
        match self.habit[person]:
            case "random":
                return np.full(len(looks), 0.5)
            case "nothing":
                return np.full(len(looks), 0.005)
            case "reversed":
                return 1.0 - honest
        return honest


def make_images(parameters: CrowdParameters, seed: int) -> Images:
    """Images of the world's kinds in random order; the same seed gives the same ones."""
    random = np.random.default_rng((seed, 1))
    n = parameters.n_images
    n_craters, n_lookalikes = round(n * parameters.crater_share), round(n * parameters.lookalike_share)
    n_hard = round(n_craters * parameters.hard_share)
    kind = np.repeat(
        [BLANK, LOOKALIKE, EASY, HARD],
        [n - n_craters - n_lookalikes, n_lookalikes, n_craters - n_hard, n_hard],
    )
    kind = random.permutation(kind)
    means = np.array([0.0, parameters.lookalike_logit, 0.0, -parameters.hard_logit])
    appeal = means[kind] + parameters.appeal_sd * random.normal(size=n)
    score = np.array(parameters.score_logits)[kind] + random.normal(size=n)
    return Images(kind, appeal, score)


def make_people(parameters: CrowdParameters, seed: int) -> People:
    """People of the world's skill; the same seed gives the same ones."""
    random = np.random.default_rng((seed, 2))
    n = parameters.n_people
    habit = np.full(n, "", dtype="<U8")
    bad = random.permutation(n)[: round(n * parameters.bad_share)]
    habit[bad] = np.resize(["random", "nothing", "reversed"], len(bad))
    effort = np.exp(parameters.effort_sd * random.normal(size=n))
    return People(
        parameters.sensitivity_logit + parameters.skill_sd * random.normal(size=n),
        parameters.specificity_logit + parameters.skill_sd * random.normal(size=n),
        habit,
        effort / effort.sum(),
    )


def version() -> str:
    """SHA-256 of this file: what the frozen simulator is."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def _logistic(x: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-x))
