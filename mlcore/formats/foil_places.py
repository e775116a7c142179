"""Where images were taken, from a table: one row an image, with foil, stage position and size of a pixel."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mlcore.errors import InvalidInput
from mlcore.formats.delimited import Record, cell_at, table
from mlcore.formats.foil_names import Place
from mlcore.formats.foil_scores import LONGEST_NAME, NAME_COLUMNS
from mlcore.formats.names import printable
from mlcore.formats.numbers import BadNumber, has_decimal_commas, read_number

FOIL_COLUMNS = ("foil", "foil_id", "foil_name", "sample")
# Header, and how many of our units one of the column's is. Without a unit a length is in micrometres.
X_COLUMNS = {"x_um": 1.0, "stage_x_um": 1.0, "x": 1.0, "stage_x": 1.0, "x_mm": 1000.0, "stage_x_mm": 1000.0}
Y_COLUMNS = {name.replace("x", "y", 1): factor for name, factor in X_COLUMNS.items()}
SCALE_COLUMNS = {
    "nm_per_px": 1.0, "nm_px": 1.0, "nm_per_pixel": 1.0, "pixel_size_nm": 1.0,
    "um_per_px": 1000.0, "um_per_pixel": 1000.0, "pixel_size_um": 1000.0,
}  # fmt: skip
LONGEST_FOIL = 100
FURTHEST_UM = 1e9
SCALE_NM_PER_PX = (0.01, 1e6)


@dataclass(frozen=True)
class PlaceRow:
    """What a row says.

    Attributes:
        line: On which it begins, 1-based.
        name: Of the image's file.
        place: What the row says of it; None where a cell is empty or there is no such column.
    """

    line: int
    name: str
    place: Place


@dataclass(frozen=True)
class BadPlace:
    """A row that cannot be used.

    Attributes:
        line: On which it begins, 1-based.
        reason: A sentence.
    """

    line: int
    reason: str


@dataclass(frozen=True)
class _Columns:
    """Where things stand, 0-based; lengths with their factors."""

    name: int
    foil: int | None
    x: tuple[int, float] | None
    y: tuple[int, float] | None
    scale: tuple[int, float] | None


def read_places(stream: BinaryIO) -> Iterator[PlaceRow | BadPlace]:
    """Read a table as a stream; its header names a column of file names and at least one of the others.

    Args:
        stream: The file; can seek. Comma, semicolon, tab or bar between the cells.

    Yields:
        One item a row, in order. Columns that are not known here, such as a score, are passed over.

    Raises:
        InvalidInput: The file is empty or no text, or its header names no such columns.
    """
    with table(stream) as rows:
        columns = _columns(next(rows, None))
        for row in rows:
            yield _read(row, columns)


def check_place(place: Place) -> None:
    """Refuse what no microscope says, from a name or a table.

    Raises:
        InvalidInput: The sentence says which value, and what it may be.
    """
    for what, value in (("x", place.x_um), ("y", place.y_um)):
        if value is not None and not abs(value) <= FURTHEST_UM:
            raise InvalidInput(f"The stage position {what} is {value:g} µm; at most ±{FURTHEST_UM:g} is.")
    low, high = SCALE_NM_PER_PX
    if place.nm_per_px is not None and not low <= place.nm_per_px <= high:
        raise InvalidInput(f"A pixel of {place.nm_per_px:g} nm cannot be; {low:g} to {high:g} nm is taken.")
    if place.foil and len(place.foil) > LONGEST_FOIL:
        raise InvalidInput(f"The foil's name has {len(place.foil)} characters; at most {LONGEST_FOIL} fit.")


def _columns(header: Record | None) -> _Columns:
    cells = (header and header.cells) or []
    names = [re.sub(r"[^a-z0-9]+", "_", cell.replace("µ", "u").strip().lower()).strip("_") for cell in cells]

    def find(known: tuple[str, ...]) -> int | None:
        return next((names.index(name) for name in known if name in names), None)

    def measure(known: dict[str, float]) -> tuple[int, float] | None:
        at = find(tuple(known))
        return None if at is None else (at, known[names[at]])

    name, foil = find(NAME_COLUMNS), find(FOIL_COLUMNS)
    x, y, scale = measure(X_COLUMNS), measure(Y_COLUMNS), measure(SCALE_COLUMNS)
    if name is None or (foil is None and x is None and y is None and scale is None):
        found = ", ".join(printable(cell)[:40] for cell in cells[:8])
        raise InvalidInput(
            "The first line must name the columns: “file” for the image, and at least one of “foil”, "
            f"“x_um”, “y_um” and “nm_per_px”. Here it reads: {found}.",
            code="no_columns",
        )
    return _Columns(name, foil, x, y, scale)


def _read(row: Record, columns: _Columns) -> PlaceRow | BadPlace:
    if row.cells is None:
        return BadPlace(row.line, f"Line {row.line} has a quotation mark that nobody closed.")
    name = cell_at(row.cells, columns.name).replace("\\", "/").removeprefix("./")
    if not 0 < len(name) <= LONGEST_NAME:
        return BadPlace(row.line, f"Line {row.line} names no file.")
    try:
        place = Place(
            foil=printable(cell_at(row.cells, columns.foil)) or None,
            x_um=_number(row.cells, columns.x, "stage position x"),
            y_um=_number(row.cells, columns.y, "stage position y"),
            nm_per_px=_number(row.cells, columns.scale, "size of a pixel"),
        )
        check_place(place)
    except BadNumber as error:
        return BadPlace(row.line, f"Line {row.line}: {' '.join(error.args[1:])}")
    except InvalidInput as error:
        return BadPlace(row.line, f"Line {row.line}: {error.message}")
    return PlaceRow(row.line, name, place)


def _number(cells: list[str], column: tuple[int, float] | None, what: str) -> float | None:
    cell = cell_at(cells, column and column[0])
    if column is None or not cell:
        return None
    value = read_number(cell, what, decimal_comma=has_decimal_commas([cell])) * column[1]
    if not math.isfinite(value):
        raise BadNumber("not_a_number", f"The {what} is '{printable(cell)[:40]}', far too large.", "")
    return value
