"""The recording engine: once per person, idempotent, taken back by appending, never blurred by order."""

from collections.abc import Callable
from threading import Barrier, Thread
from uuid import uuid4

import pytest
from django.db import connection

from annotate.models import Participant
from mlcore.errors import Conflict, InvalidInput
from review.models import Classification, Subject, Workflow
from review.services import classifications, queue
from tests.review.conftest import Answer

pytestmark = pytest.mark.django_db

Subjects = Callable[..., list[Subject]]
Person = Callable[[str], Participant]


def test_it_works(make_subjects: Subjects, person: Person, answer: Answer):
    [subject] = make_subjects(1)
    stored = answer(subject, person("ada"), "accept", duration_ms=1500)
    assert (stored.edit, stored.round, stored.answer, stored.duration_ms) == (0, 0, "accept", 1500)
    assert [c.pk for c in Classification.objects.standing()] == [stored.pk]


def test_the_same_uid_again_changes_nothing(make_subjects: Subjects, person: Person, answer: Answer):
    [subject] = make_subjects(1)
    uid = uuid4()
    first = answer(subject, person("ada"), "accept", uid=uid)
    again = answer(subject, person("ada"), "accept", uid=uid)
    assert again.pk == first.pk
    assert Classification.objects.count() == 1


def test_a_uid_used_for_something_else_is_refused(make_subjects: Subjects, person: Person, answer: Answer):
    one, other = make_subjects(2)
    uid = uuid4()
    answer(one, person("ada"), "accept", uid=uid)
    for subject, who, what in (
        (other, "ada", "accept"),
        (one, "bob", "accept"),
        (one, "ada", "reject"),
    ):
        with pytest.raises(Conflict, match="already used"):
            answer(subject, person(who), what, uid=uid)
    assert Classification.objects.count() == 1


def test_a_correction_is_appended_and_counts(make_subjects: Subjects, person: Person, answer: Answer):
    [subject] = make_subjects(1)
    answer(subject, person("ada"), "accept")
    answer(subject, person("ada"), "reject")
    assert list(Classification.objects.order_by("edit").values_list("edit", "answer")) == [
        (0, "accept"),
        (1, "reject"),
    ]
    assert [c.answer for c in Classification.objects.standing()] == ["reject"]


def test_taking_back_appends_and_hands_the_subject_out_again(
    workflow: Workflow, make_subjects: Subjects, person: Person, answer: Answer
):
    one, two = make_subjects(2)
    ada = person("ada")
    answer(one, ada, "accept")
    answer(two, ada, "reject")
    assert classifications.take_back(workflow=workflow, participant=ada) == two
    assert classifications.take_back(workflow=workflow, participant=ada) == one
    assert Classification.objects.count() == 4
    assert not Classification.objects.standing().exists()
    assert queue.next_subject(workflow=workflow, participant=ada) == one
    answer(one, ada, "reject")
    assert Classification.objects.filter(subject=one).order_by("-edit").first().edit == 2
    assert queue.next_subject(workflow=workflow, participant=ada) == two


def test_with_nothing_given_nothing_is_taken_back(workflow: Workflow, person: Person):
    with pytest.raises(Conflict, match="no answer here"):
        classifications.take_back(workflow=workflow, participant=person("ada"))


def test_after_feedback_nothing_is_changed(
    workflow: Workflow, make_subjects: Subjects, person: Person, answer: Answer
):
    [subject] = make_subjects(1)
    stored = answer(subject, person("ada"), "accept")
    Classification.objects.filter(pk=stored.pk).update(feedback_shown=True)
    with pytest.raises(Conflict, match="no longer be changed"):
        classifications.take_back(workflow=workflow, participant=person("ada"))
    with pytest.raises(Conflict, match="no longer be changed"):
        answer(subject, person("ada"), "reject")


@pytest.mark.parametrize("what", ["maybe", "withdrawn", ""])
def test_what_is_no_answer_is_refused(make_subjects: Subjects, person: Person, answer: Answer, what: str):
    [subject] = make_subjects(1)
    with pytest.raises(InvalidInput, match="is no answer"):
        answer(subject, person("ada"), what)


def test_an_answer_after_the_lease_has_run_out_is_kept(
    workflow: Workflow, make_subjects: Subjects, person: Person, answer: Answer
):
    [subject] = make_subjects(1)
    assert queue.next_subject(workflow=workflow, participant=person("bob")) == subject
    answer(subject, person("ada"), "accept")
    assert Classification.objects.standing().count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_answer_sent_by_eight_threads_is_stored_once(
    make_subjects: Subjects, person: Person, answer: Answer
):
    [subject] = make_subjects(1)
    ada, uid, together = person("ada"), uuid4(), Barrier(8)
    stored: list[int] = []

    def send() -> None:
        together.wait()
        stored.append(answer(subject, ada, "accept", uid=uid).pk)
        connection.close()

    _all_at_once(send, 8)
    assert len(stored) == 8
    assert len(set(stored)) == 1
    assert Classification.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_different_answers_sent_at_once_are_numbered_without_gaps(
    make_subjects: Subjects, person: Person, answer: Answer
):
    [subject] = make_subjects(1)
    ada, together = person("ada"), Barrier(6)

    def send() -> None:
        together.wait()
        answer(subject, ada, "accept")
        connection.close()

    _all_at_once(send, 6)
    assert sorted(Classification.objects.values_list("edit", flat=True)) == list(range(6))


def _all_at_once(work: Callable[[], None], n: int) -> None:
    threads = [Thread(target=work) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
