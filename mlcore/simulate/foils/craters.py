"""Shapes of craters in foil, as heights in µm.

A bowl half as deep as it is wide with a lip of a tenth, as hypervelocity impacts leave in aluminium (Kearsley
et al. 2008, MAPS 43, 41), and what real ones make of it: projectiles that are not round, that come in pieces
or aslant, and that leave something behind.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DEPTH, LIP, LIP_WIDTH = 0.5, 0.1, 0.13
# Nothing changes the ground farther away than so many of its diameters.
REACH = 1.6


class Family(StrEnum):
    """Kinds of craters."""

    ROUND = "round"
    ELLIPTICAL = "elliptical"
    LOBED = "lobed"
    TILTED = "tilted"
    RAGGED = "ragged"


# Never used for known subjects or training: what a network or a crowd has not been shown is found on these.
APART = Family.RAGGED
SHOWN = tuple(family for family in Family if family != APART)


@dataclass(frozen=True)
class Crater:
    """One crater.

    Attributes:
        x_px: Of the centre, from the image's left edge.
        y_px: Of the centre, from its upper edge.
        diameter_um: Across the lip, geometric mean of the axes.
        family: Its kind.
    """

    x_px: float
    y_px: float
    diameter_um: float
    family: Family


@dataclass(frozen=True)
class Near:
    """The part of an image that one thing can change.

    Attributes:
        part: Rows and columns.
        x_um: Shape of the part: eastward from the thing's centre.
        y_um: Shape of the part: downward.
    """

    part: tuple[slice, slice]
    x_um: Floats
    y_um: Floats

    def turned(self, random: np.random.Generator) -> tuple[Floats, Floats]:
        """The coordinates, turned by a random angle."""
        turn = random.uniform(0.0, 2.0 * np.pi)
        cos, sin = np.cos(turn), np.sin(turn)
        return self.x_um * cos + self.y_um * sin, self.y_um * cos - self.x_um * sin


def around(x_px: float, y_px: float, diameter_um: float, shape: tuple[int, int], um_per_px: float) -> Near:
    """All within REACH diameters of a centre, as far as the image goes."""
    reach_px = REACH * diameter_um / um_per_px + 2.0
    rows = slice(max(0, int(y_px - reach_px)), max(1, min(shape[0], int(y_px + reach_px))))
    columns = slice(max(0, int(x_px - reach_px)), max(1, min(shape[1], int(x_px + reach_px))))
    y, x = np.mgrid[rows, columns] + 0.5
    return Near((rows, columns), (x - x_px) * um_per_px, (y - y_px) * um_per_px)


def relief(crater: Crater, near: Near, random: np.random.Generator) -> Floats:
    """Heights that the crater adds to flat ground, µm.

    Args:
        crater: Which.
        near: Its surroundings.
        random: Of what its family leaves open: axes, lobes, slant, tears.

    Returns:
        Shape of near; 0 far away.
    """
    u, v = near.turned(random)
    radius = crater.diameter_um / 2.0
    match crater.family:
        case Family.ROUND:
            return _bowl(u, v, radius, random.uniform(0.9, 1.0))
        case Family.ELLIPTICAL:
            return _bowl(u, v, radius, random.uniform(0.5, 0.8))
        case Family.LOBED:
            return _lobed(u, v, radius, random)
        case Family.TILTED:
            return _tilted(u, v, radius, random)
        case Family.RAGGED:
            return _ragged(u, v, radius, random)


def _bowl(u: Floats, v: Floats, radius: float, ratio: float, depth: float = DEPTH) -> Floats:
    """A parabolic bowl whose area is that of the circle, and its lip."""
    r = np.hypot(u * np.sqrt(ratio), v / np.sqrt(ratio)) / radius
    cavity = -depth * 2.0 * radius * np.clip(1.0 - r**2, 0.0, None)
    return cavity + LIP * 2.0 * radius * _lip(r)


def _lip(r: Floats) -> Floats:
    """1 on the lip, 0 in the cavity and far out; steeper inside."""
    width = np.where(r < 1.0, 0.6 * LIP_WIDTH, 1.6 * LIP_WIDTH)
    return np.exp(-(((r - 1.0) / width) ** 2))


def _lobed(u: Floats, v: Floats, radius: float, random: np.random.Generator) -> Floats:
    """Two to four bowls that overlap, each with what is left of its lip."""
    n = int(random.integers(2, 5))
    size = radius / np.sqrt(n) * 1.25
    angle = np.sort(random.uniform(0.0, 2.0 * np.pi, n))
    away = radius * random.uniform(0.3, 0.5, n)
    bowls = [
        _bowl(u - a * np.cos(t), v - a * np.sin(t), size * random.uniform(0.8, 1.2), 1.0, DEPTH * 0.8)
        for a, t in zip(away, angle, strict=True)
    ]
    lowest = np.min(bowls, axis=0)
    return np.where(lowest < 0.0, lowest, np.max(bowls, axis=0))


def _tilted(u: Floats, v: Floats, radius: float, random: np.random.Generator) -> Floats:
    """Deepest and without a lip where the particle came in; the lip is heaped up ahead of it."""
    ratio, slant = random.uniform(0.6, 0.85), random.uniform(0.4, 0.8)
    r = np.hypot(u * np.sqrt(ratio), v / np.sqrt(ratio)) / radius
    ahead = np.clip(u / radius, -1.0, 1.0)
    cavity = -DEPTH * 2.0 * radius * np.clip(1.0 - r**2, 0.0, None) * (1.0 - slant * ahead)
    return cavity + LIP * 2.0 * radius * _lip(r) * (1.0 + 1.2 * slant * ahead)


def _ragged(u: Floats, v: Floats, radius: float, random: np.random.Generator) -> Floats:
    """A shallow, torn outline whose lip is broken, with what is left of the projectile on its floor."""
    angle = np.arctan2(v, u)
    waves = np.sum(
        [
            0.3 / k * random.random() * np.cos(k * angle + random.uniform(0.0, 2.0 * np.pi))
            for k in (2, 3, 4, 6)
        ],
        axis=0,
    )
    r = np.hypot(u, v) / (radius * (1.0 + waves))
    broken = np.clip(0.6 + np.cos(2 * angle + random.uniform(0, 6.3)) + 0.5 * np.cos(3 * angle), 0.0, 1.2)
    cavity = -0.35 * 2.0 * radius * np.clip(1.0 - r**4, 0.0, None)
    du, dv = random.uniform(-0.3, 0.3, 2) * radius
    residue = 0.25 * 2.0 * radius * np.exp(-(((u - du) ** 2 + (v - dv) ** 2) / (0.3 * radius) ** 2))
    return cavity + residue + LIP * 2.0 * radius * _lip(r) * broken
