"""The recording engine: who answered what, once, in an append-only log.

All workflows use it. Writers of one subject take turns on its row lock, so that the same answer sent
twice at the same moment is stored once, and edits are numbered without gaps.
"""

from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from annotate.models import Participant
from mlcore.errors import Conflict, InvalidInput, NotAllowed, NotFound
from review.models import Classification, Subject, Workflow
from review.services import queue
from review.services.policies import policy_of

# The answers that a person gives; WITHDRAWN is written by take_back alone.
GIVEN = frozenset(Classification.Answer.values) - {Classification.Answer.WITHDRAWN}


def record(
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
    round: int = 0,
) -> Classification:
    """Store an answer and settle its subject; the same uid again changes nothing and answers the same.

    An answer where one stands is a correction: it is appended as the next edit and counts instead. An
    expired lease does not matter: what somebody has judged is kept.
    """
    if answer not in GIVEN:
        raise InvalidInput(
            _("“%(answer)s” is no answer; give one of %(known)s.")
            % {"answer": answer, "known": ", ".join(sorted(GIVEN))}
        )
    with transaction.atomic():
        subject = Subject.objects.select_for_update().get(pk=subject.pk)
        already = Classification.objects.filter(uid=uid).first()
        if already is not None:
            return _same(already, workflow=workflow, subject=subject, participant=participant, answer=answer)
        if subject.workflow_id != workflow.pk:
            raise NotFound(_("This subject does not belong to the workflow; ask for the next one."))
        policy = policy_of(workflow)
        payload = policy.check(subject, answer=answer, reason=reason, payload=payload or {})
        try:
            with transaction.atomic():
                classification = Classification.objects.create(
                    uid=uid,
                    workflow=workflow,
                    subject=subject,
                    participant=participant,
                    round=round,
                    edit=_next_edit(subject, participant, round),
                    answer=answer,
                    reason=reason,
                    payload=payload,
                    duration_ms=duration_ms,
                    as_reviewer=as_reviewer,
                )
        except IntegrityError:
            # Only the uid can clash under the subject's lock: the same one, sent for another subject.
            raise _uid_taken(uid) from None
        queue.release(subject, participant)
        policy.settle(subject)
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
        subject = Subject.objects.select_for_update().get(pk=last.subject_id)
        Classification.objects.create(
            uid=uuid4(),
            workflow=workflow,
            subject=subject,
            participant=participant,
            edit=_next_edit(subject, participant, last.round),
            answer=Classification.Answer.WITHDRAWN,
            as_reviewer=last.as_reviewer,
        )
        policy_of(workflow).settle(subject)
        queue.lease(subject, participant)
    return subject


def _next_edit(subject: Subject, participant: Participant, round: int) -> int:
    last = (
        Classification.objects.filter(
            workflow_id=subject.workflow_id, subject=subject, participant=participant, round=round
        )
        .order_by("-edit")
        .first()
    )
    if last is None:
        return 0
    if last.feedback_shown:
        raise NotAllowed(_("You have seen what became of this answer, so it can no longer be changed."))
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
