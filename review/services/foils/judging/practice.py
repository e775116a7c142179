"""The test of the tutorial: known pictures, each answer told, until enough of the latest were right."""

from dataclasses import dataclass

from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from review.models import Classification, Gold, Judge, Showing, Workflow
from review.services.foils.gold.known import is_right
from review.services.foils.judging import showings
from review.services.foils.judging.selves import Person
from review.services.foils.settings import TriageSettings


@dataclass(frozen=True)
class Practice:
    """How far somebody is in the test: of their latest `last` answers, `right` were right of `needed`."""

    right: int
    answered: int
    needed: int
    last: int

    @property
    def is_passed(self) -> bool:
        return self.right >= self.needed


def of(workflow: Workflow, person: Person, settings: TriageSettings) -> Practice:
    """Over all rounds: who has seen all pictures of the test begins again."""
    rows = list(
        Classification.objects.filter(
            workflow=workflow, participant__in=person.pks, subject__gold__is_practice=True
        )
        .select_related("subject__gold", "subject__picture")
        .order_by("-pk")[: settings.practice_last]
    )
    for row in rows:
        row.subject.gold.subject = row.subject
    right = sum(is_right(row.subject.gold, row.answer, row.payload) for row in rows)
    return Practice(right, len(rows), settings.practice_right, settings.practice_last)


def is_needed(workflow: Workflow, judge: Judge, settings: TriageSettings) -> bool:
    """Whether the judge has to pass a test that there is."""
    if judge.passed_practice_at is not None:
        return False
    return settings.practice_last > 0 and _pictures(workflow).exists()


def let_in(judge: Judge) -> None:
    judge.passed_practice_at = timezone.now()
    judge.save(update_fields=["passed_practice_at"])


def top_up(*, workflow: Workflow, person: Person) -> list[Showing]:
    """Three open showings of the test, those seen least often first.

    The caller is in a transaction and holds the judge's row lock.
    """
    standing = showings.open_to(workflow, person, practice=True)
    missing = showings.AT_ONCE - len(standing)
    if missing <= 0:
        return standing
    own = Q(subject__showings__participant__in=person.pks)
    line = list(
        _pictures(workflow)
        .exclude(subject__in=[showing.subject_id for showing in standing])
        .annotate(
            n=Count("subject__showings", filter=own), latest=Max("subject__showings__round", filter=own)
        )
        .values_list("n", "latest", "subject")
    )
    showings.random.shuffle(line)
    line.sort(key=lambda row: row[0])
    expires_at = timezone.now() + showings.EXPIRES
    Showing.objects.bulk_create(
        Showing(
            subject_id=subject,
            participant=person.participant,
            round=0 if latest is None else latest + 1,
            with_feedback=True,
            expires_at=expires_at,
        )
        for _n, latest, subject in line[:missing]
    )
    return showings.open_to(workflow, person, practice=True)


def _pictures(workflow: Workflow) -> QuerySet[Gold]:
    return Gold.objects.filter(subject__workflow=workflow, is_practice=True, withdrawn_at__isnull=True)
