"""Somebody's browser at a triage, as its page asks."""

from typing import Any
from uuid import uuid4

from django.test import Client
from django.urls import reverse

from review.models import Subject, Workflow

MARK = {"x_px": 30.0, "y_px": 20.0}
Json = dict[str, Any]


class Browser:
    """Keeps the cookies of one session."""

    def __init__(self, client: Client, workflow: Workflow) -> None:
        self.client, self.workflow = client, workflow

    def url(self, name: str) -> str:
        return reverse(f"review:api_triage{name}", args=[self.workflow.uid])

    def state(self) -> Json:
        return self.client.get(self.url("")).json()

    def post(self, name: str, body: Json | None = None, **headers: str) -> Any:
        """The bare response: post("back"), post("next", participant="…")."""
        sent = {f"X-{key}": value for key, value in headers.items()}
        return self.client.post(
            self.url(f"_{name}"), body or {}, content_type="application/json", headers=sent
        )

    def start(self) -> Json:
        return self._good("start", {"consent": self.state()["consent"]["edition"]}, 200)

    def next(self) -> Json:
        return self._good("next", {}, 200)

    def back(self) -> Json:
        return self._good("back", {}, 200)

    def send(self, showing: Json, answer: str = "nothing", **more: Any) -> Any:
        """An answer's bare response."""
        marks = [MARK] if answer == "crater" else []
        body = {"uid": str(uuid4()), "showing": showing["uid"], "answer": answer, "marks": marks, **more}
        return self.post("answers", body)

    def answer(self, showing: Json, answer: str = "nothing", **more: Any) -> Json:
        response = self.send(showing, answer, **more)
        assert response.status_code == 201, response.json()
        return response.json()

    def _good(self, name: str, body: Json, status: int) -> Json:
        response = self.post(name, body)
        assert response.status_code == status, response.json()
        return response.json()


def subject_of(showing: Json) -> Subject:
    return Subject.objects.get(showings__uid=showing["uid"])
