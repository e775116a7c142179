"""Errands: asked for on a page, done by a worker, told by their row; a lost message or worker loses nothing.

Every step is a compare-and-set on (state, attempt), so a worker that was given up for lost cannot change
what its successor does.
"""

from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from annotate.models import Participant
from annotate.services import liveness
from annotate.services.locks import alone_until_commit
from mlcore.errors import TektiteError
from review.models import Errand, Workflow

Progress = Callable[[int, int], None]
Work = Callable[[Errand, Progress], dict[str, object]]
State = Errand.State

QUEUED_AGAIN_AFTER = timedelta(seconds=60)
MOST_ATTEMPTS = 5


class GivenUp(Exception):
    """Somebody else does this errand by now."""


@transaction.atomic
def ask(
    *, workflow: Workflow, kind: Errand.Kind, question: dict[str, object], by: Participant | None
) -> tuple[Errand, bool]:
    """The errand, and whether it is new: what is under way already is not asked twice."""
    Workflow.objects.select_for_update(no_key=True).get(pk=workflow.pk)
    waiting = Errand.objects.filter(
        workflow=workflow, kind=kind, question=question, state__in=(State.QUEUED, State.WORKING)
    ).first()
    if waiting is not None:
        return waiting, False
    return Errand.objects.create(workflow=workflow, kind=kind, question=question, asked_by=by), True


def latest(workflow: Workflow, kind: Errand.Kind) -> Errand | None:
    """The last one asked for."""
    return workflow.errands.filter(kind=kind).select_related("asked_by__user").order_by("-id").first()


def is_silent(errand: Errand) -> bool:
    """Whether somebody works at it who has not been heard of lately."""
    at_work = Errand.objects.filter(pk=errand.pk, state=State.WORKING)
    return at_work.filter(liveness.unheard("heartbeat_at", liveness.SILENT_AFTER)).exists()


def execute(pk: int, works: dict[str, Work]) -> None:
    """Claim the errand, do it and write down what came of it; nothing where somebody else has it."""
    errand = _claim(pk)
    if errand is None:
        return
    mine = Errand.objects.filter(pk=pk, state=State.WORKING, attempt=errand.attempt)

    def tell(n_done: int, n_all: int) -> None:
        if not mine.update(n_done=n_done, n_all=n_all, heartbeat_at=Now()):
            raise GivenUp

    try:
        with liveness.beating(lambda: mine.update(heartbeat_at=Now())):
            findings = works[errand.kind](errand, tell)
    except GivenUp:
        return
    except TektiteError as error:
        mine.update(state=State.FAILED, error=error.message, ended_at=Now())
    except Exception:
        mine.update(
            state=State.FAILED,
            ended_at=Now(),
            error=_("This ended on a fault of Tektite's own, which the server's log describes. Try again."),
        )
        raise
    else:
        mine.update(state=State.DONE, findings=findings, ended_at=Now())


def _claim(pk: int) -> Errand | None:
    with transaction.atomic():
        errand = Errand.objects.select_for_update().filter(pk=pk, state=State.QUEUED).first()
        if errand is None:
            return None
        Errand.objects.filter(pk=pk).update(
            state=State.WORKING, attempt=errand.attempt + 1, n_done=0, n_all=None, heartbeat_at=Now()
        )
    return Errand.objects.select_related("workflow__campaign").get(pk=pk)


def requeue() -> list[Errand]:
    """Errands to be enqueued now: those whose worker is lost, and those whose message may be."""
    with transaction.atomic():
        if not alone_until_commit("requeue errands"):
            return []
        if liveness.database_has_listened():
            _lose(Errand.objects.filter(liveness.unheard("heartbeat_at"), state=State.WORKING))
        lost = Q(attempt__gt=0, heartbeat_at__isnull=True, enqueued_at__lte=Now() - liveness.LOST_AFTER)
        due = lost | Q(enqueued_at__lte=Now() - QUEUED_AGAIN_AFTER)
        waiting = list(Errand.objects.filter(due, state=State.QUEUED))
        Errand.objects.filter(pk__in=[errand.pk for errand in waiting]).update(enqueued_at=Now())
        return waiting


def _lose(silent: QuerySet[Errand]) -> None:
    spent = silent.filter(attempt__gte=MOST_ATTEMPTS)
    sentence = _("Its worker was lost %(n)d times. Ask for it again once the workers run steadily.")
    spent.update(state=State.FAILED, error=sentence % {"n": MOST_ATTEMPTS}, ended_at=Now())
    silent.update(state=State.QUEUED, heartbeat_at=None)
