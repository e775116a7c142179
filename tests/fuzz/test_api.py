"""The whole API, asked by everybody with everything that its description allows and much that it does not.

No answer is a mistake of ours (5xx), and every answer is one that the description names, in the shape that it
names. FUZZ_EXAMPLES=300 asks longer than the tests do.
"""

import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from django.conf import settings as django_settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.middleware.csrf import get_token
from django.test import Client, RequestFactory
from django.urls import resolve, reverse
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from annotate.models import Role, User
from tests.webapp.test_urls_by_role import ANONYMOUS, STAFF, STRANGER, Place, place  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
WHO = (ANONYMOUS, STRANGER, Role.ANNOTATOR, Role.REVIEWER, Role.READER, Role.LEAD, STAFF)
# Whoever asks for the thing itself, with whatever else, is answered.
ALWAYS_ANSWERED = {
    "GET /api/v1/basemaps/{uid}",
    "GET /api/v1/catalogues/{uid}/features",
    "GET /api/v1/foil-pictures/{uid}/cut-outs",
    "GET /api/v1/runs/{uid}",
    "GET /api/v1/showings/{uid}/frames/{number}",
    "GET /api/v1/triage/{uid}/state",
    "GET /api/v1/visits/{uid}",
    "POST /api/v1/campaigns/{uid}/tiles/next",
    "POST /api/v1/foil-cut-outs/{uid}/restore",
    "POST /api/v1/foil-cut-outs/{uid}/withdraw",
    "POST /api/v1/runs/{uid}/cancel",
    "POST /api/v1/visits/{uid}/extend",
    "POST /api/v1/workflows/{uid}/next",
}
Asker = Callable[[schemathesis.Case], schemathesis.Response]


@pytest.fixture(scope="module")
def operations() -> list[APIOperation]:
    described = SchemaGenerator().get_schema(request=None, public=True)
    # The askers are signed in or not: none of the unfitting examples need leave the cookie out.
    del described["components"]["securitySchemes"]
    for methods in described["paths"].values():
        for operation in methods.values():
            operation.pop("security", None)
    schema = schemathesis.openapi.from_dict(described)
    return [found.ok() for found in schema.get_all_operations()]


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """As with Django's test client, a request must not end the connection that holds the transaction."""
    ends = (request_started, request_finished)
    for signal in ends:
        signal.disconnect(close_old_connections)
    yield
    for signal in ends:
        signal.connect(close_old_connections)


def asker_of(user: User | None) -> Asker:
    """A program that asks over WSGI in this process, signed in, with the token that writes need."""
    client = Client()
    token = get_token(RequestFactory().get("/"))
    cookies = {django_settings.CSRF_COOKIE_NAME: token}
    if user is not None:
        client.force_login(user)
        name = django_settings.SESSION_COOKIE_NAME
        cookies[name] = client.cookies[name].value
    application = WSGIHandler()

    def ask(case: schemathesis.Case) -> schemathesis.Response:
        return case.call(app=application, cookies=cookies, headers={"X-CSRFToken": token})

    return ask


def real_values(place: Place) -> dict[str, Any]:  # noqa: F811
    """What is there to be named, under the names by which it is asked for."""
    feature = place.subject.feature
    return {
        "layer": str(place.elevation.uid),
        "basemap": str(place.elevation.uid),
        "subject": str(place.subject.uid),
        "catalogue": str(place.catalogue.uid),
        "label_catalogues": [str(place.catalogue.uid)],
        "model_version": str(place.version.uid),
        "start_from": str(place.version.uid),
        "lon": feature.lon,
        "lat": feature.lat,
        "diameter_m": 1500.0,
        "polygon": [[8, 8], [24, 8], [24, 24]],
        "mends": str(place.cut_out.uid),
        "consent": "1",
        "version": 1,
        "low_percent": 1.0,
        "high_percent": 99.0,
        "gamma": 1.0,
    }


def path_of(operation: APIOperation, place: Place, who: str) -> dict[str, str]:  # noqa: F811
    """The identifier of the thing itself, where the operation is about one."""
    uid = "00000000-0000-0000-0000-000000000000"
    name = resolve(operation.path.replace("{uid}", uid).replace("{number}", "0")).view_name
    if "{uid}" not in operation.path:
        return {}
    named = re.findall(r"\{(\w+)\}", operation.path)
    return dict(zip(named, map(str, place.arguments(name, who)), strict=True))


def strategies(operation: APIOperation, path: dict[str, str]) -> Iterator[tuple[int, Any]]:
    """(how many examples, of what): fitting, unfitting, and about things that are not there."""
    yield EXAMPLES, operation.as_strategy(GenerationMode.POSITIVE, path_parameters=path)
    if operation.body or operation.query:
        yield EXAMPLES, operation.as_strategy(GenerationMode.NEGATIVE, path_parameters=path)
    yield max(2, EXAMPLES // 4), operation.as_strategy(GenerationMode.POSITIVE)


def put_in(case: schemathesis.Case, names: set[str], real: dict[str, Any]) -> None:
    """Replace made-up values by such that are there."""
    for part in (case.body, case.query):
        if isinstance(part, dict):
            part.update({name: real[name] for name in names if name in part})


@pytest.mark.parametrize("place", ["public"], indirect=True)
@pytest.mark.parametrize("who", WHO)
def test_no_answer_is_a_mistake_or_not_as_described(
    who: str,
    place: Place,  # noqa: F811
    operations: list[APIOperation],
) -> None:
    ask, real = asker_of(place.people[who]), real_values(place)
    failures: dict[str, str] = {}
    statuses: dict[str, set[int]] = {}
    for operation in operations:
        with transaction.atomic():
            for n, strategy in list(strategies(operation, path_of(operation, place, who))):
                _ask_all(n, strategy, ask, real, failures, statuses)
            transaction.set_rollback(True)
    assert not failures, "\n\n".join(failures.values())
    assert set(statuses) == {operation.label for operation in operations}
    if who == Role.LEAD:
        # It did not only hear refusals.
        heard = {label for label, found in statuses.items() if found & {200, 201}}
        assert heard >= ALWAYS_ANSWERED, statuses


def _ask_all(
    n: int,
    strategy: Any,
    ask: Asker,
    real: dict[str, Any],
    failures: dict[str, str],
    statuses: dict[str, set[int]],
) -> None:
    @settings(
        max_examples=n,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy, names=st.sets(st.sampled_from(sorted(real))))
    def one(case: schemathesis.Case, names: set[str]) -> None:
        put_in(case, names, real)
        with transaction.atomic():
            response = ask(case)
            transaction.set_rollback(True)
        statuses.setdefault(case.operation.label, set()).add(response.status_code)
        try:
            case.validate_response(response, checks=CHECKS)
        except (FailureGroup, Failure) as failure:
            failures.setdefault(f"{case.operation.label} {response.status_code}", f"{failure}")

    one()


def test_an_unknown_address_is_refused_in_the_same_shape(client: Client) -> None:
    for path in ("/api/v1/nothing", "/api/v1/basemaps/no-uid", "/api/v2/"):
        response = client.get(path)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_both_descriptions_are_served(client: Client) -> None:
    described = client.get(reverse("schema"), headers={"Accept": "application/vnd.oai.openapi+json"}).json()
    assert "/api/v1/visits/{uid}/marks" in described["paths"]
    text = client.get(reverse("api")).content.decode()
    assert "/api/v1/visits/{uid}/marks" in text
    assert "DrawRequest" in text
    assert "MarkOut" in text
