"""The whole chain in a real Celery worker: trained, promoted and predicted by messages and rows alone."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone
from kombu.exceptions import OperationalError

from annotate.models import Campaign, Catalogue, User
from annotate.services.participants import participant_of
from review import tasks
from review.models import ModelVersion, Run
from review.services import reaper, runs, training
from review.services.labels import REGION
from webapp.celery import app
from webapp.logging_tasks import LoggedTask

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# So few steps teach nothing; that the network can learn is test_loop's business.
TINY = {"steps": 2, "views": 1, "batch_size": 1, "crop_px": 96}


@pytest.fixture
def broker() -> Iterator[str]:
    """A broker that nobody else listens to: another database of the same Redis, without old messages."""
    url = re.sub(r"(virtual_host=|/)\d+$", r"\g<1>13", settings.CELERY_BROKER_URL)
    with app.connection_for_write(url) as link:
        redis = link.default_channel.client
        redis.delete("default", "gpu", "unacked", "unacked_index", *redis.keys("_kombu.*"))
        yield url


@pytest.fixture
def worker(broker: str, media: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One worker for both queues, on the test's database and files."""
    database = connection.settings_dict
    url = re.sub(r"(postgis://[^/]*/)[^?]*", rf"\g<1>{database['NAME']}", os.environ["DATABASE_URL"])
    environment = os.environ | {
        "DATABASE_URL": url,
        "MEDIA_ROOT": str(media),
        "CELERY_BROKER_URL": broker,
        "OMP_NUM_THREADS": "1",
    }
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "webapp", "worker", "-Q", "default,gpu", "-c", "1",
             "--without-gossip", "--without-mingle", "--without-heartbeat"],
            env=environment, cwd=settings.BASE_DIR, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_it_works_from_a_message_to_proposals(
    worker: subprocess.Popen[bytes],
    broker: str,
    region: Campaign,
    truth: Catalogue,
    lead: User,
    tmp_path: Path,
):
    region.min_diameter_m = 3000.0
    region.save()
    run = training.request_training(
        campaign=region,
        requested_by=participant_of(lead),
        overrides=TINY,
        label_catalogues=[truth],
        searched=REGION,
        promote=True,
    )
    with app.connection_for_write(broker) as link:
        for _ in range(2):  # a message that is delivered twice does no harm
            tasks.train_task.apply_async((run.pk,), connection=link)
    predicting = wait_until_ended(region, tmp_path / "worker.log")
    run.refresh_from_db()
    version = ModelVersion.objects.get()
    assert (run.state, run.attempt, version.is_current) == ("finished", 1, True)
    assert run.events.filter(kind="metric", payload__name__contains="loss").exists()
    assert predicting.model_version == version
    assert predicting.requested_by == participant_of(lead)
    assert predicting.windows.count() == predicting.windows.filter(state="done").count() > 0
    assert Campaign.objects.get(pk=region.pk).proposals == predicting.catalogue is not None


def test_a_worker_that_is_told_to_quit_leaves_its_run_waiting(
    worker: subprocess.Popen[bytes], broker: str, region: Campaign, truth: Catalogue, tmp_path: Path
):
    run = training.request_training(
        campaign=region,
        requested_by=None,
        overrides={**TINY, "steps": 1_000_000},
        label_catalogues=[truth],
        searched=REGION,
    )
    with app.connection_for_write(broker) as link:
        tasks.train_task.apply_async((run.pk,), connection=link)
    wait_for(lambda: run.events.filter(kind="metric").exists(), tmp_path / "worker.log")
    worker.send_signal(signal.SIGQUIT)
    worker.wait(60)
    run.refresh_from_db()
    assert (run.state, run.attempt, run.setbacks) == ("queued", 1, 0)
    assert (runs.folder_of(run) / "checkpoint" / "state.pt").is_file()


def test_what_is_asked_while_the_queue_is_away_is_kept_and_found_again(
    region: Campaign,
    truth: Catalogue,
    lead: User,
    client_of: Callable[[User], Client],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    def refuses(*_: object, **__: object) -> None:
        raise OperationalError("Connection refused")

    wish = {"verb": "train", "label_catalogues": [str(truth.uid)], "searched": REGION}
    with monkeypatch.context() as away:
        away.setattr(LoggedTask, "apply_async", refuses)
        answer = client_of(lead).post(
            f"/api/v1/campaigns/{region.uid}/runs", wish, content_type="application/json"
        )
    assert answer.status_code == 201, answer.content
    assert "Connection refused" in caplog.text
    run = Run.objects.get()
    Run.objects.update(enqueued_at=timezone.now() - timedelta(seconds=61))
    assert reaper.requeue() == [run]


def wait_until_ended(campaign: Campaign, log: Path) -> Run:
    """The prediction that follows the training, once it has ended well."""
    predictions = Run.objects.filter(campaign=campaign, verb="predict", state="finished")
    wait_for(predictions.exists, log)
    return predictions.get()


def wait_for(what: Callable[[], bool], log: Path) -> None:
    until = time.monotonic() + 200
    while time.monotonic() < until:
        failed = Run.objects.filter(state="failed").first()
        assert failed is None, f"{failed.error}\n{log.read_text()[-3000:]}"
        if what():
            return
        time.sleep(0.2)
    raise AssertionError(f"Nothing came of it.\n{log.read_text()[-3000:]}")
