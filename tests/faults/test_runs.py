"""Trainings, predictions and conversions go on, and end in their true state, whatever is killed meanwhile."""

from datetime import timedelta

import numpy as np
import pytest
import rasterio
from django.db import connection
from django.utils import timezone

from annotate.models import Basemap, Catalogue
from annotate.services.basemaps import cog_file
from annotate.services.conversions import DERIVED_KINDS
from annotate.services.participants import participant_of
from annotate.services.storage import file_of
from annotate.tasks import convert_basemap_task
from benchmarks.rig import foils, ground
from benchmarks.rig.foils import Foils
from benchmarks.rig.ground import Ground
from benchmarks.rig.inside import until_rows
from benchmarks.rig.outcomes import features_due, features_of, told_twice, windows_of
from benchmarks.rig.site import LEARNING, Site
from mlcore import api
from review import tasks
from review.models import ModelVersion, Picture, Run, ScoreImport
from review.services import prediction, runs
from review.services.foils.network import scoring
from tests.faults.conftest import SHORT, until_ended

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

A_MINUTE = timedelta(seconds=61)
# Enough steps that there is a middle to be killed in; what is learnt does not matter.
SHORT_FOILS = {"steps_1": 600, "batch_1": 8, "crop_1_px": 64, "steps_2": 20, "batch_2": 2, "mine_every": 0}


@pytest.fixture
def network_of_foils(site: Site) -> Foils:
    return foils.lay("foils")


def kill(site: Site, *names: str) -> None:
    """Kill one after the other, and wait until the supervisor has brought them back."""
    for name in names:
        site.kill(name)
    connection.close()  # cut, where it was PostgreSQL
    site.wait_until_up(*(name for name in names if name != LEARNING))


def until_steps(run: Run, site: Site, attempt: int) -> None:
    """Until the network of this attempt takes steps."""

    def takes_steps() -> bool:
        run.refresh_from_db()
        assert run.state in (Run.State.QUEUED, Run.State.RUNNING), run.error
        # Told by the learning process itself, since the row hears of it only every few seconds.
        events, _ = api.read_events(runs.folder_of(run))
        return run.attempt == attempt and any(e.get("stage", "").startswith("step ") for e in events)

    until_rows(f"attempt {attempt} of {run} takes steps", takes_steps, site)


def until_more_is_searched(run: Run, site: Site, before: int) -> None:
    """Until more windows are done than before, and some are not."""

    def is_in_the_middle() -> bool:
        run.refresh_from_db()
        assert run.state in (Run.State.QUEUED, Run.State.RUNNING), run.error
        return run.windows.filter(state="done").count() > before

    until_rows(f"{run} has searched more than {before} windows", is_in_the_middle, site)


def search_through_kills(run: Run, site: Site) -> None:
    """It ends with every window done, those done before a kill as they were then."""
    searched = {}
    for names in ([LEARNING], ["worker-gpu"], ["redis", "web", "postgres", "beat"]):
        until_more_is_searched(run, site, len(searched))
        kill(site, *names)
        searched |= {row[0]: row for row in windows_of(run) if row[1] == "done"}
    until_ended(run, site)
    assert (run.state, run.error) == ("finished", "")
    rows = windows_of(run)
    assert {state for _, state, _, _ in rows} == {"done"}
    assert searched and all(rows[index] == row for index, row in searched.items())


def test_a_training_ends_well(site: Site, place: Ground):
    with site.held("worker-gpu"):
        site.kill("worker-gpu")
        run = place.ask_for_training(**SHORT)
        tasks.enqueue(run)
        with site.held("redis"):
            site.kill("redis")
            site.redis.forget()
    # Its message is gone for good. A minute later:
    before = timezone.now() - A_MINUTE
    Run.objects.filter(pk=run.pk).update(queued_at=before, enqueued_at=before)

    until_steps(run, site, attempt=1)
    kill(site, LEARNING)
    until_steps(run, site, attempt=2)
    kill(site, "worker-gpu")
    until_steps(run, site, attempt=3)
    kill(site, "web", "worker-default", "beat", "redis", "postgres")
    until_ended(run, site)
    assert (run.state, run.error) == ("finished", "")
    assert ModelVersion.objects.filter(run=run).count() == 1
    assert told_twice(run) == []


def test_a_prediction_searches_each_window_once(site: Site, place: Ground, version: ModelVersion):
    run = prediction.request_prediction(model_version=version, requested_by=participant_of(place.lead))
    tasks.enqueue(run)
    search_through_kills(run, site)
    assert features_of(run) == features_due(run)
    assert Catalogue.objects.filter(name=run.catalogue.name, source=run.catalogue.source).count() == 1


def test_a_foil_network_learns_and_scores_each_picture_once(site: Site, network_of_foils: Foils):
    run = network_of_foils.ask_for_training(**SHORT_FOILS)
    tasks.enqueue(run)
    for attempt, names in enumerate(([LEARNING], ["worker-gpu", "postgres"]), start=1):
        until_steps(run, site, attempt)
        kill(site, *names)
    until_ended(run, site)
    assert (run.state, run.error, told_twice(run)) == ("finished", "", [])
    version = ModelVersion.objects.get(run=run)

    run = scoring.request_scoring(campaign=run.campaign, model_version=version, requested_by=None)
    tasks.enqueue(run)
    search_through_kills(run, site)
    said = [(one["picture"], one["score"]) for *_, found in windows_of(run) for one in found or ()]
    given = Picture.objects.survey().filter(campaign=run.campaign).values_list("pk", "score_raw")
    assert sorted(said) == sorted(given)
    assert ScoreImport.objects.filter(run=run).count() == 1


def test_a_conversion_ends_well(site: Site, place: Ground):
    """Killed while it converts, and once more while it derives."""
    basemap = ground.add_terrain(site, participant_of(place.lead), times=6)
    convert_basemap_task.delay(basemap.pk)
    for share, names in ((0.05, ["worker-default", "redis"]), (0.3, ["postgres"]), (0.5, ["worker-default"])):

        def has_come_so_far(share: float = share) -> bool:
            basemap.refresh_from_db()
            return basemap.state == Basemap.State.CONVERTING and basemap.progress >= share

        until_rows(f"{share:.0%} are converted", has_come_so_far, site, pause_s=0.02)
        kill(site, *names)
    until_rows("the conversion has ended", lambda: has_ended(basemap), site)
    assert (basemap.state, basemap.error) == ("ready", "")
    derived = Basemap.objects.filter(derived_from=basemap)
    assert sorted(derived.values_list("kind", "state")) == sorted((kind, "ready") for kind in DERIVED_KINDS)
    with rasterio.open(file_of(basemap.source_path)) as source, rasterio.open(cog_file(basemap)) as made:
        window = rasterio.windows.Window(0, 0, source.width, source.height)
        assert np.array_equal(source.read(1), made.read(1, window=window))


def has_ended(basemap: Basemap) -> bool:
    basemap.refresh_from_db()
    return basemap.state in (Basemap.State.READY, Basemap.State.FAILED)
