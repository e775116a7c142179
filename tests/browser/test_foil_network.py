"""From a crater cut out in the browser to a threshold: real Chromium, real workers, a real network.

A lead cuts the last of a handful of craters out of a test shot, reads what there is to learn from, trains,
watches and promotes; the pictures are scored, and the page of the threshold says what each removes and loses.
"""

from collections.abc import Callable, Iterator

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import Campaign, User
from annotate.services.participants import participant_of
from mlcore.simulate.foil_survey import SurveyParameters
from mlcore.simulate.foils import FoilParameters
from review import tasks
from review.models import CutOut, Gold, ModelVersion, Picture, Run, ScoreImport, Workflow
from review.services import training
from review.services.foils import surveying
from review.services.foils.network import shots
from review.services.foils.network.shots import Shots
from tests.browser.test_cutting import HEIGHT_PX, WIDTH_PX, Tool
from tests.browser.workers import real_workers
from tests.review.foils.conftest import (  # noqa: F401
    foils,
    make_foil_subjects,
    make_gold,
    make_picture,
    triage,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

OpenPage = Callable[..., Page]
FOIL = FoilParameters(width_px=WIDTH_PX, height_px=HEIGHT_PX, pits=0.3)
# So few steps teach nothing; how well it learns is measured elsewhere.
SHORT = {
    "steps_1": 6, "batch_1": 4, "crop_1_px": 48,
    "steps_2": 4, "batch_2": 2, "crop_2_px": [96, 128], "mine_every": 0,
}  # fmt: skip
N_PICTURES, N_KNOWN = 12, 3
# A busy machine takes its time.
SOON_MS, LATER_MS = 60_000, 300_000


@pytest.fixture
def campaign(
    foils: Campaign,  # noqa: F811
    lead: User,
    make_gold: Callable[..., list[Gold]],  # noqa: F811
) -> Campaign:
    """A survey that nobody has looked at, known craters, test shots all but one cut out, and blank foil."""
    made = Shots(foil=FOIL, seed=6, n_shots=7, n_cut=6, n_blanks=8)
    shots.add(foils, made, participant_of(lead))
    surveying.add_survey(
        campaign=foils, parameters=SurveyParameters(foil=FOIL, crater_share=0.3), seed=1, n=N_PICTURES
    )
    make_gold(N_KNOWN)
    return foils


@pytest.fixture(autouse=True)
def work_at_once(campaign: Campaign) -> Iterator[None]:
    """Nothing runs where it is enqueued: workers do it."""
    with real_workers():
        yield


def tab(page: Page, label: str) -> None:
    page.get_by_role("navigation", name="Foils").get_by_role("link", name=label, exact=True).click()


@pytest.mark.django_db(transaction=True)
def test_it_works_from_a_cut_out_to_a_threshold(
    campaign: Campaign,
    triage: Workflow,  # noqa: F811
    open_page: OpenPage,
    lead: User,
):
    page = open_page(lead, reverse("review:foil_network", args=[campaign.uid]))
    cut_outs = page.get_by_role("row", name="Cut-outs").get_by_role("cell")
    assert sum(map(int, cut_outs.all_inner_texts())) == 6
    _cut_the_last(page, campaign)
    tab(page, "Network")
    assert sum(map(int, cut_outs.all_inner_texts())) == 7
    expect(page.get_by_role("button", name="Train")).to_be_enabled()
    expect(page.locator("#obstacle")).to_have_count(0)

    _watch_a_training_and_promote(page, campaign, lead)
    _watch_the_scoring(page, campaign)
    _look_at_thresholds(page, campaign)


def _cut_the_last(page: Page, campaign: Campaign) -> None:
    tab(page, "Cut-outs")
    expect(page.get_by_role("heading", name="1 reference picture not cut yet")).to_be_visible()
    name = surveying.name_of(6, 7)
    page.get_by_role("link", name=f"Cut out of {name}").click()
    tool = Tool(page)
    shot = SurveyParameters(foil=FOIL, crater_share=0.999, apart_share=0.0, series_share=0.0)
    corners = shots.outline(surveying.place_of(shot, name), FOIL)[::2]
    for corner in corners:
        tool.click(*corner)
    expect(tool.points()).to_have_count(len(corners))
    page.get_by_role("button", name="Close outline").click()
    tool.keep()
    tool.sent()
    expect(tool.listed()).to_have_count(1)
    cut = CutOut.objects.get(picture__name=name)
    assert len(cut.polygon) == len(corners) and cut.picture.purpose == Picture.Purpose.REFERENCE
    page.get_by_role("link", name="All cut-outs").click()
    expect(page.get_by_text("Each has at least one cut-out.")).to_be_visible()


def _watch_a_training_and_promote(page: Page, campaign: Campaign, lead: User) -> None:
    """As a press on Train, but for the preset: the shortest of the page takes minutes."""
    run = training.request_training(
        campaign=campaign, system="foil_classifier", requested_by=participant_of(lead), overrides=SHORT
    )
    tasks.enqueue(run)
    page.goto(reverse("review:run", args=[run.uid]))
    promote = page.get_by_role("button", name="Promote")
    expect(promote).to_be_visible(timeout=LATER_MS)
    expect(page.locator("#log")).to_contain_text("synthetic")
    promote.click()
    expect(page.get_by_text("Version 1 is current.")).to_be_visible()
    assert ModelVersion.objects.get(is_current=True).run == run


def _watch_the_scoring(page: Page, campaign: Campaign) -> None:
    scoring = Run.objects.get(campaign=campaign, verb=Run.Verb.PREDICT)
    page.goto(reverse("review:run", args=[scoring.uid]))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Scoring 2")
    expect(page.locator("#state")).to_have_text("Finished", timeout=LATER_MS)
    survey = Picture.objects.survey().filter(campaign=campaign)
    assert survey.count() == N_PICTURES + N_KNOWN
    assert not survey.filter(score_raw=None).exists()
    assert not campaign.pictures.exclude(purpose=Picture.Purpose.SURVEY).exclude(score_raw=None).exists()
    assert ScoreImport.objects.get().run == scoring


def _look_at_thresholds(page: Page, campaign: Campaign) -> None:
    page.goto(reverse("review:foil_network", args=[campaign.uid]))
    tab(page, "Stream")
    expect(page.get_by_text("Scores of version 1 of the foil network")).to_be_visible()
    slider = page.locator("#threshold-slider")
    # It is hidden until the page's script moves it.
    expect(slider).to_be_visible()
    slider.focus()
    slider.press("Home")
    expect(page.locator("[data-figure=removed]")).to_contain_text("0")
    expect(page.locator("[data-figure=known-0]")).to_contain_text(f"0 of {N_KNOWN}")
    slider.press("End")
    expect(page.locator("[data-figure=removed]")).to_have_text("100\N{NO-BREAK SPACE}%")
    expect(page.locator("[data-figure=known-0]")).to_contain_text(f"{N_KNOWN} of {N_KNOWN}")
