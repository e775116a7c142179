"""Foil triage from end to end: a lead sets a campaign up; a visitor's answers become a confirmed crater."""

import csv
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from django.urls import reverse
from PIL import Image
from playwright.sync_api import Page, expect

from annotate.models import Campaign, Participant, Role, User
from annotate.services import members
from mlcore.consensus.answers.stopping import Outcome, StoppingRule
from mlcore.simulate.foil_survey import SurveyParameters, take
from mlcore.simulate.foils import FoilParameters
from review.models import Classification, Confirmation, Gold, Judge, Subject, Workflow
from review.services.foils import settings as triage_settings
from review.services.foils.rules import rules
from tests.browser.test_triage import THUMB, Sheet
from tests.review.foils.conftest import (  # noqa: F401
    foils,
    make_foil_subjects,
    make_judge,
    make_picture,
    say,
    triage,
)

OpenPage = Callable[..., Page]
SURVEY = SurveyParameters(foil=FoilParameters(width_px=128, height_px=96), crater_share=0.5)


def archive_of(path: Path, n: int) -> Path:
    """Simulated pictures under names that say where each was taken."""
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(1, n + 1):
            taken, stream = take(SURVEY, 1, number), BytesIO()
            Image.fromarray(taken.frames[0]).save(stream, "png")
            archive.writestr(f"scan/I1061N_{taken.place.x_um}_{taken.place.y_um}.png", stream.getvalue())
    return path


def fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.fill(f"[name={name}]", value)


def next_step(page: Page, label: str) -> None:
    """Press what the campaign's page says is to be done."""
    page.get_by_role("region", name="Next step").get_by_role("link", name=label).click()


def tab(page: Page, label: str) -> None:
    page.get_by_role("navigation", name="Foils").get_by_role("link", name=label, exact=True).click()


def press(page: Page, label: str) -> None:
    page.get_by_role("button", name=label).click()


def test_a_lead_sets_a_campaign_up(open_page: OpenPage, media: Path, tmp_path: Path, lead: User):
    page = open_page(lead, reverse("annotate:campaign_new_foils"))
    fill(page, name="Collector 7")
    page.get_by_label("Public: anyone may judge").check()
    page.get_by_label("The pictures are synthetic").check()
    press(page, "Begin the campaign")
    expect(page.get_by_role("heading", name="Collector 7")).to_contain_text("synthetic")
    campaign = Campaign.objects.get(kind=Campaign.Kind.FOIL)

    next_step(page, "Add images")
    page.set_input_files("[name=files]", archive_of(tmp_path / "scan.zip", 6))
    fill(page, pattern="{x_um}_{foil}.png")
    press(page, "Send and preview")
    expect(page.get_by_text("The pattern reads 0 of 6 names")).to_be_visible()
    fill(page, pattern="{foil}_{x_um}_{y_um}.png", nm_per_px="50")
    press(page, "Preview again")
    expect(page.get_by_text("The pattern reads 6 of 6 names")).to_be_visible()
    assert not campaign.pictures.exists()
    press(page, "Bring in 6 files")
    expect(page.get_by_role("heading", name="Read", exact=True)).to_be_visible()
    assert {(one.foil, one.nm_per_px) for one in campaign.pictures.all()} == {("I1061N", 50.0)}

    tab(page, "Overview")
    next_step(page, "Make known pictures")
    fill(page, craters="2", look_alikes="0", blanks="2", practice="4")
    press(page, "Make them")
    expect(page.get_by_text("The last order made 8 of 8 known images.")).to_be_visible()
    known = Gold.objects.filter(subject__workflow__campaign=campaign)
    assert (known.count(), known.filter(is_practice=True).count()) == (8, 4)

    tab(page, "Rules")
    fill(page, min_votes="2", max_votes="5")
    press(page, "Preview")
    expect(page.locator("main")).to_contain_text("would retire now")
    assert rules.current(rules.workflow_of(campaign)).number == 1
    fill(page, why="Few people at first")
    press(page, "Let this rule stand from now on")
    expect(page.get_by_text("Few people at first")).to_be_visible()
    assert rules.current(rules.workflow_of(campaign)).rule.max_votes == 5
    # What was brought in waits for people.
    assert Subject.objects.filter(workflow__campaign=campaign, stratum=Subject.Stratum.QUEUE).count() == 6


@pytest.fixture
def ready(triage: Workflow, lead: User, make_foil_subjects: Callable[..., list[Subject]]) -> Workflow:  # noqa: F811
    """Four pictures that are as likely a crater as not, two answers each, and no test before them."""
    rule = StoppingRule(min_votes=2, max_votes=2, accept=0.9, reject=1e-3, practised_people=0)
    rules.set_rule(workflow=triage, rule=rule, why="", by=None)
    triage_settings.change(workflow=triage, practice_last=0, practice_right=0)
    make_foil_subjects(4, probability=0.5)
    return triage


def test_a_visitor_s_crater_is_found_reckoned_and_confirmed(
    open_page: OpenPage,
    ready: Workflow,
    lead: User,
    reviewer: User,
    make_judge: Callable[..., Judge],  # noqa: F811
    say: Callable[..., Classification],  # noqa: F811
):
    found = judges_and_signs_up(open_page(None, "/", **THUMB))
    visitor = Participant.objects.get(user__username="ada")
    assert Classification.objects.get(subject=found).participant == visitor

    # Somebody else, who is known to see craters, agrees.
    say(make_judge("grace", hits=30, craters=30, passes=30, blanks=30), found, "crater")
    found.refresh_from_db()
    assert found.outcome == Outcome.CANDIDATE

    results = reverse("review:foil_results", args=[ready.campaign.uid])
    page = open_page(lead, results)
    press(page, "Reckon now")
    expect(page.locator(".basis")).to_contain_text("3 answers of 2 people")

    members.give_role(campaign=ready.campaign, user=reviewer, role=Role.REVIEWER, by=lead)
    page = open_page(reviewer, "/")
    next_step(page, "Look through them")
    page.locator(f'a[href="{reverse("review:foil_candidate", args=[found.uid])}"]').first.click()
    page.get_by_label("Impact crater", exact=True).check()
    page.get_by_label("SEM: a second look").check()
    page.locator("#image").click()
    expect(page.locator(".spot-row")).to_have_count(1)
    press(page, "Keep this result")
    expect(page.get_by_text("Impact crater").first).to_be_visible()
    confirmation = Confirmation.objects.get()
    assert (confirmation.subject, confirmation.result, len(confirmation.places)) == (found, "crater", 1)

    page.goto(f"{results}?which=confirmed")
    with page.expect_download() as download:
        page.get_by_role("link", name="This list as CSV").click()
    with Path(download.value.path()).open() as file:
        (row,) = csv.DictReader(line for line in file if not line.startswith("#"))
    assert found.picture.name in row.values()
    assert row["discoverers"].split("; ")[0] == visitor.pseudonym


def judges_and_signs_up(page: Page) -> Subject:
    """A visitor begins from the landing page, finds a crater, and signs up in the middle; where it was."""
    page.get_by_role("link", name="Find craters").first.click()
    sheet = Sheet(page)
    sheet.learn()
    found = sheet.asked()
    sheet.tap(30, 20)
    sheet.button("Crater here")
    sheet.asked()
    sheet.sent()
    page.get_by_role("link", name="Sign up to keep your record.").tap()
    password = "a horse that was correct"
    fill(page, username="ada", email="ada@example.org", password1=password, password2=password)
    press(page, "Create the account")
    second = sheet.asked()
    assert second != found
    expect(page.locator("#progress")).to_contain_text("1")
    sheet.button("Nothing")
    assert sheet.asked() not in (found, second)
    sheet.sent()
    judge = Judge.objects.get(participant__user__username="ada")
    assert judge.n_answers == 2
    return found
