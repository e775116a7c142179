"""The recording engine: who answered what, once, in an append-only log.

All workflows use it. Writers of one subject take turns on its row lock, so that the same answer sent
twice at the same moment is stored once, and edits are numbered without gaps.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from annotate.models import Participant
from mlcore.errors import Conflict, InvalidInput, NotFound
from review.models import Classification, Subject, Workflow
from review.services import queue
from review.services.policies import Change, policy_of

# The answers that a person gives; WITHDRAWN is written by take_back alone.
GIVEN = frozenset(Classification.Answer.values) - {Classification.Answer.WITHDRAWN}


@contextmanager
def recording(uid: UUID) -> Iterator[None]:
    """A transaction in which an answer of this uid is appended.

    Raises:
        Conflict: The uid was stored for another subject in this very moment.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "uid" not in (error.__cause__.diag.constraint_name or ""):
            raise
        raise _uid_taken(uid) from error


def record(*, uid: UUID, **answered: Any) -> Classification:
    """Store an answer in a transaction of its own; see append."""
    with recording(uid):
        return append(uid=uid, **answered)


def append(
    *,
    workflow: Workflow,
    subject: Subject,
    participant: Participant,
    uid: UUID,
    answer: str,
    reason: str = "",
    payload: dict[str, object] | None = None,
    duration_ms: int | None = None,
    as_reviewer: bool = False,
    feedback_shown: bool = False,
    round: int = 0,
) -> Classification:
    """Store an answer and settle its subject; the same uid again changes nothing and answers the same.

    An answer where one stands is a correction: it is appended as the next edit and counts instead. An
    expired lease does not matter: what somebody has judged is kept. Feedback_shown says that the giver learns
    at once whether it is right; it stands for ever then. The caller is in `recording` of this uid.
    """
    if answer not in GIVEN:
        raise InvalidInput(
            _("“%(answer)s” is no answer; give one of %(known)s.")
            % {"answer": answer, "known": ", ".join(sorted(GIVEN))}
        )
    # Not FOR UPDATE, which keeps others from referring to the subject: two people who each answer what is
    # handed out to the other at this moment would wait for each other.
    subject = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    already, last = _before(uid, subject, participant, round)
    if already is not None:
        return _same(already, workflow=workflow, subject=subject, participant=participant, answer=answer)
    if subject.workflow_id != workflow.pk:
        raise NotFound(_("This subject does not belong to the workflow; ask for the next one."))
    subject.workflow = workflow
    policy = policy_of(workflow)
    classification = Classification.objects.create(
        uid=uid,
        workflow=workflow,
        subject=subject,
        participant=participant,
        round=round,
        edit=_edit_after(last),
        answer=answer,
        reason=reason,
        payload=policy.check(subject, answer=answer, reason=reason, payload=payload or {}),
        duration_ms=duration_ms,
        as_reviewer=as_reviewer,
        feedback_shown=feedback_shown,
    )
    queue.release(subject, participant)
    policy.settle(subject, Change(last, classification))
    return classification


def take_back(*, workflow: Workflow, participant: Participant) -> Subject:
    """Withdraw the person's last standing answer, un-settle its subject and hand that to them again."""
    with transaction.atomic():
        # A person's own take-backs take turns, so that a double press steps back twice and not at once.
        Participant.objects.select_for_update(no_key=True).get(pk=participant.pk)
        last = (
            Classification.objects.filter(workflow=workflow, participant=participant, round=0)
            .standing()
            .order_by("-id")
            .first()
        )
        if last is None:
            raise Conflict(_("You have given no answer here that could be taken back."))
        subject = withdraw(last)
        queue.lease(subject, participant)
    return subject


def withdraw(last: Classification) -> Subject:
    """Append that the answer, the newest of its giver to its subject, is taken back, and settle anew.

    The caller is in a transaction and sees to it that one person's withdrawals take turns.
    """
    subject = Subject.objects.select_for_update(no_key=True).get(pk=last.subject_id)
    withdrawal = Classification.objects.create(
        uid=uuid4(),
        workflow_id=last.workflow_id,
        subject=subject,
        participant_id=last.participant_id,
        round=last.round,
        edit=_edit_after(last),
        answer=Classification.Answer.WITHDRAWN,
        as_reviewer=last.as_reviewer,
    )
    policy_of(subject.workflow).settle(subject, Change(last, withdrawal))
    return subject


def _before(
    uid: UUID, subject: Subject, participant: Participant, round: int
) -> tuple[Classification | None, Classification | None]:
    """What is stored under this uid, and the person's newest row on the subject in this round."""
    chain = Q(workflow_id=subject.workflow_id, subject=subject, participant=participant, round=round)
    rows = list(Classification.objects.filter(Q(uid=uid) | chain))
    mine = [row for row in rows if row.subject_id == subject.pk and row.participant_id == participant.pk]
    return (
        next((row for row in rows if row.uid == uid), None),
        max((row for row in mine if row.round == round), key=lambda row: row.edit, default=None),
    )


def _edit_after(last: Classification | None) -> int:
    """The number of the next edit.

    Raises:
        Conflict: The giver has been told what is right.
    """
    if last is None:
        return 0
    if last.feedback_shown:
        raise Conflict(
            _("You have seen what became of this answer, so it can no longer be changed."),
            code="feedback_shown",
        )
    return last.edit + 1


def _same(
    stored: Classification, *, workflow: Workflow, subject: Subject, participant: Participant, answer: str
) -> Classification:
    """The stored answer, if the request is a repeat of the one that made it."""
    if (stored.workflow_id, stored.subject_id, stored.participant_id, stored.answer) != (
        workflow.pk,
        subject.pk,
        participant.pk,
        answer,
    ):
        raise _uid_taken(stored.uid)
    return stored


def _uid_taken(uid: UUID) -> Conflict:
    return Conflict(
        _("The identifier %(uid)s was already used for another answer; send a new one.") % {"uid": uid},
        code="uid_taken",
    )
