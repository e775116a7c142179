"""Confidence intervals of counted shares."""

from statistics import NormalDist

from mlcore.errors import InvalidInput


def wilson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927), right for small counts and shares near 0 or 1.

    Args:
        k: Successes, 0 to n.
        n: Trials, 0 or more.
        confidence: Probability that the interval covers the true share, between 0 and 1.

    Returns:
        Lower and upper bound in [0, 1]; (0, 1) when there are no trials.

    Raises:
        InvalidInput: k is not between 0 and n, or confidence not between 0 and 1.
    """
    if not 0 <= k <= n:
        raise InvalidInput(f"A share needs 0 ≤ successes ≤ trials; got {k} of {n}.")
    if not 0.0 < confidence < 1.0:
        raise InvalidInput(f"A confidence lies between 0 and 1, not at {confidence}.")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    middle = (k + z**2 / 2.0) / (n + z**2)
    half = z / (n + z**2) * (k * (n - k) / n + z**2 / 4.0) ** 0.5
    # The bounds are exactly 0 and 1 at the ends; rounding would miss them by a hair.
    return (0.0 if k == 0 else middle - half), (1.0 if k == n else middle + half)


def clopper_pearson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a share (Clopper and Pearson 1934): never too narrow.

    Args:
        k: Successes, 0 to n.
        n: Trials, 0 or more.
        confidence: Probability that the interval covers the true share, between 0 and 1.

    Returns:
        Lower and upper bound in [0, 1]; (0, 1) when there are no trials.

    Raises:
        InvalidInput: k is not between 0 and n, or confidence not between 0 and 1.
    """
    if not 0 <= k <= n:
        raise InvalidInput(f"A share needs 0 ≤ successes ≤ trials; got {k} of {n}.")
    if not 0.0 < confidence < 1.0:
        raise InvalidInput(f"A confidence lies between 0 and 1, not at {confidence}.")
    # Imported late: scipy.stats takes a second to load.
    from scipy.stats import beta

    tail = (1.0 - confidence) / 2.0
    lower = 0.0 if k == 0 else float(beta.ppf(tail, k, n - k + 1))
    upper = 1.0 if k == n else float(beta.ppf(1.0 - tail, k + 1, n - k))
    return lower, upper
