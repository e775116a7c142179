"""The loop, closed: what people reject teaches the next model, with a real network in real subprocesses.

Synthetic terrain with exact craters in the west, which is searched and drawn, and in the east, where round
sinks without a rim are planted as well. A first model has never seen such a sink and takes it for a crater.
Reviewers reject those on training ground; the others nobody ever judges.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from django.utils import timezone
from numpy.typing import NDArray
from scipy.stats import binomtest

from annotate.models import Basemap, Campaign, Catalogue, Participant, User, Visit
from annotate.services import basemaps, consensus, conversions, leases, marks
from annotate.services.campaigns import create_campaign
from annotate.services.participants import participant_of
from mlcore import api
from mlcore.catalogues.matching import match
from mlcore.raster.grid import Grid
from mlcore.simulate.placed import on_body, write_world
from mlcore.simulate.terrain import Circle, TerrainParameters, World, make_world
from mlcore.split import TRAIN, split_codes
from review.models import ModelVersion, Run, Subject, Verdict
from review.services import classifications, queue, registry, searching, training
from review.services.policies import candidates

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.timeout(1200)]

MOON_M = 1_737_400.0
SIZE_PX, RESOLUTION_M, MIN_DIAMETER_M = 640, 100.0, 1600.0
# Bounded by steps, not by seconds: a busy machine takes longer and learns the same.
FIRST = {"steps": 280, "batch_size": 2, "crop_px": 160, "views": 1}
SECOND = FIRST | {"steps": 320}


@dataclass(frozen=True)
class Ground:
    """The campaign with what is truly there: rows of lon, lat and diameter_m."""

    campaign: Campaign
    craters: NDArray[np.float64]
    sinks: NDArray[np.float64]

    def trained_on(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        return split_codes("moon", rows[:, 0], rows[:, 1], self.campaign.split_block_deg) == TRAIN


def planted() -> tuple[World, list[Circle]]:
    """A world, and the sinks dug into its eastern half clear of its craters."""
    world = make_world(
        TerrainParameters(
            size_px=SIZE_PX,
            resolution_m_per_px=RESOLUTION_M,
            min_diameter_px=14.0,
            max_diameter_px=60.0,
            lookalikes_per_megapixel=0.0,
            roughness_deg=1.5,
            wear=0.15,
        ),
        seed=3,
    )
    random, sinks = np.random.default_rng(1), []
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX] + 0.5
    elevation = world.elevation_m.astype(float)
    while len(sinks) < 36:
        at = random.uniform([SIZE_PX / 2 + 25, 20], SIZE_PX - 20)
        sink = Circle(float(at[0]), float(at[1]), float(np.exp(random.uniform(np.log(18), np.log(40)))))
        others = [(c, 0.6) for c in world.craters] + [(s, 0.9) for s in sinks]
        if any(
            np.hypot(c.x_px - sink.x_px, c.y_px - sink.y_px) < room * (c.diameter_px + sink.diameter_px)
            for c, room in others
        ):
            continue
        r = np.hypot(x - sink.x_px, y - sink.y_px) / (sink.diameter_px / 2)
        elevation -= 0.16 * sink.diameter_px * RESOLUTION_M * np.exp(-((r / 0.8) ** 4))
        sinks.append(sink)
    return World(elevation.astype(np.float32), world.craters, [], world.parameters, world.seed), sinks


@pytest.fixture
def ground(media: Path, tmp_path: Path, lead: User) -> Ground:
    world, sinks = planted()
    grid = write_world(world, tmp_path / "world.tif", body="moon", lon=10.0, lat=0.0)
    terrain = basemaps.add_basemap(
        name="Planted terrain", body="moon", path=tmp_path / "world.tif", kind="elevation", synthetic=True
    )
    conversions.convert(terrain.pk)
    campaign = create_campaign(
        name="Planted region",
        body="moon",
        basemaps=[Basemap.objects.get(pk=terrain.pk)],
        created_by=participant_of(lead),
        tile_size_px=160,
        overlap=40,
        redundancy=2,
        min_diameter_m=MIN_DIAMETER_M,
    )
    whole = [c for c in world.craters if 0 < c.x_px < SIZE_PX and 0 < c.y_px < SIZE_PX]
    return Ground(campaign, on_body(whole, grid), on_body(sinks, grid))


def search_the_west(ground: Ground, people: Sequence[Participant]) -> None:
    """Each draws every crater of the western tiles, as exactly as it is, and submits them; they settle."""
    grid = Grid.from_json(ground.campaign.grid)
    x, y = grid.pixel(ground.craters[:, 0], ground.craters[:, 1])
    for tile in ground.campaign.tiles.filter(x_px__lt=SIZE_PX / 2):
        inside = (tile.x_px <= x) & (x < tile.x_px + tile.width_px)
        inside &= (tile.y_px <= y) & (y < tile.y_px + tile.height_px)
        for who in people:
            visit = Visit.objects.create(
                tile=tile, participant=who, lease_expires_at=timezone.now() + timedelta(hours=1)
            )
            for lon, lat, diameter_m in ground.craters[inside].tolist():
                marks.draw(visit=visit, uid=uuid4(), lon=lon, lat=lat, diameter_m=diameter_m)
            leases.submit(visit=visit, empty=not inside.any())
        consensus.settle_tile(tile)


def learn(ground: Ground, lead: Participant, settings: dict, start_from: ModelVersion | None) -> ModelVersion:
    """Train, promote and predict, as the buttons do."""
    run = training.request_training(
        campaign=ground.campaign, requested_by=lead, overrides=settings, start_from=start_from
    )
    assert training.execute(run.pk, "worker") == []
    run.refresh_from_db()
    assert run.state == "finished", run.error
    version = ModelVersion.objects.get(run=run)
    predicting = registry.promote(version=version, by=lead)
    assert searching.execute(predicting.pk, "worker") == []
    assert Run.objects.get(pk=predicting.pk).state == "finished"
    return version


def scores_of(version: ModelVersion, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The version's score of each place; 0 where it found nothing at all, however weak."""
    run = version.prediction_runs.get()
    found = [
        api.Detection.from_json(detection)
        for detections in run.windows.order_by("index").values_list("detections", flat=True)
        for detection in detections
    ]
    merged = api.merge_detections(found, MOON_M)
    circles = np.array([(d.lon, d.lat, d.diameter_m) for d in merged]).reshape(-1, 3)
    scores = np.zeros(len(rows))
    for pair in match(circles, rows, MOON_M):
        scores[pair.j] = merged[pair.i].score
    return scores


def judge_all(ground: Ground, reviewer: Participant) -> None:
    """Accept true craters and reject sinks on training ground; whatever else comes is passed over."""
    workflow = candidates.workflow_of(ground.campaign)
    seen = ground.sinks[ground.trained_on(ground.sinks)]
    while subject := queue.next_subject(workflow=workflow, participant=reviewer):
        f = subject.feature
        proposed = [(f.lon, f.lat, f.diameter_m)]
        if match(proposed, ground.craters, MOON_M):
            answer, reason = "accept", ""
        elif match(proposed, seen, MOON_M):
            answer, reason = "reject", "depression"
        else:
            answer, reason = "skip", ""
        classifications.record(
            workflow=workflow,
            subject=subject,
            participant=reviewer,
            uid=uuid4(),
            answer=answer,
            reason=reason,
            as_reviewer=True,
        )


def has_fallen(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> bool:
    """Whether more places were lost than won beyond chance (McNemar's exact test, one-sided, at 5 %).

    Two trainings differ in a crater or two of 35 by the processor's rounding alone; comparing bare counts
    fails on one machine and passes on the next. Five lost and none won is a fall.
    """
    lost, won = int((before & ~after).sum()), int((~before & after).sum())
    return lost > won and binomtest(lost, lost + won, alternative="greater").pvalue < 0.05


def test_a_fall_is_seen_beyond_chance():
    before = np.arange(35) < 28
    assert has_fallen(before, np.arange(35) < 23)
    assert not has_fallen(before, np.arange(35) < 27)
    assert not has_fallen(before, np.arange(35) < 30)


def test_the_verdict_teaches(ground: Ground, lead: User, annotator: User, reviewer: User):
    owner = participant_of(lead)
    unseen = ground.sinks[~ground.trained_on(ground.sinks)]
    large = ground.craters[ground.craters[:, 2] >= MIN_DIAMETER_M]
    held_out = large[~ground.trained_on(large)]
    assert len(unseen) >= 5
    assert len(held_out) >= 25

    search_the_west(ground, [owner, participant_of(annotator)])
    first = learn(ground, owner, FIRST, start_from=None)
    threshold = first.card["threshold"]
    sinks_before, craters_before = scores_of(first, unseen), scores_of(first, held_out) >= threshold
    assert (sinks_before >= threshold).mean() > 0.5, "the first model must take the sinks for craters"
    assert craters_before.mean() > 0.5
    assert Subject.objects.filter(retired_at__isnull=True).count() > 20

    judge_all(ground, participant_of(reviewer))
    assert Verdict.objects.filter(answer="rejected", reason="depression").count() >= 10
    assert ground.campaign.catalogues.get(origin=Catalogue.Origin.REVIEWED).features.count() >= 10

    second = learn(ground, owner, SECOND, start_from=first)
    # At the same threshold: one chosen anew on a handful of validation craters would add its own noise.
    sinks_after, craters_after = scores_of(second, unseen), scores_of(second, held_out) >= threshold
    assert sinks_after.mean() < 0.5 * sinks_before.mean()
    assert not has_fallen(craters_before, craters_after)

    beside = second.card["compared_with"]
    assert beside["number"] == 1
    assert {"recall", "precision", "f1"} <= beside["metrics"].keys() & second.card["metrics"]["test"].keys()
    # What was rejected and is found again, however weakly, is not asked again.
    again = Subject.objects.filter(retired_at__isnull=True).values_list("feature__lon", "feature__lat")
    rejected = Verdict.objects.filter(answer="rejected").values_list("subject__feature__lon", flat=True)
    assert not {lon for lon, _ in again} & set(rejected)
