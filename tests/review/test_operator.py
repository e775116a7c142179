"""The operator's page: what it shows, and what it says when something is missing."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from annotate.models import Basemap, Campaign, User
from review.models import Run, Worker
from review.services import installation, queues, runs, workers
from review.services.workers import Identity
from webapp.celery import app

pytestmark = pytest.mark.django_db
GB = 10**9


@pytest.fixture(autouse=True)
def quiet_surroundings(media: Path, tmp_path: Path, settings: Settings) -> None:
    """No backup yet, and plain http as with bin/run, where nobody expects mails to leave."""
    settings.BACKUP_STAMP = str(tmp_path / "last-backup.json")
    settings.INSECURE_HTTP = True


@pytest.fixture
def page(client_of: Callable[[User | None], Client], staff: User) -> Callable[[], str]:
    """The page as staff see it now."""
    client = client_of(staff)

    def get(name: str = "review:operator") -> str:
        answer = client.get(reverse(name))
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        return answer.content.decode()

    return get


@pytest.fixture
def crew() -> dict[str, Worker]:
    """Beat and a worker for each queue, of this version."""
    versions = {"tektite": installation.code_version(), "torch": "2.14.1"}
    return {
        name: workers.register(Identity(kind, f"{name}@here", "here", 7, served, len(served), versions))
        for name, kind, served in (
            ("beat", "beat", ()),
            ("default", "worker", ("default",)),
            ("gpu", "worker", ("gpu",)),
        )
    }


def stamp(settings: Settings, *, age: timedelta) -> None:
    note = {"at": (timezone.now() - age).isoformat(), "path": "/backups/2026-11-20", "bytes": 3 * GB}
    Path(settings.BACKUP_STAMP).write_text(json.dumps(note))


def test_it_works(page: Callable[[], str], crew: dict[str, Worker], settings: Settings):
    stamp(settings, age=timedelta(hours=3))
    workers.heartbeat(crew["gpu"], busy=[], gpus=[])
    shown = page()
    assert "All is as it should be." in shown
    for name in ("beat@here", "default@here", "gpu@here", "torch 2.14.1", "no GPU: runs use the CPU"):
        assert name in shown
    assert "/backups/2026-11-20" in shown
    assert "3.0 GB" in shown
    assert "3 h ago" in shown
    assert "PostGIS" in shown


def test_what_changes_is_asked_for_anew(page: Callable[..., str]):
    live = reverse("review:operator_live")
    assert f'hx-get="{live}"' in page()
    part = page("review:operator_live")
    assert f'hx-get="{live}"' in part
    assert "<html" not in part


def test_only_staff_find_it_in_the_bar(
    client_of: Callable[[User | None], Client], staff: User, stranger: User
):
    address = reverse("review:operator")
    assert address in client_of(staff).get("/").content.decode()
    assert address not in client_of(stranger).get("/").content.decode()


class TestWork:
    def test_a_worker_shows_its_accelerator_and_what_it_is_at(
        self, page: Callable[[], str], crew: dict[str, Worker], campaign: Campaign
    ):
        run = runs.create(campaign=campaign, system="crater_detector", verb="train", requested_by=None)
        runs.claim(run.pk, "here:7")
        since = (timezone.now() - timedelta(minutes=7)).timestamp()
        task = {"task": "review.tasks.train_task", "argument": run.pk, "since": since}
        card = {"name": "NVIDIA H200", "used_bytes": 12 * GB, "total_bytes": 150 * GB}
        workers.heartbeat(crew["gpu"], busy=[task], gpus=[card])
        shown = page()
        assert "NVIDIA H200" in shown
        assert "12.0 GB of 150.0 GB in use" in shown
        assert reverse("review:run", args=[run.uid]) in shown
        assert "Mare Test · Training 1" in shown
        assert "7 min" in shown

    def test_a_task_of_a_run_that_is_gone_is_no_mistake(
        self, page: Callable[[], str], crew: dict[str, Worker]
    ):
        gone = {"task": "review.tasks.train_task", "argument": 10**9, "since": None}
        workers.heartbeat(crew["gpu"], busy=[gone], gpus=[])
        assert "train_task" in page()

    def test_runs_that_wait_and_those_that_failed_are_links(
        self, page: Callable[[], str], campaign: Campaign
    ):
        waiting = runs.create(campaign=campaign, system="crater_detector", verb="predict", requested_by=None)
        ago = timezone.now() - timedelta(minutes=41)
        Run.objects.filter(pk=waiting.pk).update(queued_at=ago)
        failed = runs.create(campaign=campaign, system="crater_detector", verb="train", requested_by=None)
        Run.objects.filter(pk=failed.pk).update(
            state=Run.State.FAILED, finished_at=ago, error="Too little memory; <b>start</b> a smaller one."
        )
        shown = page()
        assert "The oldest waiting run has waited 41 min." in shown
        for run in (waiting, failed):
            assert reverse("review:run", args=[run.uid]) in shown
        assert "Too little memory; &lt;b&gt;start&lt;/b&gt; a smaller one." in shown

    def test_failures_of_long_ago_are_not_news(self, page: Callable[[], str], campaign: Campaign):
        run = runs.create(campaign=campaign, system="crater_detector", verb="train", requested_by=None)
        ago = timezone.now() - timedelta(days=8)
        Run.objects.filter(pk=run.pk).update(state=Run.State.FAILED, finished_at=ago)
        assert reverse("review:run", args=[run.uid]) not in page()

    def test_conversions_say_why_they_failed(self, page: Callable[[], str]):
        Basemap.objects.create(name="Ready one", body="moon", state=Basemap.State.READY)
        Basemap.objects.create(name="Broken one", body="moon", state=Basemap.State.FAILED, error="No pixels.")
        shown = page()
        assert "Broken one" in shown
        assert "No pixels." in shown
        assert "Ready one" not in shown


class TestTroubles:
    def test_without_workers_it_says_what_starts_them(self, page: Callable[[], str]):
        shown = page()
        for queue in ("default", "gpu"):
            assert f"No worker serves the queue “{queue}”" in shown
            assert f"celery --app webapp worker --queues {queue}" in shown
        assert "celery --app webapp beat" in shown
        assert "No worker has been heard of in the last day." in shown

    def test_a_silent_worker_is_said_to_be_silent(self, page: Callable[[], str], crew: dict[str, Worker]):
        Worker.objects.filter(pk=crew["gpu"].pk).update(seen_at=timezone.now() - timedelta(minutes=12))
        shown = page()
        assert "not heard of for 12 min" in shown
        assert "No worker serves the queue “gpu”" in shown
        assert "No worker serves the queue “default”" not in shown

    def test_two_beats_are_one_too_many(self, page: Callable[[], str], crew: dict[str, Worker]):
        workers.register(Identity("beat", "beat@there", "there", 9))
        assert "2 beats run" in page()

    def test_a_worker_of_another_version_is_to_be_restarted(
        self, page: Callable[[], str], crew: dict[str, Worker]
    ):
        Worker.objects.filter(pk=crew["gpu"].pk).update(versions={"tektite": "0ld"})
        assert "gpu@here runs Tektite 0ld" in page()

    def test_a_broker_that_does_not_answer_is_said_not_to(
        self, page: Callable[[], str], crew: dict[str, Worker], monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setitem(app.conf, "broker_url", "redis+socket:///nowhere/redis.sock")
        monkeypatch.setitem(app.conf, "broker_write_url", "redis+socket:///nowhere/redis.sock")
        shown = page()
        assert "Redis does not answer" in shown
        assert "no answer" in shown

    def test_a_disk_that_is_nearly_full_is_named(
        self, page: Callable[[], str], crew: dict[str, Worker], settings: Settings
    ):
        settings.MIN_FREE_BYTES = 10**18
        shown = page()
        assert "The disk of MEDIA_ROOT has" in shown
        assert "uploads, conversions, trainings and predictions are refused" in shown

    def test_an_old_backup_and_none_are_told(
        self, page: Callable[[], str], crew: dict[str, Worker], settings: Settings
    ):
        assert "No backup is known of" in page()
        stamp(settings, age=timedelta(days=9, hours=1))
        assert "The last backup is 9 days old." in page()
        Path(settings.BACKUP_STAMP).write_text("{ half a")
        assert "No backup is known of" in page()

    def test_mails_that_go_nowhere_are_told_in_production(
        self, page: Callable[[], str], crew: dict[str, Worker], settings: Settings
    ):
        settings.EMAIL_BACKEND = installation.CONSOLE_MAIL
        assert "Mails only go to the log" not in page()
        settings.INSECURE_HTTP = False
        assert "Mails only go to the log" in page()


def test_queues_are_as_long_as_what_waits_in_them(settings: Settings):
    name = f"test-{uuid4()}"
    settings.CELERY_TASK_ROUTES = {"some.task": {"queue": name}}
    with app.connection() as connection, connection.SimpleQueue(name) as queue:
        assert queues.lengths()[name] == 0
        queue.put({"n": 1})
        queue.put({"n": 2})
        assert queues.lengths()[name] == 2
        queue.clear()
