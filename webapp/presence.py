"""How workers and beat make themselves known: a row each, written at every heartbeat from their main process.

A thread writes it, so that neither a database that hangs nor a driver that sleeps can hold up the queue.
"""

import logging
import os
import platform
import socket
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from celery import bootsteps
from celery.beat import PersistentScheduler
from celery.worker import state
from django.conf import settings

if TYPE_CHECKING:
    from review.services.workers import Identity

log = logging.getLogger(__name__)

# Beat looks at its schedule at least this often (CELERY_BEAT_MAX_LOOP_INTERVAL is shorter).
TICKS_WITHIN_S = 60.0
# Runs go to the accelerators of this queue's workers.
GPU_QUEUE = "gpu"
GOODBYE_S = 3.0


class Presence(bootsteps.StartStopStep):
    """Part of every worker; after the pool, so that its children are forked without this thread."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        self.writer: Writer | None = None

    def start(self, worker: Any) -> None:
        """Celery calls it once the pool stands."""
        queues = tuple(worker.app.amqp.queues.consume_from)
        identity = _identity("worker", worker.hostname, queues=queues, concurrency=worker.concurrency)
        self.writer = Writer(identity, busy=_busy)
        self.writer.start()

    def stop(self, worker: Any) -> None:
        """Celery calls it when the worker ends after its tasks."""
        if self.writer:
            self.writer.end()

    def terminate(self, worker: Any) -> None:
        """And this when it ends at once."""
        self.stop(worker)


class Scheduler(PersistentScheduler):
    """Celery's own, known to be alive as long as it looks at its schedule."""

    _writer: "Writer | None" = None

    def setup_schedule(self) -> None:
        super().setup_schedule()
        self._ticked = time.monotonic()
        self._writer = Writer(
            _identity("beat", f"beat@{socket.gethostname()}"),
            lives=lambda: time.monotonic() - self._ticked < TICKS_WITHIN_S,
        )
        self._writer.start()

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """One look at the schedule; seconds until the next."""
        self._ticked = time.monotonic()
        return super().tick(*args, **kwargs)

    def close(self) -> None:
        # Celery closes also one that it could not set up.
        if self._writer:
            self._writer.end()
        super().close()


class Writer(Thread):
    """Keeps one row up to date until it is told to end; what it cannot write it leaves for the next time."""

    def __init__(
        self,
        who: "Identity",
        *,
        busy: Callable[[], list[dict[str, object]]] = list,
        lives: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(name="presence", daemon=True)
        self._who, self._busy, self._lives = who, busy, lives
        self._ended = Event()
        self._row: Any = None
        self._failed = False

    def run(self) -> None:
        """The thread's work."""
        while not self._ended.is_set():
            self._attempt(self._beat)
            self._ended.wait(settings.HEARTBEAT_S)
        self._attempt(self._sign_off)

    def end(self) -> None:
        """Take the row away, if the database answers soon."""
        self._ended.set()
        self.join(GOODBYE_S)

    def _attempt(self, write: Callable[[], None]) -> None:
        from django.db import connection

        try:
            write()
            self._failed = False
        except Exception as error:
            if not self._failed:
                log.warning("%s cannot say that it lives: %s", self._who.name, error)
            self._failed = True
        finally:
            # No connection is held open between two beats, and none that has broken is used again.
            connection.close()

    def _beat(self) -> None:
        from review.services import gpus, workers

        if not self._lives():
            return
        seen = gpus.gpus() if GPU_QUEUE in self._who.queues else None
        if self._row is None or not workers.heartbeat(self._row, busy=self._busy(), gpus=seen):
            self._row = workers.register(self._who)
            workers.heartbeat(self._row, busy=self._busy(), gpus=seen)

    def _sign_off(self) -> None:
        from review.services import workers

        if self._row is not None:
            workers.sign_off(self._row)


def _identity(kind: str, name: str, *, queues: tuple[str, ...] = (), concurrency: int = 0) -> "Identity":
    # Celery loads this module before Django is ready, and starts it afterwards.
    from review.services.installation import code_version
    from review.services.workers import Identity

    versions = {
        "tektite": code_version(),
        "python": platform.python_version(),
        **{package: found for package in ("celery", "torch") if (found := _version(package))},
    }
    return Identity(
        kind=kind,
        name=name,
        host=socket.gethostname(),
        pid=os.getpid(),
        queues=queues,
        concurrency=concurrency,
        versions=versions,
    )


def _version(package: str) -> str:
    """Without importing it: torch in a worker's process would take a gigabyte."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _busy() -> list[dict[str, object]]:
    """The tasks that this worker's processes are at, oldest first."""
    tasks = [
        {"task": request.name, "argument": _first(request.args), "since": request.time_start}
        for request in _active()
    ]
    return sorted(tasks, key=lambda task: task["since"] or 0.0)


def _active() -> list[Any]:
    """A copy; the worker's own thread may change the set while it is made."""
    while True:
        try:
            return list(state.active_requests)
        except RuntimeError:
            continue


def _first(arguments: Any) -> int | None:
    """Tasks take one primary key."""
    value = arguments[0] if isinstance(arguments, list | tuple) and arguments else None
    return value if isinstance(value, int) else None
