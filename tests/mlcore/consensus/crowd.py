"""Simulated volunteers on one tile of known craters; everything here is synthetic."""

import numpy as np

from mlcore.bodies import BODIES
from mlcore.consensus.circles import CircleMark
from mlcore.geodesy import destination

MOON_M = BODIES["moon"].radius_m
_TILE_M = 60_000.0


def crowd(
    seed: int,
    *,
    people: int = 5,
    craters: int = 40,
    false_marks: float = 4.0,
    look_alikes: int = 15,
    spread: float = 0.06,
    center: tuple[float, float] = (20.0, -30.0),
) -> tuple[np.ndarray, list[CircleMark]]:
    """True craters (n, 3), and marks with misses, false ones, scatter and each person's own bias in size.

    `false_marks` are the mean per person, `spread` the mean s.d. of centres in diameters. Look-alikes
    are no craters, but each person takes each for one with a probability of 0.15.
    """
    rng = np.random.default_rng(seed)
    x, y, size = _places(rng, craters + look_alikes)
    marks = []
    for person in range(people):
        scatter, bias = spread * rng.lognormal(0.0, 0.4), rng.normal(1.0, 0.04)
        sees = rng.uniform(0.5, 0.95) * (0.6 + 0.4 * np.minimum(size / 3000.0, 1.0))
        sees[craters:] = 0.15
        hit = np.flatnonzero(rng.uniform(size=len(size)) < sees)
        errors = rng.normal(0.0, scatter, (3, len(hit)))
        drawn = [
            x[hit] + errors[0] * size[hit],
            y[hit] + errors[1] * size[hit],
            size[hit] * bias * np.exp(1.3 * errors[2]),
        ]
        wrong = _places(rng, rng.poisson(false_marks))
        for circle in zip(*np.concatenate([drawn, wrong], axis=1), strict=True):
            marks.append(CircleMark(f"{person}/{len(marks)}", person, *_on_body(circle, center)))
    truth = [_on_body(circle, center) for circle in zip(x, y, size, strict=True)][:craters]
    return np.array(truth), marks


def _places(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """East, north and diameter in metres: sizes by a power law from 1 to 15 km."""
    x, y = rng.uniform(0.0, _TILE_M, (2, n))
    return x, y, np.minimum(1000.0 * rng.uniform(size=n) ** (-1.0 / 1.8), 15_000.0)


def _on_body(circle: tuple[float, float, float], center: tuple[float, float]) -> tuple[float, float, float]:
    x, y, size = circle
    lon, lat = destination(*center, np.degrees(np.arctan2(x, y)), np.hypot(x, y), MOON_M)
    return float(lon), float(lat), float(size)
