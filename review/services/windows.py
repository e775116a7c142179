"""The windows of a run: claimed by any number of workers on any machines, each searched once.

A claim is a UUID on the rows it took by SKIP LOCKED. Its worker keeps it young, and only that claim may write
those rows, so one of several workers can be lost without the others:

1. Two machines share a run; the cable of the first is pulled while it searches windows 0 to 7.
2. Its claim grows old. The reaper makes what is open of those eight pending again; the second goes on.
3. The cable is plugged in. The first one's detections find no row with its claim: nothing is overwritten,
   nothing doubled. Its next beat says so, it drops the batch and claims afresh.

A window whose searcher is lost again and again is likely the cause, and ends the run.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Count, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from annotate.services.liveness import HEARTBEAT_S, LOST_AFTER, unheard
from review.models import Run, RunWindow
from review.services import runs

MAX_SETBACKS = 5
# For fewer windows it costs more to start a process than it saves to share them.
LEAST_SHARE = 8

State = RunWindow.State


@dataclass
class Claim:
    """Windows that one worker took; `open` are the indices it has not written yet."""

    run: Run
    uid: UUID
    windows: list[RunWindow]
    open: set[int] = field(default_factory=set)
    beaten_at: float = field(default_factory=time.monotonic)

    def write(self, index: int, detections: list[dict[str, float]]) -> bool:
        """Keep a window's detections; False where the claim was given up for lost.

        No join here: only the row's own columns are looked at again after waiting for its lock.
        """
        done = {"state": State.DONE, "detections": detections, "done_at": Now()}
        written = _of(self.uid).filter(index=index).update(**done)
        self.open.discard(index)
        return bool(written)

    def beat(self) -> bool:
        """Keep what is open; False where it has been given to somebody else."""
        if not self.open:
            return True
        # They may be many, and be asked about with every window.
        if time.monotonic() - self.beaten_at < HEARTBEAT_S / 2:
            return _of(self.uid).exists()
        self.beaten_at = time.monotonic()
        return bool(_of(self.uid).update(claimed_at=Now()))

    def release(self, *, blame: bool) -> None:
        """Give back what is open; blame: because the search broke down there."""
        release(self.run, self.uid, blame=blame)


def take(run: Run, worker: str, size: int) -> Claim | None:
    """Claim the next windows of a run that this attempt holds; None where none is left."""
    uid = uuid4()
    with transaction.atomic():
        if runs.state_of(run) != Run.State.RUNNING:
            return None
        pending = RunWindow.objects.filter(run=run, state=State.PENDING)
        # Who searches together ends together: nobody takes the rest while others are at it.
        share = ceil(pending.count() / len({worker, *searchers(run)}))
        size = min(size, max(share, LEAST_SHARE))
        taken = list(pending.select_for_update(skip_locked=True, of=("self",)).order_by("index")[:size])
        RunWindow.objects.filter(pk__in=[window.pk for window in taken]).update(
            state=State.CLAIMED, claim=uid, claimed_by=worker[:200], claimed_at=Now()
        )
    return Claim(run, uid, taken, open={window.index for window in taken}) if taken else None


def release(run: Run, claim: UUID, *, blame: bool = True) -> bool:
    """Make a claim's open windows pending again; False where there is none or the run ends of it.

    A process searches in order, so the first open window is the one it was lost at.
    """
    with transaction.atomic():
        left = list(_of(claim).select_for_update(of=("self",)).order_by("index"))
        if not left:
            return False
        first = left[0]
        first.setbacks += int(blame)
        _of(claim).update(state=State.PENDING, claim=None, claimed_by="", claimed_at=None)
        RunWindow.objects.filter(pk=first.pk).update(setbacks=first.setbacks)
    if first.setbacks >= MAX_SETBACKS:
        sentence = _(
            "The search was lost %(n)d times at window %(index)d, so it was given up; look at the log, "
            "then start a new run."
        )
        runs.fail(run, sentence % {"n": first.setbacks, "index": first.index})
        return False
    return True


def release_unheard() -> list[Run]:
    """Give back what silent workers hold of runs that others go on with; those runs, to be enqueued."""
    claims = (
        RunWindow.objects.filter(
            unheard("claimed_at"), state=State.CLAIMED, claim__isnull=False, run__state=Run.State.RUNNING
        )
        .values_list("run", "claim", "claimed_by")
        .annotate(n=Count("pk"))
    )
    again = {}
    for run_pk, claim, worker, n in claims:
        run = Run.objects.get(pk=run_pk)
        if release(run, claim):
            again[run_pk] = run
            said = _(
                "%(worker)s has not been heard of for %(seconds)d seconds; others take its %(n)d windows."
            )
            runs.log(run, said % {"worker": worker, "seconds": LOST_AFTER.seconds, "n": n})
    return list(again.values())


def others_at_it(run: Run, claims: Iterable[UUID] = ()) -> bool:
    """Whether somebody else is searching this run and was heard of lately."""
    held = RunWindow.objects.filter(run=run, state=State.CLAIMED).exclude(claim__in=list(claims))
    return held.exclude(unheard("claimed_at")).exists()


def progress_of(run: Run) -> tuple[int, int]:
    """Windows done, and in all."""
    return run.windows.filter(state=State.DONE).count(), run.windows.count()


def searchers(run: Run) -> list[str]:
    """Who holds windows now, by name."""
    names = run.windows.filter(state=State.CLAIMED).values_list("claimed_by", flat=True)
    return sorted(set(names))


def _of(claim: UUID) -> QuerySet[RunWindow]:
    return RunWindow.objects.filter(state=State.CLAIMED, claim=claim)
