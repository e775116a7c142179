"""Crater lists on their way in: taken as a file, looked through, shown, imported when their owner says so.

A list waits under a name of ours until it is imported, discarded or forgotten. Its row says what is
being done to it; work that a dead worker left is found by `left_behind` and begun anew, and an
advisory lock keeps two workers from one list.
"""

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path, PurePath
from uuid import uuid4

import numpy as np
import shapely
from django.core.cache import cache
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from annotate.models import Campaign, Catalogue, CatalogueImport, Participant
from annotate.services import catalogues
from annotate.services.locks import exclusive
from annotate.services.names import clean_label, clean_name
from annotate.services.storage import check_size, file_of, store
from mlcore.errors import Conflict, InvalidInput, TektiteError
from mlcore.formats import longitudes
from mlcore.formats.crater_survey import Survey

log = logging.getLogger(__name__)

# Lists up to these are looked through and imported while their owner waits; both take about a second.
SMALL_BYTES = 2_000_000
SMALL_ROWS = 5_000
KEPT = timedelta(hours=24)
MAX_WAITING = 10
SHOWN_PLACES = 2500
LEFT_AFTER = timedelta(seconds=60)

State = CatalogueImport.State
Report = Callable[[int], None]


def take_in(
    *,
    upload: UploadedFile,
    name: str,
    body: str,
    campaign: Campaign | None,
    owner: Participant,
    longitude: str = longitudes.DETECT,
) -> CatalogueImport:
    """Keep an uploaded list to be looked through; the caller does that, or enqueues it where it is large.

    Raises:
        InvalidInput: It is empty or too large, of another body than the campaign, or too many wait already.
    """
    body = catalogues.check_place(body, campaign)
    name = clean_name(name)
    _check_longitude(longitude)
    file_name = clean_label(PurePath(str(upload.name)).name) or name
    catalogues.check_list_size(upload.size or 0)
    check_size(file_name, upload.size or 0)
    if owner.catalogue_imports.waiting().count() >= MAX_WAITING:
        raise InvalidInput(
            _("%(n)d lists of yours wait to be imported. Import or discard one of them first.")
            % {"n": MAX_WAITING},
            code="too_many_waiting",
        )
    uid = uuid4()
    folder = file_of(f"imports/{uid}")
    folder.mkdir(parents=True)
    try:
        store(folder / "list", None, upload)
        with (folder / "list").open("rb") as stream:
            sha256 = catalogues.hash_of(stream)
        return CatalogueImport.objects.create(
            uid=uid,
            owner=owner,
            file_name=file_name,
            size_bytes=upload.size,
            sha256=sha256,
            name=name,
            body=body,
            campaign=campaign,
            longitude=longitude,
            expires_at=timezone.now() + KEPT,
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def list_file(waiting: CatalogueImport) -> Path:
    """The list as it was uploaded; gone once it is imported."""
    return file_of(f"imports/{waiting.uid}/list")


def rejected_file(waiting: CatalogueImport) -> Path:
    """The rows that are not taken, as a list to mend."""
    return file_of(f"imports/{waiting.uid}/rejected.csv")


def is_small(waiting: CatalogueImport) -> bool:
    """Whether its owner can wait while it is looked through."""
    return waiting.size_bytes <= SMALL_BYTES


def has_few_rows(waiting: CatalogueImport) -> bool:
    """Whether its owner can wait while it is imported."""
    return int(waiting.report.get("accepted", 0)) <= SMALL_ROWS


def look_through(import_pk: int) -> None:
    """Find out what is in the list; what is wrong with it as a whole is kept as its error."""
    with _at_work(import_pk, State.READING) as waiting:
        if waiting is None:
            return
        part = rejected_file(waiting).with_suffix(".part")
        with (
            list_file(waiting).open("rb") as stream,
            part.open("w", encoding="utf-8", newline="") as rejected,
        ):
            found = catalogues.survey_craters(
                stream=stream,
                body=waiting.body,
                longitude=waiting.longitude,
                rejected=rejected,
                progress=_reporter(waiting),
            )
        part.replace(rejected_file(waiting))
        waiting.report = found.report()
        if not found.n_rows and not waiting.report["rejected_count"]:
            catalogues.check_rows(waiting.report, CatalogueImport.BadRows.SKIP)
        waiting.places = found.sample(SHOWN_PLACES)
        waiting.n_in_region = _n_in_region(waiting.campaign, found)
        waiting.state = State.READY


def import_list(import_pk: int) -> None:
    """Import a list that its owner confirmed, all of it in one transaction."""
    with _at_work(import_pk, State.IMPORTING) as waiting:
        if waiting is None:
            return
        with list_file(waiting).open("rb") as stream, transaction.atomic():
            catalogues.take(
                stream=stream,
                report=waiting.report,
                name=waiting.name,
                body=waiting.body,
                campaign=waiting.campaign,
                created_by=waiting.owner,
                source_import=waiting,
                progress=_reporter(waiting),
            )
            # In the same transaction: a list is never there twice because its state was not written.
            CatalogueImport.objects.filter(pk=waiting.pk).update(state=State.DONE)
        waiting.state = State.DONE
        list_file(waiting).unlink(missing_ok=True)


def look_again(waiting: CatalogueImport, *, longitude: str, body: str) -> None:
    """Have a list looked through in another way; the caller does that or enqueues it.

    Raises:
        Conflict: It is being worked on, or imported already.
    """
    _check_longitude(longitude)
    body = catalogues.check_place(body, waiting.campaign)
    _step(waiting, (State.READY, State.FAILED), State.READING, longitude=longitude, body=body)


def confirm(waiting: CatalogueImport, *, on_bad_rows: str) -> bool:
    """Begin the import of a list as it was shown; the caller does it or enqueues it.

    Returns:
        False where it has been begun before, by a double click or in another tab: nothing is left to do.

    Raises:
        InvalidInput: Nothing can be taken, or not all where all was asked for.
        Conflict: It is being looked through.
    """
    if waiting.state in (State.IMPORTING, State.DONE):
        return False
    catalogues.check_rows(waiting.report or {"accepted": 0, "rejected_count": 0}, on_bad_rows)
    try:
        _step(waiting, (State.READY,), State.IMPORTING, on_bad_rows=on_bad_rows)
    except Conflict:
        if waiting.state in (State.IMPORTING, State.DONE):
            return False
        raise
    return True


def discard(waiting: CatalogueImport) -> None:
    """Forget a list that was not imported, and its file.

    Raises:
        Conflict: It is being imported, or is.
    """
    with transaction.atomic():
        locked = CatalogueImport.objects.select_for_update().filter(pk=waiting.pk).first()
        if locked is None:
            return
        if locked.state in (State.IMPORTING, State.DONE):
            raise _is_busy(locked)
        locked.delete()
    shutil.rmtree(list_file(waiting).parent, ignore_errors=True)


def earlier(waiting: CatalogueImport) -> list[Catalogue]:
    """Catalogues that were made of the very same file, newest first."""
    same = Catalogue.objects.filter(file_sha256=waiting.sha256, body=waiting.body)
    return list(same.exclude(source_import=waiting).order_by("-created_at"))


def n_done(waiting: CatalogueImport) -> int | None:
    """How many rows have passed; None where nobody knows."""
    with contextlib.suppress(RedisError):
        return cache.get(_progress_key(waiting))
    return None


def left_behind() -> list[CatalogueImport]:
    """Lists that a worker should be at and that nobody has touched for a minute."""
    since = timezone.now() - LEFT_AFTER
    left = list(CatalogueImport.objects.at_work().filter(touched_at__lt=since))
    # Not again before another minute: a long import is no dead one.
    CatalogueImport.objects.filter(pk__in=[one.pk for one in left]).update(touched_at=timezone.now())
    return left


def forget_expired() -> int:
    """Remove lists that nobody imported in time, with their files; returns how many."""
    for done in CatalogueImport.objects.filter(state=State.DONE, expires_at__gt=timezone.now()):
        # Left where a worker died between its commit and this.
        list_file(done).unlink(missing_ok=True)
    gone = 0
    for waiting in CatalogueImport.objects.expired():
        with exclusive(_lock_name(waiting.pk)) as is_mine:
            if is_mine:
                shutil.rmtree(list_file(waiting).parent, ignore_errors=True)
                waiting.delete()
                gone += 1
    return gone


@contextlib.contextmanager
def _at_work(import_pk: int, state: str) -> Iterator[CatalogueImport | None]:
    """The list, if it is in this state and nobody else is at it; how the work ended is kept."""
    with exclusive(_lock_name(import_pk)) as is_mine:
        waiting = CatalogueImport.objects.select_related("campaign", "owner").filter(pk=import_pk).first()
        if not is_mine or waiting is None or waiting.state != state:
            yield None
            return
        try:
            yield waiting
        except TektiteError as error:
            _fail(waiting, state, error.message)
        except Exception as error:
            log.exception("Work on the crater list %s stopped.", waiting.uid)
            _fail(
                waiting,
                state,
                _("The work on this list stopped (%(kind)s: %(reason)s). The server's log says more.")
                % {"kind": type(error).__name__, "reason": str(error)[:200]},
            )
        else:
            waiting.error = ""
        _touch(waiting)
        waiting.save()


def _fail(waiting: CatalogueImport, during: str, reason: str) -> None:
    """One that was looked through can be imported once more; one that was not, looked through again."""
    waiting.refresh_from_db()
    waiting.state = State.READY if during == State.IMPORTING else State.FAILED
    # PostgreSQL keeps no NUL, and what failed may have been about one.
    waiting.error = reason.replace("\0", "")


def _step(waiting: CatalogueImport, before: tuple[str, ...], after: str, **fields: object) -> None:
    """Compare and set the state."""
    now = timezone.now()
    found = CatalogueImport.objects.filter(pk=waiting.pk, state__in=before)
    moved = found.update(state=after, error="", touched_at=now, expires_at=now + KEPT, **fields)
    waiting.refresh_from_db()
    if not moved:
        raise _is_busy(waiting)


def _is_busy(waiting: CatalogueImport) -> Conflict:
    return Conflict(
        _("“%(file)s” cannot be changed now (%(state)s); look at its page again.")
        % {"file": waiting.file_name, "state": waiting.get_state_display().lower()},
        code="import_busy",
    )


def _touch(waiting: CatalogueImport) -> None:
    waiting.touched_at = timezone.now()
    waiting.expires_at = waiting.touched_at + KEPT


def _reporter(waiting: CatalogueImport) -> Report:
    """Tells how far the work is: not by the row, which a transaction would hide until its end."""

    def report(n: int) -> None:
        with contextlib.suppress(RedisError):
            cache.set(_progress_key(waiting), n, timeout=600)

    report(0)
    return report


def _progress_key(waiting: CatalogueImport) -> str:
    return f"catalogue-import:{waiting.uid}"


def _lock_name(import_pk: int) -> str:
    return f"catalogue import {import_pk}"


def _check_longitude(longitude: str) -> None:
    if longitude != longitudes.DETECT:
        longitudes.convention(longitude)


def _n_in_region(campaign: Campaign | None, found: Survey) -> int | None:
    """How many craters have their centre in the campaign's region: none, where a list is mirrored."""
    if campaign is None or campaign.region is None:
        return None
    region = shapely.from_wkb(bytes(campaign.region.wkb))
    shapely.prepare(region)
    return int(np.count_nonzero(shapely.contains_xy(region, found.lon, found.lat)))
