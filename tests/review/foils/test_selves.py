"""A visitor who turns out to be somebody: nothing is lost, and nothing counts twice."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate.models import Participant, User
from annotate.services.participants import participant_of
from review.models import Judge, Subject, Workflow
from review.services import classifications
from review.services.foils.judging import selves

pytestmark = pytest.mark.django_db

Make = Callable[..., list[Any]]
COUNTS = ("n_answers", "hits", "craters", "passes", "blanks")
VISITORS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.sampled_from(["crater", "nothing", "cannot_tell"])),
    max_size=12,
)


@pytest.fixture
def make_visitor(triage: Workflow) -> Callable[..., Judge]:
    """Somebody without a sign-in who has agreed."""

    def make(**fields: Any) -> Judge:
        participant = selves.begin_anonymous().participant
        return Judge.objects.create(
            workflow=triage, participant=participant, consent="1", consented_at=timezone.now(), **fields
        )

    return make


def answer(who: Participant, subject: Subject, what: str) -> None:
    payload = {"marks": [{"x_px": 30.0, "y_px": 20.0}]} if what == "crater" else {}
    workflow = Workflow.objects.get(pk=subject.workflow_id)
    classifications.record(
        workflow=workflow, subject=subject, participant=who, uid=uuid4(), answer=what, payload=payload
    )


def adopt(judge: Judge, user: User) -> None:
    selves.adopt(user=user, anonymous=judge.participant.uid)


def test_it_works_their_participant_becomes_the_users(make_visitor: Callable[..., Judge], stranger: User):
    visitor = make_visitor(effort=3)
    adopt(visitor, stranger)
    stranger.refresh_from_db()
    assert stranger.participant == visitor.participant
    assert selves.person_of(stranger).pks == [visitor.participant_id]
    assert selves.anonymous_person(visitor.participant.uid) is None


def test_who_was_known_already_gets_what_the_visitor_had(
    make_visitor: Callable[..., Judge], make_judge: Callable[..., Judge]
):
    now = timezone.now()
    ada = make_judge("ada", effort=10, n_today=2, today=now.date(), passed_practice_at=None, known_of=1)
    visitor = make_visitor(
        effort=5, n_today=3, today=now.date(), passed_practice_at=now, known_of=2, known_right=1
    )
    adopt(visitor, ada.participant.user)
    ada.refresh_from_db()
    assert (ada.effort, ada.n_today, ada.known_of, ada.known_right) == (15, 5, 3, 1)
    assert ada.passed_practice_at == now
    assert not Judge.objects.filter(pk=visitor.pk).exists()


def test_who_had_not_judged_here_judges_on(make_visitor: Callable[..., Judge], stranger: User):
    participant_of(stranger)
    visitor = make_visitor(hits=2, craters=3)
    adopt(visitor, stranger)
    judge = Judge.objects.get()
    assert (judge.participant.user, judge.consent, judge.hits, judge.craters) == (stranger, "1", 2, 3)


def test_who_was_set_aside_stays_so_under_another_name(
    make_visitor: Callable[..., Judge], make_judge: Callable[..., Judge]
):
    ada = make_judge("ada")
    adopt(make_visitor(quarantined_at=timezone.now(), quarantine_reasons=["hasty"]), ada.participant.user)
    ada.refresh_from_db()
    assert ada.quarantine_reasons == ["hasty"]
    assert ada.quarantined_at is not None


def test_nobody_is_taken_over_twice(make_visitor: Callable[..., Judge], make_judge: Callable[..., Judge]):
    ada, bob, visitor = make_judge("ada"), make_judge("bob"), make_visitor(effort=4)
    adopt(visitor, ada.participant.user)
    adopt(visitor, bob.participant.user)
    selves.adopt(user=bob.participant.user, anonymous=uuid4())
    assert Participant.objects.get(pk=visitor.participant_id).merged_into == ada.participant
    bob.refresh_from_db()
    assert bob.effort == 0


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=VISITORS)
def test_counts_are_those_of_the_log_each_subject_once(
    make_foil_subjects: Make, make_gold: Make, make_visitor: Callable[..., Judge],
    make_user: Callable[..., User], said: list[tuple[int, int, str]],
):  # fmt: skip
    """Somebody known and two visitors answer in any order, the second visitor made first."""
    subjects = [
        *make_foil_subjects(2),
        *(gold.subject for is_crater in (True, False) for gold in make_gold(1, is_crater=is_crater)),
    ]
    user = make_user(str(uuid4()))
    second, first = make_visitor(), make_visitor()
    known = Judge.objects.create(workflow=first.workflow, participant=participant_of(user))
    people = [known.participant, first.participant, second.participant]
    for who, which, what in said:
        answer(people[who], subjects[which], what)
    for visitor in (first, second):
        adopt(visitor, user)
    known.refresh_from_db()
    kept = [getattr(known, name) for name in COUNTS]
    selves.recount(known, selves.person_of(user))
    assert kept == [getattr(known, name) for name in COUNTS]
    for which, subject in enumerate(subjects):
        subject.refresh_from_db()
        n = int(any(answered == which for _who, answered, _what in said))
        assert subject.n_answers == n
        assert subject.n_votes == (0 if subject.stratum == Subject.Stratum.GOLD else n)


@pytest.mark.django_db(transaction=True)
def test_several_requests_at_once_take_a_visitor_over_once(
    make_visitor: Callable[..., Judge], make_user: Callable[..., User]
):
    visitor, user = make_visitor(effort=7), make_user("ada")
    together, failures = Barrier(4), []

    def take_over() -> None:
        together.wait()
        try:
            fresh = User.objects.get(pk=user.pk)
            adopt(visitor, fresh)
            participant_of(fresh)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [Thread(target=take_over) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert Judge.objects.get().effort == 7
    assert Participant.objects.filter(user=user).count() == 1
