"""From an answer to the next picture on a phone's screen: what a person waits for, a thousand times an hour.

The next picture is fetched before the answer and painted without asking the server, so that neither the
network nor a busy server is felt. The page measures it itself, from the press to the first frame with the new
picture.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.record import Result
from benchmarks.rig.shell import manage, service_commands, what_is_missing
from benchmarks.rig.site import Site
from mlcore.errors import TektiteError

ID = "foils.paint"
CLAIM = "Paints the next picture within 100 ms of an answer on a phone's screen, whatever the server takes."
TARGET = "95 of 100 next pictures are painted within 100 ms, also at a quarter of the processor's speed"

SUBJECTS, SEED, LIMIT_MS = 600, 8, 100.0
# People look before they answer; meanwhile the browser has the next pictures.
THOUGHT_MS, PATIENCE_MS = 600, 60_000
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "device_scale_factor": 2}
# The page's own name for it: static/js/pages/triage/judging.js.
PAINTED = "triage: answer to next picture"
MEASURED = "name => performance.getEntriesByName(name, 'measure').map(one => one.duration)"
SLOW = 4


@dataclass(frozen=True)
class Door:
    """How a browser gets to the pictures.

    Attributes:
        url: Of the triage page.
        cookies: Of somebody who has agreed and may judge.
    """

    url: str
    cookies: list[dict[str, str]]


def setup() -> None:
    """Nothing to build: what bin/run and bin/test install is enough."""


def run(quick: bool) -> Result:
    """Answer picture after picture in a real browser, at full speed and slowed down."""
    if missing := what_is_missing():
        raise TektiteError(missing)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise TektiteError("Chromium is not installed: bin/test installs it.")
    n, busy = 10 if quick else 200, os.getloadavg()[0]
    with _site() as door, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(**PHONE)
        context.add_cookies(door.cookies)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(door.url)
        plain = _answer(page, n)
        context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOW})
        slow = _answer(page, n)
        browser.close()
    return Result(
        ours={"pictures": n, **_times(plain), f"at_a_{SLOW}th_of_the_speed": _times(slow)},
        peer=None,
        target=TARGET,
        met=None if quick else float(np.percentile([plain, slow], 95, axis=1).max()) <= LIMIT_MS,
        seed=SEED,
        note=(
            f"Headless Chromium, {PHONE['viewport']['width']} px wide, two device pixels to one; synthetic "
            f"pictures of 512 px; {THOUGHT_MS} ms of thought before each answer; measured by the page from "
            "the press to the first frame with the next picture. Web server as bin/run starts it, on the "
            f"same cores; load of the machine before: {busy:.1f}"
        ),
    )


@contextmanager
def _site() -> Iterator[Door]:
    """A site with pictures to judge and somebody signed in who may."""
    with Site(services=[]) as site:
        # A browser needs the pages' files, and the web server looks once what there is.
        manage("collectstatic", "--noinput", "--verbosity", "0", environment=site.environment)
        site.add("web", service_commands(site.environment)["web"])
        site.wait_until_up("web")
        os.environ.update(site.environment, DJANGO_SETTINGS_MODULE="webapp.settings")
        import django

        django.setup()
        from benchmarks.rig.inside import reach

        with reach(site):
            yield _door(site)


def _door(site: Site) -> Door:
    from django.urls import reverse
    from django.utils import timezone

    from annotate.services.participants import participant_of
    from benchmarks import foil_fill
    from benchmarks.rig.people import SESSION_COOKIE, Person
    from review.models import Judge
    from review.services.foils import settings

    filled = foil_fill.fill("paint", SUBJECTS, 0, seed=SEED)
    now = timezone.now()
    Judge.objects.create(
        workflow=filled.workflow,
        participant=participant_of(filled.lead),
        consent=settings.of(filled.workflow).consent_edition,
        consented_at=now,
        passed_practice_at=now,
    )
    person = Person.signed_in(filled.lead, site)
    path = reverse("review:triage", args=[filled.workflow.campaign.uid])
    return Door(site.url + path, [{"name": SESSION_COOKIE, "value": person.session, "url": site.url}])


def _answer(page: Page, n: int) -> list[float]:
    """Say "nothing" to so many pictures: how long the page took to paint each next one, in ms."""
    before = len(page.evaluate(MEASURED, PAINTED))
    for _ in range(n):
        expect(page.locator('main[data-part="judging"][data-mode="asking"]')).to_be_visible(
            timeout=PATIENCE_MS
        )
        page.wait_for_timeout(THOUGHT_MS)
        page.get_by_role("button", name="Nothing").tap()
    expect(page.locator('main[data-mode="asking"][data-unsent="0"]')).to_be_visible(timeout=PATIENCE_MS)
    times = page.evaluate(MEASURED, PAINTED)[before:]
    if len(times) != n:
        raise TektiteError(f"{n} answers were given and {len(times)} next pictures were painted.")
    return times


def _times(times_ms: list[float]) -> dict[str, float]:
    return {
        "median_ms": float(np.median(times_ms)),
        "p95_ms": float(np.percentile(times_ms, 95)),
        "longest_ms": max(times_ms),
    }
