"""A real Chromium on a live server. Pages that complain on their console fail their test."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.test import Client, override_settings
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from annotate.models import User
from webapp.celery import app

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 15_000
# What is waited for on a page may take as long: machines are busier than one thinks.
expect.set_options(timeout=PATIENCE_MS)
PLAIN_STATIC = "django.contrib.staticfiles.storage.StaticFilesStorage"

# Playwright keeps an event loop running in this thread, which Django would otherwise take for its own.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's own; no browser is downloaded."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("Chromium is not installed: bin/test installs it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def live_server() -> Iterator[LiveServer]:
    """pytest-django's, but without TLS: the middleware reads its settings once, when the server starts.

    Static files come hashed from STATIC_ROOT, as bin/test collects them; with DEBUG in the environment
    they come as they lie in the repository.
    """
    with override_settings(SECURE_SSL_REDIRECT=False, SECURE_HSTS_SECONDS=0):
        server = LiveServer("localhost", start=False)
        if django_settings.STORAGES["staticfiles"]["BACKEND"] == PLAIN_STATIC:
            server.thread.static_handler = StaticFilesHandler
        server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def plain_http(settings: Settings) -> None:
    """Cookies that travel without TLS."""
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "sessionid", "csrftoken"
    settings.KNOWN_BROWSER_COOKIE_NAME = "known"


@pytest.fixture(autouse=True)
def work_at_once() -> Iterator[None]:
    """Tasks run where they are enqueued, and their errors are the test's."""
    before = app.conf.task_always_eager, app.conf.task_eager_propagates
    app.conf.task_always_eager = app.conf.task_eager_propagates = True
    yield
    app.conf.task_always_eager, app.conf.task_eager_propagates = before


@pytest.fixture
def open_page(chromium: Browser, live_server: LiveServer) -> Iterator[Callable[..., Page]]:
    """open_page(user, path, viewport=PHONE): a page of a browser of its own, signed in as the user."""
    contexts = []
    complaints: list[str] = []

    def open_(user: User | None, path: str = "/", **options: Any) -> Page:
        context = chromium.new_context(**{"viewport": DESK, "base_url": live_server.url, **options})
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        if user is not None:
            sign_in(context, user, live_server.url)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"{error}"))
        page.on("console", lambda message: complaints.extend(_complaint(message)))
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not complaints


def sign_in(context: Any, user: User, url: str) -> None:
    """Give the browser a session of the user's."""
    client = Client()
    client.force_login(user)
    name = django_settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": url}])


def _complaint(message: ConsoleMessage) -> list[str]:
    # A refused request is the server's matter: the tests of that say what they expect on the page.
    is_ours = message.type == "error" and not message.text.startswith("Failed to load resource")
    return [message.text] if is_ours else []
