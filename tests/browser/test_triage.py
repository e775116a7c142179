"""Triage as volunteers meet it: with a thumb, with keys alone, offline, and told what a known picture was."""

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from statistics import median

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from annotate.models import Campaign, Participant, User
from annotate.services.participants import participant_of
from review.models import Classification, Gold, Judge, Showing, Subject, Workflow
from review.services.foils import settings as triage_settings
from tests.review.foils.conftest import (  # noqa: F401
    foils,
    make_foil_subjects,
    make_gold,
    make_picture,
    triage,
)

log = logging.getLogger(__name__)
OpenPage = Callable[..., Page]
THUMB = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
WIDTH_PX, HEIGHT_PX = 64, 48
PAINTED = "triage: answer to next picture"
MEASURED = "name => performance.getEntriesByName(name, 'measure').map(one => one.duration)"


class Sheet:
    """One open triage page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.foil = page.locator("#foil")

    def asked(self) -> Subject:
        """Wait until a picture may be judged: which one it is."""
        expect(self.page.locator('main[data-part="judging"][data-mode="asking"]')).to_be_visible()
        return Subject.objects.get(showings__uid=self.foil.get_attribute("data-showing"))

    def sent(self) -> None:
        """Wait until the server has every answer."""
        expect(self.page.locator('main[data-unsent="0"]')).to_be_visible()

    def spot(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Where a pixel of the whole picture lies on the screen."""
        box = self.foil.bounding_box()
        scale = min(box["width"] / WIDTH_PX, box["height"] / HEIGHT_PX)
        return (
            box["x"] + box["width"] / 2 + (x_px - WIDTH_PX / 2) * scale,
            box["y"] + box["height"] / 2 + (y_px - HEIGHT_PX / 2) * scale,
        )

    def tap(self, x_px: float, y_px: float) -> None:
        self.page.touchscreen.tap(*self.spot(x_px, y_px))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def button(self, name: str) -> None:
        # Forced: a button that says why it cannot be pressed yet is aria-disabled, and may be pressed.
        self.page.get_by_role("button", name=name).tap(force=True)

    def learn(self) -> None:
        """Agree, and go through the cards."""
        self.button("I agree, begin")
        for _ in range(5):
            self.page.locator("#lesson-next").tap()
        expect(self.page.locator(".lesson:visible")).to_have_count(1)
        self.page.locator("#lesson-next").tap()


@pytest.fixture
def url(foils: Campaign) -> str:  # noqa: F811
    return reverse("review:triage", args=[foils.uid])


@pytest.fixture
def judge(triage: Workflow, annotator: User) -> Judge:  # noqa: F811
    """Somebody with an account and a password who has agreed and passed."""
    annotator.set_password("a long enough pass phrase")
    annotator.save()
    now = timezone.now()
    return Judge.objects.create(
        workflow=triage,
        participant=participant_of(annotator),
        consent=triage_settings.of(triage).consent_edition,
        consented_at=now,
        passed_practice_at=now,
    )


def show(subjects: list[Subject], participant: Participant, *, with_feedback: bool = False) -> None:
    """Lay these before the participant, in this order."""
    for subject in subjects:
        Showing.objects.create(
            subject=subject,
            participant=participant,
            with_feedback=with_feedback,
            expires_at=timezone.now() + timedelta(hours=1),
        )


def standing() -> dict[int, Classification]:
    """The answers that stand, by subject."""
    rows = Classification.objects.standing().exclude(answer=Classification.Answer.WITHDRAWN)
    return {row.subject_id: row for row in rows}


def test_a_visitor_from_consent_to_the_end_with_a_thumb(
    open_page: OpenPage,
    url: str,
    triage: Workflow,  # noqa: F811
    make_foil_subjects: Callable[..., list[Subject]],  # noqa: F811
    make_gold: Callable[..., list[Gold]],  # noqa: F811
):
    make_gold(2, is_practice=True, with_feedback=True)
    make_gold(1, is_practice=True, with_feedback=True, is_crater=False)
    make_foil_subjects(5)
    triage_settings.change(workflow=triage, practice_last=2, practice_right=2)
    page = open_page(None, url, **THUMB)
    sheet = Sheet(page)
    sheet.learn()
    practise(sheet)
    expect(page.locator("#progress")).to_contain_text("about 5 wait")
    first = sheet.asked()
    sheet.button("Crater here")
    expect(page.locator("#foil-note")).to_contain_text("Mark the crater first")
    sheet.tap(20, 12)
    sheet.tap(50, 40)
    sheet.tap(50, 40)
    expect(page.locator("#foil-marks .mine")).to_have_count(1)
    sheet.button("Nothing")
    expect(page.locator("#foil-note")).to_contain_text("You have marked a crater")
    sheet.button("Crater here")
    second = sheet.asked()
    assert second != first
    sheet.button("Nothing")
    sheet.asked()
    sheet.button("Undo last")
    assert sheet.asked() == second
    sheet.button("Cannot tell")
    for _ in range(3):
        assert sheet.asked() not in (first, second)
        sheet.button("Nothing")
    nothing = page.locator("#nothing")
    expect(nothing).to_contain_text("You have finished what there is")
    expect(nothing.locator("#nothing-progress")).to_contain_text("none wait")
    expect(nothing.get_by_role("link", name="Sign up to keep your record.")).to_be_visible()
    given = standing()
    assert given[first.pk].payload["marks"] == [
        {"x_px": pytest.approx(20, abs=0.5), "y_px": pytest.approx(12, abs=0.5)}
    ]
    assert given[second.pk].answer == "cannot_tell"
    assert [row.answer for row in given.values() if row.subject.stratum != "gold"].count("nothing") == 3
    took_ms = page.evaluate(MEASURED, PAINTED)
    assert len(took_ms) >= 4
    log.info(
        "From an answer to the next picture painted: %.0f ms, median of %d", median(took_ms), len(took_ms)
    )


def practise(sheet: Sheet) -> None:
    """Wrong once, then right until the real pictures open."""
    page = sheet.page
    subject = sheet.asked()
    expect(page.locator("#practice")).to_contain_text("2 right of 2 opens the real pictures")
    sheet.button("Cannot tell")
    while True:
        expect(page.locator("#told")).to_be_visible()
        rings = 2 if subject.gold.is_crater else 0
        expect(page.locator("#foil-marks .place")).to_have_count(rings // 2)
        is_over = page.locator("#passed").is_visible()
        page.wait_for_timeout(300)
        sheet.button("Go on")
        if is_over:
            return
        subject = sheet.asked()
        if subject.gold.is_crater:
            sheet.tap(30, 20)
            sheet.button("Crater here")
        else:
            sheet.button("Nothing")


def test_everything_on_a_phone_is_under_the_thumb(
    open_page: OpenPage,
    url: str,
    judge: Judge,
    annotator: User,
    make_foil_subjects: Callable[..., list[Subject]],  # noqa: F811
):
    make_foil_subjects(2)
    page = open_page(annotator, url, **THUMB)
    sheet = Sheet(page)
    sheet.asked()
    sheet.tap(20, 12)
    sheet.button("Help")
    expect(page.locator("#tutorial")).to_contain_text("What you look for")
    sheet.button("Skip")
    sheet.asked()
    expect(page.locator("#foil-marks .mine")).to_have_count(1)
    width, height = 360, 740
    assert page.evaluate("document.documentElement.scrollWidth") == width
    foil, answers = (page.locator(name).bounding_box() for name in ("#foil", "#answers"))
    assert foil["width"] == width and foil["y"] < 60
    assert answers["y"] > height / 2 and answers["y"] >= foil["y"] + foil["height"]
    buttons = page.locator("#judging button:visible, #judging a.button:visible").all()
    assert len(buttons) >= 8
    for button in buttons:
        box = button.bounding_box()
        assert box["height"] >= 44 and box["width"] >= 44, button.inner_text()
        assert box["y"] + box["height"] <= height, button.inner_text()


def test_keys_alone_are_enough(
    open_page: OpenPage,
    url: str,
    judge: Judge,
    annotator: User,
    make_foil_subjects: Callable[..., list[Subject]],  # noqa: F811
):
    make_foil_subjects(4)
    page = open_page(annotator, url)
    sheet = Sheet(page)
    first = sheet.asked()
    sheet.press("ArrowRight", "ArrowRight", "ArrowDown")
    expect(page.locator("#foil-marks .cross")).to_have_count(1)
    sheet.press("Enter")
    expect(page.locator("#foil-marks .mine")).to_have_count(1)
    sheet.press("+", "b", "i", "Enter")
    second = sheet.asked()
    assert first != second
    expect(page.locator('[data-tool="invert"]')).to_have_attribute("aria-pressed", "true")
    sheet.press("m")
    expect(page.locator("#foil-marks .mine")).to_have_count(0)
    sheet.press("n")
    sheet.asked()
    sheet.press("Backspace")
    assert sheet.asked() == second
    sheet.press("u")
    sheet.asked()
    sheet.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Move the cross")
    sheet.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    third = sheet.asked()
    sheet.press("Space")
    assert sheet.asked() != third
    sheet.press("n")
    expect(page.locator("#nothing")).to_contain_text("You have finished")
    given = standing()
    [mark] = given[first.pk].payload["marks"]
    assert WIDTH_PX / 2 < mark["x_px"] < WIDTH_PX / 2 + 4
    assert HEIGHT_PX / 2 < mark["y_px"] < HEIGHT_PX / 2 + 4
    assert given[second.pk].answer == "cannot_tell"


def test_who_is_told_goes_back_to_that_picture_and_loses_nothing_of_the_next(
    open_page: OpenPage,
    url: str,
    judge: Judge,
    annotator: User,
    make_foil_subjects: Callable[..., list[Subject]],  # noqa: F811
    make_gold: Callable[..., list[Gold]],  # noqa: F811
):
    [known] = make_gold(1, with_feedback=True)
    real = make_foil_subjects(2)
    show([known.subject], participant_of(annotator), with_feedback=True)
    show(real, participant_of(annotator))
    page = open_page(annotator, url)
    sheet = Sheet(page)
    held: list[Route] = []
    page.route("**/answers", lambda route: held.append(route), times=1)
    assert sheet.asked() == known.subject
    page.mouse.click(*sheet.spot(10, 40))
    sheet.press("c")
    # The answer is not there yet, and the next picture is.
    assert sheet.asked() == real[0]
    page.mouse.click(*sheet.spot(44, 30))
    held[0].continue_()
    told = page.locator("#told")
    expect(told).to_contain_text("There is a crater, elsewhere.")
    expect(sheet.foil).to_have_attribute("data-showing", str(Showing.objects.get(subject=known.subject).uid))
    expect(page.locator("#foil-marks .mine")).to_have_count(1)
    expect(page.locator("#foil-marks .place")).to_have_count(1)
    expect(page.locator("#undo")).to_be_disabled()
    # What the hand was about to press is about the other picture.
    sheet.press("n", "c", "u")
    page.wait_for_timeout(300)
    sheet.press("Enter")
    assert sheet.asked() == real[0]
    expect(page.locator("#foil-marks .mine")).to_have_count(1)
    sheet.press("c")
    sheet.asked()
    sheet.sent()
    expect(page.locator("#progress")).to_contain_text("2 today")
    given = standing()
    assert given[known.subject.pk].payload["marks"][0]["x_px"] == pytest.approx(10, abs=0.5)
    assert given[real[0].pk].payload["marks"][0]["x_px"] == pytest.approx(44, abs=0.5)
    assert real[1].pk not in given


def test_without_a_connection_nothing_is_lost_and_nothing_counts_twice(
    open_page: OpenPage,
    url: str,
    judge: Judge,
    annotator: User,
    make_foil_subjects: Callable[..., list[Subject]],  # noqa: F811
):
    make_foil_subjects(6)
    page = open_page(annotator, url)
    sheet = Sheet(page)
    sheet.asked()

    def swallow(route: Route) -> None:
        route.fetch()
        route.abort()

    # Stored by the server, but the page never hears of it.
    page.route("**/answers", swallow, times=1)
    # The second press of a double click is no answer to a picture that nobody has looked at.
    page.locator('[data-answer="nothing"]').dblclick()
    expect(page.locator("#unsent-text")).to_contain_text("1 answer waits in this browser")
    page.context.set_offline(True)
    last = sheet.asked()
    sheet.press("u")
    sheet.asked()
    sheet.press("n")
    expect(page.locator("#foil-note")).to_contain_text("Check the connection")
    expect(page.locator("#progress")).to_contain_text("3 today")
    assert list(standing().values()) != [] and last.pk not in standing()
    page.close()
    page.context.set_offline(False)
    again = Sheet(page.context.new_page())
    again.page.goto(url)
    again.asked()
    expect(again.page.locator("#progress")).to_contain_text("3 today · 3 in all · about 3 wait")
    again.sent()
    given = standing()
    assert len(given) == 3 == Classification.objects.count()
    assert given[last.pk].answer == "cannot_tell"


def test_what_the_server_does_not_take_is_kept_told_and_tried_again(
    open_page: OpenPage,
    url: str,
    judge: Judge,
    annotator: User,
    make_foil_subjects: Callable[..., list[Subject]],  # noqa: F811
):
    make_foil_subjects(1)
    page = open_page(annotator, url)
    sheet = Sheet(page)
    subject = sheet.asked()
    said = {"code": "bad_marks", "message": "Mark 1 lies outside the picture of 64 × 48 px."}
    page.route("**/answers", lambda route: route.fulfill(status=422, json=said), times=1)
    sheet.press("u")
    expect(page.locator("#refused-text")).to_contain_text("1 answer was not taken: Mark 1 lies outside")
    # The picture still waits for somebody, so it is there again.
    assert sheet.asked() == subject
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#refused")).to_be_hidden()
    sheet.sent()
    assert standing()[subject.pk].answer == "cannot_tell"


def test_a_browser_without_cookies_is_told(
    open_page: OpenPage,
    url: str,
    make_foil_subjects: Callable[..., list[Subject]],  # noqa: F811
):
    make_foil_subjects(1)
    page = open_page(None, url, **THUMB)

    def forget(route: Route) -> None:
        answer = route.fetch()
        kept = {name: value for name, value in answer.headers.items() if name != "set-cookie"}
        route.fulfill(response=answer, headers=kept)
        page.context.clear_cookies()

    page.route("**/start", forget)
    sheet = Sheet(page)
    sheet.button("I agree, begin")
    sheet.button("Skip")
    expect(page.locator("#opening")).to_contain_text("Your browser has brought no cookie")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_a_session_that_ends_is_begun_again_over_the_picture(
    open_page: OpenPage,
    url: str,
    judge: Judge,
    annotator: User,
    make_foil_subjects: Callable[..., list[Subject]],  # noqa: F811
):
    make_foil_subjects(3)
    page = open_page(annotator, url)
    sheet = Sheet(page)
    subject = sheet.asked()
    page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    sheet.press("u")
    dialog = page.locator("#signin-dialog")
    expect(dialog).to_be_visible()
    assert not standing()
    dialog.get_by_label("Password").fill("a long enough pass phrase")
    dialog.get_by_role("button", name="Sign in").click()
    sheet.sent()
    expect(page.locator("#unsent")).to_be_hidden()
    expect(page.locator("#progress")).to_have_text(re.compile("^1 today"))
    assert standing()[subject.pk].participant == participant_of(annotator)
