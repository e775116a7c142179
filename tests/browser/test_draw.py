"""Drawing craters in a real browser: what is on the screen, and what is in the database."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from playwright.sync_api import Page, Route, expect

from annotate.models import Campaign, Mark, User, Visit
from annotate.services import marks
from mlcore import geodesy
from mlcore.bodies import BODIES
from tests.browser.conftest import PHONE
from tests.browser.workbench import SIZE_PX, Workbench, make_basemap, make_campaign, open_workbench
from tests.data.rasters import DEGREES, MAP, SOUTH_POLE, north_up

MOON_M = BODIES["moon"].radius_m
DEGREE_M = np.pi * MOON_M / 180.0
POLE_80_M = 2 * MOON_M * np.tan(np.radians(10.0) / 2)
AROUND_180 = f"+proj=eqc +lon_0=180 +R={MOON_M} +units=m +no_defs"
EQUATOR = north_up(30 * DEGREE_M, 25_600.0, 100.0)
PLACES: dict[str, tuple[str, Affine]] = {
    "60° north": (MAP, north_up(30 * DEGREE_M, 60 * DEGREE_M + 25_600.0, 100.0)),
    "80° south, polar": (SOUTH_POLE, north_up(-25_600.0, POLE_80_M + 25_600.0, 100.0)),
    "the south pole itself": (SOUTH_POLE, north_up(-25_600.0, 25_600.0, 100.0)),
    "across 180°, lon_0 = 180": (AROUND_180, north_up(-25_600.0, 25_600.0, 100.0)),
    "across 180°, in degrees": (DEGREES, north_up(179.5, 0.5, 1 / SIZE_PX)),
}


@pytest.fixture
def campaign(media: Path, tmp_path: Path, lead: User, annotator: User) -> Campaign:
    """Two tiles side by side near the equator; craters below 1 km are not wanted."""
    basemap = make_basemap(tmp_path / "world.tif", crs=MAP, transform=EQUATOR)
    return make_campaign(basemap, lead, annotator, tile_size_px=256, min_diameter_m=1000.0)


@pytest.fixture
def workbench(open_page: Callable[..., Page], annotator: User, campaign: Campaign) -> Workbench:
    return open_workbench(open_page, annotator, campaign)


def only_mark() -> Mark:
    return Mark.objects.get()


def apart_px(workbench: Workbench, mark: Mark, x_px: float, y_px: float) -> float:
    x, y = workbench.grid.pixel(mark.lon, mark.lat)
    return float(np.hypot(x - x_px, y - y_px))


def assert_ring_is_painted(workbench: Workbench, mark: Mark) -> None:
    """The ring on the screen is the geodesic one, all round."""
    corners = geodesy.ring(mark.lon, mark.lat, mark.diameter_m, MOON_M, n=16)[:-1]
    x_px, y_px = workbench.grid.pixel(*corners.T)
    if "longlat" in workbench.grid.proj4:
        turn_px = 360 / workbench.grid.pixel_size
        middle = workbench.grid.width_px / 2
        x_px = (np.asarray(x_px) - middle + turn_px / 2) % turn_px - turn_px / 2 + middle
    assert workbench.blue_at(np.column_stack([x_px, y_px])).all()


def test_it_works(workbench: Workbench):
    page = workbench.page
    workbench.draw(100, 120, 20)
    mark = only_mark()
    assert apart_px(workbench, mark, 100, 120) < 1
    assert mark.diameter_m == pytest.approx(4000, abs=100)
    assert mark.basemap is not None and mark.view["gamma"] == 1
    assert_ring_is_painted(workbench, mark)
    expect(page.locator("#marks-count")).to_have_text("1")
    expect(page.locator(".mark")).to_contain_text("4.0")
    # Below the campaign's minimum, or without a drag: said kindly, and not stored.
    workbench.drag((100, 100), (104, 100))
    expect(page.locator("#hint")).to_contain_text("below this campaign's 1.00 km: not stored")
    workbench.drag((100, 100), (100, 100))
    expect(page.locator("#hint")).to_contain_text("drag to its rim")
    assert Mark.objects.count() == 1


@pytest.mark.parametrize("place", PLACES, ids=PLACES.keys())
def test_a_circle_is_where_it_was_drawn(
    place: str,
    open_page: Callable[..., Page],
    media: Path,
    tmp_path: Path,
    lead: User,
    annotator: User,
):
    crs, transform = PLACES[place]
    basemap = make_basemap(tmp_path / "world.tif", crs=crs, transform=transform)
    workbench = open_workbench(open_page, annotator, make_campaign(basemap, lead, annotator))
    center, rim = (256.0, 256.0), (306.0, 286.0)
    workbench.page.keyboard.press("d")
    workbench.drag(center, rim)
    workbench.saved()
    mark = only_mark()
    assert apart_px(workbench, mark, *center) < 1
    ends = [workbench.grid.lonlat(*point) for point in (center, rim)]
    wanted_m = 2 * geodesy.distance_m(*ends[0], *ends[1], MOON_M)
    assert mark.diameter_m == pytest.approx(wanted_m, abs=2 * workbench.grid.resolution_m_per_px)
    assert_ring_is_painted(workbench, mark)


def test_three_rim_points_make_the_circle_through_them(workbench: Workbench):
    page = workbench.page
    page.keyboard.press("Shift+D")
    rim = [(100 + 30 * np.cos(a), 120 + 30 * np.sin(a)) for a in (0.3, 2.2, 4.4)]
    workbench.click(*rim[0])
    workbench.click(*rim[1])
    page.mouse.move(*workbench.screen(*rim[2]))
    ghost = np.array([(100 + 30 * np.cos(a), 120 + 30 * np.sin(a)) for a in np.linspace(0, 6, 7)])
    assert workbench.blue_at(ghost).all()
    workbench.click(*rim[2])
    workbench.saved()
    mark = only_mark()
    assert apart_px(workbench, mark, 100, 120) < 1
    assert mark.diameter_m == pytest.approx(6000, rel=0.02)
    assert len(mark.rim_points) == 3


def test_what_is_selected_is_moved_resized_nudged_and_deleted(workbench: Workbench):
    workbench.draw(128, 128, 60)
    workbench.draw(128, 140, 12)
    big, small = Mark.objects.order_by("-diameter_m")
    workbench.press("v")
    # Inside the big one, on the floor: the small one is reached by its rim, the big one by its own.
    workbench.click(140, 140)
    workbench.drag((128, 140), (138, 150))
    workbench.saved()
    small.refresh_from_db()
    assert apart_px(workbench, small, 138, 150) < 1
    workbench.click(128 + 60, 128)
    workbench.drag((128 + 60, 128), (128 + 80, 128))
    workbench.saved()
    big.refresh_from_db()
    assert big.diameter_m == pytest.approx(16_000, rel=0.02)
    workbench.press("Shift+ArrowRight", "ArrowDown", "]", "[", "}")
    expect(workbench.page.locator("#selection-size")).to_contain_text("17.6 km")
    workbench.press("u")
    workbench.saved()
    big.refresh_from_db()
    # The tile fits the screen at twice its pixels, so that a nudge is half of one.
    assert apart_px(workbench, big, 133, 128.5) < 0.7
    assert big.diameter_m == pytest.approx(17_600, rel=0.02)
    assert big.uncertain
    workbench.press("Delete")
    workbench.saved()
    big.refresh_from_db()
    assert big.deleted_at is not None
    expect(workbench.page.locator("#marks-count")).to_have_text("1")


def test_everything_is_undone_and_done_again(workbench: Workbench):
    for i in range(6):
        workbench.draw(40 + 30 * i, 120, 12)
    workbench.press("ArrowLeft", "Delete")
    workbench.saved()
    workbench.press(*["Control+z"] * 8)
    workbench.saved()
    assert not Mark.objects.standing().exists()
    assert Mark.objects.count() == 6
    workbench.press(*["Control+Shift+Z"] * 4, *["Control+y"] * 3)
    workbench.saved()
    assert Mark.objects.standing().count() == 6
    last = Mark.objects.order_by("pk").last()
    assert apart_px(workbench, last, 189, 120) < 1
    expect(workbench.page.locator("#marks-count")).to_have_text("6")


def test_searched_next_and_back(workbench: Workbench):
    page = workbench.page
    expect(page.locator("#tile-title")).to_have_text("Tile 1 of 4")
    workbench.draw(100, 100, 12)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#tile-title")).to_have_text("Tile 2 of 4")
    toast = page.locator(".toast", has_text="Tile 1 submitted: searched, 1 crater")
    expect(page.locator("#submit")).to_contain_text("Searched, empty")
    toast.get_by_role("button", name="Undo").click()
    expect(page.locator("#tile-title")).to_have_text("Tile 1 of 4")
    expect(page.locator("#marks-count")).to_have_text("1")
    assert Visit.objects.get().state == Visit.State.LEASED
    for number in (2, 3):
        page.get_by_role("button", name="Searched").click()
        expect(page.locator("#tile-title")).to_have_text(f"Tile {number} of 4")
    page.get_by_role("button", name="Skip…").click()
    page.get_by_label("Too hard for me").check()
    page.get_by_role("button", name="Give it back", exact=True).click()
    expect(page.locator("#tile-title")).to_have_text("Tile 4 of 4")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#no-tile-title")).to_have_text("You have searched every tile there is for you")
    states = list(
        Visit.objects.order_by("tile__number").values_list("state", "searched_empty", "return_reason")
    )
    assert states == [
        ("submitted", False, ""),
        ("submitted", True, ""),
        ("returned", False, "too hard"),
        ("submitted", True, ""),
    ]


def test_without_a_connection_nothing_is_lost_even_over_a_reload(workbench: Workbench):
    page = workbench.page
    page.route("**/api/v1/visits/*/marks", lambda route: route.abort())
    workbench.drag((100, 100), (112, 100))
    workbench.drag((160, 100), (172, 100))
    expect(page.locator("#save-state")).to_contain_text("2 waiting, kept in this browser · next try in")
    assert not Mark.objects.exists()
    page.reload()
    workbench.wait_for_imagery()
    expect(page.locator("#marks-count")).to_have_text("2")
    page.unroute("**/api/v1/visits/*/marks")
    workbench.saved()
    assert Mark.objects.standing().count() == 2


def test_an_answer_lost_on_the_way_draws_nothing_twice(workbench: Workbench):
    page = workbench.page

    def lose_the_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/api/v1/visits/*/marks", lose_the_answer, times=1)
    workbench.drag((100, 100), (112, 100))
    workbench.saved()
    assert Mark.objects.count() == 1
    page.route("**/api/v1/marks/*", lose_the_answer, times=1)
    workbench.press("}")
    workbench.saved()
    assert only_mark().version == 2


def test_changed_elsewhere_is_a_choice(workbench: Workbench):
    workbench.draw(100, 100, 20)
    dialog = workbench.page.get_by_role("dialog", name="This crater was changed elsewhere")
    for choice, wanted_m in (("Keep what is here", 4400), ("Take what is there", 9000)):
        marks.change(mark=only_mark(), version=only_mark().version, diameter_m=9000.0)
        workbench.press("}")
        expect(dialog).to_contain_text("9.00 km")
        assert only_mark().diameter_m == 9000.0
        dialog.get_by_role("button", name=choice).click()
        workbench.saved()
        assert only_mark().diameter_m == pytest.approx(wanted_m, rel=0.02)
    expect(workbench.page.locator(".mark")).to_contain_text("9.00 km")


def test_the_hand_moves_the_map_while_a_tool_is_held(workbench: Workbench):
    page = workbench.page
    before = workbench.screen(100, 100)
    workbench.drag((100, 100), (130, 110), button="middle")
    moved = np.subtract(workbench.screen(100, 100), before)
    page.keyboard.down("Space")
    workbench.drag((130, 110), (100, 100))
    page.keyboard.up("Space")
    back = np.subtract(workbench.screen(100, 100), before)
    assert np.hypot(*moved) > 20
    assert np.hypot(*back) < 2
    page.mouse.move(*workbench.screen(100, 100))
    page.mouse.wheel(0, -400)
    expect(page.locator("#resolution")).to_contain_text("×")
    assert not Mark.objects.exists()
    workbench.wait_for_imagery()
    page.wait_for_timeout(400)
    workbench.draw(100, 100, 20)
    assert apart_px(workbench, only_mark(), 100, 100) < 1


def test_the_view_is_mine_and_keys_can_be_switched_off(workbench: Workbench):
    page = workbench.page
    workbench.press("i", "b")
    page.get_by_label("Gamma").fill("1.5")
    expect(page.locator("#contrast-text")).to_contain_text("γ 1.5 · inverted")
    expect(page.locator('img.leaflet-tile-loaded[src*="gamma=1.5&invert=1"]').first).to_be_visible()
    with page.expect_response(lambda response: response.request.method == "PUT" and response.ok):
        workbench.press("b")
    page.reload()
    workbench.wait_for_imagery()
    expect(page.locator("#contrast-text")).to_contain_text("γ 1.5 · inverted")
    page.get_by_role("button", name="Skip…").click()
    page.get_by_label("Anything the lead should know").press_sequentially("dvbil?")
    expect(page.get_by_label("Anything the lead should know")).to_have_value("dvbil?")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("circle through three points of the rim")
    dialog.get_by_label("Single-letter keys are on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("v")
    circle = page.get_by_role("button", name="Circle by centre and drag")
    expect(circle).to_have_attribute("aria-pressed", "true")


def test_a_crater_can_be_drawn_without_a_pointer_and_hidden(workbench: Workbench):
    page = workbench.page
    page.keyboard.press("Enter")
    workbench.saved()
    mark = only_mark()
    assert apart_px(workbench, mark, 128, 128) < 2
    rim = np.array(
        [workbench.grid.pixel(*geodesy.destination(mark.lon, mark.lat, 90, mark.diameter_m / 2, MOON_M))]
    )
    assert workbench.blue_at(rim).all()
    page.keyboard.down("h")
    assert not workbench.blue_at(rim).any()
    page.keyboard.up("h")
    assert workbench.blue_at(rim).all()


def test_on_a_phone_one_finger_draws_and_two_move(
    open_page: Callable[..., Page], annotator: User, campaign: Campaign
):
    workbench = open_workbench(
        open_page, annotator, campaign, viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2
    )
    page = workbench.page
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    center, rim = workbench.screen(120, 120), workbench.screen(150, 120)
    touch("touchStart", center)
    for share in (0.3, 0.7, 1.0):
        touch("touchMove", tuple(np.add(center, share * np.subtract(rim, center))))
    touch("touchEnd")
    workbench.saved()
    assert apart_px(workbench, only_mark(), 120, 120) < 1
    before = workbench.screen(120, 120)
    a, b = (150.0, 300.0), (250.0, 300.0)
    touch("touchStart", a)
    touch("touchStart", a, b)
    for shift in (10, 30, 60):
        touch("touchMove", (a[0], a[1] + shift), (b[0], b[1] + shift))
    touch("touchEnd")
    page.wait_for_timeout(400)
    assert workbench.screen(120, 120)[1] - before[1] > 30
    assert Mark.objects.count() == 1
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
    small = page.evaluate(
        """() => [...document.querySelectorAll("main button")]
            .filter((e) => e.checkVisibility() && !e.matches(".lease, .sheet-handle"))
            .filter((e) => Math.min(e.offsetWidth, e.offsetHeight) < 44).map((e) => e.outerHTML)"""
    )
    assert small == []
