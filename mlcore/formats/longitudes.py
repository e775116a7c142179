"""How a list counts its longitudes: four conventions, chosen by its owner or found out from the list."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from mlcore.catalogues import landmarks
from mlcore.catalogues.landmarks import Floats
from mlcore.errors import InvalidInput

# What an owner may say; "detect" leaves it to the list.
DETECT = "detect"
CONVENTIONS = {
    "east180": "−180 to 180, positive east",
    "east360": "0 to 360, positive east",
    "west180": "−180 to 180, positive west",
    "west360": "0 to 360, positive west",
}
_EAST = re.compile(r"(\+\s*|positive[\s_-]*)e(ast)?\b", re.IGNORECASE)
_WEST = re.compile(r"(\+\s*|positive[\s_-]*)w(est)?\b", re.IGNORECASE)
# So many landmarks speak for a direction, and so many times those that speak for the other.
_MIN_LANDMARKS = 2
_MIN_TIMES = 3
_NAMED = 4


@dataclass(frozen=True)
class Convention:
    """How longitudes of a list are to be read.

    Attributes:
        west: Whether they grow westwards.
        low: Smallest that is right, degrees.
        high: Largest that is right, degrees.
    """

    west: bool
    low: float
    high: float

    @property
    def key(self) -> str:
        """Its name in CONVENTIONS; one that mixes the ranges ends in "any"."""
        way = "west" if self.west else "east"
        if self.low < 0.0 and self.high > 180.0:
            return f"{way}any"
        return f"{way}180" if self.low < 0.0 else f"{way}360"

    @property
    def title(self) -> str:
        """In words: "0 to 360, positive west"."""
        return CONVENTIONS.get(self.key) or f"−180 to 360, positive {'west' if self.west else 'east'}"

    def home(self, given: float) -> float:
        """A longitude of the list as ours: degrees east in [-180, 180)."""
        # One exact addition: longitudes keep every digit.
        lon = -given if self.west else given
        return lon - 360.0 if lon >= 180.0 else lon + 360.0 if lon < -180.0 else lon

    def homes(self, given: Floats) -> Floats:
        """The same for many, (n,)."""
        lon = -given if self.west else given
        return np.where(lon >= 180.0, lon - 360.0, np.where(lon < -180.0, lon + 360.0, lon))


@dataclass(frozen=True)
class Finding:
    """Which convention a list was read by, and why.

    Attributes:
        convention: The one.
        certainty: "chosen" by its owner, "stated" in the file, "recognised" by landmarks, or "assumed".
        is_recognised: Whether landmarks of the body speak for a direction, this one or the other.
        reason: In a sentence or two.
        doubt: What speaks against it, in a sentence; "" where nothing does.
    """

    convention: Convention
    certainty: str
    reason: str
    is_recognised: bool
    doubt: str = ""

    def as_json(self) -> dict[str, object]:
        """For a report."""
        return {
            "convention": self.convention.key,
            "title": self.convention.title,
            "certainty": self.certainty,
            "reason": self.reason,
            "doubt": self.doubt,
        }


def convention(key: str) -> Convention:
    """The convention of this name.

    Raises:
        InvalidInput: There is none; the message lists them.
    """
    match = re.fullmatch(r"(east|west)(180|360|any)", key)
    if match is None:
        raise InvalidInput(
            f"There is no longitude convention called '{key}'; choose {', '.join(CONVENTIONS)} or {DETECT}.",
            code="bad_longitude",
        )
    low, high = {"180": (-180.0, 180.0), "360": (0.0, 360.0), "any": (-180.0, 360.0)}[match[2]]
    return Convention(match[1] == "west", low, high)


def stated_west(header_says: bool | None, system_cells: Iterable[str]) -> bool | None:
    """What the file itself says about the direction.

    Args:
        header_says: What the longitude's header says, see Columns.west.
        system_cells: Of a column such as Coordinate_System: "Planetographic  +East  -180 - 180".

    Returns:
        True for westwards, False for eastwards, None where nothing is said or two things are.
    """
    if header_says is not None:
        return header_says
    said = set()
    for cell in system_cells:
        said |= {True} if _WEST.search(cell) else set()
        said |= {False} if _EAST.search(cell) else set()
    return said.pop() if len(said) == 1 else None


def find(
    chosen: str, stated: bool | None, given: Floats, lat: Floats, diameter_km: Floats, body: str
) -> Finding:
    """Find out how a list counts its longitudes.

    Args:
        chosen: A key of CONVENTIONS, or "detect".
        stated: See stated_west.
        given: Longitudes as the list has them, (n,).
        lat: Degrees, (n,).
        diameter_km: Kilometres, (n,).
        body: Key of mlcore.bodies.BODIES.

    Returns:
        The convention with its reason, and what speaks against it.
    """
    known = {
        west: landmarks.found(body, -given if west else given, lat, diameter_km) for west in (False, True)
    }
    seen = next((west for west in known if _speaks_for(len(known[west]), len(known[not west]))), None)
    if chosen != DETECT:
        found = Finding(convention(chosen), "chosen", "As was chosen.", seen is not None)
        return _with_doubts(found, stated, seen, known)
    low, high = (float(given.min()), float(given.max())) if given.size else (0.0, 0.0)
    if stated is not None:
        reason = f"The file itself says that its longitudes grow {_way(stated)}."
        found = Finding(_of_range(stated, low, high), "stated", reason, seen is not None)
        return _with_doubts(found, None, seen, known)
    if seen is not None:
        names = ", ".join(mark.name for mark in known[seen][:_NAMED])
        more = " and others" if len(known[seen]) > _NAMED else ""
        reason = (
            f"{names}{more} lie where they should when longitudes are counted {_way(seen)} "
            f"({len(known[seen])} landmarks; {len(known[not seen])} when counted {_way(not seen)})."
        )
        return Finding(_of_range(seen, low, high), "recognised", reason, is_recognised=True)
    reason = (
        "Nothing in the file says which way its longitudes grow, and too few landmarks are in it to tell. "
        "Eastwards is assumed, as in most lists: look at the map, and choose otherwise if it is mirrored."
    )
    return Finding(_of_range(False, low, high), "assumed", reason, is_recognised=False)


def _speaks_for(n: int, n_against: int) -> bool:
    return n >= _MIN_LANDMARKS and n >= _MIN_TIMES * n_against


def _way(west: bool) -> str:
    return "westwards" if west else "eastwards"


def _of_range(west: bool, low: float, high: float) -> Convention:
    if low >= 0.0:
        return Convention(west, 0.0, 360.0)
    return Convention(west, -180.0, 360.0 if high > 180.0 else 180.0)


def _with_doubts(
    found: Finding, stated: bool | None, seen: bool | None, known: dict[bool, list[landmarks.Landmark]]
) -> Finding:
    west, doubts = found.convention.west, []
    if stated is not None and stated != west:
        doubts.append(f"The file itself says that its longitudes grow {_way(stated)}.")
    if seen is not None and seen != west:
        names = ", ".join(mark.name for mark in known[seen][:_NAMED])
        doubts.append(f"{names} lie where they should only when longitudes are counted {_way(seen)}.")
    return replace(found, doubt=" ".join(doubts))
