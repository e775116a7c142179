"""The way of one label, all round, as people at screens see it: real Chromium, real workers, a real network.

A lead and volunteers search a synthetic region; the lead trains, watches, promotes; a reviewer judges what
the model proposes by keys; the verdicts become a catalogue that is downloaded, and wait to be taught.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import Campaign, Catalogue, Feature, Participant, Role, Tile, User
from annotate.services import basemaps, campaigns, consensus, conversions, grids, leases, marks, members
from annotate.services.participants import participant_of
from mlcore.simulate.crowd import Volunteer, draw
from mlcore.simulate.placed import on_body, write_world
from mlcore.simulate.terrain import Circle, TerrainParameters, World, make_world
from review import tasks
from review.models import ModelVersion, Run, Verdict
from review.services import training
from tests.browser.workbench import Workbench
from tests.browser.workers import real_workers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

OpenPage = Callable[..., Page]
SIZE_PX, TILE_PX, MIN_DIAMETER_M = 512, 128, 1600.0
# Enough to find fresh craters; how well it learns is measured elsewhere.
SHORT = {"steps": 120, "batch_size": 2, "crop_px": 160, "views": 1}
# A busy machine takes its time.
SOON_MS, LATER_MS = 60_000, 300_000


@dataclass(frozen=True)
class Region:
    """A campaign on made-up terrain, and what is truly there."""

    campaign: Campaign
    world: World

    def craters_in(self, tile: Tile) -> list[Circle]:
        """Those wanted with their centre in the tile, in grid pixels."""
        core, edge_m = grids.core_cell(tile), self.world.parameters.resolution_m_per_px
        wanted = (c for c in self.world.craters if c.diameter_px * edge_m >= MIN_DIAMETER_M)
        return [c for c in wanted if core.holds(c.x_px, c.y_px)]

    def search(self, volunteer: Participant, number: int, most: int) -> None:
        """Let a simulated volunteer search tiles, and settle what has its visits."""
        grid = grids.grid_of(self.campaign)
        for _ in range(most):
            visit = leases.hand_out(campaign=self.campaign, participant=volunteer)
            assert visit is not None
            drawn = draw(
                Volunteer(hit_rate=1.0),
                self.craters_in(visit.tile),
                [],
                min_diameter_px=MIN_DIAMETER_M / grid.resolution_m_per_px,
                seed=[7, number, visit.tile.number],
            )
            for lon, lat, diameter_m in on_body(drawn, grid).tolist():
                marks.draw(visit=visit, uid=uuid4(), lon=lon, lat=lat, diameter_m=diameter_m)
            leases.submit(visit, empty=not drawn)
            if consensus.is_due(visit.tile):
                consensus.settle_tile(visit.tile)


@pytest.fixture
def region(media: Path, tmp_path: Path, lead: User, reviewer: User) -> Region:
    """Sixteen tiles, two visits each: one volunteer has searched all, another all but one."""
    world = make_world(
        TerrainParameters(
            size_px=SIZE_PX,
            craters_per_megapixel=300.0,
            min_diameter_px=14.0,
            max_diameter_px=60.0,
            wear=0.1,
            roughness_deg=1.5,
            lookalikes_per_megapixel=150.0,
        ),
        seed=4,
    )
    write_world(world, tmp_path / "world.tif", body="moon", lon=10.0, lat=0.0)
    basemap = basemaps.add_basemap(
        name="Synthetic terrain", body="moon", path=tmp_path / "world.tif", kind="elevation", synthetic=True
    )
    conversions.convert(basemap.pk)
    basemap.refresh_from_db()
    campaign = campaigns.create_campaign(
        name="Synthetic region",
        body="moon",
        basemaps=[basemap],
        created_by=participant_of(lead),
        tile_size_px=TILE_PX,
        overlap=32,
        redundancy=2,
        min_diameter_m=MIN_DIAMETER_M,
        visibility=Campaign.Visibility.PUBLIC,
    )
    members.add_member(campaign=campaign, who=reviewer.get_username(), role=Role.REVIEWER)
    made = Region(campaign, world)
    for number, most in enumerate((16, 15)):
        made.search(Participant.objects.create(pseudonym=f"volunteer {number}"), number, most)
    return made


@pytest.fixture(autouse=True)
def work_at_once(region: Region) -> Iterator[None]:
    """Nothing runs where it is enqueued: workers do it."""
    with real_workers():
        yield


@pytest.mark.django_db(transaction=True)
def test_it_works_all_the_way_round(region: Region, open_page: OpenPage, lead: User, reviewer: User):
    campaign = region.campaign
    page = open_page(lead, reverse("annotate:campaign", args=[campaign.uid]))
    expect(page.get_by_text("15 of 16 tiles settled")).to_be_visible()
    page.get_by_role("link", name="Label a tile").click()
    _search_the_last_tile(Workbench(page, campaign), region)
    _wait_until(page, "annotate:campaign", campaign, "16 of 16 tiles settled")

    _press_train_watch_and_cancel(page, campaign)
    _watch_a_training_and_promote(page, campaign, lead)
    proposed = _watch_the_prediction(page, campaign)
    _see_proposals_on_the_map(page, campaign, proposed)

    _judge_by_keys(open_page(reviewer, reverse("review:review", args=[campaign.uid])))
    _download_the_reviewed_catalogue(page, campaign)
    page.goto(reverse("review:models", args=[campaign.uid]))
    expect(page.locator("#new-verdicts")).to_contain_text("3 verdicts are new since version 1")
    expect(page.get_by_role("button", name="Train")).to_be_enabled()


def _search_the_last_tile(workbench: Workbench, region: Region) -> None:
    tile = region.campaign.tiles.get(settled_at=None)
    craters = region.craters_in(tile)
    assert craters, "The last tile has nothing to draw."
    for crater in craters:
        workbench.draw(crater.x_px, crater.y_px, crater.diameter_px / 2)
    workbench.press("Control+Enter")
    expect(workbench.page.locator("#no-tile")).to_be_visible(timeout=SOON_MS)


def _wait_until(page: Page, name: str, campaign: Campaign, words: str) -> None:
    """Load a page again until it says so: a worker is at it."""
    for _ in range(30):
        page.goto(reverse(name, args=[campaign.uid]))
        if page.get_by_text(words).count():
            return
        page.wait_for_timeout(1000)
    expect(page.get_by_text(words)).to_be_visible()


def _press_train_watch_and_cancel(page: Page, campaign: Campaign) -> None:
    page.goto(reverse("review:models", args=[campaign.uid]))
    page.get_by_role("button", name="Train").click()
    page.wait_for_url("**/runs/*/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Training 1")
    expect(page.locator("#stage")).to_have_text(re.compile(r"^step \d+ of 700$"), timeout=LATER_MS)
    expect(page.locator("#log")).to_contain_text("Dataset")
    page.get_by_role("button", name="Cancel after this batch").click()
    expect(page.locator("#state")).to_have_text("Cancelled", timeout=SOON_MS)
    assert Run.objects.get(campaign=campaign).error == ""


def _watch_a_training_and_promote(page: Page, campaign: Campaign, lead: User) -> None:
    run = training.request_training(campaign=campaign, requested_by=participant_of(lead), overrides=SHORT)
    tasks.enqueue(run)
    page.goto(reverse("review:run", args=[run.uid]))
    expect(page.locator("#curves path.curve").first).to_be_visible(timeout=LATER_MS)
    assert page.locator("#bar").evaluate("bar => bar.value") > 0
    promote = page.get_by_role("button", name="Promote")
    expect(promote).to_be_visible(timeout=LATER_MS)
    expect(page.locator("#scores")).to_contain_text("Recall")
    promote.click()
    expect(page.get_by_text("Version 1 is current.")).to_be_visible()
    assert ModelVersion.objects.get(is_current=True).run == run


def _watch_the_prediction(page: Page, campaign: Campaign) -> int:
    predicting = Run.objects.get(campaign=campaign, verb=Run.Verb.PREDICT)
    page.goto(reverse("review:run", args=[predicting.uid]))
    expect(page.get_by_role("heading", name="What it found")).to_be_visible(timeout=LATER_MS)
    predicting.refresh_from_db()
    assert predicting.catalogue is not None
    return predicting.catalogue.features.count()


def _see_proposals_on_the_map(page: Page, campaign: Campaign, proposed: int) -> None:
    campaign.refresh_from_db()
    page.goto(reverse("annotate:label", args=[campaign.uid]))
    overlay = page.locator("#overlays label").filter(has_text=str(campaign.proposals))
    overlay.get_by_role("checkbox").check()
    expect(overlay).to_contain_text(re.compile(r"\d"))
    query = f"?catalogue={campaign.proposals.uid}&bbox=-180,-90,180,90"
    address = reverse("annotate:api_features", args=[campaign.uid])
    shown = page.request.get(f"{address}{query}").json()
    assert len(shown["features"]) == proposed > 0


def _judge_by_keys(page: Page) -> None:
    """Accept, correct, reject, and leave one open."""
    done = page.locator("#progress")
    for number, keys in enumerate((["a"], ["e", "ArrowRight", "]", "Enter"], ["x", "1"], ["u"])):
        expect(done).to_contain_text(f"{number} done", timeout=SOON_MS)
        expect(page.locator("#cut:not(.waiting)")).to_be_visible()
        for key in keys:
            page.keyboard.press(key)
    expect(done).to_contain_text("4 done", timeout=SOON_MS)
    answers = Verdict.objects.order_by("pk").values_list("answer", flat=True)
    assert list(answers) == ["confirmed", "confirmed", "rejected", "unsure"]
    assert Verdict.objects.get(answer="rejected").reason == "ridge"


def _download_the_reviewed_catalogue(page: Page, campaign: Campaign) -> None:
    reviewed = Catalogue.objects.get(campaign=campaign, origin=Catalogue.Origin.REVIEWED)
    edited = Feature.objects.get(catalogue=reviewed, provenance__edited=True)
    proposal = edited.verdict.subject.feature
    assert edited.diameter_m == pytest.approx(1.02 * proposal.diameter_m)
    assert edited.lon > proposal.lon
    page.goto(reverse("annotate:catalogue", args=[reviewed.uid]))
    texts = []
    for name in ("CSV", "GeoJSON"):
        with page.expect_download() as waiting:
            page.get_by_role("link", name=name, exact=True).click()
        texts.append(Path(waiting.value.path()).read_text())
    rows = [line for line in texts[0].splitlines() if not line.startswith("#")]
    assert len(list(csv.DictReader(rows))) == len(json.loads(texts[1])["features"]) == 2
