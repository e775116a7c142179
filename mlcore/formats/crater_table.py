"""What was read from a crater list, and the account of what was not."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from mlcore.formats.names import MAX_NAME_CHARS, clean_name, printable, unguard_formula

# A report lists this many rejected rows and cleaned names; it counts them all.
_MAX_LISTED = 1000


class CraterRow(NamedTuple):
    """One crater of a list.

    Attributes:
        lon: Degrees, east-positive, in [-180, 180).
        lat: Degrees.
        diameter_m: Metres.
        name: Cleaned, perhaps empty, at most 200 characters.
        line: Physical line of the file, 1-based.
    """

    lon: float
    lat: float
    diameter_m: float
    name: str
    line: int


class Rejected(NamedTuple):
    """A row that was not taken.

    Attributes:
        row: Physical line of the file, 1-based.
        code: Stable word for the kind of reason.
        reason: What is wrong, in a sentence.
        hint: What to do about it.
        text: The row as it stands in the file, shortened.
    """

    row: int
    code: str
    reason: str
    hint: str
    text: str


@dataclass
class CraterTable:
    """What a crater list holds, by source, and what was done to it.

    Attributes:
        rows_by_source: Craters in the file's order, by their cleaned source ("" where none is given).
        rejected: The first thousand rejected rows.
        n_rejected: How many there are, by code.
        cleaned: The first thousand names and sources that were changed: line, before, after.
        n_cleaned: How many there are.
        longitudes: The convention of the file and what was done, in a sentence.
        notes: Other things its owner should know, in sentences.
        columns: Header of the longitude, latitude, diameter, source and name that were used.
    """

    rows_by_source: dict[str, list[CraterRow]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    n_rejected: Counter[str] = field(default_factory=Counter)
    cleaned: list[dict[str, object]] = field(default_factory=list)
    n_cleaned: int = 0
    longitudes: str = ""
    notes: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)

    def reject(self, line: int, text: str, code: str, reason: str, hint: str) -> None:
        """Count and list a row that is not taken; arguments as in Rejected."""
        self.n_rejected[code] += 1
        if len(self.rejected) < _MAX_LISTED:
            self.rejected.append(Rejected(line, code, reason, hint, printable(text)))

    def cleaned_name(self, line: int, cell: str) -> str:
        """A name or source fit to store; a change is counted and listed."""
        plain = unguard_formula(cell.strip())
        name = clean_name(plain)
        if name != plain:
            self.n_cleaned += 1
            if len(self.cleaned) < _MAX_LISTED:
                before = printable(plain)[:MAX_NAME_CHARS]
                self.cleaned.append({"row": line, "before": before, "after": name})
        return name

    @property
    def n_rows(self) -> int:
        """Craters taken."""
        return sum(len(rows) for rows in self.rows_by_source.values())

    def report(self) -> dict[str, object]:
        """A JSON-serialisable account of the reading, to keep with the catalogues."""
        return {
            "accepted": self.n_rows,
            "accepted_by_source": {source: len(rows) for source, rows in self.rows_by_source.items()},
            "rejected": [row._asdict() for row in self.rejected],
            "rejected_count": sum(self.n_rejected.values()),
            "rejected_by_reason": dict(self.n_rejected),
            "cleaned": self.cleaned,
            "cleaned_count": self.n_cleaned,
            "longitudes": self.longitudes,
            "notes": self.notes,
            "columns": self.columns,
        }
