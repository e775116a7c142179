"""From many people's circles to settled craters (CROWD.md §3.2, C).

Marks are clustered with at most one of each person in a crater; who looked and made no mark counts
against it. The answer depends neither on the order of the marks nor on that of the people.
"""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass

import numpy as np

from mlcore.consensus.clusters import CircleMark, Cluster, cluster
from mlcore.consensus.existence import PersonSkill, existence
from mlcore.consensus.spread import middle
from mlcore.errors import InvalidInput
from mlcore.geodesy import check_circle

__all__ = ["CircleMark", "PersonSkill", "SettledCircle", "settle"]


@dataclass(frozen=True)
class SettledCircle:
    """A crater as its marks say together.

    Attributes:
        lon: Centre, degrees: weighted median of the marks'.
        lat: Centre, degrees.
        diameter_m: Metres: weighted median.
        center_sd_m: Spread of the centres along one axis, metres (1.4826 · MAD); None for one person.
        diameter_sd_m: Spread of the diameters, metres (1.4826 · MAD); None for one person.
        existence: Probability that the crater exists, 0 to 1.
        mark_ids: Of all marks that belong to it, sorted as text; each mark belongs to one crater.
        n_people: How many people marked it.
    """

    lon: float
    lat: float
    diameter_m: float
    center_sd_m: float | None
    diameter_sd_m: float | None
    existence: float
    mark_ids: tuple[Hashable, ...]
    n_people: int


def settle(
    marks: Collection[CircleMark],
    people_who_looked: Collection[Hashable],
    skills: Mapping[Hashable, PersonSkill],
    radius_m: float,
) -> list[SettledCircle]:
    """Settle the marks of one tile.

    Args:
        marks: Of all who looked, in any order.
        people_who_looked: Everyone who searched the tile, those without a mark too.
        skills: What is known of them beforehand; who is missing is taken for an average volunteer.
        radius_m: The body's radius, metres.

    Returns:
        Craters, the most probable first; doubtful ones too, for the caller to draw the line.

    Raises:
        InvalidInput: A mark is no circle on the body, or its weight is not above 0 and at most 1.
    """
    for mark in marks:
        check_circle(mark.lon, mark.lat, mark.diameter_m, radius_m)
        if not 0.0 < mark.weight <= 1.0:
            raise InvalidInput(f"Mark {mark.id} weighs {mark.weight}; weights lie above 0 and up to 1.")
    if not marks:
        return []
    clusters = cluster(marks, radius_m)
    people = sorted({*people_who_looked, *(mark.person for mark in marks)}, key=str)
    column = {person: k for k, person in enumerate(people)}
    marked = np.zeros((len(clusters), len(people)))
    for row, found in enumerate(clusters):
        for person, vote in found.votes.items():
            marked[row, column[person]] = vote.weight
    probability, hit_rate = existence(marked, [skills.get(person, PersonSkill()) for person in people])
    trust = dict(zip(people, hit_rate.tolist(), strict=True))
    settled = [
        _settled_circle(found, trust, float(p), radius_m)
        for found, p in zip(clusters, probability, strict=True)
    ]
    return sorted(settled, key=lambda c: (-c.existence, -c.diameter_m, c.lon, c.lat, str(c.mark_ids)))


def _settled_circle(
    found: Cluster, trust: Mapping[Hashable, float], probability: float, radius_m: float
) -> SettledCircle:
    votes = sorted(found.votes.values(), key=lambda vote: (vote.circle, str(vote.person)))
    weights = [vote.weight * trust[vote.person] for vote in votes]
    ids = sorted((one for vote in (*votes, *found.repeats) for one in vote.ids), key=str)
    return SettledCircle(
        *middle([vote.circle for vote in votes], weights, radius_m), probability, tuple(ids), len(votes)
    )
