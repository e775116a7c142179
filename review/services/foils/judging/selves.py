"""Who judges: somebody signed in, or an anonymous visitor, who may turn out later to be somebody known."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, fields
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from annotate.models import Participant, User
from annotate.services.participants import participant_of
from review.models import Classification, Judge, Subject
from review.services.foils.gold.known import Counts, counts_of
from review.services.policies import triage

# Counts of a judge that are those of their selves together.
_ADDED = ("n_answers", "hits", "craters", "passes", "blanks", "effort", "known_of", "known_right")


@dataclass(frozen=True)
class Person:
    """A participant with those they were before they signed in: what all of them did is theirs.

    Attributes:
        participant: Under whom they are known now.
        selves: All of them, that one first.
    """

    participant: Participant
    selves: tuple[Participant, ...]

    @property
    def pks(self) -> list[int]:
        return [self_.pk for self_ in self.selves]

    @property
    def is_anonymous(self) -> bool:
        return self.participant.user_id is None


def person_of(user: User) -> Person:
    """Whoever is signed in, with their earlier selves."""
    return _person(participant_of(user))


def anonymous_person(uid: UUID) -> Person | None:
    """The visitor of this uid; None where they are somebody by now, or never were."""
    found = Participant.objects.filter(uid=uid, user=None, merged_into=None).first()
    return Person(found, (found,)) if found else None


def begin_anonymous() -> Person:
    """A visitor of whom nothing is known but what they will answer."""
    made = Participant.objects.create(pseudonym=f"p-{secrets.token_hex(6)}")
    return Person(made, (made,))


def adopt(*, user: User, anonymous: UUID) -> None:
    """Let all that the visitor has done be the user's, who has just signed in or up.

    Who had no participant yet takes over the visitor's, and nothing else changes. Otherwise the visitor
    becomes an earlier self: their counts are added, and on a subject that both have answered,
    one answer counts.
    """
    try:
        _adopt(user, anonymous)
    except IntegrityError:
        # Another request of the same browser has just made the user's participant: it is there now.
        _adopt(user, anonymous)


@transaction.atomic
def _adopt(user: User, anonymous: UUID) -> None:
    visitor = Participant.objects.select_for_update(no_key=True).filter(uid=anonymous).first()
    if visitor is None or visitor.user_id or visitor.merged_into_id:
        return
    known = Participant.objects.select_for_update(no_key=True).filter(user_id=user.pk).first()
    if known is None:
        visitor.user_id = user.pk
        visitor.save(update_fields=["user"])
    else:
        _merge(visitor, known)


def _person(participant: Participant) -> Person:
    return Person(participant, (participant, *participant.earlier_selves.order_by("pk")))


def _merge(visitor: Participant, known: Participant) -> None:
    visitor.merged_into = known
    visitor.save(update_fields=["merged_into"])
    for judge in Judge.objects.select_for_update(no_key=True).filter(participant=visitor).order_by("pk"):
        _fold(judge, known)


def _fold(earlier: Judge, known: Participant) -> None:
    """One judge of two, in one workflow; subjects that both have answered are settled anew.

    It costs what the visitor has answered, however much the other has.
    """
    judge, _is_new = Judge.objects.select_for_update(no_key=True).get_or_create(
        workflow=earlier.workflow, participant=known
    )
    if judge.consented_at is None:
        judge.consent, judge.consented_at = earlier.consent, earlier.consented_at
    judge.passed_practice_at = judge.passed_practice_at or earlier.passed_practice_at
    for name in _ADDED:
        setattr(judge, name, getattr(judge, name) + getattr(earlier, name))
    if earlier.today is not None and (judge.today is None or judge.today <= earlier.today):
        judge.n_today = earlier.n_today + (judge.n_today if judge.today == earlier.today else 0)
        judge.today = earlier.today
    if judge.quarantined_at is None:
        judge.quarantined_at = earlier.quarantined_at
        judge.quarantine_reasons = earlier.quarantine_reasons
    twice = _given_twice(earlier, known)
    _subtract(judge, twice)
    earlier.delete()
    judge.save()
    subjects = Subject.objects.filter(pk__in=[row.subject_id for row in twice])
    for subject in subjects.select_for_update(no_key=True).order_by("pk"):
        triage.settle(subject)


def _given_twice(earlier: Judge, known: Participant) -> list[Classification]:
    """Where both have a standing answer to one subject: the later one, which counts no longer."""
    visitor = earlier.participant_id
    answered = Classification.objects.filter(
        workflow_id=earlier.workflow_id, participant=visitor, round=0
    ).values("subject")
    first: dict[int, dict[bool, Classification]] = {}
    for row in _standing(earlier, _person(known)).filter(subject__in=answered):
        first.setdefault(row.subject_id, {}).setdefault(row.participant_id == visitor, row)
    return [max(both.values(), key=lambda row: row.pk) for both in first.values() if len(both) == 2]


def _subtract(judge: Judge, rows: list[Classification]) -> None:
    judge.n_answers -= len(rows)
    taught = _taught_by(rows)
    for field in fields(Counts):
        setattr(judge, field.name, getattr(judge, field.name) - getattr(taught, field.name))


def recount(judge: Judge, person: Person) -> None:
    """Take a judge's answers and skill anew from the log, as their selves' standing answers give them."""
    first: dict[int, Classification] = {}
    for row in _standing(judge, person):
        first.setdefault(row.subject_id, row)
    taught = _taught_by(first.values())
    judge.n_answers = len(first)
    for field in fields(Counts):
        setattr(judge, field.name, getattr(taught, field.name))
    judge.save(update_fields=["n_answers", *(field.name for field in fields(Counts))])


def _standing(judge: Judge, person: Person) -> QuerySet[Classification]:
    """The standing answers of all selves, in their order, without those of the test."""
    return (
        Classification.objects.filter(workflow_id=judge.workflow_id, participant__in=person.pks, round=0)
        .exclude(subject__gold__is_practice=True)
        .standing()
        .select_related("subject__gold", "subject__picture")
        .order_by("pk")
    )


def _taught_by(rows: Iterable[Classification]) -> Counts:
    """What answers to known subjects teach, all together."""
    known_ones = (row for row in rows if row.subject.stratum == Subject.Stratum.GOLD)
    return sum((counts_of(row.subject.gold, row.answer, row.payload) for row in known_ones), Counts())
