"""Where in a picture people clicked: the places that several of them mean, each with its middle.

Clicks have no size, so nothing tells two craters apart that lie closer together than people click exactly:
within the radius that the caller states they are one place.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlcore.errors import InvalidInput

Floats = NDArray[np.float64]
_MAX_STEPS = 200


@dataclass(frozen=True)
class Click:
    """One click.

    Attributes:
        person: Whose.
        x_px: From the left edge.
        y_px: From the upper edge.
    """

    person: Hashable
    x_px: float
    y_px: float


@dataclass(frozen=True)
class Place:
    """What several clicks, or a single one, point at.

    Attributes:
        x_px: Of the geometric median of one click of each person: the point with the least sum of distances.
        y_px: See x_px.
        n_people: Who clicked there, each once.
        spread_px: Median distance of these clicks from it.
    """

    x_px: float
    y_px: float
    n_people: int
    spread_px: float


def places(clicks: Iterable[Click], *, radius_px: float) -> list[Place]:
    """Put clicks together into places, those that most people mean first.

    The click that most people have clicked near, within the radius, gathers the nearest click of each of
    them; what else lies within the radius belongs to the place and counts nothing. Then the rest goes on.

    Args:
        clicks: In any order, which changes nothing.
        radius_px: Clicks no further apart than this may mean the same.

    Raises:
        InvalidInput: The radius is not above 0.
    """
    if not radius_px > 0.0:
        raise InvalidInput(f"Clicks are put together within a radius above 0, not {radius_px} px.")
    left = sorted(clicks, key=lambda click: (click.x_px, click.y_px, str(click.person)))
    found = []
    while left:
        at = np.array([(click.x_px, click.y_px) for click in left])
        apart = np.hypot(*(at[:, None, :] - at[None, :, :]).transpose(2, 0, 1))
        near = apart <= radius_px
        people = [len({left[k].person for k in np.flatnonzero(row)}) for row in near]
        centre = int(np.argmax(people))
        found.append(_place(left, at, apart[centre], near[centre]))
        left = [click for click, is_near in zip(left, near[centre], strict=True) if not is_near]
    return sorted(found, key=lambda place: (-place.n_people, place.x_px, place.y_px))


def _place(clicks: list[Click], at: Floats, apart: Floats, near: NDArray[np.bool_]) -> Place:
    """The nearest click of each person, and their middle."""
    nearest: dict[Hashable, int] = {}
    for k in sorted(np.flatnonzero(near).tolist(), key=lambda k: (apart[k], k)):
        nearest.setdefault(clicks[k].person, k)
    points = at[sorted(nearest.values())]
    middle = geometric_median(points)
    spread = float(np.median(np.hypot(*(points - middle).T)))
    return Place(float(middle[0]), float(middle[1]), len(points), spread)


def geometric_median(points: Floats) -> Floats:
    """The point with the least sum of distances, by Weiszfeld's steps as Vardi and Zhang (2000) mend them.

    Half of the points may lie anywhere without carrying it away.

    Args:
        points: Shape (n, 2), at least one.

    Returns:
        Shape (2,).
    """
    middle: Floats = points.mean(axis=0)
    for _ in range(_MAX_STEPS):
        away = np.hypot(*(points - middle).T)
        apart = away > 1e-9
        if not apart.any():
            return middle
        weights = 1.0 / away[apart]
        pull = (points[apart] * weights[:, None]).sum(axis=0) / weights.sum()
        # A point that the middle lies on holds it there unless the others pull harder.
        force = float(np.hypot(*((pull - middle) * weights.sum())))
        held = float((~apart).sum())
        share = min(1.0, held / force) if force > 0.0 else 1.0
        after = (1.0 - share) * pull + share * middle
        if np.hypot(*(after - middle)) < 1e-6:
            return np.asarray(after)
        middle = after
    return middle
