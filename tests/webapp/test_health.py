"""/healthz and the checks say what works, what does not, and how to mend it."""

import socket
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError, connections
from django.test import Client
from pytest_django import Settings

from review.models import Worker
from review.services import workers
from webapp import checks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine may be busy; what hangs for ever has a test of its own."""
    monkeypatch.setattr("webapp.health.PATIENCE_S", 60.0)


ALL_WELL = {
    "database": "ok",
    "redis": "ok",
    "media": "ok",
    "disk": "ok",
    "beat": "ok",
    "worker_default": "ok",
    "worker_gpu": "ok",
}


@pytest.fixture
def everybody(media: Path, transactional_db: None) -> dict[str, Worker]:
    """Beat and a worker for each queue, heard of just now; the probes read with connections of their own."""
    beat = workers.register(workers.Identity("beat", "beat@here", "here", 1))
    default = workers.register(workers.Identity("worker", "default@here", "here", 2, ("default",)))
    gpu = workers.register(workers.Identity("worker", "gpu@here", "here", 3, ("gpu",)))
    return {"beat": beat, "worker_default": default, "worker_gpu": gpu}


def test_it_works(client: Client, everybody: dict[str, Worker]):
    answer = client.get("/healthz")
    assert answer.json() == ALL_WELL
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]


def test_it_says_who_has_not_been_heard_of(client: Client, everybody: dict[str, Worker]):
    for part, worker in everybody.items():
        Worker.objects.filter(pk=worker.pk).update(seen_at=worker.seen_at - timedelta(minutes=2))
        answer = client.get("/healthz")
        assert answer.status_code == 503
        assert answer.json() == ALL_WELL | {part: "failed"}
        Worker.objects.filter(pk=worker.pk).update(seen_at=worker.seen_at)


def test_it_fails_before_the_disk_is_full(client: Client, everybody: dict[str, Worker], settings: Settings):
    settings.MIN_FREE_BYTES = 10**18
    assert client.get("/healthz").json() == ALL_WELL | {"disk": "failed"}


def test_the_web_alone_is_well_without_workers(client: Client, media: Path):
    answer = client.get("/healthz/web")
    assert answer.status_code == 200
    assert answer.json() == {"database": "ok", "redis": "ok", "media": "ok"}
    assert client.get("/healthz").status_code == 503


@pytest.mark.parametrize("path", ["/healthz", "/healthz/web"])
def test_it_answers_a_probe_that_speaks_http(client: Client, media: Path, settings: Settings, path: str):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get(path).status_code in (200, 503)
    assert client.get("/accounts/login/").status_code == 301


def test_it_says_what_has_failed_and_keeps_the_reason_to_itself(
    client: Client, media: Path, settings: Settings
):
    settings.CACHES = redis_at("unix:///nowhere/redis.sock")
    settings.MEDIA_ROOT = "/nowhere"
    answer = client.get("/healthz/web")
    assert answer.status_code == 503
    assert answer.json() == {"database": "ok", "redis": "failed", "media": "failed"}


def test_a_redis_that_hangs_holds_up_nobody(
    client: Client, media: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It takes connections and never answers, as one does that was stopped or has lost its disk."""
    monkeypatch.setattr("webapp.health.PATIENCE_S", 0.5)
    with socket.socket(socket.AF_UNIX) as silent, tempfile.TemporaryDirectory(dir="/tmp") as folder:
        silent.bind(f"{folder}/redis.sock")
        silent.listen()
        settings.CACHES = redis_at(f"unix://{folder}/redis.sock")
        for _ in range(3):
            answer = client.get("/healthz/web")
            assert answer.status_code == 503
            assert answer.json()["redis"] == "failed"
        assert sum(thread.name == "health-redis" for thread in threading.enumerate()) == 1
    # Gone at last, so that the next test asks anew.
    deadline = time.monotonic() + 60
    while any(thread.name == "health-redis" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def redis_at(url: str) -> dict[str, dict[str, str]]:
    return {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}}


def test_a_whole_installation_passes_the_checks(media: Path):
    assert checks.postgis_is_there(None, databases=["default"]) == []
    assert checks.redis_answers(None, databases=["default"]) == []
    assert checks.media_can_be_written(None) == []


def test_absent_postgis_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("webapp.checks.POSTGIS", "SELECT NULL WHERE false")
    (problem,) = checks.postgis_is_there(None, databases=["default"])
    assert problem.id == "tektite.E002"
    assert "postgresql-15-postgis-3" in problem.hint


def test_a_silent_database_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch):
    def silent() -> None:
        raise DatabaseError("connection refused\nis it running?")

    monkeypatch.setattr(connections["default"], "cursor", silent)
    (problem,) = checks.postgis_is_there(None, databases=["default"])
    assert problem.id == "tektite.E001"
    assert problem.msg == "The database of DATABASE_URL does not answer: connection refused"


def test_a_silent_redis_is_an_error_with_a_remedy(settings: Settings):
    settings.CACHES = redis_at("unix:///nowhere/redis.sock")
    (problem,) = checks.redis_answers(None, databases=["default"])
    assert problem.id == "tektite.E003"
    assert "REDIS_URL" in problem.hint


def test_servers_are_asked_only_where_the_database_is_asked_too(settings: Settings):
    settings.CACHES = redis_at("unix:///nowhere/redis.sock")
    assert checks.redis_answers(None) == []
    assert checks.postgis_is_there(None) == []


def test_a_media_root_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path, settings: Settings):
    (tmp_path / "file").touch()
    settings.MEDIA_ROOT = str(tmp_path / "file" / "media")
    (problem,) = checks.media_can_be_written(None)
    assert problem.id == "tektite.E004"
    assert str(settings.MEDIA_ROOT) in problem.msg


def test_a_media_root_that_is_not_there_yet_can_be_made(tmp_path: Path, settings: Settings):
    settings.MEDIA_ROOT = str(tmp_path / "not" / "yet")
    assert checks.media_can_be_written(None) == []
