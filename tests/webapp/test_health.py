"""/healthz and the checks say what works, what does not, and how to mend it."""

from pathlib import Path

import pytest
from django.db import DatabaseError, connections
from django.test import Client
from pytest_django import Settings

from webapp import checks

pytestmark = pytest.mark.django_db


def test_it_works(client: Client, media: Path):
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"database": "ok", "redis": "ok", "media": "ok"}


def test_it_answers_a_probe_that_speaks_http(client: Client, media: Path, settings: Settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/healthz").status_code == 200
    assert client.get("/accounts/login/").status_code == 301


def test_it_says_what_has_failed_and_keeps_the_reason_to_itself(
    client: Client, media: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    settings.CACHES = redis_at("unix:///nowhere/redis.sock")
    settings.MEDIA_ROOT = "/nowhere"
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"database": "ok", "redis": "failed", "media": "failed"}


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
