"""Tables of places: copied in as they stream, matched by name in one statement, reported in numbers."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from django.db import connection
from django.utils.translation import ngettext

from annotate.models import Campaign
from mlcore.formats.foil_places import BadPlace, PlaceRow, read_places
from review.models import PictureImport
from review.services.foils.named_rows import Problem, with_problems

KINDS = ("unknown", "several", "twice", "unreadable")

# A row names a thing by its whole name, by the name without folders, or by that without its ending: whichever
# of these fits first. Letters' case does not count.
_MATCH = """
CREATE TEMPORARY TABLE matched_place ON COMMIT DROP AS
SELECT line, called, thing, n_named, row_number() OVER (PARTITION BY thing, n_named = 1 ORDER BY line) AS nth
FROM (
    SELECT line, called, thing, count(thing) OVER (PARTITION BY line) AS n_named
    FROM (
        SELECT i.line, i.name AS called, t.id AS thing, t.way, min(t.way) OVER (PARTITION BY i.line) AS best
        FROM incoming_place i LEFT JOIN (
            SELECT id, lower(name) AS name, 1 AS way FROM {things}
            UNION ALL
            SELECT id, lower(regexp_replace(name, '^.*/', '')), 2 FROM {things}
            UNION ALL
            SELECT id, lower(regexp_replace(name, '^.*/|[.][^./]*$', '', 'g')), 3 FROM {things}
        ) AS t ON t.name = lower(i.name)
    ) AS fitting
    WHERE way IS NOT DISTINCT FROM best
) AS named
"""
_USABLE = "m.n_named = 1 AND m.nth = 1"
_FILES = "(SELECT id, name FROM review_incomingfile WHERE batch_id = %(owner)s) AS files"
_PICTURES = "(SELECT id, name FROM review_picture WHERE campaign_id = %(owner)s) AS pictures"

_TELL_FILES = f"""
UPDATE review_incomingfile AS f SET has_row = true, foil = coalesce(i.foil, ''),
    x_um = i.x_um, y_um = i.y_um, nm_per_px = i.nm_per_px
FROM matched_place m JOIN incoming_place i USING (line) WHERE m.thing = f.id AND {_USABLE}
"""
_CORRECT = f"""
UPDATE review_picture AS p SET foil = coalesce(i.foil, p.foil), x_um = coalesce(i.x_um, p.x_um),
    y_um = coalesce(i.y_um, p.y_um), nm_per_px = coalesce(i.nm_per_px, p.nm_per_px)
FROM matched_place m JOIN incoming_place i USING (line) WHERE m.thing = p.id AND {_USABLE}
"""


@dataclass
class Report:
    """What becomes of a table's rows."""

    n_rows: int = 0
    n_used: int = 0
    unreadable: Problem = field(default_factory=Problem)
    unknown: Problem = field(default_factory=Problem)
    several: Problem = field(default_factory=Problem)
    twice: Problem = field(default_factory=Problem)

    def problems(self) -> list[tuple[str, list[str]]]:
        """A sentence for each kind of row that is not used, with examples."""
        n = {kind: getattr(self, kind).n for kind in KINDS}
        sentences = {
            "unknown": ngettext(
                "%s row names a file that is not there.",
                "%s rows name files that are not there.",
                n["unknown"],
            ),
            "several": ngettext(
                "%s row may mean several files of one name; write their folder too.",
                "%s rows may mean several files of one name; write their folders too.",
                n["several"],
            ),
            "twice": ngettext(
                "%s row names a file that an earlier row has named; the first counts.",
                "%s rows name files that earlier rows have named; the first counts.",
                n["twice"],
            ),
            "unreadable": ngettext(
                "%s row could not be read.", "%s rows could not be read.", n["unreadable"]
            ),
        }
        return [(sentences[kind] % f"{n[kind]:,}", getattr(self, kind).examples) for kind in KINDS if n[kind]]

    def to_json(self) -> dict[str, Any]:
        """For the batch's row."""
        return asdict(self)


def report_of(batch: PictureImport) -> Report | None:
    """The report of a batch's table; None where it has none."""
    stored = batch.table.get("report")
    return Report(**with_problems(stored, KINDS)) if stored else None


def tell_files(batch: PictureImport, table: Path) -> Report:
    """Give the batch's files what the table says of them; to be called in a transaction.

    Raises:
        InvalidInput: It is no such table.
    """
    batch.incoming.update(has_row=False, foil="", x_um=None, y_um=None, nm_per_px=None)
    with table.open("rb") as stream:
        return _apply(stream, _FILES, batch.pk, _TELL_FILES)


def correct_pictures(campaign: Campaign, table: Path, *, for_show: bool = False) -> Report:
    """Give pictures that are there what the table says; empty cells change nothing. In a transaction.

    Args:
        campaign: Whose pictures.
        table: Where it lies.
        for_show: Only find out what would happen.

    Raises:
        InvalidInput: It is no such table.
    """
    with table.open("rb") as stream:
        return _apply(stream, _PICTURES, campaign.pk, None if for_show else _CORRECT)


def _apply(stream: BinaryIO, things: str, owner: int, change: str | None) -> Report:
    report = Report()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS incoming_place, matched_place")
        cursor.execute(
            "CREATE TEMPORARY TABLE incoming_place (line bigint, name text, foil text, x_um float8, "
            "y_um float8, nm_per_px float8) ON COMMIT DROP"
        )
        with cursor.copy("COPY incoming_place FROM STDIN") as copy:
            for row in _good(stream, report):
                place = row.place
                copy.write_row((row.line, row.name, place.foil, place.x_um, place.y_um, place.nm_per_px))
        cursor.execute("ANALYZE incoming_place")
        cursor.execute(_MATCH.format(things=things), {"owner": owner})
        for problem, condition in (
            (report.unknown, "thing IS NULL"),
            (report.several, "n_named > 1"),
            (report.twice, "n_named = 1 AND nth > 1"),
        ):
            problem.find(cursor, "matched_place", condition)
        cursor.execute(f"SELECT count(*) FROM matched_place m WHERE {_USABLE}")
        (report.n_used,) = cursor.fetchone()
        if change:
            cursor.execute(change)
    return report


def _good(stream: BinaryIO, report: Report) -> Iterator[PlaceRow]:
    for row in read_places(stream):
        report.n_rows += 1
        if isinstance(row, BadPlace):
            report.unreadable.add(row.reason)
        else:
            yield row
