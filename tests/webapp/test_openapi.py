"""The API's description is whole: no warning, every operation named, typed and told, one shape of refusal."""

import re
from io import StringIO

from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

import annotate.urls
import review.urls

METHODS = ("get", "put", "post", "patch", "delete")


def described() -> dict:
    return SchemaGenerator().get_schema(request=None, public=True)


def test_it_is_made_without_a_warning():
    call_command("spectacular", "--fail-on-warn", "--validate", "--api-version", "1", stdout=StringIO())


def test_every_url_of_the_api_is_in_it():
    patterns = [*annotate.urls.urlpatterns, *review.urls.urlpatterns]
    ours = {
        "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", str(p.pattern)) for p in patterns if p.name.startswith("api_")
    }
    assert set(described()["paths"]) == ours


def test_every_operation_says_what_it_does_and_answers():
    lacking = []
    ids = []
    for path, methods in described()["paths"].items():
        for method in METHODS:
            if (operation := methods.get(method)) is None:
                continue
            ids.append(operation["operationId"])
            good = [answer for status, answer in operation["responses"].items() if status < "300"]
            told = operation.get("summary") and operation.get("description") and operation.get("tags")
            if not told or not good or not all(answer.get("content") for answer in good):
                lacking.append(f"{method} {path}")
    assert not lacking
    assert len(set(ids)) == len(ids)


def test_every_refusal_has_the_one_shape():
    schema = described()
    assert set(schema["components"]["schemas"]["Refusal"]["required"]) == {"code", "message"}
    for methods in schema["paths"].values():
        for operation in (methods[method] for method in METHODS if method in methods):
            refusals = [answer for status, answer in operation["responses"].items() if status >= "400"]
            shapes = {answer["content"]["application/json"]["schema"]["$ref"] for answer in refusals}
            assert shapes == {"#/components/schemas/Refusal"}
