"""A lead goes through thresholds: what each removes and loses follows the slider, without another page."""

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import Campaign, User
from review.models import Gold, Picture, Workflow
from review.services.foils import settings as triage_settings
from review.services.foils.stream import stream
from tests.browser.conftest import PHONE
from tests.review.foils.conftest import (  # noqa: F401
    foils,
    make_foil_subjects,
    make_gold,
    make_picture,
    triage,
)

OpenPage = Callable[..., Page]


@pytest.fixture
def scored(
    triage: Workflow,  # noqa: F811
    make_gold: Callable[..., list[Gold]],  # noqa: F811
    make_picture: Callable[..., Picture],  # noqa: F811
) -> None:
    """Nine of ten pictures score low; of four known craters one does."""
    for score in (0.002,) * 9 + (0.5,):
        Picture.objects.filter(pk=make_picture().pk).update(score_raw=score)
    for gold, score in zip(make_gold(4), (0.003, 0.4, 0.6, 0.9), strict=True):
        Picture.objects.filter(pk=gold.subject.picture_id).update(score_raw=score)
    triage_settings.change(workflow=triage, threshold=0.001, audit_size=2)
    stream.fill(workflow=triage)


@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 900}, {**PHONE, "width": 360}])
def test_the_slider_shows_and_the_button_sets(
    open_page: OpenPage,
    foils: Campaign,  # noqa: F811
    lead: User,
    scored: None,
    viewport: dict[str, int],
):
    page = open_page(lead, reverse("review:foil_stream", args=[foils.uid]), viewport=viewport)
    removed, known = page.locator("[data-figure=removed]"), page.locator("[data-figure=known-0]")
    number, slider = page.locator("#id_threshold"), page.locator("#threshold-slider")
    # Hidden until the page's script moves it.
    expect(slider).to_be_visible()
    expect(removed).to_have_text("0\N{NO-BREAK SPACE}%")
    expect(known).to_contain_text("0 of 4")
    left = page.locator("[data-dot='0'] circle").get_attribute("cx")
    slider.focus()
    for _step in range(3):
        slider.press("ArrowRight")
    # 0.0015, 0.002, 0.003: what scores as high as the threshold is shown.
    expect(number).to_have_value("0.003")
    expect(removed).to_have_text("90\N{NO-BREAK SPACE}%")
    number.fill("0.005")
    expect(slider).to_have_attribute("aria-valuetext", "0.005")
    expect(known).to_contain_text("1 of 4 · 25\N{NO-BREAK SPACE}%")
    assert page.locator("[data-dot='0'] circle").get_attribute("cx") != left
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("With 0.005, 1 pictures go to people and 9 are held back")).to_be_visible()
    page.get_by_role("button", name="Let it stand").click()
    expect(page.get_by_text("shown to nobody")).to_contain_text("below 0.005")


def test_without_scripts_the_preview_tells_the_same(
    open_page: OpenPage,
    foils: Campaign,  # noqa: F811
    lead: User,
    scored: None,
):
    page = open_page(lead, reverse("review:foil_stream", args=[foils.uid]), java_script_enabled=False)
    expect(page.locator("#threshold-slider")).to_be_hidden()
    page.locator("#id_threshold").fill("0.0042")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("[data-figure=removed]")).to_have_text("90\N{NO-BREAK SPACE}%")
    expect(page.locator("[data-figure=threshold]").last).to_have_text("0.0042")
