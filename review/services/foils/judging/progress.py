"""One honest line of progress: what this person has done, and about how much still waits for them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.core.cache import cache
from django.db.models import Exists, OuterRef
from django.utils import timezone
from redis.exceptions import RedisError

from review.models import Classification, Judge, Showing, Subject, Workflow
from review.services.foils.judging.selves import Person

T = TypeVar("T")

# How many answers can be taken back.
STEPS_BACK = 10
# Of the log's latest rows, so many are read to find them: each may have been taken back or corrected.
_ROWS_BACK = 60
# "About": counted anew after so many seconds, the second for each person. Who has seen much is counted less
# often, so that no answer costs more than the first; in between their answers are added.
_OPEN_FOR_S, _SEEN_FOR_S, _ANSWERS_PER_S = 20, 60, 50
# So few are counted each time, to the last one.
_FEW = 300


@dataclass(frozen=True)
class Progress:
    """Of one person; known_of counts only answers of which they were told whether they are right."""

    answered: int
    today: int
    effort: int
    open: int
    undo: int
    known_right: int
    known_of: int


def of(workflow: Workflow, judge: Judge, person: Person) -> Progress:
    """As things stand now."""
    return Progress(
        answered=judge.n_answers,
        today=judge.n_today if judge.today == timezone.localdate() else 0,
        effort=judge.effort,
        open=_open(workflow, judge, person),
        undo=len(undoable(workflow, person)),
        known_right=judge.known_right,
        known_of=judge.known_of,
    )


def undoable(workflow: Workflow, person: Person) -> list[Classification]:
    """The answers that can be taken back now, the latest first.

    Of the ten subjects answered last, those whose answer stands, up to the first of which the person was told
    whether it is right.
    """
    rows = Classification.objects.filter(workflow=workflow, participant__in=person.pks).order_by("-pk")
    newest: dict[tuple[int, int, int], Classification] = {}
    given: dict[tuple[int, int, int], None] = {}
    for row in rows[:_ROWS_BACK]:
        chain = (row.subject_id, row.participant_id, row.round)
        newest.setdefault(chain, row)
        if row.answer != Classification.Answer.WITHDRAWN and len(given) < STEPS_BACK:
            given.setdefault(chain)
    found = []
    for chain in given:
        if newest[chain].feedback_shown:
            break
        if newest[chain].answer != Classification.Answer.WITHDRAWN:
            found.append(newest[chain])
    return found


def _open(workflow: Workflow, judge: Judge, person: Person) -> int:
    """About how many pictures still wait for the person: open ones, less those they have seen."""
    waiting = Subject.objects.filter(
        workflow=workflow,
        stratum__in=(Subject.Stratum.QUEUE, Subject.Stratum.AUDIT),
        retired_at__isnull=True,
        picture__isnull=False,
    )
    n_open = _remembered(f"foil-open:{workflow.pk}", _OPEN_FOR_S, waiting.count)
    answered = Showing.objects.filter(participant__in=person.pks, answered_at__isnull=False)
    if n_open <= _FEW:
        return waiting.filter(~Exists(answered.filter(subject=OuterRef("pk")))).count()
    seen = answered.filter(subject__in=waiting.values("pk"))
    n_seen, n_answers_then = _remembered(
        f"foil-seen:{workflow.pk}:{person.participant.pk}",
        max(_SEEN_FOR_S, judge.n_answers // _ANSWERS_PER_S),
        lambda: (seen.count(), judge.n_answers),
    )
    return max(0, n_open - n_seen - (judge.n_answers - n_answers_then))


def _remembered(key: str, seconds: int, count: Callable[[], T]) -> T:
    """A count that need not be exact; without Redis it is."""
    try:
        return cache.get_or_set(key, count, seconds)
    except RedisError:
        return count()
