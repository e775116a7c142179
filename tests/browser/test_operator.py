"""The operator's page in a browser: it renews itself, fits a phone, and says when what it shows is old."""

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from annotate.models import User
from review.services import workers
from review.services.workers import Identity
from tests.browser.conftest import PATIENCE_MS, PHONE, sign_in

OpenPage = Callable[..., Page]


def renew(page: Page) -> None:
    """What happens every five seconds, now."""
    address, options = "/operator/live/", "{ source: '#operator-live', swap: 'outerHTML' }"
    page.evaluate(f"void htmx.ajax('GET', '{address}', {options}).catch(() => null)")


@pytest.fixture(autouse=True)
def media_is_there(media: Path) -> None:
    """The disk whose room is shown."""


def test_it_renews_itself_on_a_phone_too(open_page: OpenPage, staff: User):
    page = open_page(staff, "/operator/", viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    expect(page.get_by_text("No worker serves the queue “gpu”")).to_be_visible()
    card = {"name": "NVIDIA H200", "used_bytes": 12 * 10**9, "total_bytes": 150 * 10**9}
    worker = workers.register(Identity("worker", "gpu@here", "here", 7, ("gpu",), 1))
    workers.heartbeat(worker, busy=[], gpus=[card])
    expect(page.get_by_text("12.0 GB of 150.0 GB in use")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("No worker serves the queue “gpu”")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_it_says_when_what_it_shows_is_old(chromium: Browser, live_server: LiveServer, staff: User):
    # Not by open_page, whose pages may not complain: this one has reason to.
    with closing(chromium.new_context(base_url=live_server.url)) as context:
        context.set_default_timeout(PATIENCE_MS)
        sign_in(context, staff, live_server.url)
        page = context.new_page()
        page.goto("/operator/")
        expect(page.locator("#stale")).to_be_hidden()
        page.route("**/operator/live/", lambda route: route.abort())
        renew(page)
        expect(page.locator("#stale")).to_be_visible()
        expect(page.locator("#stale-since")).not_to_be_empty()
        page.unroute("**/operator/live/")
        renew(page)
        expect(page.locator("#stale")).to_be_hidden()
        context.clear_cookies()
        renew(page)
        # Signed out meanwhile: the whole window goes to the sign-in, not a part of the page.
        expect(page).to_have_url(re.compile("/accounts/login/"))


def test_a_file_that_would_be_refused_is_not_sent(
    open_page: OpenPage, lead: User, tmp_path: Path, settings: Settings
):
    settings.MAX_UPLOAD_BYTES = 2_000_000
    (tmp_path / "large.tif").write_bytes(bytes(3_000_000))
    page = open_page(lead, "/basemaps/new/")
    sent = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    chosen = page.locator("input[type=file]")
    chosen.set_input_files(tmp_path / "large.tif")
    assert "has 3 MB, and the server takes up to 2 MB" in chosen.evaluate("field => field.validationMessage")
    page.get_by_role("button", name="Upload").click()
    assert sent == []
    (tmp_path / "small.tif").write_bytes(bytes(1_000))
    chosen.set_input_files(tmp_path / "small.tif")
    assert chosen.evaluate("field => field.validationMessage") == ""
