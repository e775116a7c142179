"""Crater lists as delimited text, in and out.

Columns lon, lat (degrees), diam_km and optionally source and name. Reading never guesses silently:
what was understood is in the layout, and every row comes out, as a crater or with the reason why not.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, NamedTuple

from mlcore.errors import InvalidInput
from mlcore.formats import csv_lines
from mlcore.formats.crater_columns import Columns, find_columns
from mlcore.formats.delimited import (
    Encoding,
    Record,
    as_text,
    find_delimiter,
    find_encoding,
    first_line,
    records,
)
from mlcore.formats.longitudes import Convention, stated_west
from mlcore.formats.names import clean_name, unguard_formula
from mlcore.formats.numbers import BadNumber, has_decimal_commas, read_number

# So many rows decide whether decimals stand behind commas, and what a column says of the directions.
_SAMPLE_ROWS = 1000
# Nothing smaller is a crater on a planet or on a foil.
_MIN_DIAMETER_M = 1e-9
_DELIMITER_TITLES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}


@dataclass(frozen=True)
class Layout:
    """How a crater list is written.

    Attributes:
        encoding: How its bytes are text.
        delimiter: What stands between cells.
        decimal_comma: Whether decimals stand behind commas.
        columns: Which column is which.
        stated_west: What the file says of its longitudes: westwards, eastwards, or nothing (None).
    """

    encoding: Encoding
    delimiter: str
    decimal_comma: bool
    columns: Columns
    stated_west: bool | None

    def as_json(self) -> dict[str, object]:
        """For a report, in words."""
        return {
            "encoding": self.encoding.title,
            "encoding_guessed": self.encoding.is_guess,
            "delimiter": _DELIMITER_TITLES[self.delimiter],
            "decimal_mark": "comma" if self.decimal_comma else "point",
            "unit": self.columns.unit,
            "is_radius": self.columns.is_radius,
        }


class CraterRow(NamedTuple):
    """One crater of a list.

    Attributes:
        lon: Degrees, east-positive, in [-180, 180).
        lat: Degrees.
        diameter_m: Metres.
        name: Cleaned, perhaps empty, at most 200 characters.
        source: Cleaned likewise; "" where none is given.
        line: Physical line of the file, 1-based.
        given_lon: The longitude as the file gives it.
        identifier: As the file gives it; "" where it has none.
        changed: The name and source before cleaning, where that changed one of them.
    """

    lon: float
    lat: float
    diameter_m: float
    name: str
    source: str
    line: int
    given_lon: float
    identifier: str
    changed: tuple[str, ...]


class Rejected(NamedTuple):
    """A row that was not taken.

    Attributes:
        line: Physical line of the file, 1-based.
        code: Stable word for the kind of reason.
        reason: What is wrong, in a sentence.
        hint: What to do about it.
        text: The row as it stands in the file.
        cells: Its cells, as well as it can be taken apart.
    """

    line: int
    code: str
    reason: str
    hint: str
    text: str
    cells: list[str]


class _Refusal(Exception):
    """Why one row is not taken: code, reason, hint."""


def examine(stream: BinaryIO) -> Layout:
    """Find out how a crater list is written, from its header and first thousand rows.

    Args:
        stream: The file, as bytes; can seek.

    Returns:
        The layout.

    Raises:
        InvalidInput: No text, or a needed column is missing.
    """
    encoding = find_encoding(stream)
    with as_text(stream, encoding) as text:
        delimiter = find_delimiter(first_line(text))
    with as_text(stream, encoding) as text:
        lines = records(text, delimiter)
        header = next(lines, None)
        if header is None or header.cells is None:
            raise InvalidInput(
                "The crater list has no header line; begin it with lon,lat,diam_km.", code="empty"
            )
        columns = find_columns(header.cells)
        sample = [record.cells for record in islice(lines, _SAMPLE_ROWS) if record.cells]
    whole = [cells for cells in sample if len(cells) >= columns.width]
    numbers = [cells[at] for cells in whole for at in (columns.lon, columns.lat, columns.size)]
    systems = [] if columns.system is None else [c[columns.system] for c in sample if len(c) > columns.system]
    return Layout(
        encoding=encoding,
        delimiter=delimiter,
        decimal_comma=has_decimal_commas(numbers),
        columns=columns,
        stated_west=stated_west(columns.west, systems),
    )


def rows(
    stream: BinaryIO, layout: Layout, *, radius_m: float, convention: Convention
) -> Generator[CraterRow | Rejected, None, None]:
    """Read a crater list as a stream.

    Args:
        stream: The file, as bytes; can seek.
        layout: See examine.
        radius_m: The body's radius, metres; nothing wider than the body is a crater.
        convention: How its longitudes are to be read.

    Yields:
        Every row below the header in order, as a crater or as rejected. Close it where it is left early.
    """
    columns = layout.columns
    with as_text(stream, layout.encoding) as text:
        lines = records(text, layout.delimiter)
        next(lines, None)
        for record in lines:
            try:
                yield _crater(record, columns, layout.decimal_comma, radius_m, convention)
            except (_Refusal, BadNumber) as refusal:
                code, reason, hint = refusal.args
                cells = record.text.split(layout.delimiter) if record.cells is None else record.cells
                yield Rejected(record.line, code, reason, hint, record.text, cells)


def _crater(
    record: Record, columns: Columns, decimal_comma: bool, radius_m: float, convention: Convention
) -> CraterRow:
    cells = _fitting(record, columns)
    lat = read_number(cells[columns.lat], "latitude", decimal_comma=decimal_comma)
    given_lon = read_number(cells[columns.lon], "longitude", decimal_comma=decimal_comma)
    if not -90.0 <= lat <= 90.0:
        raise _bad_lat(lat, given_lon)
    if not convention.low <= given_lon <= convention.high:
        raise _bad_lon(given_lon, convention)
    diameter_m = _diameter_m(cells[columns.size], columns, radius_m, decimal_comma)
    n = len(cells)
    before_name = cells[columns.name] if columns.name is not None and columns.name < n else ""
    before_source = cells[columns.source] if columns.source is not None and columns.source < n else ""
    name, source = _clean(before_name), _clean(before_source)
    at = columns.identifier
    return CraterRow(
        lon=convention.home(given_lon),
        lat=lat,
        diameter_m=diameter_m,
        name=name,
        source=source,
        line=record.line,
        given_lon=given_lon,
        identifier="" if at is None or at >= n else cells[at].strip(),
        changed=tuple(
            before
            for before, after in ((before_name, name), (before_source, source))
            if _differs(before, after)
        ),
    )


def _clean(cell: str) -> str:
    # Nearly every name is plain, and lists have a million.
    if cell.isascii() and cell.isprintable() and cell[:1].isalnum() and "<" not in cell and "  " not in cell:
        return clean_name(cell) if len(cell) > 100 or ">" in cell else cell.rstrip()
    return clean_name(unguard_formula(cell.strip()))


def _differs(before: str, after: str) -> bool:
    return before != after and unguard_formula(before.strip()) != after


def _bad_lat(lat: float, lon: float) -> _Refusal:
    hint = (
        "Are longitude and latitude swapped? The longitude of this row would be a latitude."
        if abs(lon) <= 90.0 and abs(lat) <= 360.0
        else "Give degrees, −90 to 90, not metres or pixels."
    )
    return _Refusal("bad_lat", f"Latitude {lat:g} is beyond ±90 degrees.", hint)


def _bad_lon(lon: float, convention: Convention) -> _Refusal:
    if -180.0 <= lon <= 360.0:
        hint = "The list was to be read in that range: choose another convention, or mend the row."
    else:
        hint = "Give degrees, −180 to 180 or 0 to 360, not metres or pixels."
    limits = f"{convention.low:.0f} to {convention.high:.0f}".replace("-", "−")
    return _Refusal("bad_lon", f"Longitude {lon:g} is outside {limits} degrees.", hint)


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
    if n > wanted and any(cell.strip() for cell in record.cells[wanted:]):
        raise _Refusal(
            "too_long",
            f"The row has {n} cells, the header {wanted}.",
            "Put quotation marks round names with commas.",
        )
    return record.cells


def _diameter_m(cell: str, columns: Columns, radius_m: float, decimal_comma: bool) -> float:
    what = "radius" if columns.is_radius else "diameter"
    value = read_number(cell, what, decimal_comma=decimal_comma)
    diameter_m = value * columns.metres_per_unit * (2.0 if columns.is_radius else 1.0)
    if not value > 0.0:
        raise _Refusal(
            "bad_diameter", f"The {what} {value:g} is not above 0.", f"Give its {what}, or drop the row."
        )
    if diameter_m < _MIN_DIAMETER_M:
        raise _Refusal(
            "bad_diameter",
            f"The {what} {value:g} {columns.unit} is too small to be a crater.",
            "Look at its unit.",
        )
    if diameter_m > 2.0 * radius_m:
        raise _Refusal(
            "bad_diameter",
            f"A diameter of {diameter_m / 1000.0:g} km is more than the body's own, {radius_m / 500.0:g} km.",
            f"Is the column in metres? Then call it {what}_m. Or is this another body's list?",
        )
    return diameter_m


def write(features: Iterable[Mapping[str, object]], *, extra_columns: Sequence[str] = ()) -> Iterator[str]:
    """Write a crater list that `rows` takes back, line by line.

    Longitudes and latitudes have 8 decimals (under a millimetre on the Moon), diameters 12
    significant digits. Names that a spreadsheet would run as a formula get an apostrophe before
    them, which `rows` takes off; numbers are left alone.

    Args:
        features: With the keys lon, lat, diameter_m and perhaps source and name.
        extra_columns: Further keys to write, as they are; what is None or absent becomes empty.

    Yields:
        The header, then one line for each feature, all ending in CRLF (RFC 4180).
    """
    texts = ("source", "name", *extra_columns)
    yield csv_lines.line(("lon", "lat", "diam_km", *texts))
    for feature in features:
        lon, lat, diameter_m = (float(feature[key]) for key in ("lon", "lat", "diameter_m"))  # type: ignore[arg-type]
        numbers = f"{lon:.8f},{lat:.8f},{diameter_m / 1000.0:.12g},"
        yield numbers + csv_lines.line(feature.get(key) for key in texts)
