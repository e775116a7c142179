"""Training and everything that may go wrong around it; a script plays the network (see test_loop)."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
from django.db import connection
from pytest_django import Settings

from annotate.models import Campaign, Catalogue, User
from annotate.services.participants import participant_of
from mlcore import api
from mlcore.errors import Conflict, InvalidInput
from review.models import ModelVersion, Run
from review.services import jobs, registry, runs, training
from review.services.labels import REGION
from review.services.policies import candidates
from tests.review.conftest import Play

pytestmark = pytest.mark.django_db

Request = Callable[..., Run]


@pytest.fixture
def request_run(region: Campaign, truth: Catalogue, lead: User) -> Request:
    def make(**wishes: object) -> Run:
        return training.request_training(
            **{
                "campaign": region,
                "requested_by": participant_of(lead),
                "label_catalogues": [truth],
                "searched": REGION,
            }
            | wishes
        )

    return make


def log_of(run: Run) -> str:
    return "\n".join(e.payload["message"] for e in run.events.filter(kind="log").order_by("pk"))


# Leaves an artifact without weights, and scores any other as 0.7.
FAKE = """
box = out / 'artifact'
box.mkdir()
if job['verb'] == 'evaluate':
    tell(kind='done', result={'side': 'test', 'metrics': {'recall': 0.7}})
    sys.exit(0)
(box / 'weights.safetensors').write_bytes(b'')
(box / 'card.json').write_text(CARD)
tell(kind='done', result={})
""".replace("CARD", repr(json.dumps(api.ModelCard.example().to_json())))


def test_it_works_a_finished_training_leaves_a_version(request_run: Request, script: Play, media: Path):
    script(FAKE)
    run = request_run()
    assert training.execute(run.pk, "worker-1") == []
    run.refresh_from_db()
    assert (run.state, run.attempt, run.progress, run.error) == ("finished", 1, 1.0, "")
    version = ModelVersion.objects.get()
    assert (version.number, version.is_current, version.run) == (1, False, run)
    assert version.card == api.ModelCard.example().to_json()
    assert (media / version.path / "weights.safetensors").is_file()
    assert "Dataset" in log_of(run)


def test_the_next_version_stands_beside_the_current_one_on_the_same_places(
    request_run: Request, script: Play, lead: User
):
    script(FAKE)
    training.execute(request_run().pk, "w")
    first = ModelVersion.objects.get()
    predicting = registry.promote(version=first, by=participant_of(lead))
    assert (predicting.verb, predicting.state, predicting.model_version) == ("predict", "queued", first)
    training.execute(request_run(start_from=first).pk, "w")
    second = ModelVersion.objects.get(number=2)
    assert second.run.dataset == first.run.dataset
    job = json.loads((runs.folder_of(second.run) / "job.json").read_text())
    assert job["initial_weights"].endswith(first.path)
    assert second.card["compared_with"] == {
        "uid": str(first.uid),
        "number": 1,
        "side": "test",
        "metrics": {"recall": 0.7},
    }


def test_promoting_is_for_one_at_a_time_and_twice_is_once(request_run: Request, script: Play):
    script(FAKE)
    for _ in range(2):
        training.execute(request_run().pk, "w")
    first, second = ModelVersion.objects.order_by("number")
    assert registry.promote(version=first, by=None) is not None
    assert registry.promote(version=first, by=None) is None
    assert registry.promote(version=second, by=None) is not None
    assert list(ModelVersion.objects.filter(is_current=True)) == [second]


def test_a_version_whose_weights_are_gone_is_not_promoted(request_run: Request, script: Play, media: Path):
    script(FAKE)
    training.execute(request_run().pk, "w")
    version = ModelVersion.objects.get()
    shutil.rmtree(media / version.path)
    with pytest.raises(Conflict, match="no longer on disk"):
        registry.promote(version=version, by=None)


def test_who_asks_for_it_is_promoted_when_finished(request_run: Request, script: Play):
    script(FAKE)
    [predicting] = training.execute(request_run(promote=True).pk, "w")
    assert predicting.verb == "predict"
    assert ModelVersion.objects.get().is_current


def test_what_was_to_be_promoted_and_may_not_is_kept_and_the_log_says_why(
    request_run: Request, script: Play, region: Campaign
):
    script(FAKE)
    run = request_run(promote=True)
    workflow = candidates.workflow_of(region)
    workflow.settings = {"wanted": "two"}
    workflow.save()
    assert training.execute(run.pk, "w") == []
    run.refresh_from_db()
    assert run.state == "finished"
    assert not ModelVersion.objects.get(run=run).is_current
    assert "which was refused: The setting “wanted”" in log_of(run)


def test_adopting_twice_is_the_same_as_once(request_run: Request, script: Play):
    script(FAKE)
    run = request_run(promote=True)
    training.execute(run.pk, "w")
    run.refresh_from_db()
    assert registry.adopt(run) == ModelVersion.objects.get()
    assert Run.objects.filter(verb="predict").count() == 1


def test_the_checkpoint_of_the_newest_attempt_that_has_one_is_taken_over_whole(
    request_run: Request, script: Play, media: Path
):
    script("sys.exit(9)")
    run = request_run()
    folder = media / "runs" / str(run.uid)
    for attempt in (1, 2):
        (folder / str(attempt) / "checkpoint").mkdir(parents=True)
        (folder / str(attempt) / "checkpoint" / "state.pt").write_text(f"of attempt {attempt}")
    # The third was lost while it copied.
    (folder / "3" / "checkpoint.half-done").mkdir(parents=True)
    Run.objects.update(attempt=3)
    training.execute(run.pk, "w")
    assert (folder / "4" / "checkpoint" / "state.pt").read_text() == "of attempt 2"
    assert not (folder / "4" / "checkpoint.half-done").exists()


def test_checkpoints_of_a_finished_training_are_removed(request_run: Request, script: Play, media: Path):
    script("(out / 'checkpoint').mkdir()\n" + FAKE)
    run = request_run()
    training.execute(run.pk, "w")
    assert [path.name for path in (media / "runs" / str(run.uid)).glob("*/*")].count("checkpoint") == 0


def test_only_one_training_at_a_time(request_run: Request):
    request_run()
    with pytest.raises(Conflict, match="already trains the crater detector \\(run 1\\)"):
        request_run()


def test_nothing_to_learn_from_is_said_before_anybody_waits(request_run: Request):
    with pytest.raises(InvalidInput, match="nothing to learn from yet"):
        request_run(label_catalogues=[], searched="tiles")
    assert not Run.objects.exists()


def test_labels_that_vanish_while_it_waits_end_it_in_words(request_run: Request, truth: Catalogue):
    run = request_run()
    truth.delete()
    training.execute(run.pk, "w")
    run.refresh_from_db()
    assert run.state == "failed"
    assert "A catalogue chosen as labels is gone" in run.error


def test_a_message_that_comes_twice_trains_once(request_run: Request, script: Play):
    script("sys.exit(7)")
    run = request_run()
    training.execute(run.pk, "one")
    assert training.execute(run.pk, "two") == []
    assert Run.objects.get().attempt == 1


def test_a_refusal_of_the_network_is_the_runs_error(request_run: Request, script: Play):
    script("tell(kind='failed', code='x', message='No crater to learn from.'); sys.exit(1)")
    run = request_run()
    training.execute(run.pk, "w")
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", "No crater to learn from.")
    assert not ModelVersion.objects.exists()


def test_a_process_that_breaks_leaves_the_last_lines_of_its_log(request_run: Request, script: Play):
    script("print('\\n'.join(f'line {i}' for i in range(99)), flush=True); sys.exit(7)")
    run = request_run()
    training.execute(run.pk, "w")
    run.refresh_from_db()
    assert run.state == "failed"
    assert "status 7" in run.error
    assert "line 98" in log_of(run)
    assert "line 40" not in log_of(run)


def test_a_process_that_is_killed_is_tried_again_from_its_checkpoint_and_then_given_up(
    request_run: Request, script: Play
):
    script(
        "box = out / 'checkpoint'; box.mkdir(exist_ok=True)\n"
        "seen = box / 'seen'; seen.write_text((seen.read_text() if seen.exists() else '') + 'x')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    run = request_run()
    for _ in range(runs.MAX_SETBACKS - 1):
        assert training.execute(run.pk, "w") == [run]
    assert training.execute(run.pk, "w") == []
    run.refresh_from_db()
    assert (run.state, run.attempt) == ("failed", runs.MAX_SETBACKS)
    assert "signal 9" in run.error
    assert (runs.folder_of(run) / "checkpoint" / "seen").read_text() == "x" * runs.MAX_SETBACKS


def test_progress_curves_and_log_come_as_they_are_told(request_run: Request, script: Play):
    script(
        "tell(kind='progress', fraction=0.5, stage='step 2', eta_s=9.0)\n"
        "tell(kind='metric', name='loss', step=2, value=0.25)\n"
        "tell(kind='log', message='hello')\n"
        "time.sleep(0.4); sys.exit(1)"
    )
    run = request_run()
    training.execute(run.pk, "w")
    run.refresh_from_db()
    assert run.progress == pytest.approx(0.5)
    assert run.events.get(kind="metric").payload == {"name": "loss", "step": 2, "value": 0.25}
    assert "hello" in log_of(run)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("obeys", [True, False])
def test_cancel_is_obeyed_or_enforced(
    request_run: Request, script: Play, monkeypatch: pytest.MonkeyPatch, obeys: bool
):
    script(
        "(out / 'pid').write_text(str(os.getpid()))\n"
        f"while not ({obeys} and (out / 'cancel').exists()): time.sleep(0.02)\n"
        "sys.exit(3)"
    )
    monkeypatch.setattr(jobs, "GRACE_S", 5.0 if obeys else 0.3)
    run = request_run()

    def work() -> None:
        training.execute(run.pk, "w")
        connection.close()

    worker = Thread(target=work)
    worker.start()
    pid = wait_for(lambda: pid_in(run))
    runs.cancel(run=run, by=None)
    worker.join(timeout=10)
    run.refresh_from_db()
    assert run.state == "cancelled"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("limit", "state", "words"),
    [
        ("RUN_LIMIT_S", "failed", "the most that a run may take"),
        ("RUN_STALL_S", "queued", "said nothing for"),
    ],
)
def test_a_process_that_takes_too_long_or_hangs_is_ended(
    request_run: Request, script: Play, settings: Settings, limit: str, state: str, words: str
):
    script("(out / 'pid').write_text(str(os.getpid()))\ntime.sleep(600)")
    setattr(settings, limit, 1)
    run = request_run()
    training.execute(run.pk, "w")
    run.refresh_from_db()
    assert run.state == state
    assert words in log_of(run)
    if pid := pid_in(run):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_the_last_things_of_a_process_that_is_killed_afterwards_count(request_run: Request, script: Play):
    script(FAKE + "\nos.kill(os.getpid(), signal.SIGKILL)")
    run = request_run()
    training.execute(run.pk, "w")
    run.refresh_from_db()
    assert run.state == "finished"


def test_a_worker_that_is_stopped_leaves_the_run_waiting_and_without_a_blemish(
    request_run: Request, script: Play, monkeypatch: pytest.MonkeyPatch
):
    script("(out / 'pid').write_text(str(os.getpid()))\ntime.sleep(600)")
    run = request_run()

    def is_told_to_end(seconds: float) -> None:
        if pid_in(run):
            raise SystemExit

    with monkeypatch.context() as stopping, pytest.raises(SystemExit):
        stopping.setattr(jobs, "time", SimpleNamespace(monotonic=time.monotonic, sleep=is_told_to_end))
        training.execute(run.pk, "w")
    run.refresh_from_db()
    assert (run.state, run.attempt, run.setbacks) == ("queued", 1, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid_in(run) or 0, 0)


def test_a_process_told_to_end_by_somebody_else_is_tried_again(request_run: Request, script: Play):
    script("tell(kind='failed', code='cancelled', message='Stopped.'); sys.exit(3)")
    run = request_run()
    assert training.execute(run.pk, "w") == [run]
    assert "told to end, not by us" in log_of(run)


@pytest.mark.django_db(transaction=True)
def test_the_database_may_go_away_while_it_runs(request_run: Request, script: Play):
    script(
        "for i in range(8):\n"
        "    tell(kind='metric', name='loss', step=i, value=0.5); time.sleep(0.25)\n" + FAKE
    )
    run = request_run()

    def work() -> None:
        training.execute(run.pk, "w")
        connection.close()

    worker = Thread(target=work)
    worker.start()
    wait_for(lambda: run.events.filter(kind="metric").count())
    others = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"{others} AND pid != pg_backend_pid()")
        assert cursor.fetchone()[0] > 0
    worker.join(timeout=60)
    run.refresh_from_db()
    assert (run.state, run.attempt) == ("finished", 1)
    points = run.events.filter(kind="metric").values_list("payload__step", flat=True)
    assert sorted(points) == list(range(8))


@pytest.mark.django_db(transaction=True)
def test_an_attempt_that_was_given_up_is_ended_and_its_artifact_not_adopted(
    request_run: Request, script: Play
):
    script("(out / 'pid').write_text(str(os.getpid()))\ntime.sleep(60)")
    run = request_run()

    def work() -> None:
        training.execute(run.pk, "first")
        connection.close()

    worker = Thread(target=work)
    worker.start()
    pid = wait_for(lambda: pid_in(run))
    run.refresh_from_db()
    assert runs.lose(run, "Given up.")
    second = runs.claim(run.pk, "second")
    worker.join(timeout=10)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not ModelVersion.objects.exists()
    assert runs.heartbeat(second) == "running"


def pid_in(run: Run) -> int | None:
    run.refresh_from_db()
    file = runs.folder_of(run) / "pid"
    return int(file.read_text() or 0) if file.exists() else None


def wait_for(what: Callable[[], int | None]) -> int:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("It did not happen within 20 seconds.")
