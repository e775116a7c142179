"""Which marks of many people show the same crater: at most one of each person.

Marks are first joined by the tight rule of Robbins et al. (2014), then what is left by overlap. Each
person's marks are given to the growing clusters all at once, by the greatest sum of overlaps
(Hungarian matching), so that near neighbours are shared out and nobody fills a cluster alone.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

from mlcore.catalogues.matching import circle_iou
from mlcore.consensus.spread import Middle, middle
from mlcore.geodesy import distance_m

# Robbins et al. (2014): centres within 0.10 of the mean diameter, diameters within 0.25 of the smaller.
TIGHT_OFFSET, TIGHT_DIAMETER = 0.10, 0.25
LOOSE_IOU = 0.5

Floats = NDArray[np.float64]
Circle = tuple[float, float, float]


@dataclass(frozen=True)
class CircleMark:
    """A circle that one person drew.

    Attributes:
        id: The caller's name for it.
        person: Who drew it.
        lon: Centre, degrees.
        lat: Centre, degrees.
        diameter_m: Metres.
        weight: What it counts, above 0 and at most 1; less than 1 where its author was unsure.
    """

    id: Hashable
    person: Hashable
    lon: float
    lat: float
    diameter_m: float
    weight: float = 1.0


@dataclass(frozen=True)
class Vote:
    """What one person says about one place: a mark, or several that say the same.

    Attributes:
        person: Who.
        circle: lon, lat, diameter_m.
        weight: The greatest of its marks'.
        ids: Of its marks.
    """

    person: Hashable
    circle: Circle
    weight: float
    ids: tuple[Hashable, ...]


class Cluster:
    """Votes for one crater, at most one of each person."""

    def __init__(self, votes: Iterable[Vote], radius_m: float) -> None:
        self.votes = {vote.person: vote for vote in votes}
        # Marks of people who already have a vote here: they belong to it and count nothing.
        self.repeats: list[Vote] = []
        self._radius_m = radius_m
        self._middle: Middle | None = None

    def add(self, vote: Vote) -> None:
        """Take in a vote of a person who has none here yet."""
        self.votes[vote.person] = vote
        self._middle = None

    @property
    def middle(self) -> Middle:
        """The circle in the middle of its votes."""
        if self._middle is None:
            votes = list(self.votes.values())
            weights = [vote.weight for vote in votes]
            self._middle = middle([vote.circle for vote in votes], weights, self._radius_m)
        return self._middle


def cluster(marks: Iterable[CircleMark], radius_m: float) -> list[Cluster]:
    """Join the marks that show the same crater.

    Args:
        marks: Of any number of people, in any order.
        radius_m: The body's radius, metres.

    Returns:
        Clusters of one vote or more, in an order that depends on the marks only.
    """
    votes = _votes(marks, radius_m)
    clusters: list[Cluster] = []
    _grow(clusters, votes, radius_m, tight=True)
    # What nobody else drew that closely gets a second chance, first with those that somebody did.
    lone = [vote for found in clusters if len(found.votes) == 1 for vote in found.votes.values()]
    clusters = [found for found in clusters if len(found.votes) > 1]
    lone = _grow(clusters, lone, radius_m, new=False)
    _grow(clusters, lone, radius_m)
    return _with_repeats(_merged(clusters, radius_m), radius_m)


def overlaps(a: Sequence[Circle], b: Sequence[Circle], radius_m: float, *, tight: bool = False) -> Floats:
    """How far circles agree.

    Args:
        a: n circles.
        b: m circles.
        radius_m: The body's radius, metres.
        tight: Ask for the rule of Robbins et al. (2014) instead of an IoU of 0.5.

    Returns:
        Shape (n, m): intersection over union where they agree, 0 where they do not.
    """
    one, two = np.reshape(a, (-1, 3)).astype(float), np.reshape(b, (-1, 3)).astype(float)
    # Only those near in latitude and of like size can agree; for them alone it is worked out.
    north_m = radius_m * np.radians(np.abs(one[:, None, 1] - two[None, :, 1]))
    small, large = (pick(one[:, None, 2], two[None, :, 2]) for pick in (np.minimum, np.maximum))
    i, k = np.nonzero((north_m < 0.3 * large) & (large < 1.5 * small))
    d1, d2 = one[i, 2], two[k, 2]
    away_m = distance_m(one[i, 0], one[i, 1], two[k, 0], two[k, 1], radius_m)
    iou = circle_iou(away_m, d1, d2)
    if tight:
        agree = (away_m < TIGHT_OFFSET * (d1 + d2) / 2.0) & (
            np.abs(d1 - d2) < TIGHT_DIAMETER * np.minimum(d1, d2)
        )
    else:
        agree = iou >= LOOSE_IOU
    value = np.zeros((len(one), len(two)))
    value[i[agree], k[agree]] = iou[agree]
    return value


def _votes(marks: Iterable[CircleMark], radius_m: float) -> list[Vote]:
    """One vote per person and place; those with most to say first, ties by what they say."""
    by_person: dict[Hashable, list[CircleMark]] = {}
    for mark in sorted(marks, key=lambda m: (m.lon, m.lat, m.diameter_m, m.weight, str(m.id))):
        by_person.setdefault(mark.person, []).append(mark)
    votes = {person: _votes_of(person, theirs, radius_m) for person, theirs in by_person.items()}

    def rank(person: Hashable) -> tuple[int, list[tuple[Circle, float]], str]:
        return -len(votes[person]), [(vote.circle, vote.weight) for vote in votes[person]], str(person)

    return [vote for person in sorted(votes, key=rank) for vote in votes[person]]


def _votes_of(person: Hashable, marks: Sequence[CircleMark], radius_m: float) -> list[Vote]:
    circles = [(mark.lon, mark.lat, mark.diameter_m) for mark in marks]
    same = overlaps(circles, circles, radius_m, tight=True) > 0.0
    n, labels = connected_components(same, directed=False)
    votes = []
    for label in range(n):
        members = np.flatnonzero(labels == label).tolist()
        weights = [marks[i].weight for i in members]
        lon, lat, diameter_m, _, _ = middle([circles[i] for i in members], weights, radius_m)
        votes.append(Vote(person, (lon, lat, diameter_m), max(weights), tuple(marks[i].id for i in members)))
    return votes


def _grow(
    clusters: list[Cluster], votes: Sequence[Vote], radius_m: float, *, tight: bool = False, new: bool = True
) -> list[Vote]:
    """Give each person's votes in turn to clusters without one of theirs.

    Votes that agree with none begin new clusters; unless `new`, they are returned.
    """
    left = []
    for person, group in groupby(votes, key=lambda vote: vote.person):
        theirs = list(group)
        open_ = [found for found in clusters if person not in found.votes]
        goes = _assignment(theirs, open_, radius_m, tight=tight)
        for i, vote in enumerate(theirs):
            if i in goes:
                open_[goes[i]].add(vote)
            elif new:
                clusters.append(Cluster([vote], radius_m))
            else:
                left.append(vote)
    return left


def _assignment(
    votes: Sequence[Vote], clusters: Sequence[Cluster], radius_m: float, *, tight: bool = False
) -> dict[int, int]:
    """One person's votes to clusters, one to one, for the greatest sum of overlaps."""
    if not votes or not clusters:
        return {}
    middles = [found.middle[:3] for found in clusters]
    value = overlaps([vote.circle for vote in votes], middles, radius_m, tight=tight)
    rows, columns = linear_sum_assignment(value, maximize=True)
    return {int(i): int(k) for i, k in zip(rows, columns, strict=True) if value[i, k] > 0.0}


def _merged(clusters: list[Cluster], radius_m: float) -> list[Cluster]:
    """Join clusters of different people that overlap, the closest first."""
    while True:
        middles = [found.middle[:3] for found in clusters]
        value = np.triu(overlaps(middles, middles, radius_m), k=1)
        rows, columns = np.nonzero(value)
        joined: dict[int, int] = {}
        for at in np.argsort(-value[rows, columns], kind="stable"):
            i, k = int(rows[at]), int(columns[at])
            strangers = not clusters[i].votes.keys() & clusters[k].votes.keys()
            if strangers and i not in joined and k not in joined:
                joined[i], joined[k] = k, i
        if not joined:
            return clusters
        clusters = [
            Cluster([*found.votes.values(), *clusters[joined[i]].votes.values()], radius_m)
            if i in joined
            else found
            for i, found in enumerate(clusters)
            if joined.get(i, i) >= i
        ]


def _with_repeats(clusters: list[Cluster], radius_m: float) -> list[Cluster]:
    """A person's second mark on a crater of several people goes with it and makes no crater."""
    shared = [found for found in clusters if len(found.votes) > 1]
    kept = list(shared)
    for found in clusters:
        if len(found.votes) > 1:
            continue
        (vote,) = found.votes.values()
        theirs = [home for home in shared if vote.person in home.votes]
        value = (
            overlaps([vote.circle], [home.middle[:3] for home in theirs], radius_m)[0]
            if theirs
            else np.zeros(1)
        )
        if value.max() > 0.0:
            theirs[int(value.argmax())].repeats.append(vote)
        else:
            kept.append(found)
    return kept
