"""The one place where refusals become HTTP answers, for the API and for pages."""

import logging
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.defaults import page_not_found
from redis.exceptions import RedisError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from annotate.access import SignInNeeded
from mlcore.errors import (
    Conflict,
    InvalidInput,
    NoRoom,
    NotAllowed,
    NotFound,
    TektiteError,
    TooLarge,
    TooMany,
)
from webapp.throttling import throttled_sentence

log = logging.getLogger(__name__)


class NoRedis(TektiteError):
    """What counts or queues by Redis has to wait until it is back."""

    code = "no_redis"


STATUS_OF: dict[type[TektiteError], int] = {
    SignInNeeded: 401,
    TooLarge: 413,
    InvalidInput: 400,
    NotAllowed: 403,
    NotFound: 404,
    Conflict: 409,
    TooMany: 429,
    NoRedis: 503,
    NoRoom: 507,
}


def status_of(error: TektiteError) -> int:
    """The HTTP status of a refusal; 400 where its class says nothing more exact."""
    return next((status for kind, status in STATUS_OF.items() if isinstance(error, kind)), 400)


def body_of(error: TektiteError) -> dict[str, object]:
    """The JSON body of a refusal: {"code", "message"} and, for a conflict, "current"."""
    body: dict[str, object] = {"code": error.code, "message": error.message}
    if isinstance(error, Conflict) and error.current is not None:
        body["current"] = error.current
    return body


def headers_of(error: TektiteError) -> dict[str, str]:
    """What a refusal says besides its words: when to ask again."""
    return {"Retry-After": str(error.wait_s)} if isinstance(error, TooMany) else {}


def exception_handler(error: Exception, context: dict[str, object]) -> Response | None:
    """Every refusal of the API: {"code", "message", …}; field errors come in "fields"."""
    if isinstance(error, TektiteError):
        return Response(body_of(error), status=status_of(error), headers=headers_of(error))
    if isinstance(error, RequestDataTooBig):
        return Response({"code": "body_too_large", "message": _too_large()}, status=413)
    response = drf_exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, exceptions.ValidationError):
        response.data = {"code": "invalid", "message": _sentence(error.detail), "fields": error.detail}
    elif isinstance(error, Http404):
        response.data = {"code": "not_found", "message": _("There is nothing at this address.")}
    elif isinstance(error, PermissionDenied):
        response.data = {"code": "not_allowed", "message": str(error) or _("You may not do this.")}
    elif isinstance(error, exceptions.Throttled):
        response.data = {"code": "throttled", "message": throttled_sentence(error.wait or 1)}
    elif isinstance(error, exceptions.APIException):
        response.data = {"code": error.default_code, "message": str(error.detail)}
    return response


def _too_large() -> str:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE / 1e6
    return _("The request is larger than the %(limit).1f MB that are read; send less at once.") % {
        "limit": limit
    }


def _sentence(detail: object) -> str:
    if isinstance(detail, dict):
        return " ".join(
            _sentence(value) if key == "non_field_errors" else f"{key}: {_sentence(value)}"
            for key, value in detail.items()
        )
    if isinstance(detail, list):
        return " ".join(_sentence(value) for value in detail)
    return str(detail)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404: programs hear it in the shape of all refusals."""
    if request.path.startswith("/api/v"):
        return JsonResponse(
            {"code": "not_found", "message": _("There is nothing at this address.")}, status=404
        )
    return page_not_found(request, exception)


class RefusalMiddleware:
    """Turns a refusal that a page's view raised into a page that says it in words."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, RedisError):
            log.error("%s cannot be answered, because Redis does not answer: %s", request.path, error)
            error = NoRedis(_("This needs the server's Redis, which does not answer. Try again in a moment."))
        if not isinstance(error, TektiteError):
            return None
        if isinstance(error, SignInNeeded) and not request.path.startswith("/api/"):
            return redirect(f"{reverse('account_login')}?{urlencode({'next': request.get_full_path()})}")
        status = status_of(error)
        if request.path.startswith("/api/"):
            return JsonResponse(body_of(error), status=status, headers=headers_of(error))
        return render(request, "refusal.html", {"refusal": error, "status": status}, status=status)
