"""Many pictures settled at once come out as each by itself, in a number of statements that does not grow."""

from collections.abc import Callable
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from review.models import Judge, Retirement, Subject, Workflow
from review.services import classifications
from review.services.foils.rules import retiring
from review.services.policies import triage as policy

pytestmark = pytest.mark.django_db

FIELDS = (
    "n_answers",
    "n_votes",
    "n_cannot_tell",
    "n_practised",
    "log_odds",
    "outcome",
    "rule",
    "retired_because",
)


@pytest.fixture
def judged(
    triage: Workflow, make_foil_subjects: Callable[..., list[Any]], make_judge: Callable[..., Judge]
) -> list[Subject]:
    """Pictures with answers of four people, one of them set aside since."""
    people = [make_judge(name, hits=18, craters=20, passes=19, blanks=20) for name in ("a", "b", "c", "d")]
    subjects = make_foil_subjects(6, probability=0.5)
    for subject, judge in product(subjects, people):
        answer = "crater" if (subject.pk + judge.pk) % 3 else "nothing"
        classifications.record(
            workflow=triage,
            subject=subject,
            participant=judge.participant,
            uid=uuid4(),
            answer=answer,
            payload={"marks": [{"x_px": 1, "y_px": 1}]} if answer == "crater" else {},
        )
    Judge.objects.filter(pk=people[1].pk).update(quarantined_at=triage.created_at)
    return subjects


def tallies() -> list[tuple[Any, ...]]:
    return list(Subject.objects.order_by("pk").values_list("pk", *FIELDS))


def test_it_works_as_each_by_itself(triage: Workflow, judged: list[Subject]):
    before, told = tallies(), []
    done = retiring.settle_all(triage, [subject.pk for subject in judged], lambda *done: told.append(done))
    at_once = tallies()
    assert at_once != before and told[-1] == (6, 6)
    steps = list(Retirement.objects.order_by("-pk")[: sum(done["changed"].values())])
    assert {(one.subject_id, one.outcome) for one in steps} <= {(row[0], row[6]) for row in at_once}
    for subject in Subject.objects.all():
        policy.settle(subject)
    assert tallies() == at_once


def test_the_second_time_changes_nothing(triage: Workflow, judged: list[Subject]):
    pks = [subject.pk for subject in judged]
    retiring.settle_all(triage, pks, lambda *done: None)
    once, n_steps = tallies(), Retirement.objects.count()
    assert retiring.settle_all(triage, pks, lambda *done: None) == {"looked_at": 6, "changed": {}}
    assert (tallies(), Retirement.objects.count()) == (once, n_steps)


def test_known_pictures_are_left_alone(triage: Workflow, make_gold: Callable[..., list[Any]]):
    [gold] = make_gold(1)
    assert retiring.settle_all(triage, [gold.pk], lambda *done: None)["changed"] == {}
    assert not Retirement.objects.exists()


def test_six_take_as_many_statements_as_two(triage: Workflow, judged: list[Subject]):
    counts = []
    for some in (judged[:2], judged):
        for subject in some:
            Subject.objects.filter(pk=subject.pk).update(outcome="undecided", rule=None)
        with CaptureQueriesContext(connection) as asked:
            retiring.settle_all(triage, [subject.pk for subject in some], lambda *done: None)
        counts.append(len(asked))
    assert abs(counts[1] - counts[0]) <= 2
