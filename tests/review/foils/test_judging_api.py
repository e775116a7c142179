"""Judging pictures of foils over the API: agree, pass the test, answer, take back, signed in or not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Participant, User
from review.models import Classification, Gold, Judge, Showing, Subject, Workflow

pytestmark = pytest.mark.django_db

Make = Callable[..., list[Any]]
MARK = {"x_px": 30.0, "y_px": 20.0}


class Browser:
    """Somebody's browser at one triage."""

    def __init__(self, client: Client, workflow: Workflow) -> None:
        self.client, self.workflow = client, workflow

    def url(self, name: str) -> str:
        return reverse(f"review:api_triage{name}", args=[self.workflow.uid])

    def state(self) -> dict[str, Any]:
        return self.client.get(self.url("")).json()

    def post(self, name: str, body: dict[str, Any] | None = None, **headers: Any) -> Any:
        return self.client.post(
            self.url(f"_{name}"), body or {}, content_type="application/json", headers=headers
        )

    def start(self) -> dict[str, Any]:
        response = self.post("start", {"consent": self.state()["consent"]["edition"]})
        assert response.status_code == 200, response.json()
        return response.json()

    def next(self) -> dict[str, Any]:
        response = self.post("next")
        assert response.status_code == 200, response.json()
        return response.json()

    def send(self, showing: dict[str, Any], answer: str = "nothing", **more: Any) -> Any:
        marks = [MARK] if answer == "crater" else []
        body = {"uid": str(uuid4()), "showing": showing["uid"], "answer": answer, "marks": marks, **more}
        return self.post("answers", body)

    def answer(self, showing: dict[str, Any], answer: str = "nothing", **more: Any) -> dict[str, Any]:
        response = self.send(showing, answer, **more)
        assert response.status_code == 201, response.json()
        return response.json()


@pytest.fixture
def browser_of(triage: Workflow, client_of: Callable[[User | None], Client]) -> Callable[..., Browser]:
    """browser_of(user), browser_of(None) for a visitor."""
    return lambda user: Browser(client_of(user), triage)


@pytest.fixture
def visitor(browser_of: Callable[..., Browser]) -> Browser:
    """A visitor who has agreed."""
    browser = browser_of(None)
    browser.start()
    return browser


def subject_of(showing: dict[str, Any]) -> Subject:
    return Subject.objects.get(showings__uid=showing["uid"])


def test_it_works_from_consent_to_the_end(make_foil_subjects: Make, browser_of: Callable[..., Browser]):
    make_foil_subjects(4)
    browser = browser_of(None)
    assert (browser.state()["stage"], browser.state()["person"]) == ("consent", None)
    assert browser.start()["stage"] == "judging"
    assert browser.state()["person"]["is_anonymous"]
    handed = browser.next()
    assert len(handed["showings"]) == 3
    seen = []
    while handed["showings"]:
        seen.append(handed["showings"][0]["uid"])
        handed = browser.answer(handed["showings"][0], "crater" if len(seen) == 1 else "nothing")
    assert len(seen) == 4
    assert handed["reason"] == "finished"
    assert handed["progress"] == {
        "answered": 4,
        "today": 4,
        "effort": 4,
        "open": 0,
        "undo": 4,
        "known": None,
    }
    assert Classification.objects.count() == 4
    assert all(subject.n_votes == 1 for subject in Subject.objects.all())


def test_a_reload_shows_the_same(make_foil_subjects: Make, visitor: Browser):
    make_foil_subjects(9)
    assert visitor.next() == visitor.next()
    assert Showing.objects.count() == 3


def test_a_picture_comes_by_its_showing_alone(
    make_picture: Callable[..., Any], triage: Workflow, visitor: Browser, client_of: Callable[..., Client]
):
    Subject.objects.create(workflow=triage, stratum="queue", picture=make_picture(n_frames=2, nm_per_px=50.0))
    [showing] = visitor.next()["showings"]
    assert (showing["width_px"], showing["height_px"], showing["nm_per_px"]) == (64, 48, 50.0)
    first, second = (visitor.client.get(frame["url"]) for frame in showing["frames"])
    assert first["Content-Type"] == "image/jpeg"
    assert first["Cache-Control"] == "private, max-age=3600"
    assert not {"ETag", "Last-Modified", "Content-Disposition"} & set(first.headers)
    assert b"".join(first) != b"".join(second)
    assert client_of(None).get(showing["frames"][0]["url"]).status_code == 404
    assert visitor.client.get(showing["frames"][0]["url"].replace("/0", "/7")).status_code == 404
