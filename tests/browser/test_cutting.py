"""Craters cut out of a picture: by mouse, by keys alone, with a thumb, without a connection."""

from collections.abc import Callable
from math import cos, pi, sin

import numpy as np
import pytest
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from annotate.models import Campaign, User
from mlcore.simulate.foils import SHOWN, FoilParameters, draw_exposure, expose, make_scene
from review.models import CutOut, Picture
from review.services.foils import pictures
from tests.review.foils.conftest import foils  # noqa: F401

OpenPage = Callable[..., Page]
THUMB = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
WIDTH_PX, HEIGHT_PX = 256, 192
FOIL = FoilParameters(width_px=WIDTH_PX, height_px=HEIGHT_PX, um_per_px=0.05)
CENTRE = (128.0, 96.0)


class Tool:
    """One open cutting page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.foil = page.locator('#foil[aria-busy="false"]')
        expect(self.foil).to_be_visible()

    def spot(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Where a pixel of the whole picture lies on the screen."""
        box = self.foil.bounding_box()
        assert box is not None
        scale = min(box["width"] / WIDTH_PX, box["height"] / HEIGHT_PX)
        return (
            box["x"] + box["width"] / 2 + (x_px - WIDTH_PX / 2) * scale,
            box["y"] + box["height"] / 2 + (y_px - HEIGHT_PX / 2) * scale,
        )

    def click(self, x_px: float, y_px: float) -> None:
        self.page.mouse.click(*self.spot(x_px, y_px))

    def tap(self, x_px: float, y_px: float) -> None:
        self.page.touchscreen.tap(*self.spot(x_px, y_px))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.page.mouse.move(*self.spot(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.spot(*end), steps=5)
        self.page.mouse.up()

    def points(self) -> Locator:
        return self.page.locator("#foil-marks .point")

    def keep(self) -> None:
        keep = self.page.locator("#keep")
        expect(keep).to_have_attribute("aria-disabled", "false")
        keep.click()

    def sent(self) -> None:
        """Wait until the server has everything."""
        expect(self.page.locator('main[data-unsent="0"]')).to_be_visible()

    def listed(self) -> Locator:
        return self.page.locator("#cut-list li")


@pytest.fixture
def shot(foils: Campaign) -> Picture:  # noqa: F811
    """A synthetic picture of a test shot, and a blank one beside it."""
    for purpose, families in (("reference", [SHOWN[0]]), ("blank", [])):
        grey = expose(make_scene(FOIL, 5, families), draw_exposure(5), 5)
        frames = [grey, np.roll(grey, 1)] if purpose == "reference" else [grey]
        pictures.add_picture(
            campaign=foils,
            name=f"{purpose}.tif",
            frames=frames,
            where=pictures.Where(nm_per_px=50.0),
            synthetic=True,
            purpose=purpose,
        )
    return Picture.objects.get(purpose="reference")


def ring(n: int, radius_px: float = 30.0) -> list[tuple[float, float]]:
    x_px, y_px = CENTRE
    angles = [2 * pi * k / n for k in range(n)]
    return [(x_px + radius_px * cos(angle), y_px + radius_px * sin(angle)) for angle in angles]


def test_an_expert_cuts_mends_and_withdraws_by_mouse(
    open_page: OpenPage,
    lead: User,
    foils: Campaign,  # noqa: F811
    shot: Picture,
):
    page = open_page(lead, reverse("review:foil_cut_outs", args=[foils.uid]))
    page.get_by_role("link", name="Cut out of reference.tif").click()
    tool = Tool(page)
    corners = ring(8)
    for corner in corners:
        tool.click(*corner)
    expect(tool.points()).to_have_count(8)
    tool.click(*corners[0])
    expect(page.locator("#close-outline")).to_be_hidden()
    expect(page.locator("#cut-size")).to_contain_text("µm")
    expect(page.locator("#pasted")).to_be_visible()
    tool.keep()
    tool.sent()
    expect(tool.listed()).to_have_count(1)
    first = CutOut.objects.get()
    assert np.abs(np.array(first.polygon) - np.array(corners)).max() < 0.5
    assert first.by.user == lead and first.frame == 0

    # Mended: a point dragged out, another set on an edge, the old outline withdrawn.
    page.get_by_role("button", name="Mend").click()
    tool.drag(corners[0], (corners[0][0] + 15.0, corners[0][1]))
    middle = tuple((a + b) / 2 for a, b in zip(corners[4], corners[5], strict=True))
    tool.click(*middle)
    expect(tool.points()).to_have_count(9)
    tool.keep()
    tool.sent()
    expect(tool.listed()).to_have_count(1)
    expect(page.locator("#withdrawn")).to_be_visible()
    first.refresh_from_db()
    second = CutOut.objects.get(withdrawn_at=None)
    assert first.withdrawn_at is not None and len(second.polygon) == 9
    assert second.diameter_px > first.diameter_px

    # In the list with its picture; withdrawn from there, and taken back.
    page.get_by_role("link", name="All cut-outs").click()
    expect(page.locator(f'img[src="{reverse("review:foil_cut_out", args=[second.uid])}"]')).to_be_visible()
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("2 withdrawn cut-outs")).to_be_visible()
    page.get_by_text("2 withdrawn cut-outs").click()
    page.get_by_role("button", name="Take back").first.click()
    expect(page.get_by_text("1 withdrawn cut-out")).to_be_visible()
    assert CutOut.objects.get(withdrawn_at=None) == second


def test_a_double_click_closes_and_what_is_wrong_is_said(open_page: OpenPage, lead: User, shot: Picture):
    page = open_page(lead, reverse("review:foil_cut", args=[shot.uid]))
    tool, hint = Tool(page), page.locator("#cut-hint")
    for corner in ((100.0, 70.0), (150.0, 120.0), (150.0, 70.0)):
        tool.click(*corner)
    page.mouse.dblclick(*tool.spot(100.0, 120.0))
    expect(hint).to_contain_text("crosses or touches itself")
    expect(page.locator("#foil-marks .wrong")).to_have_count(2)
    expect(page.locator("#keep")).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Escape")
    expect(tool.points()).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(tool.points()).to_have_count(4)
    page.keyboard.press("Escape")
    for corner in ((100.0, 70.0), (103.0, 70.0), (103.0, 73.0)):
        page.mouse.click(*tool.spot(*corner))
    page.keyboard.press("Enter")
    expect(hint).to_contain_text("less than 4 px show no rim")
    assert not CutOut.objects.exists()


def test_keys_alone_are_enough(open_page: OpenPage, lead: User, shot: Picture):
    page = open_page(lead, reverse("review:foil_cut", args=[shot.uid]))
    tool = Tool(page)
    tool.foil.focus()
    press = page.keyboard.press
    press("f")
    press("ArrowUp")
    for keys in (["Space"], ["ArrowRight"] * 8 + ["Space"], ["ArrowDown"] * 8 + ["Space"], ["ArrowLeft"] * 8):
        for key in keys:
            press(key)
    press("m")
    expect(tool.points()).to_have_count(4)
    press("Backspace")
    expect(tool.points()).to_have_count(3)
    press("Enter")
    press(".")
    press("ArrowUp")
    expect(page.locator("#foil-marks .point.chosen")).to_have_count(1)
    press("Control+Enter")
    tool.sent()
    expect(tool.listed()).to_have_count(1)
    kept = CutOut.objects.get()
    assert len(kept.polygon) == 3 and kept.frame == 1


def test_with_a_thumb_on_a_phone(open_page: OpenPage, lead: User, shot: Picture):
    page = open_page(lead, reverse("review:foil_cut", args=[shot.uid]), **THUMB)
    tool = Tool(page)
    corners = ring(5, 50.0)
    for corner in corners:
        tool.tap(*corner)
    expect(tool.points()).to_have_count(5)
    page.locator("#delete-point").tap()
    expect(tool.points()).to_have_count(4)
    page.locator("#undo").tap()
    tool.tap(*corners[0])
    page.locator("#keep").tap()
    tool.sent()
    expect(tool.listed()).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    kept = CutOut.objects.get()
    assert np.abs(np.array(kept.polygon) - np.array(corners)).max() < 1.0
    page.get_by_role("button", name="Undo").last.tap()
    expect(tool.listed()).to_have_count(0)
    tool.sent()
    kept.refresh_from_db()
    assert kept.withdrawn_at is not None


def test_what_is_cut_without_a_connection_is_sent_later(open_page: OpenPage, lead: User, shot: Picture):
    page = open_page(lead, reverse("review:foil_cut", args=[shot.uid]))
    tool = Tool(page)
    page.context.set_offline(True)
    for corner in ring(6):
        tool.click(*corner)
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("#unsent")).to_contain_text("1 change waits in this browser")
    expect(tool.listed()).to_have_count(1)
    assert not CutOut.objects.exists()
    page.context.set_offline(False)
    page.reload()
    tool = Tool(page)
    tool.sent()
    expect(tool.listed()).to_have_count(1)
    assert len(CutOut.objects.get().polygon) == 6
