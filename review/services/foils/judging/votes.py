"""The answers to subjects that count: of each person the first that stands, whichever self gave it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from review.models import Classification, Subject


@dataclass(frozen=True)
class Vote:
    """A person's answer to a subject that counts."""

    classification: int
    person: int
    participant: int
    answer: str
    payload: dict[str, Any]


def counting(subject: Subject, *, by: int | None = None) -> list[Vote]:
    """The standing answers to a subject, of each person the first that stands, in their order.

    With `by`, those of one person's selves alone.
    """
    given = Classification.objects.filter(workflow_id=subject.workflow_id, subject=subject, round=0)
    if by is not None:
        given = given.filter(Q(participant=by) | Q(participant__merged_into=by))
    return by_subject(given).get(subject.pk, [])


def by_subject(given: QuerySet[Classification]) -> dict[int, list[Vote]]:
    """By subject's key, those of some answers that count."""
    rows = (
        given.standing()
        .annotate(person=Coalesce("participant__merged_into", "participant"))
        .order_by("pk")
        .values_list("subject", "pk", "person", "participant", "answer", "payload")
    )
    found: dict[int, list[Vote]] = {}
    for subject, *vote in rows:
        found.setdefault(subject, []).append(Vote(*vote))
    return {subject: first_of_each(votes) for subject, votes in found.items()}


def first_of_each(votes: Iterable[Vote]) -> list[Vote]:
    """Of each person the earliest row."""
    first: dict[int, Vote] = {}
    for vote in sorted(votes, key=lambda vote: vote.classification):
        first.setdefault(vote.person, vote)
    return list(first.values())
