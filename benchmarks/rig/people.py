"""People at browsers: a session, and JSON over HTTP. Signing in by a page is not what is tried here."""

import json
import secrets
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from django.conf import settings
from django.test import Client

from annotate.models import User
from benchmarks.rig.site import Site

# What a browser calls "no connection": refused, reset, or ended in the middle of an answer.
NO_ANSWER = (OSError, HTTPException)
PATIENCE_S = 30.0
# A site of the rig speaks plain http, whatever this process would do; see webapp/settings.py.
SESSION_COOKIE, CSRF_COOKIE = "sessionid", "csrftoken"


@dataclass(frozen=True)
class Answer:
    """Status and JSON; None where the answer was no JSON."""

    status: int
    data: Any


@dataclass(frozen=True)
class Person:
    """Somebody signed in at the site's web server.

    Attributes:
        url: Of the site.
        session: Key of the session.
    """

    url: str
    session: str
    token: str = field(default_factory=lambda: secrets.token_hex(16))

    @classmethod
    def signed_in(cls, user: User, site: Site) -> "Person":
        """With a session made in the database; see benchmarks.rig.inside.reach."""
        client = Client()
        client.force_login(user)
        return cls(site.url, client.cookies[settings.SESSION_COOKIE_NAME].value)

    def get(self, path: str) -> Answer:
        """What the server says; raises one of NO_ANSWER where it says nothing."""
        return self._ask("GET", path, None)

    def post(self, path: str, data: dict[str, object]) -> Answer:
        """The same, of something to be done."""
        return self._ask("POST", path, json.dumps(data).encode())

    def _ask(self, method: str, path: str, data: bytes | None) -> Answer:
        cookies = {SESSION_COOKIE: self.session, CSRF_COOKIE: self.token}
        headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "X-CSRFToken": self.token,
            "Content-Type": "application/json",
        }
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return Answer(answer.status, _json(answer.read()))
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, _json(refusal.read()))


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
