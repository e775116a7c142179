"""What interrupts drawing: nothing that was drawn is lost, and the person is told in a sentence."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotate.models import Campaign, Mark, Membership, Participant, User, Visit
from annotate.services import leases
from annotate.services.basemaps import cog_file
from annotate.services.participants import participant_of
from tests.browser.conftest import sign_in
from tests.browser.workbench import Workbench, make_basemap, make_campaign, open_workbench
from tests.data.rasters import MAP, north_up

OpenPage = Callable[..., Page]
PASSWORD = "correct horse battery"
MARK = "7b0ecf4e-8b5e-4b3e-9c58-0f6d1f2a3b4c"


@pytest.fixture
def campaign(media: Path, tmp_path: Path, lead: User, annotator: User) -> Campaign:
    """Two tiles, one visit each, near the equator."""
    basemap = make_basemap(tmp_path / "world.tif", crs=MAP, transform=north_up(900_000.0, 25_600.0, 100.0))
    return make_campaign(basemap, lead, annotator, tile_size_px=256, min_diameter_m=1000.0)


@pytest.fixture
def workbench(open_page: OpenPage, annotator: User, campaign: Campaign) -> Workbench:
    return open_workbench(open_page, annotator, campaign)


def drag_one(workbench: Workbench, x_px: float = 100) -> None:
    workbench.drag((x_px, 100), (x_px + 12, 100))


def test_a_session_that_ends_is_renewed_over_the_map(workbench: Workbench):
    page = workbench.page
    Session.objects.all().delete()
    drag_one(workbench)
    drag_one(workbench, 160)
    expect(page.get_by_role("alert")).to_contain_text("You are signed out. Your marks are kept here")
    assert not Mark.objects.exists()
    page.locator("#trouble-signin").click()
    dialog = page.get_by_role("dialog", name="Sign in to go on")
    dialog.get_by_label("Password").fill("wrong")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_be_hidden()
    workbench.saved()
    assert Mark.objects.count() == 2
    page.keyboard.press("Control+Enter")
    expect(page.locator("#tile-title")).to_contain_text("Tile 2")


def test_what_one_person_drew_is_never_stored_as_anothers(
    workbench: Workbench, annotator: User, reviewer: User, campaign: Campaign
):
    page = workbench.page
    site = page.url.partition("/campaigns")[0]
    sign_in(page.context, reviewer, site)
    drag_one(workbench)
    expect(page.get_by_role("alert")).to_contain_text("Somebody else is signed in now")
    assert not Mark.objects.exists()
    sign_in(page.context, annotator, site)
    page.locator("#trouble-retry").click()
    workbench.saved()
    assert Mark.objects.get().visit.participant == participant_of(annotator)


def test_a_shape_half_drawn_outlives_a_reload(workbench: Workbench):
    page = workbench.page
    workbench.press("Shift+D")
    workbench.click(100, 100)
    workbench.click(130, 130)
    page.wait_for_timeout(400)
    page.reload()
    workbench.wait_for_imagery()
    expect(page.locator("#hint")).to_contain_text("Your unfinished circle is here again")
    workbench.click(160, 100)
    workbench.saved()
    assert Mark.objects.get().diameter_m == pytest.approx(6000, rel=0.05)


def test_two_tabs_of_one_person_show_the_same(workbench: Workbench, campaign: Campaign):
    other = workbench.page.context.new_page()
    other.goto(workbench.page.url)
    second = Workbench(other, campaign)
    workbench.page.bring_to_front()
    workbench.draw(100, 100, 12)
    expect(other.locator("#marks-count")).to_have_text("1")
    other.bring_to_front()
    second.draw(160, 100, 12)
    expect(workbench.page.locator("#marks-count")).to_have_text("2")
    second.press("Control+Enter")
    expect(other.locator("#tile-title")).to_contain_text("Tile 2")
    expect(workbench.page.locator("#tile-title")).to_contain_text("Tile 2")
    assert Mark.objects.count() == 2


def test_a_clock_that_is_hours_wrong_changes_neither_lease_nor_time_of_saving(
    open_page: OpenPage, annotator: User, campaign: Campaign
):
    page = open_page(annotator, "/")
    page.clock.install(time=timezone.now() - timedelta(hours=7))
    page.goto(f"/campaigns/{campaign.uid}/label/")
    workbench = Workbench(page, campaign)
    expect(page.locator("#lease")).to_contain_text("60 min")
    drag_one(workbench)
    page.clock.run_for(1000)
    expect(page.locator("#save-state")).to_contain_text("Saved")
    expect(page.locator("#save-state")).to_have_attribute(
        "title", "By the server's clock: this computer's is 420 minutes slow."
    )


def test_a_tile_released_by_a_lead_keeps_its_marks_and_says_so(workbench: Workbench, lead: User):
    page = workbench.page
    workbench.draw(100, 100, 12)
    visit = Visit.objects.get()
    leases.end(visit, Visit.Ending.RELEASED, by=participant_of(lead))
    drag_one(workbench, 160)
    expect(page.locator("#parked")).to_contain_text("1 mark of tile 1 is not stored")
    expect(page.locator("#parked")).to_contain_text("Kept in this browser until you decide")
    with page.expect_download() as waiting:
        page.locator("#parked-download").click()
    rims = json.loads(Path(waiting.value.path()).read_text())
    assert len(rims["features"]) == 1
    discard = page.locator("#parked-discard")
    discard.click()
    expect(discard).to_have_text("Discard them for good")
    expect(page.locator("#parked")).to_be_visible()
    discard.click()
    expect(page.locator("#parked")).to_be_hidden()
    assert Mark.objects.get().visit == visit


def test_a_role_taken_away_is_told_and_costs_nothing(
    workbench: Workbench, annotator: User, campaign: Campaign
):
    page = workbench.page
    workbench.draw(100, 100, 12)
    campaign.visibility = Campaign.Visibility.PRIVATE
    campaign.save()
    Membership.objects.filter(user=annotator).delete()
    drag_one(workbench, 160)
    expect(page.locator("#parked")).to_contain_text("1 mark of tile 1 is not stored")
    page.reload()
    assert Mark.objects.count() == 1
    campaign.visibility = Campaign.Visibility.PUBLIC
    campaign.save()
    Membership.objects.create(user=annotator, campaign=campaign, role="annotator")
    page.goto(f"/campaigns/{campaign.uid}/label/")
    page.locator("#parked-retry").click()
    expect(page.locator("#parked")).to_be_hidden()
    expect(page.locator("#marks-count")).to_have_text("2")
    workbench.saved()
    assert Mark.objects.count() == 2


def test_a_picture_that_is_gone_is_named_and_marks_stay(workbench: Workbench, campaign: Campaign):
    page = workbench.page
    workbench.draw(100, 100, 12)
    cog_file(campaign.layers.get().basemap).unlink()
    # What the browser has kept it still shows; another contrast has to be asked for.
    page.keyboard.press("i")
    expect(page.locator("#picture")).to_contain_text("missing on the server")
    expect(page.locator("#picture")).to_contain_text("Your marks are safe")
    expect(page.locator("#marks-count")).to_have_text("1")


def test_marks_that_an_older_page_kept_are_carried_over(workbench: Workbench, campaign: Campaign):
    page = workbench.page
    visit = Visit.objects.get()
    lon, lat = (float(x) for x in workbench.grid.lonlat(100.0, 100.0))
    save = {
        "id": "a", "at": 1, "visit": str(visit.uid), "mark": MARK, "kind": "draw",
        "body": {"lon": lon, "lat": lat, "diameter_m": 2400.0, "rim_points": None, "uncertain": False},
        "base": 0, "tried": False,
    }  # fmt: skip
    page.evaluate(
        "([key, save]) => localStorage.setItem(key, save)",
        [f"tektite.save.{campaign.uid}.a", json.dumps(save)],
    )
    page.reload()
    workbench.wait_for_imagery()
    workbench.saved()
    assert str(Mark.objects.get().uid) == MARK
    assert page.evaluate("() => localStorage.length") == 0
    assert Participant.objects.filter(visits__marks__isnull=False).count() == 1
