"""Which column of a crater list is which: the header names that crater lists really use."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from mlcore.errors import InvalidInput
from mlcore.formats.names import printable

# Normalised as by _key; earlier names win where a list has several of one kind. The *_circ_* names
# are those of Robbins (2018), center_* of the IAU gazetteer, the last ones of French and German lists.
_LON = (
    "lon", "long", "longitude", "center_lon", "center_long", "center_longitude", "lon_circ_img", "lng",
    "clon", "centre_lon", "centre_longitude", "x_lon", "lon_c", "lonc", "laenge", "lange",
)  # fmt: skip
_LAT = (
    "lat", "latitude", "center_lat", "center_latitude", "lat_circ_img", "clat", "centre_lat",
    "centre_latitude", "y_lat", "lat_c", "latc", "breite",
)  # fmt: skip
_DIAMETER = (
    "diam", "diameter", "diam_circ_img", "d", "dia", "crater_diameter", "rim_diameter", "diametre",
    "durchmesser",
)  # fmt: skip
_RADIUS = ("radius", "rad", "r", "crater_radius", "rim_radius")
_SOURCE = ("source", "catalogue", "catalog", "database")
_NAME = ("name", "feature_name", "crater_name", "crater", "clean_name", "crater_id")
_ID = ("crater_id", "id", "craterid", "feature_id", "uid", "uuid")
_SYSTEM = ("coordinate_system", "coord_system", "longitude_direction", "lon_direction")
_EAST = ("_e", "_east", "_deg_e", "_degrees_e", "_e_deg", "_degrees_east", "_deg_east")
_WEST = ("_w", "_west", "_deg_w", "_degrees_w", "_w_deg", "_degrees_west", "_deg_west")
_DEGREES = ("", "_deg", "_degrees", "_dd")
_NORTH = ("", "_deg", "_degrees", "_dd", "_n", "_north", "_deg_n", "_n_deg", "_degrees_n", "_degrees_north")
_UNITS_M = {
    "": 1000.0, "_km": 1000.0, "_kilometers": 1000.0, "_kilometres": 1000.0,
    "_m": 1.0, "_metres": 1.0, "_meters": 1.0,
}  # fmt: skip

# How many names of a file's header are repeated to its owner.
_SHOWN_NAMES = 20


@dataclass(frozen=True)
class Columns:
    """Where things stand in a row, 0-based.

    Attributes:
        lon: Column of the longitude.
        lat: Column of the latitude.
        size: Column of the diameter, or of the radius.
        is_radius: Whether that is the radius.
        metres_per_unit: 1000 where sizes are in kilometres (the default), 1 in metres.
        source: Column of the source, or None.
        name: Column of the name, or None.
        identifier: Column of the crater's identifier, or None.
        system: Column that says which way longitudes grow, or None.
        west: Whether the longitude's own name says that they grow westwards (True) or eastwards (False).
        names: The header as given, fit to be shown.
    """

    lon: int
    lat: int
    size: int
    is_radius: bool
    metres_per_unit: float
    source: int | None
    name: int | None
    identifier: int | None
    system: int | None
    west: bool | None
    names: tuple[str, ...]

    @property
    def width(self) -> int:
        """Cells that a row needs."""
        return max(self.lon, self.lat, self.size) + 1

    @property
    def unit(self) -> str:
        """Of the sizes: "km" or "m"."""
        return "m" if self.metres_per_unit == 1.0 else "km"

    def mapping(self) -> dict[str, str]:
        """The header of each column that is used, by what it is used for."""
        used = {
            "lon": self.lon,
            "lat": self.lat,
            "radius" if self.is_radius else "diameter": self.size,
            "name": self.name,
            "source": self.source,
            "id": self.identifier,
            "system": self.system,
        }
        return {kind: self.names[at] for kind, at in used.items() if at is not None}


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
    lon = _first(keys, _spelled(_LON, (*_DEGREES, *_EAST, *_WEST)))
    lat = _first(keys, _spelled(_LAT, _NORTH))
    diameter = _first(keys, _spelled(_DIAMETER, _UNITS_M))
    radius = _first(keys, _spelled(_RADIUS, _UNITS_M)) if diameter is None else None
    size = radius if diameter is None else diameter
    if lon is None or lat is None or size is None:
        raise InvalidInput(_missing(header, lon=lon, lat=lat, size=size), code="missing_columns")
    unit = next(unit for unit in sorted(_UNITS_M, key=len, reverse=True) if keys[size].endswith(unit))
    return Columns(
        lon=lon,
        lat=lat,
        size=size,
        is_radius=diameter is None,
        metres_per_unit=_UNITS_M[unit],
        source=_first(keys, _SOURCE),
        name=_first(keys, _NAME),
        identifier=_first(keys, _ID),
        system=_first(keys, _SYSTEM),
        west=True if keys[lon].endswith(_WEST) else False if keys[lon].endswith(_EAST) else None,
        names=tuple(printable(cell) for cell in header),
    )


def _key(cell: str) -> str:
    plain = cell.casefold().translate(str.maketrans("äàâéèêëöôüû", "aaaeeeeoouu"))
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def _spelled(names: Sequence[str], endings: Sequence[str] | dict[str, float]) -> list[str]:
    return [name + ending for name, ending in product(names, endings)]


def _first(keys: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((keys.index(name) for name in wanted if name in keys), None)


def _missing(header: Sequence[str], **found: int | None) -> str:
    kinds = (("longitude", "lon"), ("latitude", "lat"), ("diameter", "size"))
    lacking = [kind for kind, key in kinds if found[key] is None]
    names = ", ".join(f"'{printable(cell)[:40]}'" for cell in header[:_SHOWN_NAMES])
    more = f" and {len(header) - _SHOWN_NAMES} more" if len(header) > _SHOWN_NAMES else ""
    return (
        f"The crater list has no column for {' and '.join(lacking)}. Its first line names {names}{more}. "
        "Needed are lon, lat and diam_km; source and name may be added. Longitude, Diameter (km), "
        "Center_Latitude, radius_m and the like are understood too."
    )
