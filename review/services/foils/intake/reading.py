"""A worker reads a confirmed batch: file by file into pictures, whatever becomes of worker and files.

A file's pictures, its result and the batch's counts are one transaction, so that however often a worker
dies, the counts are those of what is there:

1. A worker reads a batch as attempt 1 and its machine dies at file 5,000; rows 1 to 4,999 say what became.
2. Its heartbeat grows old, the batch waits again, and attempt 2 begins at the first file without a result.
3. Had the first only been cut off, its next file finds no batch of its attempt, and nothing of it is kept.
4. A file at which workers die, by whatever it makes of memory, is refused after MOST_TRIES.
"""

import logging
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from itertools import groupby

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Count, F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.services import liveness
from annotate.services.disk import disk_of
from mlcore.errors import InvalidInput, NoRoom
from mlcore.formats.foil_names import NamePattern
from review.models import IncomingFile, PictureImport
from review.services.foils.intake import decoding, incoming, intake, places, refusals
from review.services.foils.pictures import add_picture
from review.services.foils.rules import rules
from review.services.foils.stream import stream

log = logging.getLogger(__name__)

State = PictureImport.State
SLICE_S = 600.0
CHUNK = 256
MOST_TRIES = 3


class LongSeries(InvalidInput):
    """The pattern makes one series of what is many pictures."""


class _Overtaken(Exception):
    """The attempt was given up for lost or stopped, so nothing may be written on its behalf."""


def read(batch_pk: int, worker: str = "", *, slice_s: float = SLICE_S) -> bool:
    """Read a batch that waits, or a slice of it; failures keep their reason.

    Once at a time per batch, however often the task is delivered.

    Args:
        batch_pk: Of a confirmed batch; otherwise nothing happens.
        worker: "host:…" of whoever works here.
        slice_s: After so many seconds the batch waits for its next turn.

    Returns:
        Whether it does: the caller enqueues it.
    """
    batch = intake.claim(batch_pk, State.QUEUED, State.READING, worker)
    if batch is None:
        return False
    try:
        with liveness.beating(lambda: intake.mine(batch).update(heartbeat_at=Now())):
            is_over = _correct(batch) if batch.is_correction else _read(batch, time.monotonic() + slice_s)
            if not batch.is_correction:
                stream.fill(workflow=rules.workflow_of(batch.campaign))
            if not is_over:
                return bool(_leave(batch, state=State.QUEUED, enqueued_at=timezone.now()))
            if _leave(batch, state=State.DONE, ended_at=timezone.now()):
                batch.incoming.all().delete()
                shutil.rmtree(incoming.folder_of(batch), ignore_errors=True)
    except (KeyboardInterrupt, SystemExit):
        # A command that somebody ends: a worker goes on at once.
        _leave(batch, state=State.QUEUED, enqueued_at=timezone.now())
        raise
    except _Overtaken:
        log.warning("The pictures %s were stopped, or given up for lost and go on elsewhere.", batch.uid)
    except (OperationalError, InterfaceError):
        log.exception("The pictures %s were let go: the database does not answer.", batch.uid)
    except LongSeries as error:
        # Nothing is read yet, and another pattern may be written.
        _leave(batch, state=State.UPLOADED, error=error.message)
    except Exception as error:
        _leave(batch, state=State.FAILED, error=intake.in_a_sentence(batch, error))
    return False


def _leave(batch: PictureImport, **changes: object) -> int:
    return intake.mine(batch).update(worker="", **changes)


def _correct(batch: PictureImport) -> bool:
    with transaction.atomic():
        report = places.correct_pictures(batch.campaign, incoming.table_of(batch))
        table = {**batch.table, "report": report.to_json()}
        if not intake.mine(batch).update(n_read=report.n_rows, n_pictures=report.n_used, table=table):
            raise _Overtaken
    return True


def _read(batch: PictureImport, until: float) -> bool:
    """Read what has no result yet; whether all of it has now."""
    pattern = NamePattern(batch.pattern) if batch.pattern else None
    if pattern:
        _group(batch, pattern)
    for series in _waiting(batch):
        if time.monotonic() >= until:
            return False
        if disk_of().is_nearly_full:
            raise NoRoom(
                _("The server's disk is nearly full, so the rest of “%(name)s” waits. Whoever runs this site "
                  "can make room; then go on with it.")
                % {"name": batch.file_name}
            )  # fmt: skip
        _take(batch, series, pattern)
    return True


def _group(batch: PictureImport, pattern: NamePattern) -> None:
    """Say of each file which series it belongs to, where that has not been done by this pattern.

    Raises:
        LongSeries: A series would be longer than any is: the number is not that of a focus.
    """
    if batch.table.get("grouped_by", "") == pattern.pattern or "{focus}" not in pattern.pattern:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE grouped (id bigint, place text, focus int) ON COMMIT DROP")
        names = batch.incoming.values_list("pk", "name").order_by("pk")
        # Read to the end before the copy begins, a page at a time: one connection does one thing.
        for page in _pages(names):
            with cursor.copy("COPY grouped FROM STDIN") as copy:
                for pk, name in page:
                    place = pattern.read(name)
                    focus = min(place.focus, 2**31 - 1) if place and place.focus is not None else 0
                    copy.write_row((pk, (pattern.series_of(name) or name)[: incoming.LONGEST_NAME], focus))
        cursor.execute(
            "UPDATE review_incomingfile f SET place = g.place, focus = g.focus FROM grouped g "
            "WHERE g.id = f.id"
        )
        table = {**batch.table, "grouped_by": pattern.pattern}
        if not intake.mine(batch).update(table=table):
            raise _Overtaken
        _refuse_long_series(batch)
    batch.table = table


def _pages(names) -> Iterator[list[tuple[int, str]]]:  # noqa: ANN001 a values_list of (pk, name)
    last = 0
    while page := list(names.filter(pk__gt=last)[:10_000]):
        yield page
        last = page[-1][0]


def _refuse_long_series(batch: PictureImport) -> None:
    longest = (
        batch.incoming.values("place")
        .annotate(n=Count("pk"))
        .filter(n__gt=decoding.MOST_FRAMES)
        .order_by("-n")
        .first()
    )
    if longest is not None:
        raise LongSeries(
            _(
                "By the pattern, %(n)s files such as “%(name)s” would be one focus series, which may have "
                "%(limit)d. Does {focus} stand at another number?"
            )
            % {
                "n": f"{longest['n']:,}",
                "name": batch.incoming.filter(place=longest["place"]).first(),
                "limit": decoding.MOST_FRAMES,
            }
        )


def _waiting(batch: PictureImport) -> Iterator[list[IncomingFile]]:
    """The files that have no result, by place; those of one together, in the order of their focus."""
    rows = batch.incoming.filter(result=IncomingFile.Result.WAITING).order_by("place", "focus", "pk")
    last = ""
    while chunk := list(liveness.patiently(list, rows.filter(place__gt=last)[:CHUNK])):
        series = [list(files) for _place, files in groupby(chunk, key=lambda file: file.place)]
        # The last one may go on behind the chunk; none is longer than a chunk.
        whole = series[:-1] if len(chunk) == CHUNK else series
        yield from whole
        last = whole[-1][0].place


def _take(batch: PictureImport, files: list[IncomingFile], pattern: NamePattern | None) -> None:
    """Take in one series, or the pages of one file, or say why not."""
    if _is_deadly(files):
        reason = _("Its reading has ended the worker %(n)d times; it may be too large.") % {"n": MOST_TRIES}
        liveness.patiently(_keep, batch, files, Counter(), reason)
        return
    liveness.patiently(_take_whole, batch, files, pattern)


def _is_deadly(files: list[IncomingFile]) -> bool:
    """Whether workers have died here again and again; written down before the next one tries."""
    IncomingFile.objects.filter(pk__in=[file.pk for file in files]).update(tries=F("tries") + 1)
    return files[0].tries >= MOST_TRIES


@transaction.atomic
def _take_whole(batch: PictureImport, files: list[IncomingFile], pattern: NamePattern | None) -> None:
    found: Counter[str] = Counter()
    reason = ""
    try:
        where = decoding.where_of(batch, files, pattern)
        for name, frames in decoding.pictures_of(batch, files):
            picture, is_new = add_picture(
                campaign=batch.campaign,
                name=name,
                frames=frames,
                where=where,
                synthetic=batch.synthetic,
                purpose=batch.purpose,
            )
            found["new" if is_new else "known"] += 1
            found["other_purpose"] += picture.purpose != batch.purpose
    except InvalidInput as refusal:
        # Pages of a stack before the torn one are pictures of their own and stay.
        reason = refusal.message
    _keep(batch, files, found, reason)


@transaction.atomic
def _keep(batch: PictureImport, files: list[IncomingFile], found: Counter[str], reason: str) -> None:
    """Write down what became of files, unless somebody else reads the batch by now."""
    result = IncomingFile.Result.REFUSED if reason else IncomingFile.Result.TAKEN
    IncomingFile.objects.filter(pk__in=[file.pk for file in files]).update(result=result)
    if reason:
        refusals.refuse(batch, [(file.name, reason) for file in files])
    # Last, since heartbeats wait for whoever holds this row.
    still_mine = intake.mine(batch).update(
        n_read=F("n_read") + len(files),
        n_pictures=F("n_pictures") + found["new"],
        n_known_already=F("n_known_already") + found["known"],
        n_other_purpose=F("n_other_purpose") + found["other_purpose"],
        n_refused=F("n_refused") + (len(files) if reason else 0),
        heartbeat_at=Now(),
    )
    if not still_mine:
        raise _Overtaken
