"""Numbers as people and spreadsheets write them: read where they can mean one thing only."""

import math
import re

from mlcore.formats.names import printable

_COMMA = re.compile(r"[+-]?\d*,\d+")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:[ .,'’\u00a0\u202f]\d{3})+(?:[.,]\d*)?")
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class BadNumber(Exception):
    """Why a cell is no number: code, reason, hint."""


def is_number(text: str) -> bool:
    """Whether a cell is a plain number and so no danger in a spreadsheet."""
    return _PLAIN.fullmatch(text.strip().replace(",", ".", 1)) is not None


def has_decimal_commas(cells: list[str]) -> bool:
    """Whether the decimals of a table stand behind commas.

    Args:
        cells: Numbers of its longitude, latitude and diameter columns.

    Returns:
        True where at least one comma can be no mark of thousands, and no number has only a point.
    """
    stripped = [cell.strip() for cell in cells]
    if any("." in cell and "," not in cell for cell in stripped):
        return False
    return any(_COMMA.fullmatch(cell) and not _THOUSANDS.fullmatch(cell) for cell in stripped)


def read_number(cell: str, what: str, *, decimal_comma: bool = False) -> float:
    """Read one number.

    Args:
        cell: As it stands in the file.
        what: What it is, for the reason: "longitude".
        decimal_comma: See has_decimal_commas.

    Returns:
        A finite number.

    Raises:
        BadNumber: It is missing, none, infinite, or could mean two numbers.
    """
    try:
        value = float(cell)
    except ValueError:
        return _spelled(cell, what, decimal_comma=decimal_comma)
    # Python would also read 1_000 and digits of other scripts.
    if not math.isfinite(value) or not cell.isascii() or "_" in cell or (decimal_comma and "." in cell):
        raise _refusal(cell, what, decimal_comma=decimal_comma)
    return value


def _spelled(cell: str, what: str, *, decimal_comma: bool) -> float:
    text = cell.strip().replace("−", "-")
    if not text:
        raise BadNumber("missing_number", f"The {what} is missing.", "Fill it in, or drop the row.")
    if decimal_comma and _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if _PLAIN.fullmatch(text) and text.isascii():
        value = float(text)
        if math.isfinite(value):
            return value
    raise _refusal(text, what, decimal_comma=decimal_comma)


def _refusal(cell: str, what: str, *, decimal_comma: bool) -> BadNumber:
    text = cell.strip()
    shown = printable(text)[:40]
    if _THOUSANDS.fullmatch(text):
        return BadNumber(
            "thousands",
            f"The {what} is '{shown}', which has a mark between thousands or a second decimal mark.",
            "Write the digits without marks between them, and decimals after "
            + ("a comma, as elsewhere in this file." if decimal_comma else "a point."),
        )
    if _COMMA.fullmatch(text) or (decimal_comma and "." in text):
        mark, others = ("point", "commas") if decimal_comma else ("comma", "points")
        return BadNumber(
            "decimal_mark",
            f"The {what} is '{shown}', with a decimal {mark}; other numbers of the file have {others}.",
            "Use one decimal mark in the whole file.",
        )
    mark = "comma, as elsewhere in this file" if decimal_comma else "point"
    return BadNumber(
        "not_a_number",
        f"The {what} is '{shown}', not a number.",
        f"Give plain decimal numbers with a {mark}, without units or compass letters.",
    )
