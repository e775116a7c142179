"""What a volunteer might draw where the truth is known; always shown as simulated.

A stand-in that fills a demonstration and tries the settling of marks, not a model of people. Its
shares and spreads are round numbers of the size that repeated counts of the same terrain show
(Robbins et al. 2014, Icarus 234, 109–131: small craters are missed most, experts differ by a third).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlcore.simulate.terrain import Circle


@dataclass(frozen=True)
class Volunteer:
    """How well somebody sees.

    Attributes:
        hit_rate: Share of the large craters that they draw; of the smallest allowed it is half of that.
        false_rate: Share of the look-alikes that they take for craters.
        center_sd: Spread of their centres along each axis, in diameters.
        diameter_sd: Spread of the logarithm of their diameters.
    """

    hit_rate: float = 0.95
    false_rate: float = 0.1
    center_sd: float = 0.03
    diameter_sd: float = 0.05


def draw(
    volunteer: Volunteer,
    craters: Sequence[Circle],
    lookalikes: Sequence[Circle],
    *,
    min_diameter_px: float,
    seed: int | Sequence[int],
) -> list[Circle]:
    """The circles that the volunteer draws; the same seed gives the same ones.

    Args:
        volunteer: Who looks.
        craters: What is there, pixels.
        lookalikes: What might be taken for one, pixels.
        min_diameter_px: Smaller ones are not asked for and not drawn.
        seed: Of everything random.

    Returns:
        Circles near the true ones, in their order, false ones last; none below min_diameter_px.
    """
    random = np.random.default_rng(seed)
    drawn = []
    for circle in [*craters, *lookalikes]:
        # Drawn for each circle whether seen or not, so that one more crater changes no other mark.
        luck, x, y, size = random.random(), *random.normal(size=3)
        if luck >= _chance(volunteer, circle, min_diameter_px):
            continue
        diameter_px = circle.diameter_px * float(np.exp(volunteer.diameter_sd * size))
        if diameter_px >= min_diameter_px:
            shift = volunteer.center_sd * circle.diameter_px
            drawn.append(Circle(circle.x_px + shift * float(x), circle.y_px + shift * float(y), diameter_px))
    return drawn


def _chance(volunteer: Volunteer, circle: Circle, min_diameter_px: float) -> float:
    """Of being drawn: it grows with the diameter and is nearly full at twice the smallest."""
    if circle.kind != "crater":
        return volunteer.false_rate
    beyond = max(0.0, circle.diameter_px / min_diameter_px - 1.0)
    return volunteer.hit_rate * (1.0 - 0.5 * float(np.exp(-3.0 * beyond)))
