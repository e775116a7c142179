"""A run that goes through windows, by any number of workers; closed by whoever ends last.

Workers claim batches of windows (services/windows.py) and search each batch in one subprocess. A window's row
is written as soon as it is searched, so a lost worker costs at most what was open of its batch. The run is
lost only when nobody is heard of any more; while one of several workers goes on, so does the attempt.

What a window is, what its process does and what becomes of all of them together is the system's (search.py).
"""

import logging
import shutil
import time
from contextlib import suppress

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils.translation import gettext as _

from annotate.services.liveness import beating, patiently
from annotate.services.locks import alone_until_commit
from mlcore.errors import TektiteError
from review.models import Run, RunWindow
from review.services import jobs, prediction, room, runs, windows
from review.services.foils.network import picture_windows
from review.services.search import Found, Search

logger = logging.getLogger(__name__)

SEARCHES: dict[str, Search] = {
    "crater_detector": prediction.SEARCH,
    "foil_classifier": picture_windows.SEARCH,
}

# A batch begins small, to learn how long a window takes here, and then aims at a minute.
FIRST_BATCH = 8
LARGEST_BATCH = 256
BATCH_S = 60.0


def execute(run_pk: int, worker: str) -> list[Run]:
    """Claim the run or join those who work on it, and search until no window is left; what to enqueue."""
    run = patiently(runs.claim, run_pk, worker) or _join(run_pk)
    if run is None:
        return []
    with runs.guarded(run):
        return _search(run, worker)
    return []


def close(run: Run) -> bool:
    """Publish what was found once every window is done; whether this call did it.

    One transaction, in which its lock lets one worker in and the compare-and-set at its end commits all or
    nothing. The run's row is locked only by the latter: heartbeats come through meanwhile, and so does a wish
    to cancel, which then undoes the closing.
    """
    search = SEARCHES[run.system]
    stage = search.closing()
    with suppress(_Overtaken), beating(lambda: runs.heartbeat(run, stage=stage)), transaction.atomic():
        if not alone_until_commit(f"close run {run.pk}"):
            return False
        run = Run.objects.select_related("campaign", "basemap", "model_version").get(pk=run.pk)
        if run.state != Run.State.RUNNING or run.windows.exclude(state=RunWindow.State.DONE).exists():
            return False
        left = search.publish(run)
        # Now and not at the commit: what waits for that is checked while nobody can beat.
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        if not runs.finish(run, **left):
            raise _Overtaken
        return True
    return False


class _Overtaken(Exception):
    """The run was cancelled, or given to another attempt, while it was being closed."""


def _join(run_pk: int) -> Run | None:
    """A run that others work on."""
    return Run.objects.select_related("campaign").filter(pk=run_pk, state=Run.State.RUNNING).first()


def _search(run: Run, worker: str) -> list[Run]:
    size, begun = FIRST_BATCH, False
    while claim := patiently(windows.take, run, worker, size):
        if not begun:
            runs.log(run, _("%(worker)s begins to search.") % {"worker": worker})
            begun = True
        started = time.monotonic()
        outcome = _search_batch(run, claim)
        if outcome.end not in ("done", "superseded"):
            return _leave(run, claim, outcome)
        claim.release(blame=outcome.end == "done")
        seconds = (time.monotonic() - started) / len(claim.windows)
        size = max(1, min(LARGEST_BATCH, round(BATCH_S / max(seconds, 1e-3))))
    if not patiently(close, run):
        runs.stopped(run)
    return []


def _search_batch(run: Run, claim: windows.Claim) -> jobs.Outcome:
    """Search what was claimed. A refusal or an error of this machine is an outcome like any other."""
    search, of_index = SEARCHES[run.system], {window.index: window for window in claim.windows}

    def keep(index: int, found: Found) -> None:
        claim.write(index, search.checked(of_index[index], found))

    def beat() -> bool:
        progress, stage = search.progress(run)
        return claim.beat() and runs.heartbeat(run, progress=progress, stage=stage) is not None

    try:
        room.require_for_prediction()
        job = search.job(claim)
        outcome = jobs.follow(run, job, report=False, on_window=keep, on_beat=beat)
        if outcome.end == "done" and not search.keeps_folders:
            shutil.rmtree(job.out_dir, ignore_errors=True)
        return outcome
    except TektiteError as refusal:
        return jobs.Outcome("failed", message=refusal.message)
    except (OperationalError, InterfaceError):
        raise
    except SystemExit:
        claim.release(blame=False)
        raise
    except Exception as error:
        logger.exception("Run %s: the search broke down", run.uid)
        return jobs.Outcome("failed", message=runs.unforeseen(error))


def _leave(run: Run, claim: windows.Claim, outcome: jobs.Outcome) -> list[Run]:
    """This worker's search has ended early: others go on with what it leaves, or the run ends with it."""
    if outcome.end == "cancelled" or not windows.others_at_it(run, [claim.uid]):
        return jobs.conclude(run, outcome)
    claim.release(blame=True)
    runs.log(run, _("%(why)s Others go on with the search.") % {"why": outcome.message})
    return [run] if outcome.end == "lost" else []
