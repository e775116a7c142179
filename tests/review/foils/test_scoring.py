"""The foil network scores pictures in windows by any number of workers; a script plays the network."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from annotate.models import Campaign
from mlcore.errors import Conflict, InvalidInput
from review.models import Gold, ModelVersion, Picture, Run, RunWindow, ScoreImport, Workflow
from review.services import jobs, reaper, runs, searching, windows
from review.services.foils import settings as triage_settings
from review.services.foils.network import picture_windows, scoring
from review.services.foils.stream import giving, score_calibration, scores, stream
from tests.review.conftest import Play

pytestmark = pytest.mark.django_db

MakePicture = Callable[..., Picture]
MakeVersion = Callable[..., ModelVersion]

# What the network says of a picture is written in its file; a file that says nothing cannot be read.
SCORE = """
for window in job['windows']:
    found = []
    for key, frames in window['pictures']:
        said = [float(words) for path in frames if (words := Path(path).read_text())]
        if said:
            found.append({'picture': key, 'score': max(said)})
        else:
            tell(kind='log', message=f'{frames[0]} cannot be read.')
    tell(kind='window', index=window['index'], detections=found)
tell(kind='done', result={})
"""


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_windows, "WINDOW_PICTURES", 3)


@pytest.fixture
def make_foil_version(foils: Campaign) -> MakeVersion:
    """A version of the foil network with a folder and nothing in it."""

    def make(campaign: Campaign | None = None) -> ModelVersion:
        campaign = campaign or foils
        run = runs.create(campaign=campaign, system=scoring.SYSTEM, verb="train", requested_by=None)
        run = runs.claim(run.pk, "earlier")
        folder = runs.folder_of(run) / "artifact"
        folder.mkdir(parents=True)
        runs.finish(run)
        return ModelVersion.objects.create(
            campaign=campaign,
            system=scoring.SYSTEM,
            number=campaign.model_versions.count() + 1,
            run=run,
            path=f"runs/{run.uid}/{run.attempt}/artifact",
        )

    return make


@pytest.fixture
def version(make_foil_version: MakeVersion) -> ModelVersion:
    return make_foil_version()


@pytest.fixture
def make_scorable(foils: Campaign, media: Path) -> Callable[..., list[Picture]]:
    """Pictures whose files say what the network will: make_scorable(0.2, None); None: unreadable."""

    def make(*said: float | None, **fields: object) -> list[Picture]:
        first = Picture.objects.count()
        return [_scorable(foils, at, score, fields) for at, score in enumerate(said, first)]

    return make


def _scorable(campaign: Campaign, at: int, score: float | None, fields: dict[str, object]) -> Picture:
    picture = Picture.objects.create(
        campaign=campaign, name=f"{at}.tif", width_px=64, height_px=48, sha256=f"{at:064x}", side="train",
        **fields,
    )  # fmt: skip
    says(picture, score)
    return picture


def says(picture: Picture, *said: float | None) -> None:
    """Let the network say this of a picture's frames from now on."""
    from django.conf import settings

    picture.frames.all().delete()
    for number, score in enumerate(said):
        path = f"frame-{picture.pk}-{number}"
        (Path(settings.MEDIA_ROOT) / path).write_text("" if score is None else str(score))
        picture.frames.create(number=number, sha256="0" * 64, path=path, shown_path="", thumbnail_path="")


def request(version: ModelVersion, **wish: bool) -> Run:
    return scoring.request_scoring(
        campaign=version.campaign, model_version=version, requested_by=None, **wish
    )


def score_all(version: ModelVersion, **wish: bool) -> Run:
    run = request(version, **wish)
    searching.execute(run.pk, "w")
    run.refresh_from_db()
    return run


def raw_scores() -> list[float | None]:
    return list(Picture.objects.order_by("pk").values_list("score_raw", flat=True))


def log_of(run: Run) -> str:
    return " ".join(event.payload["message"] for event in run.events.order_by("pk"))


def in_queue(workflow: Workflow, stratum: str = "queue") -> set[str]:
    return set(workflow.subjects.filter(stratum=stratum).values_list("picture__name", flat=True))


# -- What works ------------------------------------------------------------------------------------


def test_the_network_is_told_the_threshold_that_its_precision_must_not_cross(
    triage: Workflow, version: ModelVersion, make_scorable: Callable[..., list[Picture]], script: Play
):
    make_scorable(0.9)
    triage_settings.change(workflow=triage, threshold=0.25)
    script("tell(kind='log', message=f\"told of {job['threshold']}\")" + SCORE)
    assert "told of 0.25" in log_of(score_all(version))


def test_scores_come_to_the_pictures_and_queue_and_audit_follow(
    triage: Workflow, version: ModelVersion, make_scorable: Callable[..., list[Picture]], script: Play
):
    make_scorable(0.9, 0.5, 0.002, 0.003, 0.004, 0.02, 0.009)
    triage_settings.change(workflow=triage, threshold=0.01, audit_size=2)
    script(SCORE)
    run = score_all(version)
    assert (run.state, run.progress, run.verb, run.system) == ("finished", 1.0, "predict", scoring.SYSTEM)
    assert raw_scores() == [0.9, 0.5, 0.002, 0.003, 0.004, 0.02, 0.009]
    assert in_queue(triage) == {"0.tif", "1.tif", "5.tif"}
    assert len(in_queue(triage, "audit")) == 2
    source = giving.standing(version.campaign)
    assert (source.run, source.state, source.is_calibrated) == (run, ScoreImport.State.DONE, False)
    assert giving.name_of(source) == "version 1 of the foil network"
    assert "7 pictures have their score." in log_of(run)


def test_windows_are_ranges_of_keys_planned_in_one_statement(
    version: ModelVersion,
    make_scorable: Callable[..., list[Picture]],
    django_assert_max_num_queries: Callable[..., object],
):
    some = make_scorable(*[0.5] * 7)
    make_scorable(0.5, purpose=Picture.Purpose.REFERENCE)
    make_scorable(0.5, purpose=Picture.Purpose.BLANK)
    with django_assert_max_num_queries(12):
        run = request(version)
    planned = list(run.windows.order_by("index").values_list("index", "window"))
    assert planned == [
        (0, {"first": some[0].pk, "last": some[2].pk, "pictures": 3}),
        (1, {"first": some[3].pk, "last": some[5].pk, "pictures": 3}),
        (2, {"first": some[6].pk, "last": some[6].pk, "pictures": 1}),
    ]
    claim = windows.take(runs.claim(run.pk, "one"), "one", 3)
    job = picture_windows.SEARCH.job(claim)
    assert [len(window.pictures) for window in job.windows] == [3, 3, 1]


def test_of_several_frames_the_process_gets_all_and_known_pictures_are_scored_too(
    triage: Workflow, version: ModelVersion, make_scorable: Callable[..., list[Picture]], script: Play
):
    several, known = make_scorable(0.1, 0.7)
    says(several, 0.1, 0.4, 0.2)
    subject = triage.subjects.create(picture=known, stratum="gold")
    Gold.objects.create(subject=subject, origin=Gold.Origin.SYNTHETIC, is_crater=True)
    script(SCORE)
    score_all(version)
    assert raw_scores() == [0.4, 0.7]
    assert in_queue(triage, "gold") == {known.name}


def test_files_that_cannot_be_read_are_counted_and_named_and_people_see_them(
    triage: Workflow, version: ModelVersion, make_scorable: Callable[..., list[Picture]], script: Play
):
    _low, broken, gone = make_scorable(0.001, None, 0.5)
    gone.frames.all().delete()
    Picture.objects.filter(pk=broken.pk).update(score_raw=0.3)
    script(SCORE.replace("frames[0]", "frames"))
    run = score_all(version)
    assert raw_scores() == [0.001, None, None]
    assert {broken.name, gone.name} <= in_queue(triage)
    report = scores.report_of(run.score_import)
    assert (report.n_scored, report.n_unreadable, report.unreadable) == (1, 2, [broken.name, gone.name])
    assert "2 pictures could not be read. They keep no score, and people see them all." in log_of(run)
    assert broken.name in log_of(run)


def test_a_batch_that_ended_well_leaves_no_files_and_one_that_did_not_does(
    version: ModelVersion, make_scorable: Callable[..., list[Picture]], script: Play
):
    make_scorable(0.5)
    script(SCORE)
    run = score_all(version)
    assert not list(runs.folder_of(run).iterdir())
    script("tell(kind='failed', code='x', message='The network cannot be read.'); sys.exit(1)")
    failed = score_all(version)
    assert (failed.state, failed.error) == ("failed", "The network cannot be read.")
    [left] = runs.folder_of(failed).iterdir()
    assert (left / "job.json").exists()


def test_pictures_that_come_meanwhile_are_told_of_and_scored_on_demand(
    triage: Workflow, version: ModelVersion, make_scorable: Callable[..., list[Picture]], script: Play
):
    make_scorable(0.5, 0.6)
    script(SCORE)
    run = request(version)
    make_scorable(0.7, 0.8)
    searching.execute(run.pk, "w")
    assert raw_scores() == [0.5, 0.6, None, None]
    assert "2 pictures came while it ran" in log_of(run)
    assert scoring.unscored(version.campaign) == 2
    for picture in Picture.objects.filter(score_raw__isnull=False):
        says(picture, 0.1)
    new = score_all(version, only_new=True)
    assert sum(new.windows.values_list("window__pictures", flat=True)) == 2
    # What had a score keeps it, though the network would say otherwise now.
    assert raw_scores() == [0.5, 0.6, 0.7, 0.8]
    assert "2 pictures that had no score have one now." in log_of(new)


def test_a_newer_scoring_replaces_every_score_there_was(
    triage: Workflow,
    version: ModelVersion,
    make_foil_version: MakeVersion,
    make_scorable: Callable[..., list[Picture]],
    script: Play,
    tmp_path: Path,
):
    pictures = make_scorable(0.5, 0.6)
    path = tmp_path / "other.csv"
    path.write_text("name,score\n0.tif,0.9\n1.tif,0.9\n")
    scores.read(scores.take_in(campaign=triage.campaign, requested_by=None, is_calibrated=True, path=path).pk)
    assert score_calibration.scores_are_calibrated(triage.campaign)
    script(SCORE)
    score_all(version)
    # A card's probabilities are of its own validation pictures: here they rank, until they are calibrated.
    assert not score_calibration.scores_are_calibrated(triage.campaign)
    assert list(Picture.objects.order_by("pk").values_list("score_raw", "score")) == [
        (0.5, None),
        (0.6, None),
    ]
    says(pictures[0], 0.2)
    says(pictures[1], None)
    second = make_foil_version()
    score_all(second)
    assert raw_scores() == [0.2, None]
    assert giving.version_of(giving.standing(triage.campaign)) == second


def test_enough_known_pictures_calibrate_what_the_network_says(
    triage: Workflow, version: ModelVersion, make_scorable: Callable[..., list[Picture]], script: Play
):
    said = [0.3 + at / 120 for at in range(50)] + [0.05 + at / 120 for at in range(50)]
    for at, picture in enumerate(make_scorable(*said)):
        subject = triage.subjects.create(picture=picture, stratum="gold")
        Gold.objects.create(subject=subject, origin=Gold.Origin.EXPERT, is_crater=at < 50)
    [unknown] = make_scorable(0.95)
    script(SCORE)
    score_all(version)
    unknown.refresh_from_db()
    assert unknown.score_raw == 0.95
    assert 0.5 < unknown.score < 1.0
    triage.refresh_from_db()
    assert score_calibration.standing(triage)["n_craters"] == 50


def test_the_true_network_scores_true_files(
    triage: Workflow, version: ModelVersion, make_picture: MakePicture, media: Path
):
    """No script here: the process that a worker starts, on an artifact that nobody trained."""
    from tests.mlcore.foil_classifier.networks import write_network

    write_network((media / version.path).parent)
    good, stack, torn = make_picture(), make_picture(n_frames=2), make_picture()
    (media / torn.frames.get().path).write_bytes(b"no picture")
    run = score_all(version)
    assert (run.state, run.error) == ("finished", "")
    scored = [score is not None for score in raw_scores()]
    assert scored == [True, True, False]
    assert all(0.0 < score < 1.0 for score in raw_scores() if score is not None)
    assert in_queue(triage) | in_queue(triage, "audit") == {good.name, stack.name, torn.name}
    assert run.score_import.report["unreadable"] == [torn.name]


# -- What dies ---------------------------------------------------------------------------------------


def test_two_workers_share_the_windows_and_close_once(
    version: ModelVersion, make_scorable: Callable[..., list[Picture]], script: Play
):
    make_scorable(*[0.5] * 12)
    script(SCORE)
    run = request(version)
    shared = runs.claim(run.pk, "one")
    batch = windows.take(shared, "one", 2)
    assert searching.execute(run.pk, "two") == []
    run.refresh_from_db()
    assert (run.state, run.windows.exclude(state="done").count()) == ("running", 2)
    assert set(raw_scores()) == {None}
    for window in batch.windows:
        keys = range(window.window["first"], window.window["last"] + 1)
        assert batch.write(window.index, [{"picture": key, "score": 0.25} for key in keys])
    assert searching.close(shared)
    assert not searching.close(shared)
    assert raw_scores() == [0.25] * 6 + [0.5] * 6
    assert ScoreImport.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_three_workers_at_once_score_every_picture_once(
    version: ModelVersion,
    make_scorable: Callable[..., list[Picture]],
    script: Play,
    monkeypatch: pytest.MonkeyPatch,
):
    make_scorable(*[0.5] * 30)
    script(SCORE)
    monkeypatch.setattr(searching, "FIRST_BATCH", 2)
    monkeypatch.setattr(searching, "BATCH_S", 0.1)
    run = request(version)

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
    assert raw_scores() == [0.5] * 30
    assert ScoreImport.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_leads_need_not_wait_while_scores_are_given(
    triage: Workflow,
    version: ModelVersion,
    make_scorable: Callable[..., list[Picture]],
    script: Play,
    monkeypatch: pytest.MonkeyPatch,
):
    make_scorable(0.5, 0.03)
    script(SCORE)
    give = giving.give

    def change() -> None:
        triage_settings.change(workflow=triage, threshold=0.04, audit_size=0)
        connection.close()

    def give_while_a_lead_sets_the_threshold(*given: object, **named: object) -> int:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(change).result(timeout=60)
        return give(*given, **named)

    monkeypatch.setattr(giving, "give", give_while_a_lead_sets_the_threshold)
    assert score_all(version).state == "finished"
    # And the closing goes by what they have set.
    assert in_queue(triage) == {"0.tif"}


def test_a_killed_search_goes_on_with_the_windows_that_are_open(
    version: ModelVersion, make_scorable: Callable[..., list[Picture]], script: Play
):
    make_scorable(*[0.5] * 9)
    script(
        "first = not (out.parent / 'once').exists(); (out.parent / 'once').touch()\n"
        "for window in job['windows'][: 2 if first else None]:\n"
        "    found = [{'picture': key, 'score': 0.5 if first else 0.75} for key, _ in window['pictures']]\n"
        "    tell(kind='window', index=window['index'], detections=found)\n"
        "time.sleep(0.3)\n"
        "if first: os.kill(os.getpid(), signal.SIGKILL)\n"
        "tell(kind='done', result={})"
    )
    run = request(version)
    assert searching.execute(run.pk, "w") == [run]
    assert run.windows.filter(state="done").count() == 2
    assert set(raw_scores()) == {None}
    # The next attempt has a folder of its own, where nothing says that it is not the first.
    script(SCORE)
    assert searching.execute(run.pk, "w") == []
    assert raw_scores() == [0.5] * 9


def test_a_window_that_ends_every_search_ends_the_run_and_no_score_changes(
    version: ModelVersion, make_scorable: Callable[..., list[Picture]]
):
    make_scorable(*[0.5] * 9)
    Picture.objects.update(score_raw=0.125)
    run = request(version)
    shared = runs.claim(run.pk, "one")
    windows.take(shared, "other", 1)
    for _ in range(windows.MAX_SETBACKS):
        fall_silent(windows.take(shared, "one", 2))
        reaper.requeue()
    run.refresh_from_db()
    assert run.state == "failed"
    assert "lost 5 times at window 1" in run.error
    assert set(raw_scores()) == {0.125}


def test_what_a_worker_brings_that_was_cut_off_is_not_taken(
    version: ModelVersion, make_scorable: Callable[..., list[Picture]]
):
    pictures = make_scorable(*[0.5] * 3)
    run = request(version)
    shared = runs.claim(run.pk, "one")
    cut_off = windows.take(shared, "one", 1)
    fall_silent(cut_off)
    reaper.requeue()
    taken = windows.take(Run.objects.get(pk=run.pk), "two", 1) or windows.take(
        runs.claim(run.pk, "two"), "two", 1
    )
    assert not cut_off.write(0, [{"picture": pictures[0].pk, "score": 1.0}])
    assert taken.write(0, [{"picture": pictures[0].pk, "score": 0.0}])


def test_a_cancelled_scoring_changes_no_score(
    version: ModelVersion, make_scorable: Callable[..., list[Picture]], script: Play
):
    make_scorable(*[0.5] * 4)
    script("sys.exit(3)")
    run = request(version)
    claimed = runs.claim(run.pk, "one")
    runs.cancel(run=claimed, by=None)
    searching._search(claimed, "one")
    assert Run.objects.get(pk=run.pk).state == "cancelled"
    assert set(raw_scores()) == {None}


@pytest.mark.parametrize("at", ["giving", "calibrating", "filling", "cancelled"])
def test_a_closing_that_ends_early_leaves_everything_as_it_was_and_is_done_again(
    triage: Workflow,
    version: ModelVersion,
    make_scorable: Callable[..., list[Picture]],
    script: Play,
    monkeypatch: pytest.MonkeyPatch,
    at: str,
):
    make_scorable(0.5, 0.001)
    script(SCORE)
    run = runs.claim(request(version).pk, "one")
    for window in run.windows.all():
        keys = range(window.window["first"], window.window["last"] + 1)
        found = [{"picture": key, "score": 0.5} for key in keys]
        run.windows.filter(pk=window.pk).update(state="done", detections=found)

    def dies(*given: object, **named: object) -> None:
        raise OperationalError("the server closed the connection")

    def is_cancelled(**named: object) -> int:
        Run.objects.filter(pk=run.pk).update(state="cancelling")
        return 0

    with monkeypatch.context() as dying:
        where = {"giving": (giving, "give"), "calibrating": (score_calibration, "refresh")}
        dying.setattr(*where.get(at, (stream, "fill")), is_cancelled if at == "cancelled" else dies)
        if at == "cancelled":
            assert not searching.close(run)
        else:
            with pytest.raises(OperationalError):
                searching.close(run)
    assert set(raw_scores()) == {None}
    assert not ScoreImport.objects.exists()
    assert not triage.subjects.exists()
    if at != "cancelled":
        assert searching.close(run)
        assert raw_scores() == [0.5, 0.5]


def test_a_worker_that_is_stopped_gives_back_its_windows(
    version: ModelVersion,
    make_scorable: Callable[..., list[Picture]],
    script: Play,
    monkeypatch: pytest.MonkeyPatch,
):
    make_scorable(*[0.5] * 9)
    script("time.sleep(600)")
    run = request(version)

    def is_told_to_end(seconds: float) -> None:
        raise SystemExit

    with monkeypatch.context() as stopping, pytest.raises(SystemExit):
        stopping.setattr(jobs, "time", SimpleNamespace(monotonic=time.monotonic, sleep=is_told_to_end))
        searching.execute(run.pk, "two")
    run.refresh_from_db()
    assert run.state == "queued"
    assert windows.searchers(run) == []
    assert not run.windows.filter(setbacks__gt=0).exists()


def test_a_newer_version_supersedes_what_is_being_scored(
    version: ModelVersion,
    make_foil_version: MakeVersion,
    make_scorable: Callable[..., list[Picture]],
    script: Play,
):
    make_scorable(0.5)
    script(SCORE)
    older = request(version)
    running = runs.claim(older.pk, "one")
    running.windows.update(state="done", detections=[])
    newer = request(make_foil_version(), again=True)
    searching.execute(newer.pk, "two")
    # The older one ends after the newer one, and changes nothing.
    assert not searching.close(running)
    runs.stopped(running)
    assert raw_scores() == [0.5]
    assert Run.objects.get(pk=older.pk).state == "cancelled"


# -- What is refused ---------------------------------------------------------------------------------


def test_pictures_are_not_scored_twice_at_once(
    version: ModelVersion, make_foil_version: MakeVersion, make_scorable: Callable[..., list[Picture]]
):
    make_scorable(0.5)
    run = request(version)
    with pytest.raises(Conflict, match=f"Run {run.number} already scores pictures with version 1"):
        request(make_foil_version())
    assert request(version, again=True) == run


def test_without_a_version_or_pictures_or_weights_nothing_is_begun(
    foils: Campaign, version: ModelVersion, make_scorable: Callable[..., list[Picture]]
):
    with pytest.raises(InvalidInput, match="No version of the foil network is current"):
        scoring.request_scoring(campaign=foils, model_version=None, requested_by=None)
    make_scorable(0.5, purpose=Picture.Purpose.BLANK)
    with pytest.raises(InvalidInput, match="no pictures to score"):
        request(version)
    assert not foils.runs.filter(verb="predict").exists()
    ModelVersion.objects.update(path="runs/gone")
    version.refresh_from_db()
    with pytest.raises(Conflict, match="no longer on disk"):
        request(version)
    version.system = "crater_detector"
    with pytest.raises(InvalidInput, match="crater_detector, which looks at no pictures"):
        request(version)


def test_new_pictures_are_not_scored_beside_another_sources_scores(
    version: ModelVersion,
    make_foil_version: MakeVersion,
    make_scorable: Callable[..., list[Picture]],
    script: Play,
):
    make_scorable(0.5)
    with pytest.raises(Conflict, match=r"another source \(none\)"):
        request(version, only_new=True)
    script(SCORE)
    score_all(version)
    with pytest.raises(InvalidInput, match="Every picture has a score of this version"):
        request(version, only_new=True)
    make_scorable(0.6)
    with pytest.raises(Conflict, match=r"version 1 of the foil network.*Score all pictures with version 2"):
        request(make_foil_version(), only_new=True)


def test_a_file_does_not_put_its_scores_beside_the_networks(
    foils: Campaign,
    version: ModelVersion,
    make_scorable: Callable[..., list[Picture]],
    script: Play,
    tmp_path: Path,
):
    make_scorable(0.5, 0.6)
    script(SCORE)
    score_all(version)

    def give(text: str) -> ScoreImport:
        path = tmp_path / "s.csv"
        path.write_text("name,score\n" + text)
        one = scores.take_in(campaign=foils, requested_by=None, is_calibrated=False, path=path)
        scores.read(one.pk)
        one.refresh_from_db()
        return one

    refused = give("0.tif,0.9\n")
    assert "1 pictures have raw scores (version 1 of the foil network)" in refused.error
    assert give("0.tif,0.9\n1.tif,0.8\n").state == ScoreImport.State.DONE
    assert raw_scores() == [0.9, 0.8]
    assert giving.version_of(giving.standing(foils)) is None


@pytest.mark.parametrize(
    "found",
    [
        "[{'picture': 0, 'score': 0.5}]",
        "[{'picture': window['pictures'][0][0], 'score': 1.5}]",
        "[{'picture': window['pictures'][0][0], 'score': float('nan')}]",
        "[{'picture': window['pictures'][0][0], 'score': None}]",
        "[{'picture': window['pictures'][0][0], 'score': 0.5}] * 2",
    ],
)
def test_what_cannot_be_a_score_ends_the_run_in_words(
    version: ModelVersion, make_scorable: Callable[..., list[Picture]], script: Play, found: str
):
    make_scorable(0.5)
    script(
        f"for window in job['windows']: tell(kind='window', index=window['index'], detections={found})\n"
        "tell(kind='done', result={})"
    )
    run = score_all(version)
    assert run.state == "failed"
    assert "in window 0, and not a score from 0 to 1 of one of its pictures" in run.error
    assert raw_scores() == [None]


def fall_silent(claim: windows.Claim) -> None:
    then = timezone.now() - timedelta(minutes=2)
    RunWindow.objects.filter(claim=claim.uid).update(claimed_at=then)
