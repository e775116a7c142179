"""What this installation lacks, each with an id and a remedy: `manage.py check --database default`."""

import os
from collections.abc import Sequence
from pathlib import Path

from django.apps import AppConfig
from django.conf import settings
from django.core.cache import cache
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections
from django.db.utils import Error as DatabaseError
from redis.exceptions import RedisError

POSTGIS = "SELECT default_version FROM pg_available_extensions WHERE name = 'postgis'"


@register(Tags.database)
def postgis_is_there(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: object
) -> list[CheckMessage]:
    """The database answers and its server can give us PostGIS 3."""
    problems: list[CheckMessage] = []
    for alias in databases or []:
        try:
            with connections[alias].cursor() as cursor:
                cursor.execute(POSTGIS)
                row = cursor.fetchone()
        except DatabaseError as error:
            reason = str(error).strip().splitlines()[0]
            problems.append(
                Error(
                    f"The database of DATABASE_URL does not answer: {reason}",
                    hint="Start the server, or correct DATABASE_URL.",
                    id="tektite.E001",
                )
            )
            continue
        if row is None or int(row[0].split(".")[0]) < 3:
            problems.append(
                Error(
                    "The server of DATABASE_URL has no PostGIS 3.",
                    hint="Install it there (Debian 12: apt-get install postgresql-15-postgis-3).",
                    id="tektite.E002",
                )
            )
    return problems


@register(Tags.database)
def redis_answers(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: object
) -> list[CheckMessage]:
    """The cache and the queue can be reached; asked only where the database is asked too."""
    if not databases:
        return []
    try:
        cache.get("tektite.check")
    except RedisError as error:
        return [
            Error(
                f"The Redis of REDIS_URL does not answer: {error}",
                hint="Start it, or correct REDIS_URL.",
                id="tektite.E003",
            )
        ]
    return []


@register(Tags.files)
def media_can_be_written(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """MEDIA_ROOT, or the nearest folder above it that exists, can be written."""
    media = Path(settings.MEDIA_ROOT)
    existing = next(folder for folder in (media, *media.absolute().parents) if folder.exists())
    if os.access(existing, os.W_OK | os.X_OK) and existing.is_dir():
        return []
    return [
        Error(
            f"MEDIA_ROOT {media} cannot be written.",
            hint="Make it writable for the user that runs Tektite, or set MEDIA_ROOT to another folder.",
            id="tektite.E004",
        )
    ]
