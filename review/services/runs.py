"""The life of a run. The row is the truth; queue and worker only act on it.

    queued ──claim──▶ running ──finish──▶ finished
      ▲                 │ ├──fail──▶ failed
      └─────lose────────┘ └──cancel──▶ cancelling ──stopped──▶ cancelled

Every step is a compare-and-set on (state, attempt), so of two workers that hold the same run one wins, and a
worker that was given up for lost cannot change what its successor does:

1. A worker claims run 7 as attempt 1, then its machine stalls.
2. Its heartbeat grows old; the reaper queues the run again and another worker claims it as attempt 2.
3. The first machine wakes up. Its next heartbeat finds no row with attempt 1, and it stops; what it still
   writes, events and artifact, bears attempt 1 and is not taken.

annotate/services/liveness.py says what "old" is, services/reaper.py what is done then.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Max, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from structlog.contextvars import bound_contextvars

from annotate.models import Campaign, Participant
from annotate.services.liveness import unheard
from mlcore.errors import Cancelled, Conflict, TektiteError
from review.models import Run, RunEvent, RunWindow

logger = logging.getLogger(__name__)

# So many attempts in a row may be lost without getting further; by how much of the whole "further" is.
MAX_SETBACKS = 5
FURTHER = 0.01

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
    claimed = Run.objects.filter(pk=run_pk, state=Run.State.QUEUED).update(
        state=Run.State.RUNNING,
        attempt=F("attempt") + 1,
        worker=worker,
        heartbeat_at=Now(),
        started_at=Now(),
        error="",
        stage=_("Starting"),
    )
    return Run.objects.select_related("campaign").get(pk=run_pk) if claimed else None


def heartbeat(
    run: Run, *, progress: float | None = None, stage: str | None = None, eta_s: float | None = None
) -> str | None:
    """Say that this attempt lives; the run's state, or None where the attempt is no longer current."""
    changes: dict[str, object] = {"heartbeat_at": Now()}
    if progress is not None:
        changes |= {"progress": min(1.0, max(0.0, progress)), "eta_s": eta_s}
    if stage is not None:
        changes["stage"] = stage[:200]
    _held(run).update(**changes)
    return state_of(run)


def state_of(run: Run) -> str | None:
    """The run's state as it is now, or None where the attempt is no longer current."""
    return _held(run).values_list("state", flat=True).first()


def report(run: Run, events: Iterable[RunEvent]) -> None:
    """Take in what this attempt's process wrote; nothing of an attempt that is no longer current.

    The row is locked, so an attempt cannot be given up between the question and the insertion.
    """
    with transaction.atomic():
        if _held(run).select_for_update(of=("self",), no_key=True).exists():
            RunEvent.objects.bulk_create(events, ignore_conflicts=True)


def log(run: Run, message: str) -> None:
    """Append one line to the run's log; the worker's own log has it too."""
    logger.info("%s", message, extra={"run": str(run.uid)})
    RunEvent.objects.create(
        run=run, attempt=run.attempt, kind=RunEvent.Kind.LOG, payload={"message": message}
    )


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


def lose(run: Run, why: str, *, blame: bool = True) -> bool:
    """This attempt's worker or process is gone: queue the run again, unless that has helped too seldom.

    Args:
        run: As this attempt knows it.
        why: A sentence.
        blame: Whether it counts, because the run may be what ended them.

    Returns:
        Whether it waits again, so that the caller enqueues it.
    """
    if stopped(run):
        return False
    with transaction.atomic():
        rows = Run.objects.select_for_update(no_key=True)
        row = rows.filter(pk=run.pk, attempt=run.attempt, state=Run.State.RUNNING).first()
        if row is None:
            return False
        before = 0 if row.progress >= row.reached + FURTHER else row.setbacks
        setbacks = before + int(blame)
        if setbacks >= MAX_SETBACKS:
            tries = _(
                "%(why)s That was attempt %(attempt)d, and the last %(n)d got no further; "
                "look at the log, then start a new run."
            )
            fail(run, tries % {"why": why, "attempt": run.attempt, "n": setbacks})
            return False
        _queue_again(row, setbacks)
        log(run, _("%(why)s It goes on as attempt %(next)d.") % {"why": why, "next": run.attempt + 1})
    return True


def let_go(run: Run) -> None:
    """This worker was told to end: the run waits again at once, unless others are searching it too."""
    searched = run.windows.filter(state=RunWindow.State.CLAIMED)
    if not searched.exclude(unheard("claimed_at")).exists():
        lose(run, _("Its worker was stopped."), blame=False)


def beat_or_stop(run: Run, *, stage: str) -> None:
    """A heartbeat from work that is not a subprocess; raises Cancelled where it is to stop."""
    if heartbeat(run, stage=stage) != Run.State.RUNNING:
        raise Cancelled(_("The run was asked to stop."))


@contextmanager
def guarded(run: Run) -> Iterator[None]:
    """End the run in words when its work raises: a row must not say "running" when nobody runs."""
    with bound_contextvars(run=str(run.uid), attempt=run.attempt):
        try:
            yield
        except Cancelled:
            stopped(run)
        except TektiteError as refusal:
            fail(run, refusal.message)
        except (OperationalError, InterfaceError):
            # Nothing can be written now. The heartbeat grows old, and the run goes on elsewhere or later.
            logger.exception("Run %s was let go: the database does not answer", run.uid)
        except SystemExit:
            # So Celery ends the children of a worker that is told to quit.
            let_go(run)
            raise
        except Exception as error:
            logger.exception("Run %s failed", run.uid)
            fail(run, unforeseen(error))


def unforeseen(error: Exception) -> str:
    """A sentence for what nobody thought of."""
    what = f"{type(error).__name__}: {error}"[:300]
    return _("Something unforeseen went wrong (%(error)s). The worker's log has the details.") % {
        "error": what
    }


def _queue_again(row: Run, setbacks: int) -> None:
    now = timezone.now()
    Run.objects.filter(pk=row.pk).update(
        state=Run.State.QUEUED,
        queued_at=now,
        enqueued_at=now,
        eta_s=None,
        stage=_("Waiting for a worker, to go on"),
        setbacks=setbacks,
        reached=max(row.reached, row.progress),
    )
    row.windows.filter(state=RunWindow.State.CLAIMED).update(
        state=RunWindow.State.PENDING, claim=None, claimed_by="", claimed_at=None
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
