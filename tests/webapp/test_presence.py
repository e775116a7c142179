"""Real workers and a real beat: the rows they write, and the lines of their logs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from structlog.contextvars import bound_contextvars

from annotate.models import Campaign, User
from annotate.services.participants import participant_of
from annotate.services.shapes import stamped
from mlcore.geodesy import rim_polygon
from review.models import Run, Worker
from review.services import queues
from review.tasks import enqueue
from tests.browser import workers as real
from tests.browser.workers import real_workers

PATIENCE_S = 90.0


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def lines_of(log: Path) -> list[dict[str, object]]:
    """The lines of a log that are Tektite's own; Celery prints a warning of its own to root."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


@pytest.fixture
def spoilt(lead: User) -> Run:
    """A waiting run whose wishes cannot be read, as none that a service made can be."""
    region = stamped(rim_polygon(10.0, 5.0, 200_000.0, 1_737_400.0))
    campaign = Campaign.objects.create(
        name="Mare Test", body="moon", created_by=participant_of(lead), grid={}, region=region
    )
    return Run.objects.create(campaign=campaign, number=1, system="crater_detector", verb=Run.Verb.TRAIN)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_it_works(tmp_path: Path, media: Path, spoilt: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOG_FORMAT", "json")
    monkeypatch.setenv("HEARTBEAT_S", "0.5")
    with real_workers(tmp_path):
        wait_until(lambda: Worker.objects.heard().count() == 2, "two workers say that they live")
        default, gpu = Worker.objects.order_by("name")
        assert (default.queues, gpu.queues) == (["default"], ["gpu"])
        assert default.gpus is None
        assert gpu.gpus is not None
        assert gpu.versions["torch"]
        assert queues.lengths() == {"default": 0, "gpu": 0}

        with bound_contextvars(request_id="who-pressed-it"):
            enqueue(spoilt)
        log = tmp_path / "gpu.log"
        wait_until(lambda: "unforeseen" in log.read_text() or "failed" in log.read_text(), log.read_text())
        wait_until(lambda: Run.objects.get().state == Run.State.FAILED, "the run has failed")

    (line,) = [line for line in lines_of(log) if line.get("exception")]
    assert line["run"] == str(spoilt.uid)
    assert line["attempt"] == 1
    assert line["request_id"] == "who-pressed-it"
    received = next(line for line in lines_of(log) if "received" in str(line["event"]))
    assert received["task_id"] == line["task_id"]
    assert line["task"] == received["task"] == "review.tasks.train_task"
    assert not Worker.objects.exists(), "a worker that ends takes its row away"


@pytest.mark.django_db(transaction=True)
def test_beat_is_known_to_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    command = ["celery", "--app", "webapp", "beat", "--pidfile=", "--schedule", str(tmp_path / "schedule")]
    environment = {
        "DATABASE_URL": real._database_url(),
        "SECRET_KEY": settings.SECRET_KEY,
        # What it sends goes nowhere.
        "CELERY_BROKER_URL": "memory://",
        "HEARTBEAT_S": "0.5",
    }
    with (tmp_path / "beat.log").open("wb") as log:
        beat = subprocess.Popen(
            [sys.executable, "-m", *command], env=os.environ | environment, stdout=log, stderr=log
        )
    try:
        wait_until(lambda: Worker.objects.beats().heard().exists(), (tmp_path / "beat.log").read_text())
        first = Worker.objects.get().seen_at
        wait_until(lambda: Worker.objects.get().seen_at > first, "it goes on saying so")
    finally:
        beat.send_signal(signal.SIGTERM)
        beat.wait(PATIENCE_S)
    assert not Worker.objects.exists()
