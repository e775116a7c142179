"""Every page there is, the administration's and those that say no too, under the same strict policy."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import NoReverseMatch, reverse
from pytest_django import Settings

from annotate.models import AccessChange, User
from tests.webapp.test_urls_by_role import MATRIX, STAFF, Place, place  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db
ACCOUNT_PAGES = (
    "account_login", "account_signup", "account_reset_password", "account_reset_password_done",
    "account_email", "account_change_password", "account_logout", "account_inactive",
    "account_email_verification_sent", "account_reset_password_from_key_done", "account_reauthenticate",
)  # fmt: skip
INLINE = {
    r"<script(?![^>]*\b(?:src=|type=\"application/json\"|nonce=\"))[^>]*>": "an inline script",
    r"<style\b": "an inline style sheet",
    r"<[^>]*\sstyle\s*=": "an inline style",
    r"<[^>]*\son[a-z]+\s*=": "an inline handler",
    r"(?:href|src|action)\s*=\s*[\"']?\s*javascript:": "a script as an address",
    r"(?:src|href)=\"(?:https?:)?//(?!localhost|testserver)[^\"]*\.(?:js|css)": "something of another server",
}


def admin_pages() -> Iterator[str]:
    """The index, the lists, the forms, what asks before it deletes, and the histories."""
    yield reverse("admin:index")
    yield reverse("admin:password_change")
    for model, desk in admin.site._registry.items():
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        yield reverse("admin:app_list", args=[model._meta.app_label])
        yield reverse(f"admin:{name}_changelist")
        if desk.has_add_permission.__func__ is admin.ModelAdmin.has_add_permission:
            yield reverse(f"admin:{name}_add")
        row = model._default_manager.order_by("pk").first()
        for act in ("change", "delete", "history"):
            if row is not None:
                yield reverse(f"admin:{name}_{act}", args=[row.pk])
    yield reverse("admin:auth_user_password_change", args=[User.objects.first().pk])


def our_pages(place: Place) -> Iterator[str]:  # noqa: F811
    for name, methods in MATRIX.items():
        if "GET" in methods:
            yield place.url(name, STAFF)


def other_pages() -> Iterator[str]:
    for name in (*ACCOUNT_PAGES, "api", "schema", "health"):
        try:
            yield reverse(name)
        except NoReverseMatch:
            yield reverse(name, args=["key"])
    yield "/no/such/page"
    yield "/api/v1/nothing"


@pytest.mark.parametrize("place", ["private"], indirect=True)
@pytest.mark.filterwarnings("ignore::UserWarning:drf_spectacular")
def test_nothing_inline_and_all_headers_everywhere(
    place: Place,  # noqa: F811
    client_of: Callable[[User | None], Client],
    media: Path,
) -> None:
    AccessChange.objects.create(kind="staff", user=place.people[STAFF], before="no", after="yes")
    desk, nobody = client_of(place.people[STAFF]), client_of(None)
    addresses = {*our_pages(place), *admin_pages(), *other_pages()}
    wrong: list[str] = []
    html = 0
    for address in sorted(addresses):
        for client in (desk, nobody):
            response = client.get(address)
            if response.streaming:
                b"".join(response)
            wrong += [f"{address}: {what}" for what in lacking(response)]
            if response.get("Content-Type", "").startswith("text/html"):
                html += 1
                text = response.content.decode()
                found = [(what, re.search(pattern, text)) for pattern, what in INLINE.items()]
                wrong += [f"{address}: {what}, {match[0][:80]}" for what, match in found if match]
                nonces = set(re.findall(r"<script[^>]*\bnonce=\"([^\"]*)\"", text))
                if not nonces <= set(re.findall(r"'nonce-([^']+)'", response["Content-Security-Policy"])):
                    wrong.append(f"{address}: a nonce of another answer")
    assert not wrong, "\n".join(wrong)
    assert html > 60


def test_cookies_come_as_they_must(client: Client, stranger: User, settings: Settings) -> None:
    """Over TLS, as browsers demand of the names that begin with __Host-: Secure, for all paths, no domain."""
    for name, value in (("SESSION", "__Host-sessionid"), ("CSRF", "__Host-csrftoken")):
        setattr(settings, f"{name}_COOKIE_NAME", value)
        setattr(settings, f"{name}_COOKIE_SECURE", True)
    settings.KNOWN_BROWSER_COOKIE_NAME = "__Host-known"
    client.get(reverse("account_login"), secure=True)
    given = {"login": "stranger", "password": "correct horse battery"}
    client.post(reverse("account_login"), given, secure=True)
    assert set(client.cookies) >= {"__Host-sessionid", "__Host-csrftoken", "__Host-known"}
    for name, cookie in client.cookies.items():
        if name.startswith("__Host-"):
            assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", ""), name
            assert cookie["samesite"] == "Lax"
            # Scripts read the token that they send back, and nothing else.
            assert bool(cookie["httponly"]) is (name != "__Host-csrftoken")


@pytest.mark.parametrize("place", ["private"], indirect=True)
def test_what_was_brought_has_no_address(
    place: Place,  # noqa: F811
    client_of: Callable[[User | None], Client],
) -> None:
    desk = client_of(place.people[STAFF])
    stored = (place.elevation.source_path, place.elevation.cog_path)
    for path in stored:
        for address in (f"/{path}", f"/media/{path}", f"/static/{path}", f"/static/../{path}"):
            assert desk.get(address).status_code == 404


def lacking(response: object) -> Iterator[str]:
    """What an answer's headers lack."""
    headers = response.headers
    policy = headers.get("Content-Security-Policy", "")
    if "unsafe" in policy or "default-src 'none'" not in policy or "*" in policy:
        yield f"policy {policy!r}"
    for name, value in {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }.items():
        if headers.get(name) != value:
            yield f"{name} {headers.get(name)!r}"
    if "camera=()" not in headers.get("Permissions-Policy", ""):
        yield "no Permissions-Policy"
    if not re.search(r"private|no-store|no-cache", headers.get("Cache-Control", "")):
        yield f"a shared cache may keep it: {headers.get('Cache-Control')!r}"
