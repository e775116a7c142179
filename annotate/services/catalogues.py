"""Catalogues: crater lists imported, one catalogue for each source, with a report of every row refused."""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import BinaryIO, Literal, TextIO

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from annotate.models import Campaign, Catalogue, CatalogueImport, Participant
from annotate.services.bulk_features import copy_craters
from annotate.services.names import clean_name
from mlcore.bodies import get_body
from mlcore.errors import InvalidInput
from mlcore.formats import crater_csv, longitudes
from mlcore.formats.crater_csv import CraterRow
from mlcore.formats.crater_survey import Survey, survey

MAX_CSV_BYTES = 1_000_000_000
BadRows = Literal["skip", "stop"]
Progress = Callable[[int], None]


def import_craters(
    *,
    stream: BinaryIO,
    name: str,
    body: str,
    campaign: Campaign | None = None,
    created_by: Participant | None = None,
    longitude: str = longitudes.DETECT,
    on_bad_rows: BadRows = "skip",
    rejected: TextIO | None = None,
) -> list[Catalogue]:
    """Import a crater list as one catalogue per source; a list of the same name becomes its next version.

    Args:
        stream: CSV with lon, lat, diam_km and perhaps source and name; can seek.
        name: Of the catalogue; several sources are told apart by theirs behind it.
        body: Key of mlcore.bodies.BODIES.
        campaign: Whose members may see it; everybody where None.
        created_by: Who brings it.
        longitude: How the list counts its longitudes: a key of longitudes.CONVENTIONS, or "detect".
        on_bad_rows: "stop" takes nothing where any row is refused, "skip" the rest.
        rejected: Where the refused rows are written to, as a list to mend.

    Returns:
        The catalogues, each with the report of the whole list in `report`.

    Raises:
        InvalidInput: It is no such list, or nothing can be taken; nothing is stored.
    """
    name, body = clean_name(name), check_place(body, campaign)
    found = survey_craters(stream=stream, body=body, longitude=longitude, rejected=rejected)
    report = found.report()
    check_rows(report, on_bad_rows)
    return take(stream=stream, report=report, name=name, body=body, campaign=campaign, created_by=created_by)


def check_place(body: str, campaign: Campaign | None) -> str:
    """The body's key.

    Raises:
        InvalidInput: There is no such body, or the campaign maps another.
    """
    key = get_body(body).name
    if campaign is not None and campaign.body != key:
        raise InvalidInput(
            _("The list is of %(body)s but “%(name)s” maps %(other)s. Choose its body, or no campaign.")
            % {"body": key, "name": campaign.name, "other": campaign.body},
            code="wrong_body",
        )
    return key


def survey_craters(
    *,
    stream: BinaryIO,
    body: str,
    longitude: str = longitudes.DETECT,
    rejected: TextIO | None = None,
    progress: Progress | None = None,
) -> Survey:
    """What an import would take and refuse, without storing anything.

    Raises:
        InvalidInput: It is no crater list, or larger than the limit.
    """
    stream.seek(0, 2)
    check_list_size(stream.tell())
    return survey(stream, body=get_body(body), longitude=longitude, rejected=rejected, progress=progress)


def check_list_size(size: int) -> None:
    """Refuse a file that is empty or larger than a crater list may be."""
    if size == 0:
        raise InvalidInput(_("The file is empty (0 bytes). Export the list again."), code="empty_file")
    if size > MAX_CSV_BYTES:
        raise InvalidInput(
            _("The list has %(size)d MB; at most %(limit)d MB are read. Split it.")
            % {"size": size // 1_000_000, "limit": MAX_CSV_BYTES // 1_000_000},
            code="file_too_large",
        )


def check_rows(report: Mapping[str, object], on_bad_rows: str) -> None:
    """Refuse an import that would take nothing, or not all where all was asked for.

    Raises:
        InvalidInput: It says how many rows were refused, and why the first.
    """
    if report["accepted"] and (on_bad_rows == "skip" or not report["rejected_count"]):
        return
    raise InvalidInput(_nothing_taken(report), code="bad_rows" if report["accepted"] else "no_rows")


def take(
    *,
    stream: BinaryIO,
    report: Mapping[str, object],
    name: str,
    body: str,
    campaign: Campaign | None,
    created_by: Participant | None,
    source_import: CatalogueImport | None = None,
    progress: Progress | None = None,
) -> list[Catalogue]:
    """Store the craters of a list that was looked through, in one transaction.

    Args:
        stream: The list, the same bytes.
        report: Of its survey; says how it is to be read and how many rows of which source it gives.
        name: Of the catalogue, as in import_craters.
        body: Of the craters.
        campaign: Whose members may see it; everybody where None.
        created_by: Who brings it.
        source_import: The import on the pages that this ends.
        progress: Told how many craters are stored, every so often.

    Raises:
        InvalidInput: The file is no longer what was looked through; nothing is stored.
    """
    counts: Mapping[str, int] = report["accepted_by_source"]
    sha256 = hash_of(stream)
    with transaction.atomic():
        catalogues = {
            source: _new_version(
                name=name if len(counts) == 1 else f"{name} · {source or _('no source')}"[:200],
                body=body,
                origin=Catalogue.Origin.IMPORTED,
                campaign=campaign,
                source=source,
                report=report,
                synthetic=campaign is not None and campaign.synthetic,
                created_by=created_by,
                file_sha256=sha256,
                source_import=source_import,
            )
            for source in counts
        }
        passed = crater_csv.rows(
            stream,
            crater_csv.examine(stream),
            radius_m=get_body(body).radius_m,
            convention=longitudes.convention(report["longitude"]["convention"]),
        )
        with closing(passed):
            craters = ((catalogues[row.source].pk, row) for row in passed if isinstance(row, CraterRow))
            stored = copy_craters(body, craters, progress)
        if stored != report["accepted"]:
            raise InvalidInput(
                _("The file gave %(now)d craters, and %(then)d when it was looked through. Upload it again.")
                % {"now": stored, "then": report["accepted"]},
                code="file_changed",
            )
    return list(catalogues.values())


def hash_of(stream: BinaryIO) -> str:
    """SHA-256 of a whole file, by which it is known when it comes again."""
    stream.seek(0)
    digest = hashlib.file_digest(stream, "sha256").hexdigest()
    stream.seek(0)
    return digest


def next_version(body: str, name: str) -> int:
    """The version that the next catalogue of this name gets."""
    last = Catalogue.objects.filter(body=body, name=name).aggregate(last=Max("version"))["last"]
    return (last or 0) + 1


def _new_version(*, name: str, body: str, **fields: object) -> Catalogue:
    for _attempt in range(5):
        try:
            with transaction.atomic():
                return Catalogue.objects.create(
                    name=name, body=body, version=next_version(body, name), **fields
                )
        except IntegrityError:
            # Somebody imported a list of this name in this moment; theirs has the number.
            continue
    raise InvalidInput(_("Lists named “%(name)s” are being imported right now. Try again.") % {"name": name})


def _nothing_taken(report: Mapping[str, object]) -> str:
    if not report["rejected_count"]:
        return _("The list has a header but no craters in it.")
    first = min(report["rejected"], key=lambda row: row["row"])
    return _("%(n)d rows were refused and nothing was imported. Line %(line)d: %(reason)s %(hint)s") % {
        "n": report["rejected_count"],
        "line": first["row"],
        "reason": first["reason"],
        "hint": first["hint"],
    }
