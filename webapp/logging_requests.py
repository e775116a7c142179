"""Gives every request an id that its log lines, its answer and its error page carry."""

import re
from collections.abc import Callable
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bind_contextvars, clear_contextvars

from webapp.logging_config import ASKING

HEADER = "X-Request-ID"
# Nothing that could break a line of a log or be markup in a page.
WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
# Where webapp/logging_gunicorn.py finds them when the answer has been sent.
ID_KEY, USER_KEY = "tektite.request_id", "tektite.user"


class RequestLogMiddleware:
    """The outermost: whatever happens inside is told with the id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = id_of(request.headers.get(HEADER))
        # Cleared at the beginning and not at the end: a streamed answer is made after this returns.
        clear_contextvars()
        bind_contextvars(request_id=request.request_id)
        ASKING.set(request)
        response = self.get_response(request)
        response[HEADER] = request.request_id
        person = getattr(request, "_cached_user", None)
        request.META |= {ID_KEY: request.request_id, USER_KEY: person.pk if person else None}
        return response


def id_of(given: str | None) -> str:
    """The id that a proxy has given, where it is well formed; otherwise a new one."""
    return given if given and WELL_FORMED.fullmatch(given) else uuid4().hex
