"""How well one person tells craters from the rest, learnt from subjects whose answer is known.

The agent of SWAP (Marshall et al. 2016, MNRAS 455, 1171, section 3): two shares with a prior worth a few
answers. Kept as counts, so that the order of the answers does not matter and a skill costs four numbers.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import sqrt
from statistics import NormalDist

from mlcore.errors import InvalidInput

# A share is never believed beyond these, however often somebody was right (Marshall et al. 2016).
LEAST, MOST = 0.01, 0.99
# The prior is worth so many answers; with 0.5 it says that nothing is known.
PRIOR_WEIGHT = 4.0
_ONE_SIDED_95 = NormalDist().inv_cdf(0.95)


class Answer(StrEnum):
    """What a person can say of an image."""

    CRATER = "crater"
    NOTHING = "nothing"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True)
class Rates:
    """Two shares that describe a judge.

    Attributes:
        sensitivity: Of craters, called craters, 0 to 1.
        specificity: Of images without one, called nothing, 0 to 1.
    """

    sensitivity: float = 0.5
    specificity: float = 0.5


@dataclass(frozen=True)
class Skill:
    """Counts of one person's answers to known subjects; "cannot tell" is in none of them.

    Attributes:
        hits: Craters called craters.
        craters: Craters answered at all.
        passes: Images without a crater called nothing.
        blanks: Images without a crater answered at all.
        prior: What is believed before the first answer: 0.5 and 0.5, or the population's rates.
        prior_weight: The number of answers of each kind that the prior is worth, above 0.
    """

    hits: float = 0.0
    craters: float = 0.0
    passes: float = 0.0
    blanks: float = 0.0
    prior: Rates = Rates()
    prior_weight: float = PRIOR_WEIGHT

    def after(self, *, is_crater: bool, answer: Answer) -> "Skill":
        """The skill once the person has answered a known subject."""
        if answer == Answer.CANNOT_TELL:
            return self
        if is_crater:
            return replace(self, craters=self.craters + 1, hits=self.hits + (answer == Answer.CRATER))
        return replace(self, blanks=self.blanks + 1, passes=self.passes + (answer == Answer.NOTHING))

    @property
    def known_answers(self) -> float:
        """Answers to known subjects that this rests on."""
        return self.craters + self.blanks

    @property
    def rates(self) -> Rates:
        """Posterior means, held within 0.01 and 0.99."""
        return Rates(
            _share(self.hits, self.craters, self.prior.sensitivity, self.prior_weight),
            _share(self.passes, self.blanks, self.prior.specificity, self.prior_weight),
        )

    def interval(self, confidence: float = 0.9) -> tuple[tuple[float, float], tuple[float, float]]:
        """Credible intervals of sensitivity and specificity, of the beta posteriors.

        Raises:
            InvalidInput: confidence is not between 0 and 1.
        """
        if not 0.0 < confidence < 1.0:
            raise InvalidInput(f"A confidence lies between 0 and 1, not at {confidence}.")
        # Imported late: scipy.stats takes a second to load, and web processes read rates only.
        from scipy.stats import beta

        tail = (1.0 - confidence) / 2.0
        (a1, b1), (a0, b0) = self.betas
        return (
            (float(beta.ppf(tail, a1, b1)), float(beta.ppf(1.0 - tail, a1, b1))),
            (float(beta.ppf(tail, a0, b0)), float(beta.ppf(1.0 - tail, a0, b0))),
        )

    @property
    def is_reversed(self) -> bool:
        """Whether the person is worse than chance with 95 % certainty.

        Such answers say the opposite of what they say. Nobody is believed upside down: whoever answers the
        known subjects wrongly on purpose would gain the power to reject craters by calling them.
        """
        means, variances = zip(*(_moments(a, b) for a, b in self.betas), strict=True)
        return sum(means) + _ONE_SIDED_95 * sqrt(sum(variances)) < 1.0

    @property
    def betas(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Posteriors of sensitivity and specificity, each as the two parameters of a beta distribution."""
        w, prior = self.prior_weight, self.prior
        return (
            (self.hits + w * prior.sensitivity, self.craters - self.hits + w * (1.0 - prior.sensitivity)),
            (self.passes + w * prior.specificity, self.blanks - self.passes + w * (1.0 - prior.specificity)),
        )


def _share(right: float, seen: float, prior: float, weight: float) -> float:
    return min(MOST, max(LEAST, (right + weight * prior) / (seen + weight)))


def _moments(a: float, b: float) -> tuple[float, float]:
    """Mean and variance of a beta distribution."""
    return a / (a + b), a * b / ((a + b) ** 2 * (a + b + 1.0))
