"""Tables on their way out: CSV as RFC 4180 has it, line by line, that no spreadsheet runs."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mlcore.formats.names import guard_formula, printable

# Whatever an import may take for the end of a cell.
_SEPARATORS = frozenset(',";\t|')


def line(cells: Iterable[object]) -> str:
    """One line, ending in CRLF.

    Args:
        cells: Numbers are written in full; None and numbers that are not finite become empty cells. Of texts
            only what can be shown is left, and one that a spreadsheet would run as a formula gets an
            apostrophe before it.
    """
    return ",".join(_cell(cell) for cell in cells) + "\r\n"


def table(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """The header and a line for each row, which holds all of the columns."""
    yield line(columns)
    for row in rows:
        yield line(row[column] for column in columns)


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = guard_formula(printable(str(value)))
    return '"' + text.replace('"', '""') + '"' if _SEPARATORS.intersection(text) else text
