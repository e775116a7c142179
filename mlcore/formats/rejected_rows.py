"""The rows of a crater list that were not taken, as a file to mend and to import again."""

import csv
from collections.abc import Sequence
from typing import TextIO

from mlcore.formats.crater_csv import Layout, Rejected
from mlcore.formats.names import guard_formula, printable, unguard_formula
from mlcore.formats.numbers import is_number

# Before the original columns, so that a row with too many cells pushes nothing over them.
OWN_COLUMNS = ("rejected_line", "rejected_reason", "rejected_hint")


class RejectedRows:
    """Writes rejected rows: line, reason and hint, then the original columns under their original names.

    Attributes:
        n: How many were written.
    """

    def __init__(self, file: TextIO, layout: Layout) -> None:
        """Begin the file with its header.

        Args:
            file: Open for text with newline="" and UTF-8.
            layout: Of the list; its delimiter and names are kept.
        """
        self.n = 0
        self._writer = csv.writer(file, delimiter=layout.delimiter, lineterminator="\r\n")
        names = layout.columns.names
        # A list that has been here before brings these columns along.
        self._kept = [at for at, name in enumerate(names) if name not in OWN_COLUMNS]
        self._width = len(names)
        self._writer.writerow([*OWN_COLUMNS, *(_safe(names[at]) for at in self._kept)])

    def add(self, row: Rejected) -> None:
        """Write one row."""
        self.n += 1
        cells: Sequence[str] = row.cells
        original = [cells[at] if at < len(cells) else "" for at in self._kept]
        more = cells[self._width :]
        shown = (_safe(cell) for cell in (*original, *more))
        self._writer.writerow([row.line, _safe(row.reason), _safe(row.hint), *shown])


def _safe(cell: str) -> str:
    return cell.strip() if is_number(cell) else guard_formula(unguard_formula(printable(cell)))
