"""What programs, broken browsers and changes in the middle do to a triage: no vote is lost or doubled."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from annotate.models import Campaign, User
from review.models import Classification, Judge, Subject, Workflow
from review.services.policies import triage as policy
from tests.review.foils.browser import Browser, subject_of

pytestmark = pytest.mark.django_db

Make = Callable[..., list[Any]]
LONG = "x" * 1_000_000


@pytest.fixture
def ada(
    make_judge: Callable[..., Judge], client_of: Callable[[User | None], Client], triage: Workflow
) -> Browser:
    """Somebody signed in who has agreed."""
    return Browser(client_of(make_judge("ada").participant.user), triage)


def body_of(showing: dict[str, Any], /, **other: Any) -> dict[str, Any]:
    usual = {
        "uid": str(uuid4()),
        "showing": showing["uid"],
        "answer": "nothing",
        "marks": [],
        "duration_ms": 900,
    }
    return {**usual, **other}


def send_raw(browser: Browser, text: str) -> Any:
    return browser.client.post(browser.url("_answers"), text, content_type="application/json")


def assert_refused(response: Any) -> None:
    """With a sentence somebody can read, and nothing stored."""
    assert 400 <= response.status_code < 500, response.status_code
    message = response.json()["message"]
    assert message.strip() and len(message) < 1000
    assert not Classification.objects.exists()


# -- What is no answer --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["uid", "showing", "answer"])
def test_fields_of_another_kind_are_refused(make_foil_subjects: Make, ada: Browser, name: str):
    make_foil_subjects(1)
    [showing] = ada.next()["showings"]
    for value in (LONG, None, 1.5, [], {}, "", "\x00", "crater\ud800"):
        assert_refused(ada.post("answers", body_of(showing, **{name: value})))
    assert ada.next()["showings"] == [showing]


def test_places_that_are_no_numbers_are_refused(make_foil_subjects: Make, ada: Browser):
    make_foil_subjects(1)
    [showing] = ada.next()["showings"]
    text = json.dumps(body_of(showing, answer="crater", marks=["HERE"]))
    for number in ("NaN", "Infinity", "-Infinity", "1e999", '"1e999"', '"NaN"', "null", "[1]"):
        assert_refused(send_raw(ada, text.replace('"HERE"', f'{{"x_px": {number}, "y_px": 5}}')))


def test_an_impossible_duration_costs_no_answer(make_foil_subjects: Make, ada: Browser):
    """Refused in words or left out, but never an error of the server; the answer can be sent again."""
    make_foil_subjects(9)
    handed = ada.next()
    for n, duration in enumerate((-1, -(10**30), 2**31, 10**30, "soon", 1.5, [1], None), start=1):
        showing = handed["showings"][0]
        body = body_of(showing, duration_ms=duration)
        response = ada.post("answers", body)
        if response.status_code != 201:
            assert 400 <= response.status_code < 500 and response.json()["message"]
            response = ada.send(showing, uid=body["uid"])
        handed = response.json()
        assert Classification.objects.count() == n


def test_what_is_no_json_object_is_refused(make_foil_subjects: Make, ada: Browser):
    make_foil_subjects(1)
    ada.next()
    for text in ("", "[]", "nothing", "{", '{"uid": 1', "null", LONG, "[" * 20_000):
        assert_refused(send_raw(ada, text))


# -- Whose answer it is --------------------------------------------------------------------------------


def test_a_showing_under_another_session_is_not_there(
    make_foil_subjects: Make, ada: Browser, make_judge: Callable[..., Judge], triage: Workflow,
    client_of: Callable[[User | None], Client],
):  # fmt: skip
    """As one made up: nobody learns that it exists."""
    make_foil_subjects(6)
    bob = Browser(client_of(make_judge("bob").participant.user), triage)
    bob.next()
    [showing, *_rest] = ada.next()["showings"]
    theirs = bob.send(showing)
    made_up = bob.send({**showing, "uid": str(uuid4())})
    assert_refused(theirs)
    assert (theirs.status_code, theirs.json()) == (made_up.status_code, made_up.json())
    ada.answer(showing)
    assert Classification.objects.get().participant.user.username == "ada"


def test_what_was_open_before_a_sign_in_is_answered_after_it(
    make_foil_subjects: Make, triage: Workflow, client_of: Callable[[User | None], Client], stranger: User
):
    """In one tab somebody signs in; the other one sends what it had, and repeats what it had sent."""
    make_foil_subjects(9)
    tab = Browser(client_of(None), triage)
    tab.start()
    first, second, *_rest = tab.next()["showings"]
    uid = str(uuid4())
    before = tab.answer(first, uid=uid)
    tab.client.force_login(stranger)
    again = tab.send(first, uid=uid)
    late = tab.send(second)
    for response in (again, late):
        if response.status_code != 201:
            assert response.json()["message"]
    standing = Classification.objects.standing()
    assert standing.filter(uid=uid).count() == 1
    assert standing.count() == len({before["classification"]["showing"], *(
        [second["uid"]] if late.status_code == 201 else []
    )})  # fmt: skip
    for subject in Subject.objects.filter(n_answers__gt=0):
        stood = (subject.n_votes, subject.log_odds)
        policy.settle(subject)
        assert (subject.n_votes, subject.log_odds) == stood


# -- What changes in the middle ----------------------------------------------------------------------


def test_a_campaign_made_private_takes_nothing_more_from_outside(
    make_foil_subjects: Make, foils: Campaign, triage: Workflow, lead: User,
    client_of: Callable[[User | None], Client], make_judge: Callable[..., Judge],
):  # fmt: skip
    make_foil_subjects(9)
    visitor, member = Browser(client_of(None), triage), Browser(client_of(lead), triage)
    visitor.start()
    member.start()
    shown = [browser.next()["showings"][0] for browser in (visitor, member)]
    Campaign.objects.filter(pk=foils.pk).update(visibility=Campaign.Visibility.PRIVATE)
    assert_refused(visitor.send(shown[0]))
    assert_refused(visitor.post("back"))
    assert visitor.client.get(shown[0]["frames"][0]["url"]).status_code in (401, 403, 404)
    member.answer(shown[1])
    Campaign.objects.filter(pk=foils.pk).update(visibility=Campaign.Visibility.PUBLIC)
    visitor.answer(shown[0])
    assert Classification.objects.count() == 2


def test_who_is_set_aside_in_the_middle_is_not_told_and_counts_for_nothing(
    make_foil_subjects: Make, ada: Browser
):
    make_foil_subjects(4)
    first, second, *_rest = ada.next()["showings"]
    before = ada.answer(first)
    Judge.objects.update(quarantined_at=timezone.now(), quarantine_reasons=["hasty"])
    after = ada.answer(second)
    assert after.keys() == before.keys() and after["stage"] == "judging"
    assert Classification.objects.count() == 2
    assert subject_of(second).n_votes == 0


def test_an_account_that_is_gone_asks_to_begin_and_keeps_its_answers(make_foil_subjects: Make, ada: Browser):
    make_foil_subjects(4)
    first, second, *_rest = ada.next()["showings"]
    ada.answer(first)
    User.objects.filter(username="ada").delete()
    assert 400 <= ada.send(second).status_code < 500
    assert ada.state()["stage"] == "consent"
    assert Classification.objects.standing().count() == 1
    assert subject_of(first).n_votes == 1


def test_two_tabs_that_disagree_leave_one_answer_whatever_comes_first(make_foil_subjects: Make, ada: Browser):
    make_foil_subjects(1)
    [showing] = ada.next()["showings"]
    bodies = [body_of(showing), body_of(showing, answer="cannot_tell"), body_of(showing)]
    for body in [*bodies, *bodies]:
        assert ada.post("answers", body).status_code == 201
    assert Classification.objects.count() == 3
    subject = subject_of(showing)
    assert (subject.n_votes, subject.n_cannot_tell, subject.n_answers) == (1, 0, 1)
    assert Judge.objects.get().n_answers == 1
