"""Which column of a crater list is which: the header names that crater lists really use."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlcore.errors import InvalidInput

# Normalised as by _key; earlier names win where a list has several of one kind. The *_circ_* names
# are those of Robbins (2018), center_* of the IAU gazetteer.
_LON = ("lon", "long", "longitude", "center_lon", "center_long", "center_longitude", "lon_circ_img", "lng")
_LAT = ("lat", "latitude", "center_lat", "center_latitude", "lat_circ_img")
_DIAMETER = ("diam", "diameter", "diam_circ_img", "d", "dia")
_SOURCE = ("source", "catalogue", "catalog", "database")
_NAME = ("name", "feature_name", "crater_name", "crater", "clean_name", "crater_id")
_DEGREES = ("", "_deg", "_degrees", "_e", "_east", "_deg_e")
_WEST = ("_w", "_west", "_deg_w")
_UNITS_M = {"": 1000.0, "_km": 1000.0, "_m": 1.0, "_metres": 1.0, "_meters": 1.0}

# How many names of a file's header are repeated to its owner.
_SHOWN_NAMES = 20


@dataclass(frozen=True)
class Columns:
    """Where things stand in a row, 0-based.

    Attributes:
        lon: Column of the longitude.
        lat: Column of the latitude.
        diameter: Column of the diameter.
        source: Column of the source, or None.
        name: Column of the name, or None.
        metres_per_unit: 1000 where diameters are in kilometres (the default), 1 in metres.
        west_positive: Whether the header says that longitudes grow westwards.
        names: The header as given, stripped.
    """

    lon: int
    lat: int
    diameter: int
    source: int | None
    name: int | None
    metres_per_unit: float
    west_positive: bool
    names: tuple[str, ...]

    @property
    def width(self) -> int:
        """Cells that a row needs."""
        return max(self.lon, self.lat, self.diameter) + 1


def find_columns(header: Sequence[str]) -> Columns:
    """Read a header.

    Args:
        header: Cells of the first record.

    Returns:
        The columns; letters' case, blanks and punctuation make no difference.

    Raises:
        InvalidInput: Longitude, latitude or diameter are missing; names what was found and is needed.
    """
    keys = [_key(cell) for cell in header]
    lon = _first(keys, [name + suffix for name in _LON for suffix in (*_DEGREES, *_WEST)])
    lat = _first(
        keys, [name + suffix for name in _LAT for suffix in ("", "_deg", "_degrees", "_n", "_deg_n")]
    )
    diameter = _first(keys, [name + unit for name in _DIAMETER for unit in _UNITS_M])
    if lon is None or lat is None or diameter is None:
        raise InvalidInput(_missing(header, lon=lon, lat=lat, diameter=diameter), code="missing_columns")
    unit = next(unit for unit in sorted(_UNITS_M, key=len, reverse=True) if keys[diameter].endswith(unit))
    return Columns(
        lon=lon,
        lat=lat,
        diameter=diameter,
        source=_first(keys, _SOURCE),
        name=_first(keys, _NAME),
        metres_per_unit=_UNITS_M[unit],
        west_positive=keys[lon].endswith(_WEST),
        names=tuple(cell.strip() for cell in header),
    )


def _key(cell: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", cell.casefold()).strip("_")


def _first(keys: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((keys.index(name) for name in wanted if name in keys), None)


def _missing(header: Sequence[str], **found: int | None) -> str:
    lacking = [kind for kind, at in (("longitude", found["lon"]), ("latitude", found["lat"])) if at is None]
    lacking += ["diameter"] if found["diameter"] is None else []
    names = ", ".join(f"'{cell.strip()[:40]}'" for cell in header[:_SHOWN_NAMES])
    more = f" and {len(header) - _SHOWN_NAMES} more" if len(header) > _SHOWN_NAMES else ""
    return (
        f"The crater list has no column for {' and '.join(lacking)}. Its first line names {names}{more}. "
        "Needed are lon, lat and diam_km; source and name may be added. Longitude, Diameter (km), "
        "Center_Latitude and the like are understood too."
    )
