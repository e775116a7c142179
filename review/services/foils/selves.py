"""Who judges: somebody signed in, or an anonymous visitor, who may turn out later to be somebody known."""

import secrets
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from annotate.models import Participant, User
from annotate.services.participants import participant_of
from review.models import Classification, Judge, Showing, Subject
from review.services.foils.known import Counts, counts_of
from review.services.policies import triage


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
    """One judge of two, in one workflow; subjects of both are settled anew."""
    judge, is_new = Judge.objects.select_for_update(no_key=True).get_or_create(
        workflow=earlier.workflow,
        participant=known,
        defaults={"consent": earlier.consent, "consented_at": earlier.consented_at},
    )
    person = _person(known)
    if is_new or judge.consented_at is None:
        judge.consent, judge.consented_at = earlier.consent, earlier.consented_at
    judge.passed_practice_at = judge.passed_practice_at or earlier.passed_practice_at
    judge.effort += earlier.effort
    judge.known_of += earlier.known_of
    judge.known_right += earlier.known_right
    if earlier.today is not None and (judge.today is None or judge.today <= earlier.today):
        judge.n_today = earlier.n_today + (judge.n_today if judge.today == earlier.today else 0)
        judge.today = earlier.today
    if judge.quarantined_at is None:
        judge.quarantined_at = earlier.quarantined_at
        judge.quarantine_reasons = earlier.quarantine_reasons
    earlier.delete()
    judge.save()
    recount(judge, person)
    for subject in _answered_by_all(judge, person).select_for_update(no_key=True).order_by("pk"):
        triage.settle(subject)


def recount(judge: Judge, person: Person) -> None:
    """Take a judge's answers and skill anew from the log, as their selves' standing answers give them."""
    rows = (
        Classification.objects.filter(workflow_id=judge.workflow_id, participant__in=person.pks, round=0)
        .exclude(subject__gold__is_practice=True)
        .standing()
        .select_related("subject__gold", "subject__picture")
        .order_by("pk")
    )
    first: dict[int, Classification] = {}
    for row in rows:
        first.setdefault(row.subject_id, row)
    counts = Counts()
    for row in first.values():
        if row.subject.stratum == Subject.Stratum.GOLD:
            counts += counts_of(row.subject.gold, row.answer, row.payload)
    judge.n_answers = len(first)
    judge.hits, judge.craters = counts.hits, counts.craters
    judge.passes, judge.blanks = counts.passes, counts.blanks
    judge.save(update_fields=["n_answers", "hits", "craters", "passes", "blanks"])


def _answered_by_all(judge: Judge, person: Person) -> QuerySet[Subject]:
    """Subjects that were before more than one of the person's selves."""
    newest = person.selves[-1]
    others = [pk for pk in person.pks if pk != newest.pk]
    twice = Q(pk__in=Showing.objects.filter(participant=newest).values("subject")) & Q(
        pk__in=Showing.objects.filter(participant__in=others).values("subject")
    )
    return Subject.objects.filter(twice, workflow_id=judge.workflow_id).select_related(None)
