"""Who is shown what next: a scan by priority, under leases, in one statement."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from annotate.models import Participant
from review.models import Classification, Subject, Workflow

LEASE = timedelta(minutes=10)
RATE_OVER = timedelta(minutes=10)


@dataclass(frozen=True)
class Progress:
    """How far one person is: own answers, subjects still open for them, own answers a minute of late."""

    done: int
    waiting: int
    per_minute: float


def next_subject(*, workflow: Workflow, participant: Participant) -> Subject | None:
    """Lease the person the most instructive open subject that nobody else holds and they have not answered.

    What they hold already comes first, the newest lease leading: so a reload and a step back show the
    same subject again.
    """
    now = timezone.now()
    with transaction.atomic():
        # One hand-out at a time per person: a double click must not lease two subjects.
        Participant.objects.select_for_update(no_key=True).get(pk=participant.pk)
        mine = (
            open_to(workflow, participant)
            .filter(leased_to=participant, lease_expires_at__gt=now)
            .order_by("-lease_expires_at", "id")
        )
        free = (
            open_to(workflow, participant)
            .filter(Q(leased_to__isnull=True) | Q(lease_expires_at__lte=now) | Q(leased_to=participant))
            .order_by("-priority", "id")
        )
        subject = _first_unlocked(mine) or _first_unlocked(free)
        if subject is not None:
            lease(subject, participant)
        return subject


def open_to(workflow: Workflow, participant: Participant, *, in_round: int = 0) -> QuerySet[Subject]:
    """Subjects not retired on which no answer of the person stands in this round; a skip is an answer."""
    own = (
        Classification.objects.filter(
            workflow=workflow, subject=OuterRef("pk"), participant=participant, round=in_round
        )
        .order_by("-edit")
        .values("answer")[:1]
    )
    return (
        Subject.objects.filter(workflow=workflow, retired_at__isnull=True)
        .alias(own_answer=Subquery(own))
        .filter(Q(own_answer__isnull=True) | Q(own_answer=Classification.Answer.WITHDRAWN))
    )


def lease(subject: Subject, participant: Participant) -> None:
    """Keep the subject for this person for a while."""
    subject.leased_to = participant
    subject.lease_expires_at = timezone.now() + LEASE
    subject.save(update_fields=["leased_to", "lease_expires_at"])


def release(subject: Subject, participant: Participant) -> None:
    """Give up the person's lease; somebody else's stays."""
    if subject.leased_to_id == participant.pk:
        subject.leased_to = None
        subject.lease_expires_at = None
        subject.save(update_fields=["leased_to", "lease_expires_at"])


def progress(*, workflow: Workflow, participant: Participant) -> Progress:
    """The person's own progress; says nothing of what others answered."""
    own = Classification.objects.filter(workflow=workflow, participant=participant, round=0).standing()
    now = timezone.now()
    lately = own.filter(created_at__gt=now - RATE_OVER).order_by("id")
    first = lately.first()
    minutes = max(1.0, (now - first.created_at).total_seconds() / 60) if first else 1.0
    return Progress(
        done=own.count(),
        waiting=open_to(workflow, participant).count(),
        per_minute=round(lately.count() / minutes, 1),
    )


def why_nothing(*, workflow: Workflow, participant: Participant) -> str:
    """Why there is no next subject.

    "waiting": others hold what is left; "finished": nothing is left; "none": there never was anything.
    """
    if open_to(workflow, participant).exists():
        return "waiting"
    return "finished" if workflow.subjects.exists() else "none"


def _first_unlocked(subjects: QuerySet[Subject]) -> Subject | None:
    return subjects.select_for_update(skip_locked=True, of=("self",)).first()
