"""What is true of a run beyond its row: worked out when a page is read, so it holds whatever has died."""

from collections.abc import Iterable

from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from annotate.services.liveness import SILENT_AFTER, unheard
from review.models import Run, Worker
from review.services import runs

# Where Celery sends training and prediction; CELERY_TASK_ROUTES.
QUEUE = "gpu"


def troubles(of: Iterable[Run]) -> dict[int, str]:
    """By primary key, what keeps an active run from getting on; nothing for one that does."""
    by_state: dict[bool, list[int]] = {True: [], False: []}
    for run in of:
        if run.state in Run.ACTIVE:
            by_state[run.state in runs.HELD].append(run.pk)
    return _silent(by_state[True]) | _unattended(by_state[False])


def trouble_of(run: Run) -> str:
    """As troubles, for one; empty where there is none."""
    return troubles([run]).get(run.pk, "")


def _silent(pks: list[int]) -> dict[int, str]:
    silence = ExpressionWrapper(Now() - F("heartbeat_at"), output_field=DurationField())
    found = Run.objects.filter(unheard("heartbeat_at", SILENT_AFTER), pk__in=pks, state__in=runs.HELD)
    sentence = _(
        "Its worker has not been heard of for %(n)d seconds. If it does not come back, the run goes on by "
        "itself with the next free worker, from where it was saved."
    )
    return {
        run.pk: sentence % {"n": run.silence.total_seconds() if run.silence else SILENT_AFTER.seconds}
        for run in found.annotate(silence=silence)
    }


def _unattended(pks: list[int]) -> dict[int, str]:
    if not pks or Worker.objects.heard().serving(QUEUE).exists():
        return {}
    sentence = _(
        "No worker for training and prediction is running, so it waits. The operator can start one; "
        "nothing is lost meanwhile."
    )
    return dict.fromkeys(pks, sentence)
