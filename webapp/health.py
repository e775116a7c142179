"""What works, for those who watch and for bin/run, which waits for it."""

import logging
import os
from collections.abc import Callable

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.utils import Error as DatabaseError
from django.http import HttpRequest, JsonResponse
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _redis() -> None:
    cache.get("tektite.health")


def _media() -> None:
    if not os.access(settings.MEDIA_ROOT, os.W_OK | os.X_OK):
        raise OSError(f"MEDIA_ROOT {settings.MEDIA_ROOT} cannot be written.")


PARTS: dict[str, Callable[[], None]] = {"database": _database, "redis": _redis, "media": _media}


def health(request: HttpRequest) -> JsonResponse:
    """{"database": "ok" or "failed", …}; 503 where something failed. The reasons are in the log only."""
    states = {}
    for name, probe in PARTS.items():
        try:
            probe()
            states[name] = "ok"
        except (DatabaseError, RedisError, OSError) as error:
            logger.error("health: %s failed: %s", name, error)
            states[name] = "failed"
    return JsonResponse(states, status=200 if set(states.values()) == {"ok"} else 503)
