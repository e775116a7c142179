"""What every answer tells the browser about safety."""

import re

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def policy_of(client: Client, path: str) -> dict[str, list[str]]:
    """{directive: sources} of the Content-Security-Policy that came with a page."""
    header = client.get(path)["Content-Security-Policy"]
    return {parts[0]: parts[1:] for parts in (directive.split() for directive in header.split(";"))}


@pytest.mark.parametrize("path", ["/healthz", "/accounts/login/", "/accounts/signup/", "/admin/login/"])
def test_nothing_runs_that_we_did_not_send(client: Client, path: str):
    policy = policy_of(client, path)
    assert policy["default-src"] == ["'none'"]
    assert policy["style-src"] == policy["connect-src"] == policy["form-action"] == ["'self'"]
    assert policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
    assert all(source == "'self'" or source.startswith("'nonce-") for source in policy["script-src"])
    assert "unsafe" not in str(policy)


def test_the_import_map_carries_the_nonce_of_this_answer(client: Client):
    answer = client.get("/accounts/login/")
    (nonce,) = re.findall(r"'nonce-([^']+)'", answer["Content-Security-Policy"])
    assert set(re.findall(r"<script[^>]*nonce=\"([^\"]*)\"", answer.content.decode())) == {nonce}
    again = client.get("/accounts/login/")
    assert nonce not in again["Content-Security-Policy"]


def test_no_page_may_be_framed_or_sniffed(client: Client):
    answer = client.get("/healthz")
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
