"""How many craters lie among images that nobody was shown: an estimate and a bound from a random audit.

A prefilter saves people's work by not showing what it scores low. What it loses can only be known by
showing some of it: a sample of each stratum of scores, drawn at random.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from mlcore.errors import InvalidInput
from mlcore.metrics.intervals import clopper_pearson


@dataclass(frozen=True)
class Stratum:
    """Images whose scores lie between two limits.

    Attributes:
        population: How many there are.
        sampled: Of these, how many were drawn at random and judged.
        found: Of these, how many show a crater.
    """

    population: int
    sampled: int
    found: int

    def __post_init__(self) -> None:
        if not 0 <= self.found <= self.sampled <= self.population:
            raise InvalidInput(
                "A stratum has 0 ≤ found ≤ sampled ≤ population, not "
                f"{self.found}, {self.sampled}, {self.population}."
            )


@dataclass(frozen=True)
class Missed:
    """Craters among the images of all strata together, those found by the audit included.

    Attributes:
        estimate: Horvitz and Thompson's (1952); None where a stratum with images has no sample.
        standard_error: Of the estimate, with the correction for finite strata; None likewise, or where a
            stratum has a sample of one.
        upper: So many at most, with the confidence asked for.
    """

    estimate: float | None
    standard_error: float | None
    upper: int


def missed(strata: Sequence[Stratum], *, confidence: float = 0.95) -> Missed:
    """Estimate and bound from the strata's samples.

    The bound adds up one-sided exact bounds (Clopper and Pearson 1934) of the strata, each held with so much
    more confidence that all hold together (Bonferroni): never too low, and a little high.

    Raises:
        InvalidInput: confidence is not between 0 and 1.
    """
    if not 0.0 < confidence < 1.0:
        raise InvalidInput(f"A confidence lies between 0 and 1, not at {confidence}.")
    filled = [stratum for stratum in strata if stratum.population]
    open_ = [stratum for stratum in filled if stratum.sampled < stratum.population]
    each = 1.0 - (1.0 - confidence) / max(1, len(open_))
    upper = sum(_upper(stratum, each) for stratum in filled)
    if any(stratum.sampled == 0 for stratum in filled):
        return Missed(None, None, upper)
    estimate = sum(s.population * s.found / s.sampled for s in filled)
    if any(stratum.sampled == 1 for stratum in open_):
        return Missed(estimate, None, upper)
    return Missed(estimate, sqrt(sum(_variance(stratum) for stratum in open_)), upper)


def _upper(stratum: Stratum, confidence: float) -> int:
    """Of craters in the stratum; the images already judged are known, the bound is of the rest."""
    rest = stratum.population - stratum.sampled
    # The upper end of a two-sided interval of 2c - 1 is the one-sided bound of c.
    share = clopper_pearson(stratum.found, stratum.sampled, max(1e-9, 2.0 * confidence - 1.0))[1]
    return stratum.found + min(rest, round(rest * share))


def _variance(stratum: Stratum) -> float:
    share = stratum.found / stratum.sampled
    rest = 1.0 - stratum.sampled / stratum.population
    return stratum.population**2 * rest * share * (1.0 - share) / (stratum.sampled - 1)
