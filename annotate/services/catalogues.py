"""Catalogues: crater lists imported, one catalogue for each source, with a report of every row refused."""

from typing import BinaryIO, Literal

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from annotate.models import Campaign, Catalogue, Feature, Participant
from annotate.services.features import add_features
from annotate.services.names import clean_name
from mlcore.bodies import get_body
from mlcore.errors import InvalidInput
from mlcore.formats import crater_csv
from mlcore.formats.crater_table import CraterTable

MAX_CSV_BYTES = 200_000_000


def import_craters(
    *,
    stream: BinaryIO,
    name: str,
    body: str,
    campaign: Campaign | None = None,
    created_by: Participant | None = None,
    lon_positive: Literal["east", "west"] = "east",
    refuse_bad_rows: bool = False,
) -> list[Catalogue]:
    """Import a crater list as one catalogue per source; a list of the same name becomes its next version.

    Args:
        stream: CSV with lon, lat, diam_km and perhaps source and name.
        name: Of the catalogue; several sources are told apart by theirs behind it.
        body: Key of mlcore.bodies.BODIES.
        campaign: Whose members may see it; everybody where None.
        created_by: Who brings it.
        lon_positive: Which way the list's longitudes grow.
        refuse_bad_rows: Take nothing where any row is refused, instead of the rest.

    Returns:
        The catalogues, each with the report of the whole list in `report`.

    Raises:
        InvalidInput: It is no such list, or nothing can be taken; nothing is stored.
    """
    name, body = clean_name(name), get_body(body).name
    table = read_craters(stream=stream, body=body, lon_positive=lon_positive)
    if campaign is not None and campaign.body != body:
        raise InvalidInput(
            _("The list is of %(body)s but “%(name)s” maps %(other)s. Choose its body, or no campaign.")
            % {"body": body, "name": campaign.name, "other": campaign.body},
            code="wrong_body",
        )
    if not table.n_rows or (refuse_bad_rows and table.rejected):
        raise InvalidInput(_nothing_taken(table), code="no_rows" if not table.n_rows else "bad_rows")
    with transaction.atomic():
        return [
            _import_one(table, source, name, body, campaign, created_by) for source in table.rows_by_source
        ]


def read_craters(
    *, stream: BinaryIO, body: str, lon_positive: Literal["east", "west"] = "east"
) -> CraterTable:
    """What an import would take and refuse, without storing anything.

    Raises:
        InvalidInput: It is no crater list, or larger than the limit.
    """
    stream.seek(0, 2)
    size = stream.tell()
    stream.seek(0)
    if size == 0:
        raise InvalidInput(_("The file is empty (0 bytes). Export the list again."), code="empty_file")
    if size > MAX_CSV_BYTES:
        raise InvalidInput(
            _("The list has %(size)d MB; at most %(limit)d MB are read. Split it.")
            % {"size": size // 1_000_000, "limit": MAX_CSV_BYTES // 1_000_000},
            code="file_too_large",
        )
    return crater_csv.read(stream, radius_m=get_body(body).radius_m, lon_positive=lon_positive)


def next_version(body: str, name: str) -> int:
    """The version that the next catalogue of this name gets."""
    last = Catalogue.objects.filter(body=body, name=name).aggregate(last=Max("version"))["last"]
    return (last or 0) + 1


def _import_one(
    table: CraterTable,
    source: str,
    name: str,
    body: str,
    campaign: Campaign | None,
    created_by: Participant | None,
) -> Catalogue:
    catalogue = _new_version(
        name=name if len(table.rows_by_source) == 1 else f"{name} · {source or _('no source')}"[:200],
        body=body,
        origin=Catalogue.Origin.IMPORTED,
        campaign=campaign,
        source=source,
        report=table.report(),
        synthetic=campaign is not None and campaign.synthetic,
        created_by=created_by,
    )
    add_features(
        catalogue,
        (
            {
                "lon": row.lon,
                "lat": row.lat,
                "diameter_m": row.diameter_m,
                "name": row.name,
                "status": Feature.Status.CONFIRMED,
                "provenance": {"line": row.line},
            }
            for row in table.rows_by_source[source]
        ),
    )
    return catalogue


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


def _nothing_taken(table: CraterTable) -> str:
    refused = sum(table.n_rejected.values())
    if not refused:
        return _("The list has a header but no craters in it.")
    first = table.rejected[0]
    return _("%(n)d rows were refused and nothing was imported. Line %(line)d: %(reason)s %(hint)s") % {
        "n": refused,
        "line": first.row,
        "reason": first.reason,
        "hint": first.hint,
    }
