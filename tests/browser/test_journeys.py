"""Short ways through the pages, as people take them: an account, a raster, a list, two who may not peep."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core import mail
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import Basemap, Campaign, Catalogue, Feature, Mark, User
from annotate.services import members
from annotate.services.participants import participant_of
from review.models import Run
from tests.annotate.builders import wait_for_import
from tests.browser.conftest import PHONE
from tests.browser.workbench import Workbench, make_basemap, make_campaign, open_workbench
from tests.data import rasters

OpenPage = Callable[..., Page]
FIRST, SECOND = "correct horse battery", "a staple that was not there"
PLACE = {"crs": rasters.MAP, "transform": rasters.north_up(300_000.0, 25_600.0, 100.0)}


def fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.fill(f"[name={name}]", value)


def sign_out(page: Page) -> None:
    page.locator('[popovertarget="account-menu"]').click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()


def test_an_account_from_sign_up_to_a_forgotten_password(open_page: OpenPage, transactional_db: None):
    page = open_page(None, "/")
    page.get_by_role("link", name="Create an account").click()
    fill(page, username="ada", email="ada@example.org", password1=FIRST, password2=FIRST)
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("heading", name="Hello, ada")).to_be_visible()
    sign_out(page)

    page.goto(reverse("account_reset_password"))
    fill(page, email="ada@example.org")
    page.get_by_role("button", name="Send the link").click()
    page.wait_for_url(f"**{reverse('account_reset_password_done')}")
    address = re.search(r"https?://\S+/password/reset/key/\S+", mail.outbox[-1].body)[0]
    page.goto(address.replace("https://", "http://"))
    fill(page, password1=SECOND, password2=SECOND)
    page.get_by_role("button", name="Set the password").click()
    # Whoever holds the mail is let in by it, however often others have guessed.
    expect(page.get_by_role("heading", name="Hello, ada")).to_be_visible()
    sign_out(page)

    page.goto(reverse("account_login"))
    fill(page, login="ada", password=FIRST)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".errorlist")).to_be_visible()
    fill(page, login="ada@example.org", password=SECOND)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Hello, ada")).to_be_visible()


def test_a_raster_goes_in_is_refused_or_converted_and_carries_a_campaign(
    open_page: OpenPage, media: Path, tmp_path: Path, lead: User
):
    page = open_page(lead, reverse("annotate:basemap_list"))
    page.get_by_role("link", name="Upload a basemap").first.click()
    earth = rasters.write(tmp_path / "earth.tif", rasters.noise(64, 64), crs=rasters.EARTH)
    page.set_input_files("[name=file]", earth)
    page.get_by_role("button", name="Upload").click()
    expect(page.locator(".errorlist")).to_contain_text("6,378,137 m")
    assert not Basemap.objects.exists()

    strip = rasters.write(tmp_path / "mare_strip.tif", rasters.hills(300, 300), unit="m")
    page.set_input_files("[name=file]", strip)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="mare strip")).to_be_visible()
    expect(page.locator("main")).to_contain_text("mare strip · hillshade")
    page.get_by_role("link", name="Begin a campaign on it").click()
    fill(page, name="Mare Humorum")
    expect(page.get_by_text("This makes 1 tile")).to_be_visible()
    page.get_by_role("button", name="Begin the campaign").click()
    expect(page.get_by_role("heading", name="Mare Humorum")).to_be_visible()
    assert Campaign.objects.get().tiles.count() == 1


def test_a_list_goes_in_with_a_report_of_what_was_left_out(open_page: OpenPage, tmp_path: Path, lead: User):
    path = tmp_path / "craters.csv"
    path.write_text(
        "lon,lat,diam_km,name\n-39.97,-17.48,111.4,Gassendi\n5,95,3,Nowhere\n5,5,-1,<b>Less</b>\n1,2,3,Small\n"
    )
    page = open_page(lead, reverse("annotate:catalogue_list"))
    page.get_by_role("link", name="Import a crater list").first.click()
    page.set_input_files("[name=file]", path)
    page.get_by_role("button", name="Look it through").click()
    main = page.locator("main")
    for words in ("Nothing is imported yet", "Line 3", "swapped", "Line 4", "<b>Less</b>"):
        expect(main).to_contain_text(words)
    assert not Feature.objects.exists()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="All of them as CSV").click()
    assert "Nowhere" in Path(waiting.value.path()).read_text()
    page.get_by_label("Leave them out and import the others").check()
    page.get_by_role("button", name="Import 2 craters").click()
    expect(page.get_by_role("heading", name="craters v1")).to_be_visible()
    expect(main).to_contain_text("Gassendi")
    assert Feature.objects.count() == 2
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV", exact=True).click()
    assert Path(waiting.value.path()).read_text().count("\n") == 3


@pytest.fixture
def campaign(media: Path, tmp_path: Path, lead: User, annotator: User, stranger: User) -> Campaign:
    """One tile for two annotators."""
    basemap = make_basemap(tmp_path / "world.tif", **PLACE)
    made = make_campaign(basemap, lead, annotator, redundancy=2)
    members.add_member(campaign=made, who=stranger.get_username(), role="annotator")
    return made


def test_two_people_do_not_see_each_others_marks_before_the_tile_is_settled(
    open_page: OpenPage, campaign: Campaign, annotator: User, stranger: User
):
    first = open_workbench(open_page, annotator, campaign)
    first.draw(150, 150, 30)
    second = open_workbench(open_page, stranger, campaign)
    expect(second.page.locator("#marks-count")).to_have_text("0")
    middle = [(150 + 30, 150), (150, 150 + 30), (150 - 30, 150)]
    assert first.blue_at(middle).all()
    assert not second.blue_at(middle).any()
    assert str(Mark.objects.get().uid) not in second.page.content()
    first.press("Control+Enter")
    expect(first.page.locator("#no-tile")).to_be_visible()
    second.page.reload()
    again = Workbench(second.page, campaign)
    expect(again.page.locator("#marks-count")).to_have_text("0")
    again.draw(151, 150, 30)
    again.press("Control+Enter")
    expect(again.page.locator("#no-tile")).to_be_visible()
    settled = Feature.objects.get(catalogue__origin=Catalogue.Origin.CONSENSUS)
    assert settled.marks.count() == 2


def test_every_page_fits_a_phone(open_page: OpenPage, campaign: Campaign, lead: User):
    catalogue = Catalogue.objects.create(
        name="A list with a rather long name, " * 4, body="moon", created_by=participant_of(lead)
    )
    basemap = campaign.layers.get().basemap
    run = Run.objects.create(
        campaign=campaign,
        number=1,
        system="crater_detector",
        verb="train",
        state="failed",
        error="It ended.",
    )
    page = open_page(lead, "/", viewport=PHONE, has_touch=True)
    names = {
        "review:home": None,
        "review:profile": None,
        "annotate:campaign_list": None,
        "annotate:campaign_new": None,
        "annotate:campaign": campaign.uid,
        "annotate:campaign_members": campaign.uid,
        "annotate:campaign_settings": campaign.uid,
        "review:models": campaign.uid,
        "review:review": campaign.uid,
        "review:run": run.uid,
        "annotate:basemap_list": None,
        "annotate:basemap_new": None,
        "annotate:basemap": basemap.uid,
        "annotate:catalogue_list": None,
        "annotate:catalogue_import": None,
        "annotate:import_preview": wait_for_import(participant_of(lead)).uid,
        "annotate:catalogue": catalogue.uid,
        "account_email": None,
    }
    too_wide = {}
    for name, uid in names.items():
        assert page.goto(reverse(name, args=[uid] if uid else [])).ok, name
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            too_wide[name] = width
    assert not too_wide
