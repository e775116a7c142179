"""The way of a batch of pictures: sent, looked through, shown, confirmed, read; or given up.

Nothing is taken in before somebody has seen how names and table are understood. A worker looks a large
batch through and reads it, in slices so that other work gets its turn; one that dies is missed by its
heartbeat, and the next goes on at the file where it stopped.
"""

import logging
import shutil
from datetime import timedelta

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.services import liveness
from annotate.services.locks import alone_until_commit
from mlcore.errors import Conflict, InvalidInput, TektiteError
from review.models import PictureImport
from review.services.foils.intake import incoming, places, refusals, sending

log = logging.getLogger(__name__)

State = PictureImport.State
MOST_LOSSES = 5
KEPT = timedelta(days=7)
ASKED_AGAIN_AFTER = timedelta(seconds=60)


def look_through(batch_pk: int, worker: str = "") -> None:
    """Unpack, list and match what was sent, once at a time; what is wrong with all of it is its error."""
    batch = claim(batch_pk, State.LISTING, State.LISTING, worker)
    if batch is None:
        return
    with liveness.beating(lambda: mine(batch).update(heartbeat_at=Now())):
        try:
            refused = _lay_out(batch)
            with transaction.atomic():
                _list(batch, refused)
                changes = {
                    name: getattr(batch, name)
                    for name in ("path", "n_files", "n_read", "n_refused", "n_beside", "table")
                }
                # Rows of an attempt that was given up are gone with this transaction.
                if not mine(batch).update(state=State.UPLOADED, worker="", error="", **changes):
                    transaction.set_rollback(True)
        except Exception as error:
            mine(batch).update(state=State.FAILED, worker="", error=in_a_sentence(batch, error))
            return
    now = PictureImport.objects.filter(pk=batch.pk).first()
    if now is None:
        # Discarded meanwhile, while files were still written.
        shutil.rmtree(incoming.folder_of(batch), ignore_errors=True)
    elif now.state == State.UPLOADED:
        shutil.rmtree(incoming.sent_of(batch), ignore_errors=True)


def in_a_sentence(batch: PictureImport, error: Exception) -> str:
    """Why the work on a batch has ended, as its page says it."""
    if isinstance(error, TektiteError):
        return error.message
    log.exception("Work on the pictures %s stopped.", batch.uid)
    return _(
        "The work on “%(name)s” stopped (%(kind)s: %(reason)s). Go on with it; the server's log says more."
    ) % {
        "name": batch.file_name,
        "kind": type(error).__name__,
        # PostgreSQL keeps no NUL, and what failed may have been about one.
        "reason": str(error).replace("\0", "")[:200],
    }


def _lay_out(batch: PictureImport) -> list[tuple[str, str]]:
    sent = incoming.sent_of(batch)
    if not batch.is_ours or batch.is_correction or not sent.exists():
        return []
    names = batch.table["sent"]
    return incoming.lay_out(batch, [(sent / str(number), name) for number, name in enumerate(names)])


def _list(batch: PictureImport, refused: list[tuple[str, str]]) -> None:
    table = incoming.table_of(batch)
    if batch.is_correction:
        report = places.correct_pictures(batch.campaign, table, for_show=True)
        batch.n_files = report.n_rows
    else:
        refusals.refuse(batch, refused)
        incoming.list_files(batch)
        report = places.tell_files(batch, table) if table.exists() else None
    batch.table = {**batch.table, "report": report.to_json() if report else None}


def change(
    batch: PictureImport,
    *,
    pattern: str,
    pages: str,
    nm_per_px: float | None,
    purpose: str,
    table: UploadedFile | None = None,
) -> None:
    """Have names, stacks, another table or purpose understood otherwise, before the batch is confirmed.

    Raises:
        InvalidInput: The pattern or the table cannot be used; nothing has changed.
        Conflict: The batch does not wait for its confirmation any more.
    """
    sending.check_settings(pattern, pages, nm_per_px, purpose)
    with transaction.atomic():
        locked = _locked(batch, (State.UPLOADED,))
        if table is not None:
            sending.keep_table(locked, table)
            report = places.tell_files(locked, incoming.table_of(locked))
            locked.table = {**locked.table, "report": report.to_json()}
        locked.pattern, locked.pages, locked.nm_per_px = pattern.strip(), pages, nm_per_px
        locked.purpose = purpose
        locked.error = ""
        locked.save(update_fields=["table", "pattern", "pages", "nm_per_px", "purpose", "error"])


def confirm(batch: PictureImport) -> bool:
    """Have the batch read as it was shown; the caller enqueues that. False where it has been already.

    Raises:
        InvalidInput: There is nothing to take in.
        Conflict: It is being looked through, or has failed.
    """
    with transaction.atomic():
        locked = _locked(batch, (State.UPLOADED, State.QUEUED, State.READING, State.DONE))
        if locked.state != State.UPLOADED:
            return False
        if (locked.n_files or 0) <= locked.n_refused:
            raise InvalidInput(_("There is nothing in it that could be taken in."), code="nothing")
        _queue(locked)
    batch.refresh_from_db()
    return True


def go_on(batch: PictureImport) -> bool:
    """Have a batch that failed or was stopped taken up again; the caller enqueues it.

    Returns:
        Whether it is to be read; else it is to be looked through.
    """
    with transaction.atomic():
        locked = _locked(batch, (State.FAILED,))
        # What was listed stays so; a batch that failed before has to be looked through again.
        was_listed = locked.n_files is not None
        if was_listed:
            _queue(locked)
        else:
            _set(locked, state=State.LISTING, worker="", attempt=0, error="", enqueued_at=timezone.now())
    batch.refresh_from_db()
    return was_listed


def stop(batch: PictureImport) -> None:
    """Have no more of it read; what is in stays, and it can go on.

    Raises:
        Conflict: It is not being read.
    """
    with transaction.atomic():
        locked = _locked(batch, (State.QUEUED, State.READING))
        _set(locked, state=State.FAILED, worker="", error=_("Stopped by a lead; what was read is kept."))
    batch.refresh_from_db()


def discard(batch: PictureImport) -> None:
    """Forget a batch that waits or has failed; pictures that it has brought stay.

    Raises:
        Conflict: It is being read, or has been.
    """
    with transaction.atomic():
        locked = _locked(batch, (State.LISTING, State.UPLOADED, State.FAILED))
        _forget(locked)


def mine(batch: PictureImport) -> QuerySet[PictureImport]:
    """The row as long as this attempt is at it."""
    return PictureImport.objects.filter(pk=batch.pk, state=batch.state, attempt=batch.attempt)


def claim(batch_pk: int, before: str, after: str, worker: str) -> PictureImport | None:
    """The batch, for this worker alone; None where it does not wait in this state."""
    free = PictureImport.objects.filter(pk=batch_pk, state=before, worker="")
    claimed = liveness.patiently(
        free.update,
        state=after,
        attempt=F("attempt") + 1,
        worker=worker or "here",
        heartbeat_at=Now(),
        error="",
    )
    return PictureImport.objects.select_related("campaign").get(pk=batch_pk) if claimed else None


def tend() -> list[PictureImport]:
    """Batches to be enqueued now: those lost by their worker, and those whose message may be lost.

    Forgets those that nobody has confirmed for a week.
    """
    with transaction.atomic():
        if not alone_until_commit("tend picture imports"):
            return []
        for old in PictureImport.objects.filter(
            state__in=(State.UPLOADED, State.FAILED), created_at__lt=timezone.now() - KEPT, n_pictures=0
        ):
            _forget(old)
        lost = _lost() if liveness.database_has_listened() else []
        due = PictureImport.objects.filter(
            state__in=(State.LISTING, State.QUEUED),
            worker="",
            enqueued_at__lte=timezone.now() - ASKED_AGAIN_AFTER,
        )
        again = {batch.pk: batch for batch in [*lost, *due]}
        PictureImport.objects.filter(pk__in=again).update(enqueued_at=timezone.now())
        return list(again.values())


def is_silent(batch: PictureImport) -> bool:
    """Whether it is in the hands of a worker that has not been heard of lately."""
    quiet = liveness.unheard("heartbeat_at", liveness.SILENT_AFTER)
    return PictureImport.objects.filter(quiet, pk=batch.pk).exclude(worker="").exists()


def _lost() -> list[PictureImport]:
    """Batches that wait again because nobody beats for them."""
    silent = PictureImport.objects.filter(
        liveness.unheard("heartbeat_at"), state__in=(State.LISTING, State.READING)
    ).exclude(worker="")
    lost = []
    for batch in silent:
        if batch.state == State.READING:
            # A file at which workers die is refused after some of them, so this comes to an end.
            lost += [batch] if mine(batch).update(state=State.QUEUED, worker="") else []
        elif batch.attempt < MOST_LOSSES:
            lost += [batch] if mine(batch).update(worker="") else []
        else:
            error = _(
                "Its worker was lost %(n)d times while it looked this through. Bring it in parts, or have it "
                "read on the server with manage.py import_foils."
            ) % {"n": batch.attempt}
            mine(batch).update(state=State.FAILED, worker="", error=error)
    return lost


def _queue(batch: PictureImport) -> None:
    _set(batch, state=State.QUEUED, worker="", error="", enqueued_at=timezone.now())


def _set(batch: PictureImport, **changes: object) -> None:
    PictureImport.objects.filter(pk=batch.pk).update(**changes)


def _locked(batch: PictureImport, states: tuple[str, ...]) -> PictureImport:
    locked = PictureImport.objects.select_for_update(of=("self",)).filter(pk=batch.pk).first()
    if locked is None or locked.state not in states:
        raise Conflict(
            _("“%(file)s” cannot be changed now (%(state)s); look at its page again.")
            % {
                "file": batch.file_name,
                "state": locked.get_state_display().lower() if locked else _("it is gone"),
            },
            code="import_busy",
        )
    return locked


def _forget(batch: PictureImport) -> None:
    batch.delete()
    shutil.rmtree(incoming.folder_of(batch), ignore_errors=True)
