"""Several people judge pictures while servers are killed: each acknowledged answer is stored, and once."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.urls import reverse

from annotate.models import User
from benchmarks import foil_fill
from benchmarks.rig.people import NO_ANSWER, Person
from benchmarks.rig.site import Site
from benchmarks.rig.waiting import until
from review.models import Classification, Judge, Showing, Subject, Workflow
from review.services.foils.judging import selves
from review.services.policies import triage as policy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SUBJECTS, KNOWN, JUDGES = 1500, 200, 4
# Each must have had so many acknowledgements before something is killed, and after it is back.
ANSWERS_BETWEEN = 5
PAUSE_S = 0.05
# The odds are weighed by what is known of a judge at the moment, and by the night anew.
TALLY = ("n_answers", "n_votes", "n_cannot_tell", "outcome")
COUNTS = ("n_answers", "hits", "craters", "passes", "blanks")


class AtWork(threading.Thread):
    """Judges picture after picture as the page does: each answer is repeated until it is acknowledged."""

    def __init__(self, person: Person, workflow: Workflow, number: int) -> None:
        super().__init__(daemon=True)
        self.person, self.number = person, number
        self.paths = {
            name: reverse(f"review:api_triage_{name}", args=[workflow.uid])
            for name in ("start", "next", "answers", "back")
        }
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.bodies: dict[str, dict[str, Any]] = {}
        self.refused: list[object] = []
        self.unanswered = 0
        self.may_stop = threading.Event()

    def run(self) -> None:
        while not self.may_stop.is_set() and not self.refused:
            handed = self.ask("next", {})
            if handed is None:
                continue
            for showing in handed["showings"]:
                self.judge(showing)
            if len(self.acknowledged) % 7 == self.number:
                self.step_back()

    def judge(self, showing: dict[str, Any]) -> None:
        is_crater = len(self.acknowledged) % 5 == 0
        body = {
            "uid": str(uuid4()),
            "showing": showing["uid"],
            "answer": "crater" if is_crater else "nothing",
            "marks": [{"x_px": 9.0, "y_px": 9.0}] if is_crater else [],
            "duration_ms": 800,
        }
        self.bodies[body["uid"]] = body
        if said := self.ask("answers", body):
            self.acknowledged[body["uid"]] = said["classification"]

    def step_back(self) -> None:
        """Once, and not repeated: whoever hears nothing of it looks at what is open."""
        try:
            self.person.post(self.paths["back"], {})
        except NO_ANSWER:
            self.unanswered += 1

    def ask(self, name: str, body: dict[str, Any]) -> Any:
        """Until there is an answer, which is kept where it is a refusal."""
        while True:
            try:
                answer = self.person.post(self.paths[name], body)
            except NO_ANSWER:
                self.unanswered += 1
            else:
                if answer.status in (200, 201):
                    return answer.data
                if answer.status < 500:
                    self.refused.append((name, answer))
                    return None
                self.unanswered += 1
            # An answer is repeated to its end; the rest is not asked again once all is over.
            if name != "answers" and self.may_stop.is_set():
                return None
            self.may_stop.wait(PAUSE_S)


@pytest.fixture
def workflow(site: Site) -> Workflow:
    return foil_fill.fill("faults", SUBJECTS, KNOWN, seed=6).workflow


@pytest.fixture
def at_work(site: Site, workflow: Workflow) -> Iterator[list[AtWork]]:
    """Several people at it, who have agreed."""
    users = [User.objects.create_user(f"judge {number}") for number in range(JUDGES)]
    people = [AtWork(Person.signed_in(user, site), workflow, n) for n, user in enumerate(users)]
    for one in people:
        assert one.ask("start", {"consent": "1"}), one.refused
        one.start()
    yield people
    for one in people:
        one.may_stop.set()
        one.join(120)


def wait_for_more(people: list[AtWork], site: Site) -> None:
    """Until everybody has so many more acknowledgements."""
    wanted = [len(one.acknowledged) + ANSWERS_BETWEEN for one in people]
    until(
        "everybody's answers are acknowledged",
        lambda: all(len(one.acknowledged) >= n or one.refused for one, n in zip(people, wanted, strict=True)),
        explain=site.last_words,
    )


def test_what_was_acknowledged_is_stored_once(site: Site, workflow: Workflow, at_work: list[AtWork]):
    wait_for_more(at_work, site)
    for name in ("web", "postgres", "redis"):
        site.kill(name)
        site.wait_until_up(name)
        wait_for_more(at_work, site)
    for one in at_work:
        one.may_stop.set()
    for one in at_work:
        one.join(120)
        assert not one.is_alive() and one.refused == []
    assert sum(one.unanswered for one in at_work) > 0, "Nobody has noticed that anything was killed."

    connection.close()  # it was cut by the kill as well
    said = {uid: stored for one in at_work for uid, stored in one.acknowledged.items()}
    given = Classification.objects.filter(workflow=workflow).exclude(answer="withdrawn")
    assert Counter(str(uid) for uid in given.values_list("uid", flat=True)) == Counter(said.keys())
    assert nobody_has_seen_a_picture_twice(workflow)
    assert what_differs_when_counted_anew(workflow) == []
    for one in at_work:
        for uid, first in list(one.acknowledged.items())[::7]:
            again = one.person.post(one.paths["answers"], one.bodies[uid])
            assert again.status == 201, again.data
            assert again.data["classification"] == first


def nobody_has_seen_a_picture_twice(workflow: Workflow) -> bool:
    shown = Showing.objects.filter(subject__workflow=workflow).values_list("subject", "participant", "round")
    return max(Counter(shown).values()) == 1


def what_differs_when_counted_anew(workflow: Workflow) -> list[object]:
    """Subjects whose tally, and judges whose counts, are not what the log gives."""
    differs: list[object] = []
    for subject in Subject.objects.filter(workflow=workflow, n_answers__gt=0):
        stood = [getattr(subject, name) for name in TALLY]
        policy.settle(subject)
        if stood != [getattr(subject, name) for name in TALLY]:
            differs.append((subject, stood))
    for judge in Judge.objects.filter(workflow=workflow, participant__user__isnull=False):
        counted = [getattr(judge, name) for name in COUNTS]
        selves.recount(judge, selves.person_of(judge.participant.user))
        if counted != [getattr(judge, name) for name in COUNTS]:
            differs.append((judge, counted))
    return differs
