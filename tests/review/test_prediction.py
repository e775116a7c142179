"""Prediction in windows by any number of workers; a script plays the network (see test_loop)."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
from django.db import connection
from django.utils import timezone

from annotate.models import Basemap, Campaign, Catalogue, Feature, Participant, User
from annotate.services.campaigns import create_campaign
from annotate.services.features import add_features
from annotate.services.participants import participant_of
from mlcore import api
from mlcore.errors import Conflict, InvalidInput
from review.models import ModelVersion, Run, RunWindow, Subject
from review.serializers import run_out
from review.services import classifications, jobs, prediction, proposals, reaper, runs, searching, windows
from review.services.policies import candidates
from tests.review.conftest import Play

pytestmark = pytest.mark.django_db

Version = Callable[..., ModelVersion]

# In every window the same three craters, and a fourth below the threshold.
FOUND = [
    {"lon": 10.0, "lat": 0.0, "diameter_m": 4000.0, "score": 0.9, "uncertainty": 0.1},
    {"lon": 10.3, "lat": 0.3, "diameter_m": 3000.0, "score": 0.6, "uncertainty": 0.6},
    {"lon": 9.7, "lat": 0.3, "diameter_m": 2000.0, "score": 0.7, "uncertainty": 0.2},
    {"lon": 9.7, "lat": -0.3, "diameter_m": 2500.0, "score": 0.4, "uncertainty": 0.5},
]
SEARCH = f"""
for window in job['windows']:
    tell(kind='window', index=window['index'], detections={FOUND})
tell(kind='done', result={{}})
"""


@pytest.fixture
def version(make_version: Version) -> ModelVersion:
    return make_version(config={"window_px": 128, "overlap_px": 40})


@pytest.fixture
def run(version: ModelVersion) -> Run:
    return prediction.request_prediction(model_version=version, requested_by=None)


def test_it_works_detections_become_proposals_to_judge(run: Run, script: Play, version: ModelVersion):
    script(SEARCH)
    assert run.windows.count() > 20
    assert searching.execute(run.pk, "w") == []
    run.refresh_from_db()
    assert (run.state, run.progress) == ("finished", 1.0)
    assert not run.windows.exclude(state="done").exists()
    catalogue = run.catalogue
    assert catalogue.origin == Catalogue.Origin.PREDICTED
    assert catalogue.synthetic
    assert catalogue.features.count() == 3
    assert Campaign.objects.get(pk=run.campaign_id).proposals == catalogue
    feature = catalogue.features.get(score=0.9)
    assert feature.provenance["model_version"] == str(version.uid)
    assert feature.provenance["run"] == str(run.uid)
    # Of four subjects one is a random one, from slightly below the threshold.
    subjects = Subject.objects.order_by("-priority")
    assert [s.stratum for s in subjects].count("random") == 1
    assert subjects.get(stratum="random").feature.score == 0.4
    assert next(s.feature.score for s in subjects if s.stratum == "instructive") == 0.6


def test_any_number_of_workers_share_the_windows(run: Run, script: Play, monkeypatch: pytest.MonkeyPatch):
    script(SEARCH)
    monkeypatch.setattr(searching, "FIRST_BATCH", 5)
    first = runs.claim(run.pk, "one")
    batch = windows.take(first, "one", 5)
    assert searching.execute(run.pk, "two") == []
    run.refresh_from_db()
    assert run.state == "running"
    assert run.windows.exclude(state="done").count() == 5
    for window in batch.windows:
        batch.write(window.index, [])
    assert searching.close(first)
    assert not searching.close(first)
    run.refresh_from_db()
    assert run.state == "finished"


@pytest.mark.django_db(transaction=True)
def test_three_workers_at_once_search_every_window_once_and_close_once(
    run: Run, script: Play, monkeypatch: pytest.MonkeyPatch
):
    script(SEARCH)
    monkeypatch.setattr(searching, "FIRST_BATCH", 3)
    monkeypatch.setattr(searching, "BATCH_S", 0.1)

    def work(name: str) -> None:
        searching.execute(run.pk, name)
        connection.close()

    threads = [Thread(target=work, args=(f"w{i}",)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.refresh_from_db()
    assert (run.state, run.attempt) == ("finished", 1)
    searchers = set(run.windows.values_list("claimed_by", flat=True))
    assert len({name.split()[0] for name in searchers}) > 1
    assert Catalogue.objects.filter(origin=Catalogue.Origin.PREDICTED, run__isnull=False).count() == 1


def test_nobody_takes_the_rest_while_others_are_at_it(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(windows, "LEAST_SHARE", 2)
    shared, n = runs.claim(run.pk, "one"), run.windows.count()
    alone = windows.take(shared, "one", 1000)
    assert len(alone.windows) == n
    alone.release(blame=False)
    first = windows.take(shared, "one", 4)
    second = windows.take(shared, "two", 1000)
    assert len(second.windows) == -(-(n - len(first.windows)) // 2)
    while windows.take(shared, "one", 1000):
        pass
    assert not run.windows.filter(state="pending").exists()


def test_of_two_workers_one_is_lost_and_only_its_windows_are_given_back(run: Run):
    shared = runs.claim(run.pk, "one")
    lost, alive = windows.take(shared, "one", 3), windows.take(shared, "two", 3)
    lost.write(0, FOUND)
    fall_silent(lost)
    assert run_out(run)["worker"] == "one, two"
    assert reaper.requeue() == [run]
    assert windows.searchers(run) == ["two"]
    run.refresh_from_db()
    assert (run.state, run.attempt) == ("running", 1)
    assert "one has not been heard of for 40 seconds; others take its 2 windows" in log_of(run)
    # Window 0 was done and stays so; the one it was lost at is remembered.
    assert list(run.windows.order_by("index").values_list("state", "setbacks")[:3]) == [
        ("done", 0),
        ("pending", 1),
        ("pending", 0),
    ]
    assert alive.beat()
    assert alive.write(3, [])


def test_what_a_worker_brings_that_was_cut_off_is_neither_taken_nor_doubled(run: Run):
    shared = runs.claim(run.pk, "one")
    cut_off = windows.take(shared, "one", 2)
    fall_silent(cut_off)
    reaper.requeue()
    assert not cut_off.beat()
    assert not cut_off.write(0, FOUND)
    taken = windows.take(shared, "two", 1)
    assert not cut_off.write(0, FOUND)
    assert taken.write(0, [])
    assert not cut_off.write(0, FOUND)
    assert run.windows.get(index=0).detections == []
    assert run.windows.get(index=1).state == "pending"


def test_a_window_that_ends_every_search_ends_the_run(run: Run):
    shared = runs.claim(run.pk, "one")
    windows.take(shared, "other", 2)
    for _ in range(windows.MAX_SETBACKS):
        fall_silent(windows.take(shared, "one", 2))
        reaper.requeue()
    run.refresh_from_db()
    assert run.state == "failed"
    assert "lost 5 times at window 2" in run.error


def test_a_machine_that_cannot_search_leaves_it_to_the_others(run: Run, script: Play):
    shared = runs.claim(run.pk, "one")
    other = windows.take(shared, "one", 3)
    script("tell(kind='failed', code='x', message='The raster is not mounted here.'); sys.exit(1)")
    assert searching.execute(run.pk, "two") == []
    run.refresh_from_db()
    assert run.state == "running"
    assert "not mounted here. Others go on" in log_of(run)
    assert windows.searchers(run) == ["one"]
    # Without others it is the end.
    other.release(blame=False)
    searching.execute(run.pk, "two")
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", "The raster is not mounted here.")


@pytest.mark.parametrize("others", [True, False])
def test_a_worker_that_is_stopped_gives_back_its_windows_and_others_go_on(
    run: Run, script: Play, monkeypatch: pytest.MonkeyPatch, others: bool
):
    script("time.sleep(600)")
    shared = runs.claim(run.pk, "one") if others else run
    if others:
        windows.take(shared, "one", 3)

    def is_told_to_end(seconds: float) -> None:
        raise SystemExit

    with monkeypatch.context() as stopping, pytest.raises(SystemExit):
        stopping.setattr(jobs, "time", SimpleNamespace(monotonic=time.monotonic, sleep=is_told_to_end))
        searching.execute(run.pk, "two")
    run.refresh_from_db()
    assert run.state == ("running" if others else "queued")
    assert windows.searchers(run) == (["one"] if others else [])
    assert not run.windows.filter(setbacks__gt=0).exists()


def test_a_worker_that_comes_later_is_asked_to_join(run: Run):
    shared = runs.claim(run.pk, "one")
    windows.take(shared, "one", 3)
    assert reaper.requeue() == []
    Run.objects.update(enqueued_at=timezone.now() - timedelta(minutes=2))
    assert reaper.requeue() == [run]
    assert reaper.requeue() == []


def test_closing_is_undone_where_somebody_cancels_meanwhile(
    run: Run, script: Play, monkeypatch: pytest.MonkeyPatch
):
    publish = proposals.publish

    def publish_and_cancel(run: Run, found: list[api.Detection]) -> Catalogue:
        catalogue = publish(run, found)
        Run.objects.filter(pk=run.pk).update(state="cancelling")
        return catalogue

    monkeypatch.setattr(proposals, "publish", publish_and_cancel)
    claimed = runs.claim(run.pk, "one")
    run.windows.update(state="done", detections=FOUND)
    assert not searching.close(claimed)
    assert not Subject.objects.exists()
    assert not Catalogue.objects.filter(origin="predicted").exists()


def test_settings_that_make_no_sense_are_refused_before_anybody_searches(version: ModelVersion):
    workflow = candidates.workflow_of(version.campaign)
    for settings, words in (
        ({"random_share": "many"}, 'random_share” of the workflow .* is "many", and should be a number'),
        ({"wanted": 0}, "wanted” .* is 0, and should be a whole number"),
        ([], "should be an object"),
    ):
        workflow.settings = settings
        workflow.save()
        with pytest.raises(InvalidInput, match=words):
            prediction.request_prediction(model_version=version, requested_by=None)


def fall_silent(claim: windows.Claim) -> None:
    then = timezone.now() - timedelta(minutes=2)
    RunWindow.objects.filter(claim=claim.uid).update(claimed_at=then)


def log_of(run: Run) -> str:
    return " ".join(event.payload["message"] for event in run.events.order_by("pk"))


def test_a_killed_search_goes_on_with_what_is_open(run: Run, script: Play):
    script(
        "first = not (out.parent / 'once').exists(); (out.parent / 'once').touch()\n"
        "for window in job['windows'][: 2 if first else None]:\n"
        "    tell(kind='window', index=window['index'], detections=[])\n"
        "time.sleep(0.3)\n"
        "if first: os.kill(os.getpid(), signal.SIGKILL)\n"
        "tell(kind='done', result={})"
    )
    assert searching.execute(run.pk, "w") == [run]
    assert run.windows.filter(state="done").count() == 2
    assert not run.windows.filter(state="claimed").exists()
    assert Run.objects.get(pk=run.pk).state == "queued"


def test_a_failing_search_ends_the_run_in_words(run: Run, script: Play):
    script("tell(kind='failed', code='x', message='The raster cannot be read.'); sys.exit(1)")
    searching.execute(run.pk, "w")
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", "The raster cannot be read.")


def test_a_cancelled_prediction_makes_no_catalogue(run: Run, script: Play):
    script("sys.exit(3)")
    claimed = runs.claim(run.pk, "one")
    runs.cancel(run=claimed, by=None)
    searching._search(claimed, "one")
    assert Run.objects.get(pk=run.pk).state == "cancelled"
    assert not Catalogue.objects.exists()


def test_the_same_is_not_predicted_twice_at_once(run: Run, version: ModelVersion):
    with pytest.raises(Conflict, match="already searches"):
        prediction.request_prediction(model_version=version, requested_by=None)
    again = prediction.request_prediction(model_version=version, requested_by=None, again=True)
    assert again == run


def test_a_picture_is_refused(version: ModelVersion):
    hillshade = Basemap.objects.get(kind="hillshade")
    with pytest.raises(InvalidInput, match="is hillshade; the crater detector looks at elevation"):
        prediction.request_prediction(model_version=version, basemap=hillshade, requested_by=None)


def test_a_raster_that_is_not_ready_or_of_another_body_is_refused(version: ModelVersion, terrain: Basemap):
    for change, words in (({"state": "converting"}, "not ready"), ({"body": "mars"}, "shows mars, not moon")):
        Basemap.objects.filter(pk=terrain.pk).update(**change)
        with pytest.raises(InvalidInput, match=words):
            prediction.request_prediction(
                model_version=version, basemap=Basemap.objects.get(pk=terrain.pk), requested_by=None
            )
        Basemap.objects.filter(pk=terrain.pk).update(state="ready", body="moon")


def test_a_version_of_another_campaign_predicts_here(
    version: ModelVersion, terrain: Basemap, lead: User, script: Play
):
    other = create_campaign(
        name="Another region",
        body="moon",
        basemaps=[terrain],
        created_by=participant_of(lead),
        min_diameter_m=2500.0,
    )
    script(SEARCH)
    run = prediction.request_prediction(campaign=other, model_version=version, requested_by=None)
    searching.execute(run.pk, "w")
    other.refresh_from_db()
    assert other.proposals.campaign == other
    # Smaller ones than this campaign wants are not proposed.
    assert sorted(other.proposals.features.values_list("score", flat=True)) == [0.6, 0.9]
    assert set(Subject.objects.values_list("workflow__campaign", flat=True)) == {other.pk}


def test_over_another_campaigns_raster_the_proposals_are_to_judge_but_no_ghosts(
    version: ModelVersion, campaign: Campaign, terrain: Basemap, script: Play
):
    script(SEARCH)
    run = prediction.request_prediction(
        campaign=campaign, model_version=version, basemap=terrain, requested_by=None
    )
    searching.execute(run.pk, "w")
    campaign.refresh_from_db()
    assert campaign.proposals is None
    assert Subject.objects.filter(workflow__campaign=campaign).count() == 4


def test_what_is_known_is_linked_and_not_asked(run: Run, script: Play, region: Campaign):
    known = Catalogue.objects.create(
        name="k", body="moon", origin=Catalogue.Origin.CONSENSUS, campaign=region
    )
    [crater] = add_features(known, [{"lon": 10.002, "lat": 0.0, "diameter_m": 3900.0}])
    script(SEARCH)
    searching.execute(run.pk, "w")
    run.refresh_from_db()
    linked = run.catalogue.features.get(same_as=crater)
    assert linked.score == 0.9
    assert not Subject.objects.filter(feature=linked).exists()


def test_the_truth_of_made_up_terrain_is_nobodys_knowledge(run: Run, script: Play, region: Campaign):
    truth = Catalogue.objects.create(
        name="t", body="moon", origin=Catalogue.Origin.IMPORTED, campaign=region, synthetic=True
    )
    add_features(truth, [{"lon": 10.002, "lat": 0.0, "diameter_m": 3900.0}])
    script(SEARCH)
    searching.execute(run.pk, "w")
    run.refresh_from_db()
    assert not run.catalogue.features.filter(same_as__isnull=False).exists()
    assert Subject.objects.filter(feature__score=0.9).exists()


def test_what_was_rejected_before_stays_rejected_and_what_was_not_judged_is_replaced(
    run: Run, script: Play, version: ModelVersion, person: Callable[[str], Participant]
):
    script(SEARCH)
    searching.execute(run.pk, "w")
    rejected = Subject.objects.get(feature__score=0.9)
    classifications.record(
        workflow=rejected.workflow,
        subject=rejected,
        participant=person("ada"),
        uid=rejected.uid,
        answer="reject",
        reason="ridge",
        as_reviewer=True,
    )
    second = prediction.request_prediction(model_version=version, requested_by=None)
    searching.execute(second.pk, "w")
    second.refresh_from_db()
    again = second.catalogue.features.get(score=0.9)
    assert (again.status, again.same_as) == ("rejected", rejected.feature)
    asked = Subject.objects.filter(retired_at__isnull=True)
    assert {s.feature.provenance["run"] for s in asked} == {str(second.uid)}
    assert not asked.filter(feature__score=0.9).exists()
    assert set(Subject.objects.filter(retired_because=candidates.SUPERSEDED).values_list("n_answers")) == {
        (0,)
    }
    # Taking the rejection back opens the question on both.
    classifications.take_back(workflow=rejected.workflow, participant=person("ada"))
    assert Feature.objects.get(pk=again.pk).status == "candidate"


@pytest.mark.parametrize(("n", "m"), [(0, 0), (5, 0), (0, 3), (17, 3), (3, 17)])
def test_random_ones_are_spread_over_the_whole_queue(n: int, m: int):
    first, mixed = [f"a{i}" for i in range(n)], [f"r{i}" for i in range(m)]
    queue = proposals.interleave(first, mixed)
    assert [x for x in queue if x in first] == first
    assert [x for x in queue if x in mixed] == mixed
    if (n, m) == (17, 3):
        assert [i for i, x in enumerate(queue) if x in mixed] == [3, 9, 16]


def test_batches_leave_their_folders_below_the_attempt(run: Run, script: Play, media: Path):
    script(SEARCH)
    searching.execute(run.pk, "w")
    assert {p.name.split("-")[0] for p in (media / "runs" / str(run.uid) / "1").iterdir()} == {"batch"}
