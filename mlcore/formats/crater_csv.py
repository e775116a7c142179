"""Crater lists as delimited text, in and out.

Columns lon, lat (degrees), diam_km and optionally source and name. Reading never guesses silently:
what was rejected or changed is in the table's report, with its physical line, reason and remedy.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, Literal

from mlcore.errors import InvalidInput
from mlcore.formats.crater_columns import Columns, find_columns
from mlcore.formats.crater_table import CraterRow, CraterTable
from mlcore.formats.delimited import Record, decode, records
from mlcore.formats.names import guard_formula, printable


class _Refusal(Exception):
    """Why one row is not taken: code, reason, hint."""


def read(stream: BinaryIO, *, radius_m: float, lon_positive: Literal["east", "west"] = "east") -> CraterTable:
    """Read a crater list.

    Args:
        stream: The file, as bytes: UTF-8, UTF-16 with mark, or else taken for Latin-1.
        radius_m: The body's radius, metres; nothing wider than the body is a crater.
        lon_positive: Which way its longitudes grow; a header such as Longitude_W says so itself.

    Returns:
        The craters by source, and the report.

    Raises:
        InvalidInput: No text, or a needed column is missing.
    """
    text, encoding = decode(stream.read())
    lines = records(text)
    header = next(lines, None)
    if header is None or header.cells is None:
        raise InvalidInput("The crater list has no header line; begin it with lon,lat,diam_km.", code="empty")
    columns = find_columns(header.cells)
    west = columns.west_positive or lon_positive == "west"
    table = CraterTable()
    _describe(table, columns, encoding)
    lon_range = [math.inf, -math.inf]
    for record in lines:
        try:
            source, row, lon = _crater(record, columns, table, radius_m, west=west)
        except _Refusal as refusal:
            table.reject(record.line, record.text, *refusal.args)
            continue
        lon_range = [min(lon_range[0], lon), max(lon_range[1], lon)]
        table.rows_by_source.setdefault(source, []).append(row)
    if sum(table.n_rejected.values()) > table.n_rows:
        table.notes.append(
            "More rows were rejected than taken. Look whether the columns named above are the right ones, "
            "in degrees and kilometres, and whether the list is of this body."
        )
    table.longitudes = _convention(lon_range[0], lon_range[1], west=west)
    return table


def _describe(table: CraterTable, columns: Columns, encoding: str) -> None:
    for kind in ("lon", "lat", "diameter", "source", "name"):
        at = getattr(columns, kind)
        if at is not None:
            table.columns[kind] = columns.names[at]
    if encoding == "Latin-1":
        table.notes.append(
            "The file is not UTF-8 and was read as Latin-1; look at names with accents. "
            "Save it as UTF-8 where they are wrong."
        )
    if columns.metres_per_unit == 1.0:
        table.notes.append(f"Diameters were read in metres, as '{table.columns['diameter']}' says.")


def _crater(
    record: Record, columns: Columns, table: CraterTable, radius_m: float, *, west: bool
) -> tuple[str, CraterRow, float]:
    """Source, crater, and the longitude as the file gives it."""
    cells = _fitting(record, columns)
    lat = _number(cells[columns.lat], "latitude")
    if not -90.0 <= lat <= 90.0:
        raise _Refusal(
            "bad_lat", f"Latitude {lat:g} is beyond ±90 degrees.", "Are longitude and latitude swapped?"
        )
    given_lon = _number(cells[columns.lon], "longitude")
    if not -180.0 <= given_lon <= 360.0:
        raise _Refusal(
            "bad_lon",
            f"Longitude {given_lon:g} is outside −180 to 360 degrees.",
            "Give degrees, −180 to 180 or 0 to 360.",
        )
    diameter_m = _diameter_m(cells[columns.diameter], columns, radius_m)
    name, source = (
        "" if at is None or at >= len(cells) else table.cleaned_name(record.line, cells[at])
        for at in (columns.name, columns.source)
    )
    # The IEEE remainder is exact, so that longitudes already within ±180° keep every digit.
    lon = math.remainder(-given_lon if west else given_lon, 360.0)
    lon = -180.0 if lon == 180.0 else lon
    return source, CraterRow(lon, lat, diameter_m, name, record.line), given_lon


def _fitting(record: Record, columns: Columns) -> list[str]:
    if record.cells is None:
        raise _Refusal(
            "bad_quotes",
            "A quotation mark in this row is not closed, or stands inside a word.",
            "Close it, or double quotation marks inside a quoted name.",
        )
    n, wanted = len(record.cells), len(columns.names)
    if n < columns.width:
        raise _Refusal(
            "too_short",
            f"The row has {n} cells, the header {wanted}.",
            "Add the missing ones, or drop the row.",
        )
    if any(cell.strip() for cell in record.cells[wanted:]):
        raise _Refusal(
            "too_long",
            f"The row has {n} cells, the header {wanted}.",
            "Put quotation marks round names with commas.",
        )
    return record.cells


def _number(cell: str, what: str) -> float:
    text = cell.strip().replace("−", "-")
    if not text:
        raise _Refusal("missing_number", f"The {what} is missing.", "Fill it in, or drop the row.")
    try:
        # Python would also read 1_000 and digits of other scripts.
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _Refusal(
            "not_a_number",
            f"The {what} is '{printable(text)[:40]}', not a number.",
            "Give plain decimal numbers with a point, without units.",
        )
    return value


def _diameter_m(cell: str, columns: Columns, radius_m: float) -> float:
    value = _number(cell, "diameter")
    diameter_m = value * columns.metres_per_unit
    if not diameter_m > 0.0:
        raise _Refusal("bad_diameter", f"Diameter {value:g} is not above 0.", "Drop rows without a diameter.")
    if diameter_m > 2.0 * radius_m:
        raise _Refusal(
            "bad_diameter",
            f"A diameter of {diameter_m / 1000.0:g} km is more than the body's own, {radius_m / 500.0:g} km.",
            "Is the column in metres? Then call it diameter_m. Or is this another body's list?",
        )
    return diameter_m


def _convention(west_end: float, east_end: float, *, west: bool) -> str:
    if west_end > east_end:
        return ""
    if west_end < 0.0:
        span = "−180 to 360" if east_end > 180.0 else "−180 to 180"
    else:
        span = "0 to 360" if east_end > 180.0 else "0 to 180"
    way = "westwards" if west else "eastwards"
    done = "kept" if not west and east_end < 180.0 else "brought to −180 to 180, east-positive"
    return f"Longitudes run {span} degrees, counted {way}; they were {done}."


def write(features: Iterable[Mapping[str, object]], *, extra_columns: Sequence[str] = ()) -> Iterator[str]:
    """Write a crater list that `read` takes back, line by line.

    Longitudes and latitudes have 8 decimals (under a millimetre on the Moon), diameters 12
    significant digits. Names that a spreadsheet would run as a formula get an apostrophe before
    them, which `read` takes off; numbers are left alone.

    Args:
        features: With the keys lon, lat, diameter_m and perhaps source and name.
        extra_columns: Further keys to write, as they are; what is None or absent becomes empty.

    Yields:
        The header, then one line for each feature, all ending in CRLF (RFC 4180).
    """
    yield ",".join(["lon", "lat", "diam_km", "source", "name", *extra_columns]) + "\r\n"
    for feature in features:
        lon, lat, diameter_m = (float(feature[key]) for key in ("lon", "lat", "diameter_m"))  # type: ignore[arg-type]
        cells = [f"{lon:.8f}", f"{lat:.8f}", f"{diameter_m / 1000.0:.12g}"]
        cells += [_cell(feature.get(key)) for key in ("source", "name", *extra_columns)]
        yield ",".join(cells) + "\r\n"


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    text = guard_formula(printable(str(value)))
    return '"' + text.replace('"', '""') + '"' if any(char in text for char in ',";\t') else text
