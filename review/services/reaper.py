"""What beat asks every few seconds: which runs and windows have lost their worker or their message?

Only rows are looked at, so it does not matter whether a worker, its machine, the queue or beat itself was
gone, nor for how long. Two beats at once do the work once.
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.services import liveness
from annotate.services.locks import alone_until_commit
from review.models import Run, RunWindow
from review.services import runs, windows

QUEUED_AGAIN_AFTER = timedelta(seconds=60)
# A run that waits behind others is sent again at growing intervals, so that its messages do not pile up.
LONGEST_INTERVAL = timedelta(minutes=2)


def requeue() -> list[Run]:
    """Runs to be enqueued now: those lost by their worker, and those whose message may be lost."""
    with transaction.atomic():
        if not alone_until_commit("requeue runs"):
            return []
        lost = _lost() if liveness.database_has_listened() else []
        due = [*_waiting(), *_short_of_hands()]
        Run.objects.filter(pk__in=[run.pk for run in due]).update(enqueued_at=timezone.now())
        return list({run.pk: run for run in lost + due}.values())


def _lost() -> list[Run]:
    """Runs that wait again because nobody beats for them, or that have windows which one of several left."""
    gone = _("Its worker has not been heard of for %(n)d seconds.") % {"n": liveness.LOST_AFTER.seconds}
    silent = Run.objects.filter(liveness.unheard("heartbeat_at"), state__in=runs.HELD)
    lost = [run for run in silent if runs.lose(run, gone)]
    return lost + windows.release_unheard()


def _waiting() -> list[Run]:
    """Runs queued for a minute, whose message may be lost; then after 1, 2, 2 … minutes more."""
    now = timezone.now()
    waiting = Run.objects.filter(state=Run.State.QUEUED, enqueued_at__lte=now - QUEUED_AGAIN_AFTER)
    return [
        run
        for run in waiting
        if now - run.enqueued_at >= min(run.enqueued_at - run.queued_at, LONGEST_INTERVAL)
    ]


def _short_of_hands() -> list[Run]:
    """Predictions with windows that nobody has begun: a worker that has come since may join them."""
    pending = RunWindow.objects.filter(run=OuterRef("pk"), state=RunWindow.State.PENDING)
    return list(
        Run.objects.filter(
            Exists(pending),
            state=Run.State.RUNNING,
            enqueued_at__lte=timezone.now() - QUEUED_AGAIN_AFTER,
        )
    )
