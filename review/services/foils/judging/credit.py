"""What an answer does for its giver: answers and effort counted, and what a known picture says of skill."""

from dataclasses import fields
from typing import Any

from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Greatest
from django.utils import timezone

from review.models import Classification, Gold, Judge, Subject
from review.services.foils.gold.known import Counts, counts_of, is_right
from review.services.foils.judging.votes import Vote, first_of_each
from review.services.policies.change import Change

Answer = Classification.Answer
# Effort: one for each subject judged, and so many more for a known crater found where the giver was told.
EFFORT_OF_A_FIND = 5


def giver_of(change: Change) -> int:
    """Whose judge the change counts for: who they are by now."""
    return change.new.participant.merged_into_id or change.new.participant_id


def credit(subject: Subject, change: Change, votes: list[Vote]) -> int:
    """Count the change for its giver: answers, effort, and what a known picture says of their skill.

    The test of the tutorial counts for nothing.

    Returns:
        By how many answers more of theirs count now: 1, 0 or -1.
    """
    new, person = change.new, giver_of(change)
    # Of any picture, known or not: how long an answer takes must not tell them apart.
    gold = Gold.objects.select_related("subject__picture").filter(subject=subject).first()
    if gold is not None and gold.is_practice:
        return 0
    after = next((vote for vote in votes if vote.person == person), None)
    before = _counted_before(subject, change, person, after)
    grown = (after is not None) - (before is not None)
    changes: dict[str, Any] = {"n_answers": _plus("n_answers", grown)} if grown else {}
    if gold is not None:
        learnt = _taught(gold, after) - _taught(gold, before)
        changes |= {
            field.name: _plus(field.name, getattr(learnt, field.name))
            for field in fields(Counts)
            if getattr(learnt, field.name)
        }
    if change.last is None:
        changes |= _done_today() | {"effort": F("effort") + 1}
    if gold is not None and new.feedback_shown and new.answer != Answer.CANNOT_TELL:
        was_right = is_right(gold, new.answer, new.payload)
        changes |= {"known_of": F("known_of") + 1, "known_right": F("known_right") + int(was_right)}
        if was_right and gold.is_crater:
            changes["effort"] = F("effort") + int(change.last is None) + EFFORT_OF_A_FIND
    if changes:
        Judge.objects.filter(workflow_id=subject.workflow_id, participant=person).update(**changes)
    return grown


def _counted_before(subject: Subject, change: Change, person: int, after: Vote | None) -> Vote | None:
    """The answer of the person that counted until now."""
    own = change.before
    rows = [Vote(own.pk, person, own.participant_id, own.answer, own.payload)] if own else []
    if after is not None and after.participant != change.new.participant_id:
        # Another self's answer counts now; did it already?
        rows.append(after)
    return next(iter(first_of_each(rows)), None)


def _taught(gold: Gold, vote: Vote | None) -> Counts:
    return counts_of(gold, vote.answer, vote.payload) if vote else Counts()


def _plus(name: str, by: int) -> Greatest:
    return Greatest(F(name) + by, Value(0))


def _done_today() -> dict[str, Any]:
    today = timezone.localdate()
    return {
        "today": today,
        "n_today": Case(When(Q(today=today), then=F("n_today") + 1), default=Value(1)),
    }
