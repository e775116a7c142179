"""Which picture comes before whom: shares, limits, and nobody twice."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mlcore.consensus.answers.stopping import StoppingRule
from mlcore.consensus.answers.swap import log_odds
from review.models import Classification, Judge, RuleVersion, Showing, Subject, Workflow
from review.services import classifications
from review.services.foils import settings as triage_settings
from review.services.foils.judging import judging, sampling, selves, showings
from review.services.foils.judging.judging import Handed
from review.services.foils.judging.selves import Person

pytestmark = pytest.mark.django_db

Make = Callable[..., list[Any]]
MakeJudge = Callable[..., Judge]
GOOD = {"hits": 40, "craters": 40, "passes": 40, "blanks": 40}


@pytest.fixture(autouse=True)
def the_same_luck(monkeypatch: pytest.MonkeyPatch) -> random.Random:
    luck = random.Random(4)
    monkeypatch.setattr(showings, "random", luck)
    return luck


@pytest.fixture
def ask(triage: Workflow) -> Callable[..., Handed]:
    """ask(judge): what is open to somebody."""

    def hand_out(judge: Judge, **more: str) -> Handed:
        return judging.hand_out(workflow=triage, person=of(judge), **more)

    return hand_out


@pytest.fixture
def judge_all(triage: Workflow, ask: Callable[..., Handed]) -> Callable[[Judge, int], list[Subject]]:
    """Answer so many pictures "cannot tell", or all there are; in the order in which they came."""

    def judge_some(judge: Judge, most: int = 1000) -> list[Subject]:
        handed, seen = ask(judge), []
        while handed.showings and len(seen) < most:
            seen.append(handed.showings[0].subject)
            handed = judging.answer(
                workflow=triage, person=of(judge), uid=uuid4(), showing=handed.showings[0].uid,
                answer="cannot_tell", marks=[], duration_ms=900,
            ).handed  # fmt: skip
        return seen

    return judge_some


def of(judge: Judge) -> Person:
    return selves.person_of(judge.participant.user)


def set_rule(triage: Workflow, **changes: Any) -> None:
    number = triage.rules.count() + 1
    RuleVersion.objects.create(workflow=triage, number=number, settings=StoppingRule(**changes).to_json())


def in_threads(n: int, work: Callable[[int], None]) -> None:
    """At the same moment; the first failure is raised here."""
    together, failures = Barrier(n), []

    def one(number: int) -> None:
        together.wait()
        try:
            work(number)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [Thread(target=one, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


# -- Shares ------------------------------------------------------------------------------------------


def test_it_works_known_pictures_thin_out_and_never_end(
    make_foil_subjects: Make, make_gold: Make, make_judge: MakeJudge, judge_all: Any,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    asked: list[int] = []
    monkeypatch.setattr(showings, "gold_share", lambda seen: asked.append(seen) or 0.5)
    make_foil_subjects(12)
    make_gold(20)
    seen = judge_all(make_judge("ada"), 20)
    strata = Counter(subject.stratum for subject in seen)
    assert set(strata) == {"gold", "queue"}
    assert 5 <= strata["gold"] <= 15
    assert set(asked[:3]) == {0, 1, 2}
    assert max(asked) >= 20


def test_known_pictures_are_balanced_whatever_there_are(
    make_foil_subjects: Make, make_gold: Make, make_judge: MakeJudge, judge_all: Any,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.setattr(showings, "gold_share", lambda _seen: 1.0)
    make_foil_subjects(1)
    make_gold(6)
    make_gold(6, is_crater=False, origin="look_alike")
    make_gold(30, is_crater=False)
    make_gold(3, is_practice=True)
    make_gold(3, withdrawn_at=timezone.now())
    drawn = [subject.gold for subject in judge_all(make_judge("ada"), 12)]
    kinds = Counter("crater" if gold.is_crater else gold.origin for gold in drawn)
    assert kinds["crater"] >= 3
    assert kinds["look_alike"] >= 1
    assert not any(gold.is_practice or gold.withdrawn_at for gold in drawn)


def test_the_audit_has_its_share_and_each_stratum_stands_in_for_the_other(
    triage: Workflow, make_foil_subjects: Make, make_judge: MakeJudge, judge_all: Any
):
    triage_settings.change(workflow=triage, audit_share=0.5)
    make_foil_subjects(10)
    make_foil_subjects(10, stratum="audit")
    seen = [subject.stratum for subject in judge_all(make_judge("ada"))]
    assert len(seen) == 20
    assert 2 <= Counter(seen[:10])["audit"] <= 8
    triage_settings.change(workflow=triage, audit_share=0.0)
    seen = [subject.stratum for subject in judge_all(make_judge("bob"))]
    assert seen == ["queue"] * 10 + ["audit"] * 10


def test_of_the_queue_the_most_telling_comes_first(
    make_foil_subjects: Make, make_judge: MakeJudge, ask: Any, make_gold: Make
):
    make_foil_subjects(5, probability=0.0001)
    even = make_foil_subjects(3, probability=0.5)
    sure = make_judge("ada", **GOOD)
    assert {showing.subject for showing in ask(sure).showings} == set(even)


def test_a_share_of_what_was_made_for_it_tells_its_answer(
    triage: Workflow, make_foil_subjects: Make, make_gold: Make, make_judge: MakeJudge, judge_all: Any,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.setattr(showings, "gold_share", lambda _seen: 1.0)
    make_foil_subjects(1)
    told = {gold.pk for gold in make_gold(12, with_feedback=True)}
    make_gold(6)
    judge_all(make_judge("ada"), 18)
    shown = Showing.objects.filter(with_feedback=True)
    assert {showing.subject_id for showing in shown} < told
    assert 1 <= shown.count() <= 11


# -- Limits ------------------------------------------------------------------------------------------


def test_what_is_held_counts_against_the_limit_until_it_expires(
    triage: Workflow, make_foil_subjects: Make, make_judge: MakeJudge, ask: Any
):
    set_rule(triage, max_votes=3)
    [subject] = make_foil_subjects(1)
    holders = [make_judge(f"judge{n}") for n in range(3)]
    assert all(len(ask(judge).showings) == 1 for judge in holders)
    late = make_judge("late")
    assert (ask(late).showings, ask(late).reason) == ([], "waiting")
    Showing.objects.filter(participant=holders[0].participant).update(expires_at=timezone.now())
    assert len(ask(late).showings) == 1
    # Its place was given away; once there is one again, it comes back.
    assert (ask(holders[0]).showings, ask(holders[0]).reason) == ([], "waiting")
    Showing.objects.filter(participant=holders[1].participant).update(expires_at=timezone.now())
    assert [showing.subject for showing in ask(holders[0]).showings] == [subject]
    assert Showing.objects.count() == 4


def test_what_is_open_to_somebody_who_is_there_does_not_expire(
    make_foil_subjects: Make, make_judge: MakeJudge, ask: Any
):
    make_foil_subjects(1)
    ada = make_judge("ada")
    soon = timezone.now() + timedelta(minutes=1)
    ask(ada)
    Showing.objects.update(expires_at=soon)
    assert ask(ada).showings[0].expires_at > soon
    Showing.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert ask(ada).showings[0].expires_at > soon


def test_a_picture_brought_back_is_shown_beyond_the_rule(
    triage: Workflow, make_foil_subjects: Make, make_judge: MakeJudge, ask: Any
):
    make_foil_subjects(1)
    Subject.objects.update(n_votes=15)
    assert ask(make_judge("ada")).reason == "waiting"
    Subject.objects.update(wanted=16)
    assert len(ask(make_judge("bob")).showings) == 1


def test_what_has_retired_is_shown_no_more(make_foil_subjects: Make, make_judge: MakeJudge, ask: Any):
    make_foil_subjects(4)
    ada = make_judge("ada")
    open_ = ask(ada).showings
    Subject.objects.filter(pk=open_[0].subject_id).update(retired_at=timezone.now())
    assert open_[0].pk not in {showing.pk for showing in ask(ada).showings}
    Subject.objects.update(retired_at=timezone.now())
    assert (ask(ada).showings, ask(ada).reason) == ([], "finished")


def test_there_never_was_anything(triage: Workflow, make_gold: Make, make_judge: MakeJudge, ask: Any):
    make_gold(2)
    assert (ask(make_judge("ada")).showings, ask(make_judge("ada2")).reason) == ([], "none")


def test_the_last_one_is_found_among_many_that_were_seen(
    make_foil_subjects: Make, make_judge: MakeJudge, ask: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sampling, "SAMPLE", 2)
    *seen, last, second_last = make_foil_subjects(31)
    ada = make_judge("ada")
    Showing.objects.bulk_create(
        Showing(
            subject=one, participant=ada.participant, expires_at=timezone.now(), answered_at=timezone.now()
        )
        for one in seen
    )
    assert {showing.subject for showing in ask(ada).showings} == {last, second_last}


def test_one_network_of_visitors_does_not_decide_a_picture(
    triage: Workflow, make_foil_subjects: Make, ask: Any
):
    """With eight answers two from one network; unless there is nothing else to show."""
    set_rule(triage, max_votes=8)
    subjects = make_foil_subjects(6)
    shown: Counter[int] = Counter()
    for _ in range(4):
        visitor = selves.begin_anonymous()
        judging.start(workflow=triage, person=visitor, consent="1")
        handed = judging.hand_out(workflow=triage, person=visitor, network="here")
        shown.update(showing.subject_id for showing in handed.showings)
    assert shown == {subject.pk: 2 for subject in subjects}
    visitor = selves.begin_anonymous()
    judging.start(workflow=triage, person=visitor, consent="1")
    assert len(judging.hand_out(workflow=triage, person=visitor, network="here").showings) == 3
    assert set(Showing.objects.values_list("network", flat=True)) == {"here"}


def test_of_who_is_signed_in_no_network_is_kept(make_foil_subjects: Make, make_judge: MakeJudge, ask: Any):
    make_foil_subjects(1)
    ask(make_judge("ada"), network="here")
    assert Showing.objects.get().network == ""


def test_it_costs_the_same_after_many_answers(
    make_foil_subjects: Make, make_gold: Make, make_judge: MakeJudge, judge_all: Any
):
    make_foil_subjects(20)
    make_gold(10)
    ada = make_judge("ada")
    costs = []
    for _ in range(3):
        judge_all(ada, 4)
        with CaptureQueriesContext(connection) as asked:
            judge_all(ada, 1)
        costs.append(len(asked))
    assert max(costs) - min(costs) <= 4


# -- At once -----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_at_once_no_limit_is_passed_and_nobody_sees_a_picture_twice(
    triage: Workflow, make_foil_subjects: Make, make_gold: Make, make_judge: MakeJudge
):
    """Eight people, two tabs each, until nothing is left: every vote once, none beyond the limit."""
    set_rule(triage, max_votes=4)
    make_foil_subjects(6)
    make_gold(2)
    people = [of(make_judge(f"judge{n}", **GOOD)) for n in range(4)] * 2
    acknowledged: list[str] = []

    def judge(number: int) -> None:
        person = people[number]
        handed = judging.hand_out(workflow=triage, person=person)
        for turn in range(40):
            if not handed.showings:
                return
            showing = handed.showings[turn % len(handed.showings)]
            given = judging.answer(
                workflow=triage, person=person, uid=uuid4(), showing=showing.uid,
                answer="cannot_tell", marks=[], duration_ms=1000,
            )  # fmt: skip
            acknowledged.append(str(given.classification.uid))
            handed = given.handed

    in_threads(len(people), judge)
    stored = set(map(str, Classification.objects.values_list("uid", flat=True)))
    assert stored == set(acknowledged)
    assert Subject.objects.filter(n_votes__gt=4).count() == 0
    for subject in Subject.objects.exclude(stratum="gold"):
        standing = subject.classifications.standing()
        assert subject.n_votes == standing.values("participant").distinct().count() == standing.count()
    for j in Judge.objects.all():
        assert j.n_answers == j.participant.classifications.standing().count()


@pytest.mark.django_db(transaction=True)
def test_the_last_places_are_given_away_once(
    triage: Workflow, make_foil_subjects: Make, make_judge: MakeJudge
):
    """Three pictures with one place each, six people at the same moment, again and again."""
    set_rule(triage, max_votes=3)
    people = [of(make_judge(f"judge{n}", **GOOD)) for n in range(6)]
    for _ in range(4):
        Subject.objects.update(retired_at=timezone.now())
        latest = [subject.pk for subject in make_foil_subjects(3)]
        Subject.objects.filter(pk__in=latest).update(n_votes=2)
        in_threads(6, lambda number: judging.hand_out(workflow=triage, person=people[number]))
        held = Counter(Showing.objects.filter(subject__in=latest).values_list("subject", flat=True))
        assert set(held.values()) == {1}, held


@pytest.mark.django_db(transaction=True)
def test_a_known_picture_is_handed_out_while_somebody_answers_it(
    triage: Workflow, make_gold: Make, make_judge: MakeJudge
):
    """Two people who each answer what is handed out to the other must not wait for each other."""
    [gold] = make_gold(1)
    ada, bob = make_judge("ada"), make_judge("bob")

    def show_to_bob(_number: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
        showings._show([(gold.pk, False)], of(bob), "")

    uid = uuid4()
    with classifications.recording(uid):
        classifications.append(
            workflow=triage, subject=gold.subject, participant=ada.participant, uid=uid, answer="nothing"
        )
        in_threads(1, show_to_bob)
    assert Showing.objects.get().participant == bob.participant


@pytest.mark.django_db(transaction=True)
def test_a_double_click_hands_out_three(triage: Workflow, make_foil_subjects: Make, make_judge: MakeJudge):
    make_foil_subjects(12)
    ada = of(make_judge("ada"))
    in_threads(4, lambda _number: judging.hand_out(workflow=triage, person=ada))
    assert Showing.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_the_same_answer_at_once_is_stored_once(
    triage: Workflow, make_foil_subjects: Make, make_judge: MakeJudge
):
    make_foil_subjects(5)
    ada, uid = of(make_judge("ada")), uuid4()
    showing = judging.hand_out(workflow=triage, person=ada).showings[0]

    def send(_number: int) -> None:
        judging.answer(
            workflow=triage, person=ada, uid=uid, showing=showing.uid,
            answer="nothing", marks=[], duration_ms=None,
        )  # fmt: skip

    in_threads(4, send)
    assert Classification.objects.count() == 1
    assert Judge.objects.get(participant=ada.participant).n_answers == 1
    assert log_odds(0.04) == pytest.approx(Subject.objects.get(pk=showing.subject_id).prior_log_odds)
