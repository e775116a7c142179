"""The life of a run. The row is the truth; queue and worker only act on it.

    queued ──claim──▶ running ──finish──▶ finished
      ▲                 │ ├──fail──▶ failed
      └─────lose────────┘ └──cancel──▶ cancelling ──stopped──▶ cancelled

Every step is a compare-and-set on (state, attempt), so of two workers that hold the same run one wins, and a
worker that was given up for lost cannot change what its successor does:

1. A worker claims run 7 as attempt 1, then its machine stalls.
2. Its heartbeat grows old; the run is queued again and another worker claims it as attempt 2.
3. The first machine wakes up. Its next heartbeat finds no row with attempt 1, and it stops.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Campaign, Participant
from mlcore.errors import Cancelled, Conflict, TektiteError
from review.models import Run, RunEvent, RunWindow

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
STALE_AFTER = timedelta(seconds=60)
QUEUED_AGAIN_AFTER = timedelta(seconds=60)
# Any number that no other periodic task uses.
_REQUEUE_LOCK = 7_300_001

HELD = (Run.State.RUNNING, Run.State.CANCELLING)


def create(
    *, campaign: Campaign, system: str, verb: str, requested_by: Participant | None, **fields: object
) -> Run:
    """A queued run with the campaign's next number; the caller enqueues it on commit."""
    with transaction.atomic():
        Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        last = Run.objects.filter(campaign=campaign).aggregate(last=Max("number"))["last"] or 0
        return Run.objects.create(
            campaign=campaign,
            number=last + 1,
            system=system,
            verb=verb,
            requested_by=requested_by,
            stage=_("Waiting for a worker"),
            **fields,
        )


def folder_of(run: Run) -> Path:
    """runs/<uid>/<attempt>/ below MEDIA_ROOT: an attempt never writes where another did."""
    return Path(settings.MEDIA_ROOT) / "runs" / str(run.uid) / str(run.attempt)


def claim(run_pk: int, worker: str) -> Run | None:
    """Take a queued run as its next attempt; None where somebody else has it or it no longer waits."""
    now = timezone.now()
    claimed = Run.objects.filter(pk=run_pk, state=Run.State.QUEUED).update(
        state=Run.State.RUNNING,
        attempt=F("attempt") + 1,
        worker=worker,
        heartbeat_at=now,
        started_at=now,
        error="",
        stage=_("Starting"),
    )
    return Run.objects.select_related("campaign").get(pk=run_pk) if claimed else None


def heartbeat(
    run: Run, *, progress: float | None = None, stage: str | None = None, eta_s: float | None = None
) -> str | None:
    """Say that this attempt lives; the run's state, or None where the attempt is no longer current."""
    changes: dict[str, object] = {"heartbeat_at": timezone.now()}
    if progress is not None:
        changes |= {"progress": min(1.0, max(0.0, progress)), "eta_s": eta_s}
    if stage is not None:
        changes["stage"] = stage[:200]
    if not _held(run).update(**changes):
        return None
    return Run.objects.values_list("state", flat=True).get(pk=run.pk)


def add_events(run: Run, events: Iterable[tuple[str, dict[str, object]]]) -> None:
    """Append log lines and curve points of this attempt."""
    RunEvent.objects.bulk_create(
        RunEvent(run=run, attempt=run.attempt, kind=kind, payload=payload) for kind, payload in events
    )


def log(run: Run, message: str) -> None:
    """Append one line to the run's log."""
    add_events(run, [(RunEvent.Kind.LOG, {"message": message})])


def cancel(*, run: Run, by: Participant | None) -> Run:
    """Stop a waiting run at once, and ask a running one to stop at its next batch."""
    waiting = Run.objects.filter(pk=run.pk, state=Run.State.QUEUED)
    running = Run.objects.filter(pk=run.pk, state=Run.State.RUNNING)
    name = str(by) if by else _("the operator")
    if waiting.update(state=Run.State.CANCELLED, finished_at=timezone.now(), stage=_("Cancelled")):
        message = _("Cancelled by %(name)s before it began.")
    elif running.update(state=Run.State.CANCELLING, stage=_("Stopping after this batch")):
        message = _("%(name)s asked it to stop.")
    else:
        run.refresh_from_db()
        if run.state in (Run.State.CANCELLING, Run.State.CANCELLED):
            return run
        raise Conflict(
            _("Run %(number)d has already ended (%(state)s); there is nothing to cancel.")
            % {"number": run.number, "state": run.get_state_display()},
            code="run_ended",
        )
    run.refresh_from_db()
    log(run, message % {"name": name})
    return run


def stopped(run: Run) -> bool:
    """The worker has stopped a run that was to be cancelled."""
    return _end(run, (Run.State.CANCELLING,), Run.State.CANCELLED, stage=_("Cancelled"))


def fail(run: Run, sentence: str) -> bool:
    """End this attempt and the run with a reason that people can read."""
    ended = _end(run, HELD, Run.State.FAILED, stage=_("Failed"), error=sentence)
    if ended:
        log(run, sentence)
    return ended


def finish(run: Run, **fields: object) -> bool:
    """End the run with what it left; False where this attempt is no longer current."""
    return _end(run, (Run.State.RUNNING,), Run.State.FINISHED, stage=_("Finished"), progress=1.0, **fields)


def lose(run: Run, why: str) -> bool:
    """This attempt's worker or process is gone: queue the run again, or fail it after the last attempt.

    Returns:
        Whether it waits again, so that the caller enqueues it.
    """
    if _end(run, (Run.State.CANCELLING,), Run.State.CANCELLED, stage=_("Cancelled")):
        return False
    if run.attempt >= MAX_ATTEMPTS:
        fail(
            run,
            _("%(why)s That was attempt %(attempt)d, the last; look at the log, then start a new run.")
            % {"why": why, "attempt": run.attempt},
        )
        return False
    now = timezone.now()
    with transaction.atomic():
        again = Run.objects.filter(pk=run.pk, attempt=run.attempt, state=Run.State.RUNNING).update(
            state=Run.State.QUEUED,
            queued_at=now,
            enqueued_at=now,
            eta_s=None,
            stage=_("Waiting for a worker, to go on"),
        )
        if again:
            RunWindow.objects.filter(run=run, state=RunWindow.State.CLAIMED).update(
                state=RunWindow.State.PENDING, claimed_by="", claimed_at=None
            )
            log(run, _("%(why)s It goes on as attempt %(next)d.") % {"why": why, "next": run.attempt + 1})
    return bool(again)


def beat_or_stop(run: Run, *, stage: str) -> None:
    """A heartbeat from work that is not a subprocess; raises Cancelled where it is to stop."""
    if heartbeat(run, stage=stage) != Run.State.RUNNING:
        raise Cancelled(_("The run was asked to stop."))


@contextmanager
def guarded(run: Run) -> Iterator[None]:
    """End the run in words when its work raises: a row must not say "running" when nobody runs."""
    try:
        yield
    except Cancelled:
        stopped(run)
    except TektiteError as refusal:
        fail(run, refusal.message)
    except Exception as error:
        logger.exception("Run %s failed", run.uid)
        fail(
            run,
            _("Something unforeseen went wrong (%(error)s). The worker's log has the details.")
            % {"error": f"{type(error).__name__}: {error}"[:300]},
        )


def requeue() -> list[Run]:
    """Runs to be enqueued now: those lost by their worker, and those whose message may be lost.

    A run that merely waits behind others is enqueued again at growing intervals (1, 2, 4 … minutes), so that
    its messages do not pile up.
    """
    with transaction.atomic():
        if not _alone():
            return []
        now = timezone.now()
        gone = _("Its worker has not been heard of for a minute.")
        lost = [run for run in stale(now) if lose(run, gone)]
        waiting = Run.objects.filter(state=Run.State.QUEUED, enqueued_at__lte=now - QUEUED_AGAIN_AFTER)
        due = [run for run in waiting if now - run.enqueued_at >= run.enqueued_at - run.queued_at]
        Run.objects.filter(pk__in=[run.pk for run in due]).update(enqueued_at=now)
        return lost + due


def stale(now: datetime) -> QuerySet[Run]:
    """Runs held by a worker that has not been heard of for a minute."""
    return Run.objects.filter(state__in=HELD).filter(
        Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lte=now - STALE_AFTER)
    )


def _held(run: Run) -> QuerySet[Run]:
    return Run.objects.filter(pk=run.pk, attempt=run.attempt, state__in=HELD)


def _end(run: Run, states: tuple[str, ...], end: str, **fields: object) -> bool:
    ended = Run.objects.filter(pk=run.pk, attempt=run.attempt, state__in=states).update(
        state=end, finished_at=timezone.now(), eta_s=None, **fields
    )
    if ended:
        run.refresh_from_db()
    return bool(ended)


def _alone() -> bool:
    """Whether no other beat is at it, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_REQUEUE_LOCK])
        return bool(cursor.fetchone()[0])
