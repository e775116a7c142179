"""An expert at a candidate: clicks the crater, types its width, and finds it kept."""

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import Campaign, User
from review.models import Confirmation, Picture, Subject
from tests.browser.conftest import PHONE
from tests.review.foils.conftest import (  # noqa: F401
    foils,
    make_foil_subjects,
    make_picture,
    triage,
)

OpenPage = Callable[..., Page]


@pytest.fixture
def candidate(foils: Campaign, make_foil_subjects: Callable[..., list[Subject]]) -> Subject:  # noqa: F811
    (subject,) = make_foil_subjects(1)
    Picture.objects.filter(pk=subject.picture_id).update(nm_per_px=50.0)
    return subject


@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 900}, PHONE])
def test_a_click_in_the_picture_is_a_place(
    open_page: OpenPage, candidate: Subject, lead: User, viewport: dict[str, int]
):
    page = open_page(lead, reverse("review:foil_candidate", args=[candidate.uid]), viewport=viewport)
    picture = page.locator("#image")
    box = picture.bounding_box()
    for x_px, y_px in ((16, 12), (48, 36)):
        picture.click(position={"x": box["width"] * x_px / 64, "y": box["height"] * y_px / 48})
    expect(page.locator(".spot")).to_have_count(2)
    page.locator("[name=diameter_um]").first.fill("0.8")
    # At 50 nm/px a crater of 0.8 µm has a radius of 8 px.
    expect(page.locator(".spot").first).to_have_attribute("r", "8")
    page.locator("[data-remove]").last.click()
    expect(page.locator(".spot")).to_have_count(1)
    page.get_by_label("Impact crater").check()
    page.get_by_label("FIB/TEM").check()
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.get_by_role("button", name="Keep this result").click()
    expect(page.locator("circle.expert")).to_have_count(1)
    (kept,) = Confirmation.objects.all()
    (place,) = kept.places
    assert (kept.result, kept.method, place["diameter_um"]) == ("crater", "fib_tem", 0.8)
    assert place["x_px"] == pytest.approx(16, abs=0.5) and place["y_px"] == pytest.approx(12, abs=0.5)


def test_the_picture_is_seen_larger_inverted_and_without_marks(
    open_page: OpenPage, candidate: Subject, lead: User
):
    page = open_page(lead, reverse("review:foil_candidate", args=[candidate.uid]))
    before = page.locator("#image").bounding_box()["width"]
    page.get_by_role("button", name="4×").click()
    expect(page.get_by_role("button", name="4×")).to_have_attribute("aria-pressed", "true")
    assert page.locator("#image").bounding_box()["width"] == pytest.approx(4 * before, rel=0.1)
    page.get_by_role("button", name="Invert").click()
    expect(page.locator("#image.inverted")).to_be_visible()
    page.get_by_role("button", name="Hide marks").click()
    expect(page.locator("#marks.hidden-marks")).to_have_count(1)
