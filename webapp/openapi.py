"""The API's description: /api/schema/ for programs, /api/ for people. Never a warning from here on."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator

Schema = dict[str, Any]

REFUSAL: Schema = {
    "type": "object",
    "description": "Every refusal: a sentence for people, a stable word for programs.",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string"},
        "fields": {
            "type": "object",
            "description": "What is wrong with which field of the request.",
            "additionalProperties": {},
        },
        "current": {
            "type": "object",
            "description": "Of a conflict: the thing as it stands now.",
            "additionalProperties": {},
        },
    },
}
_REFUSALS = {
    "400": "What was sent cannot be used as it is.",
    "401": "Nobody is signed in.",
    "403": "The asker sees this but may not do it.",
    "404": "There is nothing at this address, or it is not open to the asker.",
    "406": "The answer is JSON, which the asker does not accept.",
}
_REFUSALS_OF_WRITES = {
    "409": "It has changed since the asker last saw it, or is in a state that forbids this.",
    "413": "The request is larger than what is read.",
    "415": "The request is not JSON.",
    "429": "More changes in a minute than are taken from one person; Retry-After says when to go on.",
    "503": "The server lacks its Redis for the moment.",
    "507": "The server's disks have no room left.",
}
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class SessionScheme(OpenApiAuthenticationExtension):
    """The session's cookie; what writes also sends the CSRF token."""

    target_class = "webapp.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: object) -> Schema:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": (
                "Signing in at /accounts/login/ gives it. Requests that change something also send the value "
                f"of the cookie {settings.CSRF_COOKIE_NAME} as X-CSRFToken, and over TLS a Referer."
            ),
        }


def add_refusals(result: Schema, generator: SchemaGenerator, request: object, public: bool) -> Schema:
    """Every operation may be refused in these ways, all in one shape."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Refusal"] = REFUSAL
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    for path in result["paths"].values():
        for method, operation in path.items():
            if method not in _METHODS:
                continue
            refusals = _REFUSALS if method == "get" else _REFUSALS | _REFUSALS_OF_WRITES
            for status, why in refusals.items():
                operation["responses"].setdefault(status, {"description": why, "content": content})
    return result


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked, as the page shows it."""

    method: str
    path: str
    summary: str
    text: str
    parameters: list[Schema]
    request: str
    answers: list[tuple[str, str]]


@dataclass(frozen=True)
class Shape:
    """One shape of what is sent or answered, as the page shows it: (name, type, whether always, help)."""

    name: str
    text: str
    fields: list[tuple[str, str, bool, str]]


@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    """The description for people: a plain page, under the same strict CSP as all others."""
    groups, shapes = _described()
    limit = settings.API_WRITES_PER_MINUTE
    return render(request, "api.html", {"groups": groups, "shapes": shapes, "limit": limit})


@lru_cache(maxsize=1)
def _described() -> tuple[dict[str, list[Operation]], list[Shape]]:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    groups: dict[str, list[Operation]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            if method in _METHODS:
                groups.setdefault(operation["tags"][0], []).append(_operation(method, path, operation))
    shapes = [_shape(name, shape) for name, shape in schema["components"]["schemas"].items()]
    return groups, [shape for shape in shapes if shape.fields]


def _operation(method: str, path: str, operation: Schema) -> Operation:
    return Operation(
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        text=operation.get("description", ""),
        parameters=[one for one in operation.get("parameters", []) if one["in"] != "path"],
        request=_name_of(operation.get("requestBody", {})),
        answers=[
            (status, _name_of(answer) or ", ".join(answer.get("content", {})))
            for status, answer in operation["responses"].items()
            if status < "300"
        ],
    )


def _name_of(body: Schema) -> str:
    """The name of the shape of a request or an answer."""
    shape = body.get("content", {}).get("application/json", {}).get("schema", {})
    return shape.get("$ref", "").rpartition("/")[2]


def _shape(name: str, shape: Schema) -> Shape:
    always = set(shape.get("required", []))
    fields = [
        (field, _type(one), field in always, one.get("description", ""))
        for field, one in shape.get("properties", {}).items()
    ]
    return Shape(name, shape.get("description", ""), fields)


def _type(shape: Schema) -> str:
    """A type in a word or two."""
    parts = shape.get("allOf") or shape.get("oneOf") or [shape]
    words = [_one_type(part) for part in parts]
    return " or ".join(dict.fromkeys([*words, *(["null"] if shape.get("nullable") else [])]))


def _one_type(shape: Schema) -> str:
    if "$ref" in shape:
        return str(shape["$ref"]).rpartition("/")[2]
    if "enum" in shape:
        return " | ".join(str(value) for value in shape["enum"] if value not in (None, ""))
    if shape.get("type") == "array":
        return f"list of {_type(shape['items'])}"
    return str(shape.get("format") or shape.get("type") or "anything")
