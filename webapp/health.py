"""What works: for monitors (/healthz), and for proxies and bin/run, which ask for the web alone.

Each part is asked in a thread and given a few seconds: a Redis, a database or a file server that hangs is
"failed" and holds up nobody. Reasons are in the log and on the operator's page, not here, where anybody asks.
"""

import logging
import os
from collections.abc import Callable, Iterable
from contextvars import copy_context
from threading import Lock, Thread
from time import monotonic

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.utils import Error as DatabaseError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from redis.exceptions import RedisError

from annotate.services.disk import disk_of
from review.models import Worker
from review.services import queues

logger = logging.getLogger(__name__)

PATIENCE_S = 4.0
OK, FAILED = "ok", "failed"
States = dict[str, str]


def _database() -> States:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return {"database": OK}


def _work() -> States:
    """Whether beat and a worker of each queue have been heard of lately."""
    heard = list(Worker.objects.heard())
    served = {queue for worker in heard for queue in worker.queues}
    parts = {"beat": any(worker.kind == Worker.Kind.BEAT for worker in heard)}
    parts |= {f"worker_{queue}": queue in served for queue in queues.names()}
    for part, is_there in parts.items():
        if not is_there:
            logger.warning("health: %s has not been heard of lately", part)
    return {part: OK if is_there else FAILED for part, is_there in parts.items()}


def _redis() -> States:
    cache.get("tektite.health")
    return {"redis": OK}


def _media() -> States:
    if not os.access(settings.MEDIA_ROOT, os.W_OK | os.X_OK):
        raise OSError(f"MEDIA_ROOT {settings.MEDIA_ROOT} cannot be written.")
    return {"media": OK}


def _disk() -> States:
    disk = disk_of()
    if disk.is_nearly_full:
        raise OSError(f"{disk.free_bytes} bytes are free, {disk.reserve_bytes} are to stay free.")
    return {"disk": OK}


class Probe:
    """One question. While it is being asked nobody asks it again: whoever comes waits for the same answer."""

    def __init__(self, ask: Callable[[], States], parts: Iterable[str]) -> None:
        self._ask, self.parts = ask, tuple(parts)
        self._lock = Lock()
        self._asking: _Asking | None = None

    def begin(self) -> "_Asking":
        """The question under way, or a new one."""
        with self._lock:
            if self._asking is None or not self._asking.is_alive():
                self._asking = _Asking(self._ask, self.parts)
                self._asking.start()
            return self._asking


class _Asking(Thread):
    def __init__(self, ask: Callable[[], States], parts: tuple[str, ...]) -> None:
        # A daemon, since one that hangs for ever must not keep the web server from ending.
        super().__init__(name=f"health-{parts[0]}", daemon=True)
        # The log lines carry the id of the request that asked first.
        self._ask, self._context = ask, copy_context()
        self.states: States = dict.fromkeys(parts, FAILED)

    def run(self) -> None:
        try:
            self.states = self._context.run(self._ask)
        except (DatabaseError, RedisError, OSError) as error:
            self._context.run(logger.error, "health: %s failed: %s", ", ".join(self.states), error)
        finally:
            connection.close()


DATABASE, REDIS = Probe(_database, ["database"]), Probe(_redis, ["redis"])
MEDIA, DISK = Probe(_media, ["media"]), Probe(_disk, ["disk"])
WORK = Probe(_work, ["beat", *(f"worker_{queue}" for queue in queues.names())])


@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """{"database": "ok" or "failed", …}; 503 where anything has failed."""
    return _answer(DATABASE, REDIS, MEDIA, DISK, WORK)


@never_cache
def health_of_web(request: HttpRequest) -> JsonResponse:
    """Whether pages can be served; a worker that is missing is no reason to send people elsewhere."""
    return _answer(DATABASE, REDIS, MEDIA)


def _answer(*probes: Probe) -> JsonResponse:
    deadline = monotonic() + PATIENCE_S
    states: States = {}
    for asking in [probe.begin() for probe in probes]:
        asking.join(max(0.0, deadline - monotonic()))
        if asking.is_alive():
            logger.error("health: %s gave no answer in %g s", ", ".join(asking.states), PATIENCE_S)
        states |= asking.states
    return JsonResponse(states, status=200 if set(states.values()) == {OK} else 503)
