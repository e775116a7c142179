"""Who is shown what next."""

from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.utils import timezone

from annotate.models import Participant
from review.models import Subject, Workflow
from review.services import queue
from tests.review.conftest import Answer

pytestmark = pytest.mark.django_db

Subjects = Callable[..., list[Subject]]
Person = Callable[[str], Participant]


def test_it_works_the_most_instructive_comes_first(
    workflow: Workflow, make_subjects: Subjects, person: Person
):
    first, second, _ = make_subjects(3)
    assert queue.next_subject(workflow=workflow, participant=person("ada")) == first
    assert queue.next_subject(workflow=workflow, participant=person("bob")) == second


def test_who_asks_again_is_shown_the_same(workflow: Workflow, make_subjects: Subjects, person: Person):
    make_subjects(3)
    shown = {queue.next_subject(workflow=workflow, participant=person("ada")) for _ in range(3)}
    assert len(shown) == 1


def test_a_lease_that_has_run_out_is_given_to_the_next(
    workflow: Workflow, make_subjects: Subjects, person: Person
):
    [subject] = make_subjects(1)
    queue.next_subject(workflow=workflow, participant=person("ada"))
    assert queue.next_subject(workflow=workflow, participant=person("bob")) is None
    assert queue.why_nothing(workflow=workflow, participant=person("bob")) == "waiting"
    Subject.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert queue.next_subject(workflow=workflow, participant=person("bob")) == subject


def test_nobody_is_shown_what_they_have_answered_or_skipped(
    workflow: Workflow, make_subjects: Subjects, person: Person, answer: Answer
):
    ada = person("ada")
    for subject, what in zip(make_subjects(3, wanted=9), ("accept", "skip", "unsure"), strict=True):
        answer(subject, ada, what)
    assert queue.next_subject(workflow=workflow, participant=ada) is None
    assert queue.why_nothing(workflow=workflow, participant=ada) == "finished"
    assert queue.next_subject(workflow=workflow, participant=person("bob")) is not None


def test_progress_counts_only_ones_own(
    workflow: Workflow, make_subjects: Subjects, person: Person, answer: Answer
):
    one, two, _three = make_subjects(3)
    answer(one, person("ada"), "accept")
    answer(two, person("bob"), "accept")
    mine = queue.progress(workflow=workflow, participant=person("ada"))
    assert (mine.done, mine.waiting) == (1, 1)
    assert mine.per_minute == 1.0


@pytest.mark.django_db(transaction=True)
def test_twenty_people_at_once_are_shown_twenty_subjects(
    workflow: Workflow, make_subjects: Subjects, person: Person
):
    make_subjects(20)
    people = [person(f"p{i}") for i in range(20)]
    together, shown = Barrier(20), []

    def ask(who: Participant) -> None:
        together.wait()
        shown.append(queue.next_subject(workflow=workflow, participant=who))
        connection.close()

    threads = [Thread(target=ask, args=(who,)) for who in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({subject.pk for subject in shown}) == 20


@pytest.mark.django_db(transaction=True)
def test_a_double_click_leases_one_subject(workflow: Workflow, make_subjects: Subjects, person: Person):
    make_subjects(5)
    ada, together, shown = person("ada"), Barrier(4), []

    def ask() -> None:
        together.wait()
        shown.append(queue.next_subject(workflow=workflow, participant=ada))
        connection.close()

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({subject.pk for subject in shown}) == 1
    assert Subject.objects.filter(leased_to=ada).count() == 1
