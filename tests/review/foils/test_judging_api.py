"""Judging pictures of foils over the API: agree, pass the test, answer, take back, signed in or not."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from annotate.models import Campaign, Participant, User
from annotate.services.participants import participant_of
from review import access
from review.models import Classification, Judge, Showing, Subject, Workflow
from review.services.foils import settings as triage_settings
from review.services.foils.judging import networks, showings
from review.services.foils.rules import rules
from tests.review.foils.browser import MARK, Browser, subject_of

pytestmark = pytest.mark.django_db

Make = Callable[..., list[Any]]
# What may differ between two statements of the same kind: texts, numbers, and how many there are of them.
VALUES = re.compile(r"('[^']*'|\d[\d.]*|true|false)(, ('[^']*'|\d[\d.]*))*")
BrowserOf = Callable[[User | None], Browser]


@pytest.fixture
def only_gold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every picture drawn is a known one, as long as there is one."""
    monkeypatch.setattr(showings, "gold_share", lambda _seen: 1.0)


def refused(response: Any, status: int, code: str) -> str:
    """The sentence of a refusal."""
    assert (response.status_code, response.json()["code"]) == (status, code), response.content
    return response.json()["message"]


# -- What works ----------------------------------------------------------------------------------


def test_it_works_from_consent_to_the_end(make_foil_subjects: Make, browser_of: BrowserOf):
    make_foil_subjects(4)
    browser = browser_of(None)
    assert (browser.state()["stage"], browser.state()["person"]) == ("consent", None)
    assert browser.start()["stage"] == "judging"
    assert browser.state()["person"]["is_anonymous"]
    handed = browser.next()
    assert len(handed["showings"]) == 3
    judged = 0
    while handed["showings"]:
        judged += 1
        handed = browser.answer(handed["showings"][0], "crater" if judged == 1 else "nothing")
    assert handed["reason"] == "finished"
    assert handed["progress"] == {
        "answered": 4,
        "today": 4,
        "effort": 4,
        "open": 0,
        "undo": 4,
        "known": None,
    }
    assert Classification.objects.count() == judged == 4
    assert {subject.n_votes for subject in Subject.objects.all()} == {1}


def test_the_answer_comes_back_as_stored(make_foil_subjects: Make, visitor: Browser):
    make_foil_subjects(1)
    [showing] = visitor.next()["showings"]
    uid = str(uuid4())
    marks = [{"x_px": 1.005, "y_px": 47}, MARK]
    stored = visitor.answer(showing, "crater", uid=uid, marks=marks, duration_ms=900)["classification"]
    assert (stored["uid"], stored["showing"], stored["answer"]) == (uid, showing["uid"], "crater")
    assert stored["marks"] == [{"x_px": 1.0, "y_px": 47.0}, MARK]
    row = Classification.objects.get()
    assert (row.payload, row.duration_ms) == ({"marks": stored["marks"]}, 900)


def test_a_reload_shows_the_same(make_foil_subjects: Make, visitor: Browser):
    make_foil_subjects(9)
    assert visitor.next() == visitor.next()
    assert Showing.objects.count() == 3


def test_a_picture_comes_by_its_showing_alone(
    make_picture: Callable[..., Any], triage: Workflow, visitor: Browser, browser_of: BrowserOf, lead: User
):
    picture = make_picture(n_frames=2, nm_per_px=50.0)
    Subject.objects.create(workflow=triage, stratum="queue", picture=picture)
    [showing] = visitor.next()["showings"]
    assert (showing["width_px"], showing["height_px"], showing["nm_per_px"]) == (64, 48, 50.0)
    urls = [frame["url"] for frame in showing["frames"]]
    first, second = (visitor.client.get(url) for url in urls)
    assert first["Content-Type"] == "image/jpeg"
    assert first["Cache-Control"] == "private, max-age=3600"
    assert not {"ETag", "Last-Modified", "Content-Disposition"} & set(first.headers)
    assert b"".join(first) != b"".join(second)
    assert visitor.client.get(urls[0].replace("frames/0", "frames/7")).status_code == 404
    for other in (browser_of(None), browser_of(lead)):
        assert other.client.get(urls[0]).status_code == 404
    picture.frames.update(shown_path="foils/gone.jpg")
    assert "missing on the server" in visitor.client.get(urls[0]).json()["message"]


def test_the_test_comes_first_and_tells_its_answers(
    triage: Workflow, make_foil_subjects: Make, make_gold: Make, visitor: Browser
):
    triage_settings.change(workflow=triage, practice_last=4, practice_right=3)
    make_foil_subjects(3)
    make_gold(2, is_practice=True)
    handed = visitor.next()
    assert handed["stage"] == "practice"
    assert handed["practice"] == {"right": 0, "answered": 0, "needed": 3, "last": 4}
    assert len(handed["showings"]) == 2
    said = []
    for answer in ("nothing", "crater", "crater", "crater"):
        said.append(visitor.answer(handed["showings"][0], answer))
        handed = said[-1]
    assert [one["feedback"]["was_right"] for one in said] == [False, True, True, True]
    assert said[0]["feedback"]["places"] == [{"x_px": 30.0, "y_px": 20.0, "diameter_um": 1.0}]
    assert "synthetic" in said[0]["feedback"]["text"]
    assert [one["stage"] for one in said] == ["practice", "practice", "practice", "judging"]
    assert not any(subject_of(showing).stratum == "gold" for showing in handed["showings"])
    judge = Judge.objects.get()
    assert judge.passed_practice_at is not None
    assert (judge.craters, judge.n_answers, judge.effort) == (0, 0, 0)


def test_where_there_is_no_picture_to_practise_with_nobody_has_to(make_foil_subjects: Make, visitor: Browser):
    make_foil_subjects(1)
    assert visitor.next()["stage"] == "judging"


def test_some_known_pictures_tell_their_answer_and_stand_then(
    make_foil_subjects: Make, make_gold: Make, visitor: Browser, triage: Workflow, only_gold: None
):
    triage_settings.change(workflow=triage, feedback_share=1.0)
    make_foil_subjects(9)
    make_gold(1, with_feedback=True)
    handed = visitor.next()
    [known] = [one for one in handed["showings"] if subject_of(one).stratum == "gold"]
    said = visitor.answer(known, "crater")
    assert said["feedback"]["was_right"]
    assert said["progress"]["known"] == {"right": 1, "of": 1}
    assert said["progress"]["effort"] == 1 + 5
    assert said["progress"]["undo"] == 0
    refused(visitor.send(known, "nothing"), 409, "feedback_shown")
    refused(visitor.post("back"), 409, "no_way_back")
    assert Judge.objects.get().hits == 1


def test_silent_ones_say_nothing_even_afterwards(
    make_foil_subjects: Make, make_gold: Make, visitor: Browser, only_gold: None
):
    make_foil_subjects(9)
    make_gold(1)
    handed = visitor.next()
    known, other = handed["showings"][0], handed["showings"][1]
    said = [visitor.answer(one, "crater") for one in (known, other)]
    assert [subject_of(one).stratum for one in (known, other)] == ["gold", "queue"]
    assert [one["feedback"] for one in said] == [None, None]
    assert [one["progress"]["effort"] for one in said] == [1, 2]
    assert [one["progress"]["known"] for one in said] == [None, None]
    assert [one["progress"]["undo"] for one in said] == [1, 2]
    assert Judge.objects.get().hits == 1


def test_until_it_is_answered_nothing_tells_a_known_picture(
    make_foil_subjects: Make, make_gold: Make, make_judge: Callable[..., Judge], browser_of: BrowserOf,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    """The same statements, the same keys, the same headers: of handing out and of the picture itself."""
    make_foil_subjects(9)
    make_gold(9, with_feedback=True)
    asked = {}
    # The first one of all finds nothing counted yet.
    for name, share in (("first", 0.0), ("real", 0.0), ("known", 1.0)):
        monkeypatch.setattr(showings, "gold_share", lambda _seen, share=share: share)
        browser = browser_of(make_judge(name).participant.user)
        with CaptureQueriesContext(connection) as handing:
            handed = browser.next()
        assert {subject_of(one).stratum for one in handed["showings"]} == {"gold" if share else "queue"}
        with CaptureQueriesContext(connection) as seeing:
            image = browser.client.get(handed["showings"][0]["frames"][0]["url"])
            assert b"".join(image)
        asked[name] = (
            [VALUES.sub("?", query["sql"]) for query in (*handing, *seeing)],
            [sorted(showing) for showing in handed["showings"]],
            sorted(image.headers),
        )
    assert asked["real"] == asked["known"]


def test_the_last_ten_answers_can_be_taken_back(make_foil_subjects: Make, visitor: Browser):
    make_foil_subjects(12)
    handed = visitor.next()
    given = []
    while handed["showings"]:
        given.append(handed["showings"][0]["uid"])
        handed = visitor.answer(handed["showings"][0], "crater")
    assert handed["progress"]["undo"] == 10
    returned = visitor.back()
    assert returned["showing"]["uid"] == given[-1]
    assert returned["previous"] == {"answer": "crater", "marks": [MARK]}
    assert returned["progress"]["answered"] == 11
    assert returned["progress"]["effort"] == 12
    assert visitor.next()["showings"] == [returned["showing"]]
    again = [visitor.back()["showing"]["uid"] for _ in range(9)]
    assert again == given[-2:-11:-1]
    assert "10 pictures back" in refused(visitor.post("back"), 409, "no_way_back")
    assert Subject.objects.filter(n_votes=1).count() == 2
    assert visitor.answer(returned["showing"])["progress"]["undo"] == 1


def test_members_alone_judge_in_a_private_campaign(
    foils: Campaign, make_foil_subjects: Make, browser_of: BrowserOf, lead: User, stranger: User
):
    make_foil_subjects(1)
    Campaign.objects.update(visibility=Campaign.Visibility.PRIVATE)
    member = browser_of(lead)
    member.start()
    assert len(member.next()["showings"]) == 1
    assert browser_of(stranger).client.get(member.url("")).status_code == 404
    assert browser_of(None).client.get(member.url("")).status_code == 401


# -- Refusals --------------------------------------------------------------------------------------


def test_without_consent_nothing_is_handed_out(make_foil_subjects: Make, browser_of: BrowserOf, lead: User):
    make_foil_subjects(1)
    browser = browser_of(lead)
    assert browser.state()["stage"] == "consent"
    refused(browser.post("next"), 409, "consent")
    refused(browser.post("back"), 409, "consent")
    assert "has changed" in refused(browser.post("start", {"consent": "7"}), 409, "consent_edition")
    refused(browser.post("start"), 400, "invalid")


def test_another_text_asks_again_and_loses_no_answer(
    triage: Workflow, make_foil_subjects: Make, visitor: Browser
):
    make_foil_subjects(4)
    showing = visitor.next()["showings"][0]
    triage_settings.change(workflow=triage, consent_text="We record more now.")
    said = visitor.answer(showing)
    assert (said["stage"], said["showings"], said["progress"]["answered"]) == ("consent", [], 1)
    assert visitor.state()["consent"] == {"edition": "2", "text": "We record more now."}
    refused(visitor.post("next"), 409, "consent")
    visitor.start()
    assert len(visitor.next()["showings"]) == 3


def test_without_cookies_it_says_so(make_foil_subjects: Make, browser_of: BrowserOf):
    make_foil_subjects(1)
    browser = browser_of(None)
    browser.start()
    browser.client.cookies.clear()
    for name in ("next", "answers", "back"):
        assert "Allow cookies" in refused(browser.post(name), 403, "no_cookie")
    assert browser.state()["stage"] == "consent"


@pytest.mark.parametrize(
    ("answer", "marks", "code"),
    [
        ("crater", [], "marks"),
        ("crater", [MARK] * 21, "marks"),
        ("crater", [{"x_px": 65, "y_px": 1}], "marks"),
        ("crater", [{"x_px": -0.1, "y_px": 1}], "marks"),
        ("crater", [{"x_px": 1}], "invalid"),
        ("crater", [{"x_px": "NaN", "y_px": 1}], "invalid"),
        ("crater", "here", "invalid"),
        ("nothing", [MARK], "marks"),
        ("cannot_tell", [MARK], "marks"),
        ("accept", [], "invalid"),
        ("withdrawn", [], "invalid"),
    ],
)
def test_what_is_no_answer_is_refused_and_not_stored(
    make_foil_subjects: Make, visitor: Browser, answer: str, marks: Any, code: str
):
    make_foil_subjects(1)
    [showing] = visitor.next()["showings"]
    refused(visitor.send(showing, answer, marks=marks), 400, code)
    assert not Classification.objects.exists()
    assert visitor.next()["showings"] == [showing]


def test_made_up_and_foreign_showings_are_not_there(
    make_foil_subjects: Make, visitor: Browser, browser_of: BrowserOf
):
    make_foil_subjects(9)
    other = browser_of(None)
    other.start()
    theirs = other.next()["showings"][0]
    mine = visitor.next()["showings"][0]
    for uid in (uuid4(), theirs["uid"], subject_of(mine).uid):
        refused(visitor.send({"uid": str(uid)}), 404, "not_found")
    refused(visitor.send({"uid": "none"}), 400, "invalid")
    assert not Classification.objects.exists()


def test_ten_answers_a_second_have_to_wait(
    make_foil_subjects: Make, visitor: Browser, settings: LazySettings
):
    settings.FOIL_ANSWERS_PER_MINUTE = 12
    make_foil_subjects(1)
    [showing] = visitor.next()["showings"]
    uid = str(uuid4())
    answers = [visitor.send(showing, uid=uid) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {201, 429}
    late = next(answer for answer in answers if answer.status_code == 429)
    assert late.json()["code"] == "throttled"
    assert 1 <= int(late["Retry-After"]) <= 60
    assert Classification.objects.count() == 1


def test_not_everybody_of_one_network_begins_within_an_hour(
    triage: Workflow, browser_of: BrowserOf, settings: LazySettings, lead: User
):
    settings.FOIL_VISITORS_PER_HOUR = 2
    for _ in range(2):
        browser_of(None).start()
    assert "Sign in" in refused(browser_of(None).post("start", {"consent": "1"}), 429, "throttled")
    assert browser_of(lead).start()["stage"] == "judging"


# -- What comes twice, late, or from two tabs ----------------------------------------------------


def test_the_same_answer_again_changes_nothing(
    make_foil_subjects: Make, make_gold: Make, visitor: Browser, triage: Workflow, only_gold: None
):
    triage_settings.change(workflow=triage, feedback_share=1.0)
    make_foil_subjects(9)
    make_gold(1, with_feedback=True)
    for showing in visitor.next()["showings"][:2]:
        uid = str(uuid4())
        first, again = (visitor.answer(showing, "crater", uid=uid) for _ in range(2))
        assert first == again
    judge = Judge.objects.get()
    assert (judge.n_answers, judge.craters, judge.known_of, judge.effort) == (2, 1, 1, 7)
    assert Classification.objects.count() == 2


def test_an_old_answer_sent_again_after_it_was_taken_back_stays_taken_back(
    make_foil_subjects: Make, visitor: Browser
):
    make_foil_subjects(1)
    [showing] = visitor.next()["showings"]
    uid = str(uuid4())
    visitor.answer(showing, uid=uid)
    visitor.back()
    said = visitor.answer(showing, uid=uid)
    assert (said["progress"]["answered"], said["showings"]) == (0, [showing])


def test_a_second_answer_is_a_correction(make_foil_subjects: Make, visitor: Browser):
    [subject] = make_foil_subjects(1)
    [showing] = visitor.next()["showings"]
    visitor.answer(showing, "nothing")
    said = visitor.answer(showing, "crater")
    assert (said["progress"]["answered"], said["progress"]["effort"], said["progress"]["undo"]) == (1, 1, 1)
    subject.refresh_from_db()
    assert (subject.n_votes, subject.n_answers) == (1, 1)
    assert Classification.objects.standing().get().answer == "crater"
    assert visitor.back()["previous"]["answer"] == "crater"


def test_an_identifier_is_used_once(make_foil_subjects: Make, visitor: Browser):
    make_foil_subjects(3)
    first, second = visitor.next()["showings"][:2]
    uid = str(uuid4())
    visitor.answer(first, uid=uid)
    refused(visitor.send(second, uid=uid), 409, "uid_taken")
    refused(visitor.send(first, "cannot_tell", uid=uid), 409, "uid_taken")


def test_a_late_answer_is_kept(make_foil_subjects: Make, visitor: Browser):
    first, second = make_foil_subjects(2)
    shown = {subject_of(one).pk: one for one in visitor.next()["showings"]}
    Showing.objects.filter(subject=first).update(expires_at=timezone.now() - timedelta(hours=1))
    Subject.objects.filter(pk=second.pk).update(retired_at=timezone.now(), outcome="nothing", n_votes=9)
    for subject in (first, second):
        visitor.answer(shown[subject.pk])
        subject.refresh_from_db()
        assert subject.n_votes == 1


def test_two_tabs_share_what_is_open(make_foil_subjects: Make, visitor: Browser):
    make_foil_subjects(5)
    one, other = visitor.next(), visitor.next()
    visitor.answer(one["showings"][0])
    said = visitor.answer(other["showings"][1])
    assert said["progress"]["answered"] == 2
    assert len({subject_of(showing).pk for showing in said["showings"]}) == 3


# -- Somebody who turns out to be somebody ---------------------------------------------------------


def test_who_signs_up_in_the_middle_keeps_everything(
    make_foil_subjects: Make, visitor: Browser, make_user: Callable[..., User]
):
    make_foil_subjects(5)
    begun = visitor.next()
    visitor.answer(begun["showings"][0])
    before = visitor.state()["person"]
    visitor.client.force_login(make_user("ada"))
    state = visitor.state()
    assert state["person"] == {**before, "is_anonymous": False}
    assert state["progress"]["answered"] == 1
    said = visitor.answer(begun["showings"][1])
    assert said["progress"]["answered"] == 2
    assert Participant.objects.get(user__username="ada").merged_into is None


def test_who_signs_in_on_the_page_keeps_everything_without_coming_back(
    make_foil_subjects: Make, visitor: Browser, make_user: Callable[..., User]
):
    make_foil_subjects(5)
    visitor.answer(visitor.next()["showings"][0])
    ada = make_user("ada")
    signed_in = visitor.client.post(
        reverse("account_login"), {"login": "ada", "password": "correct horse battery"}
    )
    assert signed_in.status_code == 302
    assert Classification.objects.get().participant.user == ada
    assert Judge.objects.get().participant.user == ada


def test_who_only_looks_gets_no_cookie(triage: Workflow, browser_of: BrowserOf):
    browser = browser_of(None)
    browser.state()
    assert not browser.client.cookies
    assert not Participant.objects.filter(user=None).exists()


def test_a_visitor_who_keeps_coming_stays_the_same(make_foil_subjects: Make, visitor: Browser):
    """A session ends two weeks after it was last saved."""
    make_foil_subjects(1)
    session = visitor.client.session
    session[access.VISITED] = "2026-01-01"
    session.save()
    Session.objects.update(expire_date=timezone.now() + timedelta(hours=1))
    visitor.next()
    assert Session.objects.get().expire_date > timezone.now() + timedelta(days=13)


def test_who_signs_in_in_the_middle_is_one_person_with_who_they_were(
    make_foil_subjects: Make, visitor: Browser, make_judge: Callable[..., Judge]
):
    make_foil_subjects(6)
    ada = make_judge("ada", effort=40, n_answers=0)
    begun = visitor.next()
    owner = visitor.state()["person"]["uid"]
    visitor.answer(begun["showings"][0])
    visitor.client.force_login(ada.participant.user)
    # The page of before is still open, and its answers go on.
    late = visitor.post(
        "answers",
        {"uid": str(uuid4()), "showing": begun["showings"][1]["uid"], "answer": "nothing"},
        participant=owner,
    )
    assert late.status_code == 201, late.json()
    progress = late.json()["progress"]
    assert (progress["answered"], progress["effort"], progress["undo"]) == (2, 42, 2)
    assert Participant.objects.get(uid=owner).merged_into == ada.participant
    assert Judge.objects.count() == 1
    handed = late.json()
    seen = [subject_of(one).pk for one in begun["showings"][:2]]
    while handed["showings"]:
        seen.append(subject_of(handed["showings"][0]).pk)
        handed = visitor.answer(handed["showings"][0])
    assert len(seen) == len(set(seen)) == 6
    assert handed["reason"] == "finished"
    assert visitor.back()["progress"]["answered"] == 5


def test_what_both_have_answered_counts_once_and_the_first(
    make_foil_subjects: Make, make_gold: Make, visitor: Browser, make_judge: Callable[..., Judge],
    browser_of: BrowserOf, only_gold: None,
):  # fmt: skip
    subjects = make_foil_subjects(1)
    make_gold(1)
    ada = make_judge("ada").participant.user
    for browser, answer in ((visitor, "crater"), (browser_of(ada), "nothing")):
        for showing in browser.next()["showings"]:
            browser.answer(showing, answer)
    [subject] = subjects
    subject.refresh_from_db()
    assert subject.n_votes == 2
    visitor.client.force_login(ada)
    progress = visitor.state()["progress"]
    subject.refresh_from_db()
    assert (subject.n_votes, progress["answered"]) == (1, 2)
    judge = Judge.objects.get()
    assert (judge.craters, judge.hits, judge.n_answers) == (1, 1, 2)
    # The answer that counted is taken back: the other one counts then.
    visitor.back()
    visitor.back()
    judge.refresh_from_db()
    assert (judge.craters, judge.hits, judge.n_answers) == (1, 1, 2)
    visitor.back()
    visitor.back()
    judge.refresh_from_db()
    assert (judge.craters, judge.hits, judge.n_answers) == (0, 0, 0)


def test_a_page_of_somebody_else_is_refused(
    make_foil_subjects: Make, visitor: Browser, browser_of: BrowserOf, lead: User, stranger: User
):
    make_foil_subjects(1)
    owner = {"participant": str(participant_of(lead).uid)}
    refused(browser_of(stranger).post("next", **owner), 409, "other_person")
    refused(visitor.post("next", **owner), 401, "sign_in")
    refused(browser_of(None).post("next", participant=str(uuid4())), 403, "no_cookie")
    refused(browser_of(None).post("next", participant="me"), 403, "no_cookie")
    mine = visitor.state()["person"]["uid"]
    assert visitor.post("next", participant=mine).status_code == 200


def test_a_workflow_of_another_kind_is_no_triage(triage: Workflow, visitor: Browser):
    rules.current(triage)
    Workflow.objects.update(policy=Workflow.Policy.CANDIDATES)
    assert visitor.client.get(visitor.url("")).status_code == 404


def test_without_redis_nothing_is_counted_and_nothing_refused(
    make_foil_subjects: Make, browser_of: BrowserOf, settings: LazySettings, caplog: pytest.LogCaptureFixture
):
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    make_foil_subjects(2)
    browser = browser_of(None)
    browser.start()
    said = browser.answer(browser.next()["showings"][0])
    assert (said["progress"]["answered"], said["progress"]["open"]) == (1, 1)
    assert Showing.objects.first().network == ""
    assert "Answers are not counted" in caplog.text
    assert "Networks are not told apart" in caplog.text


def test_of_a_network_only_a_hash_is_kept_whose_key_goes(make_foil_subjects: Make, browser_of: BrowserOf):
    """The same block gives the same letters, until the key is gone."""
    make_foil_subjects(1)
    found = []
    for address in ("198.51.100.7", "198.51.100.200", "198.51.101.7", "2001:db8:1:2::3", "2001:db8:1:9::9"):
        browser = browser_of(None)
        browser.client.defaults["REMOTE_ADDR"] = address
        browser.start()
        browser.next()
        found.append(Showing.objects.latest("pk").network)
    assert found[0] == found[1] != found[2]
    assert found[3] == found[4] != found[0]
    assert {len(letters) for letters in found} == {16}
    cache.delete(networks.KEY)
    assert networks.hash_of("198.51.100.7") != found[0]
