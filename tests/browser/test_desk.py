"""The review desk as a judge sees it: answers by keys and thumbs, and rims corrected where they are seen."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.urls import reverse
from playwright.sync_api import Page, Route, expect

from annotate.models import Campaign, Catalogue, Role, User
from annotate.services import basemaps, campaigns, conversions, grids, members
from annotate.services.features import add_features
from annotate.services.participants import participant_of
from mlcore.simulate.placed import on_body, write_world
from mlcore.simulate.terrain import TerrainParameters, make_world
from review.models import Classification, Subject, Verdict
from review.services.cutouts import SHOWN_DIAMETERS, SIZE_PX
from review.services.policies import candidates
from tests.browser.conftest import PHONE

OpenPage = Callable[..., Page]


@pytest.fixture
def campaign(media: Path, tmp_path: Path, lead: User, reviewer: User, annotator: User) -> Campaign:
    """Three proposals exactly on craters of synthetic terrain."""
    world = make_world(
        TerrainParameters(size_px=256, craters_per_megapixel=300.0, min_diameter_px=14.0, wear=0.1), seed=2
    )
    grid = write_world(world, tmp_path / "world.tif", body="moon", lon=10.0, lat=40.0)
    basemap = basemaps.add_basemap(
        name="Synthetic", body="moon", path=tmp_path / "world.tif", kind="elevation", synthetic=True
    )
    conversions.convert(basemap.pk)
    basemap.refresh_from_db()
    campaign = campaigns.create_campaign(
        name="Trial",
        body="moon",
        basemaps=[basemap],
        created_by=participant_of(lead),
        tile_size_px=256,
        overlap=32,
        redundancy=1,
        visibility="public",
    )
    for user, role in ((reviewer, Role.REVIEWER), (annotator, Role.ANNOTATOR)):
        members.add_member(campaign=campaign, who=user.get_username(), role=role)
    inside = [c for c in world.craters if min(c.x_px, c.y_px) > 40 and max(c.x_px, c.y_px) < 216][:3]
    catalogue = Catalogue.objects.create(name="p", body="moon", campaign=campaign, origin="predicted")
    rows = [
        {"lon": lon, "lat": lat, "diameter_m": diameter_m, "score": 0.61, "uncertainty": 0.37}
        for lon, lat, diameter_m in on_body(inside, grid).tolist()
    ]
    workflow = candidates.workflow_of(campaign)
    for place, feature in enumerate(add_features(catalogue, rows)):
        Subject.objects.create(workflow=workflow, feature=feature, priority=1 - place / 3, why="uncertain")
    return campaign


class Desk:
    """One open desk."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.progress = page.locator("#progress")
        self.wait()

    def wait(self, done: int = 0) -> None:
        expect(self.progress).to_contain_text(f"{done} done")
        expect(self.page.locator("#cut:not(.waiting)")).to_be_visible()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """From one place on the cut-out to another, as shares of its edge."""
        box = self.page.locator("#cut-ring").bounding_box()
        for act, (x, y) in ((self.page.mouse.down, start), (self.page.mouse.up, end)):
            self.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
            act()


@pytest.fixture
def desk(open_page: OpenPage, campaign: Campaign, reviewer: User) -> Desk:
    return Desk(open_page(reviewer, reverse("review:review", args=[campaign.uid])))


def test_it_works_by_keys_and_back(desk: Desk, campaign: Campaign):
    expect(desk.page.locator("#facts")).to_contain_text("0.61")
    desk.press("a")
    desk.wait(1)
    desk.press("x")
    expect(desk.page.locator("#reasons")).to_be_visible()
    desk.press("3")
    desk.wait(2)
    expect(desk.page.locator("#taught")).to_have_text("2")
    desk.press("Backspace")
    desk.wait(1)
    desk.press("u")
    desk.wait(2)
    desk.press("Space")
    nothing = desk.page.locator("#nothing")
    expect(nothing).to_contain_text("All judged")
    expect(desk.page.locator("#cut")).to_be_hidden()
    verdicts = Verdict.objects.order_by("subject__pk").values_list("answer", flat=True)
    assert list(verdicts) == ["confirmed", "unsure"]
    nothing.get_by_role("button", name="Back to the last one").click()
    desk.wait(2)


def test_the_rim_is_round_and_in_the_middle_at_40_degrees(desk: Desk):
    """The cut-out is a square of ground, whatever the projection does there."""
    rim = desk.page.locator("#cut-ring .rim").evaluate(
        "path => (({x, y, width, height}) => ({x, y, width, height}))(path.getBBox())"
    )
    diameter_px = SIZE_PX / SHOWN_DIAMETERS
    assert (rim["width"], rim["height"]) == pytest.approx((diameter_px, diameter_px), rel=0.01)
    corner_px = (SIZE_PX - diameter_px) / 2
    assert (rim["x"], rim["y"]) == pytest.approx((corner_px, corner_px), abs=1.0)


def test_a_correction_lands_where_it_was_dragged(desk: Desk, campaign: Campaign):
    subject = Subject.objects.order_by("-priority").first()
    desk.press("e")
    desk.drag((0.5, 0.5), (0.6, 0.45))
    desk.press("Enter")
    desk.wait(1)
    given = Classification.objects.get().payload
    grid = grids.grid_of(campaign)
    before = np.array(grid.pixel(subject.feature.lon, subject.feature.lat))
    after = np.array(grid.pixel(given["lon"], given["lat"]))
    shown_px = SHOWN_DIAMETERS * subject.feature.diameter_m / np.array(grid.edges_m(*before))
    np.testing.assert_allclose(after - before, [0.1, -0.05] * shown_px, atol=0.2)
    assert given["diameter_m"] == pytest.approx(subject.feature.diameter_m, rel=1e-6)


def test_a_correction_resizes_by_the_rim_and_by_keys_and_can_be_left(desk: Desk):
    subject = Subject.objects.order_by("-priority").first()
    desk.press("e")
    desk.drag((0.5, 0.7), (0.5, 0.8))
    desk.press("Escape", "e", "]", "]", "[", "ArrowUp", "Enter")
    desk.wait(1)
    given = Classification.objects.get().payload
    assert given["diameter_m"] == pytest.approx(1.02 * subject.feature.diameter_m)
    assert given["lat"] > subject.feature.lat
    desk.press("e")
    desk.drag((0.5, 0.7), (0.5, 0.8))
    desk.press("Enter")
    desk.wait(2)
    larger = Classification.objects.latest("pk")
    assert larger.payload["diameter_m"] == pytest.approx(1.5 * larger.subject.feature.diameter_m, rel=0.05)


def test_layers_inversion_and_hiding(desk: Desk):
    page = desk.page
    chosen = page.locator("#strip [aria-checked=true]")
    expect(chosen).to_have_text("Hillshade")
    desk.press("l")
    expect(chosen).to_have_text("Elevation")
    desk.press("i")
    expect(page.locator("#cut-image")).to_have_class("inverted")
    page.keyboard.down("h")
    expect(page.locator("#cut-ring .rim")).to_be_hidden()
    page.keyboard.up("h")
    expect(page.locator("#cut-ring .rim")).to_be_visible()
    desk.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Ridge or scarp")
    desk.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_an_answer_lost_on_the_way_counts_once(desk: Desk):
    """The server hears it, the page does not, and the judge presses again."""

    def swallow(route: Route) -> None:
        route.fetch()
        route.abort()

    desk.page.route("**/classifications", swallow, times=1)
    desk.press("a")
    expect(desk.page.locator("#toasts")).to_contain_text("cannot be reached")
    desk.press("a")
    desk.wait(1)
    assert Classification.objects.count() == 1


def test_annotators_judge_blind(open_page: OpenPage, campaign: Campaign, annotator: User):
    desk = Desk(open_page(annotator, reverse("review:review", args=[campaign.uid])))
    expect(desk.page.locator("#facts")).to_contain_text("Diameter")
    text = desk.page.locator("main").inner_text()
    assert "0.61" not in text and "0.37" not in text and "uncertain" not in text
    desk.press("a")
    desk.wait(1)
    assert not Verdict.objects.exists()


def test_on_a_phone_the_answers_lie_under_the_thumb(open_page: OpenPage, campaign: Campaign, reviewer: User):
    page = open_page(reviewer, reverse("review:review", args=[campaign.uid]), viewport=PHONE, has_touch=True)
    desk = Desk(page)
    image, answers = (page.locator(name).bounding_box() for name in ("#cut", "#answers"))
    assert image["y"] < 80
    assert answers["y"] > PHONE["height"] / 2
    assert image["y"] + image["height"] <= answers["y"]
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.get_by_role("button", name="Not a crater…").tap()
    for button in page.locator("#reasons button").all():
        box = button.bounding_box()
        assert box["height"] >= 44 and box["y"] + box["height"] <= PHONE["height"]
    page.get_by_role("button", name="Shadow").tap()
    desk.wait(1)
    assert Verdict.objects.get().reason == "shadow"
