"""A crater list looked through before anything is stored: what is in it, and what is wrong with it."""

from array import array
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import BinaryIO, TextIO

import numpy as np

from mlcore.bodies import BODIES, Body
from mlcore.catalogues import duplicates, landmarks
from mlcore.catalogues.landmarks import Floats
from mlcore.errors import InvalidInput
from mlcore.formats import crater_csv, longitudes
from mlcore.formats.crater_csv import CraterRow, Layout, Rejected
from mlcore.formats.longitudes import DETECT, Finding
from mlcore.formats.names import MAX_NAME_CHARS, clean_name, printable
from mlcore.formats.rejected_rows import RejectedRows

# A report lists so many rejected rows of each kind, and so many cleaned names; it counts them all.
MAX_LISTED = 100
MAX_SOURCES = 50
_SHOWN_CHARS = 200
_ROWS_PER_NEWS = 20_000
# So many of another body are no accident.
_SURE_LANDMARKS = 4
# A gap in longitude that is narrower than this is no gap of a list that goes round the body.
_MIN_GAP_DEG = 30.0

Progress = Callable[[int], None]


@dataclass
class Survey:
    """What a crater list holds.

    Attributes:
        layout: How it is written.
        finding: How its longitudes are read, and why.
        lon: Of the craters taken, degrees east in [-180, 180), in the file's order, (n,).
        lat: Degrees, (n,).
        diameter_m: Metres, (n,).
        counts: Craters taken, by source in order of appearance.
        n_rejected: Rejected rows, by code.
        rejected: The first hundred of each code, as JSON.
        n_cleaned: Names and sources that had to be cleaned.
        cleaned: The first hundred: row, before, after.
        n_repeats: Craters that nearly repeat an earlier one of the same source.
        n_same_ids: Rows whose identifier an earlier row has.
        other_body: The body whose landmarks are in the list where the chosen one's are not; "" otherwise.
    """

    layout: Layout
    finding: Finding
    lon: Floats
    lat: Floats
    diameter_m: Floats
    counts: dict[str, int]
    n_rejected: Counter[str]
    rejected: list[dict[str, object]]
    n_cleaned: int
    cleaned: list[dict[str, object]]
    n_repeats: int
    n_same_ids: int
    other_body: str

    @property
    def n_rows(self) -> int:
        """Craters taken."""
        return self.lon.size

    def notes(self) -> list[str]:
        """What its owner should know besides, in sentences."""
        said = []
        if self.layout.encoding.is_guess:
            said.append(
                f"The file is not UTF-8 and was read as {self.layout.encoding.title}; look at names with "
                "accents. Save it as UTF-8 where they are wrong."
            )
        columns = self.layout.columns
        if columns.unit == "m":
            what = columns.names[columns.size]
            said.append(f"Sizes were read in metres, as '{what}' says.")
        if columns.is_radius:
            said.append("The list gives radii; they were doubled.")
        if self.finding.convention.key.endswith("any"):
            said.append(
                "Some longitudes are negative and others above 180: two ways of counting are mixed. All of "
                "them were brought home, but look whether two lists were joined."
            )
        if sum(self.n_rejected.values()) > self.n_rows:
            said.append(
                "More rows were rejected than taken. Look whether the right columns were "
                "found, in degrees and kilometres, and whether the list is of this body."
            )
        if self.other_body:
            said.append(
                f"The landmarks of {self.other_body} are in the list and those of the chosen body are not: "
                "look whether the body is right."
            )
        if self.n_same_ids:
            said.append(
                f"{self.n_same_ids:,} rows have an identifier that an earlier row has; all of them are taken."
            )
        return said

    def report(self) -> dict[str, object]:
        """A JSON-serialisable account, to keep with the catalogues."""
        found = self.finding
        return {
            "accepted": self.n_rows,
            "accepted_by_source": self.counts,
            "rejected": self.rejected,
            "rejected_count": sum(self.n_rejected.values()),
            "rejected_by_reason": dict(self.n_rejected.most_common()),
            "cleaned": self.cleaned,
            "cleaned_count": self.n_cleaned,
            "repeats_count": self.n_repeats,
            "longitude": found.as_json(),
            "longitudes": f"{found.convention.title}. {found.reason}",
            "layout": self.layout.as_json(),
            "notes": self.notes(),
            "columns": self.layout.columns.mapping(),
            "extent": self.extent(),
            "diameters_m": [float(self.diameter_m.min()), float(self.diameter_m.max())]
            if self.n_rows
            else None,
        }

    def extent(self) -> list[float] | None:
        """[west, south, east, north] of the centres; west > east across ±180°, −180 to 180 all round."""
        if not self.n_rows:
            return None
        west, east = _arc(self.lon)
        return [west, float(self.lat.min()), east, float(self.lat.max())]

    def sample(self, n: int) -> list[tuple[float, float, float]]:
        """At most n craters as lon, lat, diameter_m: half of them the largest, half spread over the list."""
        if self.n_rows <= n:
            chosen = np.arange(self.n_rows)
        else:
            largest = np.argpartition(self.diameter_m, -(n // 2))[-(n // 2) :]
            spread = np.linspace(0, self.n_rows - 1, n - n // 2).astype(int)
            chosen = np.union1d(largest, spread)
        ordered = chosen[np.argsort(-self.diameter_m[chosen], kind="stable")]
        return [
            (round(float(self.lon[k]), 3), round(float(self.lat[k]), 3), round(float(self.diameter_m[k]), 1))
            for k in ordered
        ]


def _other_body(body: Body, given: Floats, lat: Floats, diameter_km: Floats) -> str:
    for name in landmarks.LANDMARKS:
        if name != body.name:
            counts = [len(landmarks.found(name, lon, lat, diameter_km)) for lon in (given, -given)]
            if max(counts) >= _SURE_LANDMARKS and min(counts) == 0:
                return BODIES[name].title
    return ""


def _arc(lon: Floats) -> tuple[float, float]:
    """West and east end of the shortest arc that holds all longitudes."""
    sorted_lon = np.unique(lon)
    gaps = np.diff(np.append(sorted_lon, sorted_lon[0] + 360.0))
    widest = int(gaps.argmax())
    if gaps[widest] < _MIN_GAP_DEG:
        return -180.0, 180.0
    return float(sorted_lon[(widest + 1) % sorted_lon.size]), float(sorted_lon[widest])


@dataclass
class _Tally:
    """What is noted of the rows as they pass."""

    rejects: RejectedRows | None
    numbers: "array[float]" = field(default_factory=lambda: array("d"))
    sources: "array[int]" = field(default_factory=lambda: array("H"))
    ids: "array[int]" = field(default_factory=lambda: array("q"))
    number_of: dict[str, int] = field(default_factory=dict)
    n_rejected: Counter[str] = field(default_factory=Counter)
    rejected: list[dict[str, object]] = field(default_factory=list)
    n_cleaned: int = 0
    cleaned: list[dict[str, object]] = field(default_factory=list)

    def take(self, row: CraterRow) -> None:
        self.numbers.extend((row.given_lon, row.lat, row.diameter_m))
        number = self.number_of.setdefault(row.source, len(self.number_of))
        if number >= MAX_SOURCES:
            raise InvalidInput(
                f"The source column names more than {MAX_SOURCES} sources, and each would become a list. "
                "If it is no source of measurements, give it another name, such as remark.",
                code="too_many_sources",
            )
        self.sources.append(number)
        if row.identifier:
            self.ids.append(hash(row.identifier))
        for before in row.changed:
            self.n_cleaned += 1
            if len(self.cleaned) < MAX_LISTED:
                shown = printable(before)[:MAX_NAME_CHARS]
                self.cleaned.append({"row": row.line, "before": shown, "after": clean_name(shown)})

    def refuse(self, row: Rejected) -> None:
        self.n_rejected[row.code] += 1
        if self.rejects is not None:
            self.rejects.add(row)
        if self.n_rejected[row.code] <= MAX_LISTED:
            text = printable(row.text[: 2 * _SHOWN_CHARS])
            self.rejected.append(
                {
                    "row": row.line,
                    "code": row.code,
                    "reason": row.reason,
                    "hint": row.hint,
                    "text": text[:_SHOWN_CHARS] + "…" * (len(text) > _SHOWN_CHARS),
                }
            )


def survey(
    stream: BinaryIO,
    *,
    body: Body,
    longitude: str = DETECT,
    rejected: TextIO | None = None,
    progress: Progress | None = None,
) -> Survey:
    """Look a crater list through.

    Args:
        stream: The file, as bytes; can seek.
        body: Whose craters they are.
        longitude: A key of longitudes.CONVENTIONS, or "detect".
        rejected: Where every rejected row is written to (see RejectedRows), newline="".
        progress: Told how many rows have passed, every so often.

    Returns:
        What is in it; nothing but its numbers is kept in memory (some 30 bytes for each crater).

    Raises:
        InvalidInput: It is no crater list, or names more than fifty sources.
    """
    layout = crater_csv.examine(stream)
    tally = _Tally(None if rejected is None else RejectedRows(rejected, layout))
    reading = longitudes.convention("eastany" if longitude == DETECT else longitude)
    with closing(crater_csv.rows(stream, layout, radius_m=body.radius_m, convention=reading)) as passed:
        for n, row in enumerate(passed, start=1):
            if isinstance(row, CraterRow):
                tally.take(row)
            else:
                tally.refuse(row)
            if progress is not None and n % _ROWS_PER_NEWS == 0:
                progress(n)
    return _concluded(layout, tally, longitude, body)


def _concluded(layout: Layout, tally: _Tally, longitude: str, body: Body) -> Survey:
    given, lat, diameter_m = np.array(tally.numbers, dtype=float).reshape(-1, 3).T.copy()
    finding = longitudes.find(longitude, layout.stated_west, given, lat, diameter_m / 1000.0, body.name)
    lon = finding.convention.homes(given)
    sources = np.array(tally.sources)
    twice = [
        duplicates.repeats(lon[here], lat[here], diameter_m[here], body.radius_m).sum()
        for here in (sources == number for number in tally.number_of.values())
    ]
    ids = np.array(tally.ids)
    return Survey(
        layout=layout,
        finding=finding,
        lon=lon,
        lat=lat,
        diameter_m=diameter_m,
        counts={source: int((sources == number).sum()) for source, number in tally.number_of.items()},
        n_rejected=tally.n_rejected,
        rejected=tally.rejected,
        n_cleaned=tally.n_cleaned,
        cleaned=tally.cleaned,
        n_repeats=int(sum(twice)),
        n_same_ids=int(ids.size - np.unique(ids).size),
        other_body="" if finding.is_recognised else _other_body(body, given, lat, diameter_m / 1000.0),
    )
