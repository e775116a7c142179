"""A broker and Celery workers of a test's own, as an operator would start them, on the test's database."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import connection
from kombu import pools

from webapp.celery import app

QUEUES = ("default", "gpu")
PATIENCE_S = 90.0


@contextmanager
def real_workers(folder: Path) -> Iterator[None]:
    """One worker per queue; what this process enqueues meanwhile is theirs to do."""
    redis = shutil.which("redis-server")
    if redis is None:
        pytest.skip("redis-server is not installed: bin/test installs it.")
    socket = folder / "redis.sock"
    started = [_start(folder, "redis", [redis, "--port", "0", "--unixsocket", str(socket), "--save", ""])]
    try:
        _wait_for(started[0], socket.exists, folder / "redis.log")
        with _enqueueing_to(f"redis+socket://{socket}"):
            started += [_start_worker(folder, queue, socket) for queue in QUEUES]
            for process, queue in zip(started[1:], QUEUES, strict=True):
                log = folder / f"{queue}.log"
                _wait_for(process, lambda log=log: "ready." in log.read_text(), log)
            yield
    finally:
        for process in reversed(started):
            _end(process)


def _start_worker(folder: Path, queue: str, socket: Path) -> "subprocess.Popen[bytes]":
    # Without its companions a worker starts in half the time.
    quick = ["--pool", "solo", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    command = [sys.executable, "-m", "celery", "--app", "webapp", "worker", "--queues", queue, *quick]
    return _start(
        folder,
        queue,
        [*command, "--hostname", f"{queue}@test", "--loglevel", "INFO"],
        DATABASE_URL=_database_url(),
        MEDIA_ROOT=str(settings.MEDIA_ROOT),
        SECRET_KEY=settings.SECRET_KEY,
        CELERY_BROKER_URL=f"redis+socket://{socket}",
    )


def _start(folder: Path, name: str, command: list[str], **environment: str) -> "subprocess.Popen[bytes]":
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            command, cwd=settings.BASE_DIR, env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT
        )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """A worker that gets QUIT lets its task go; what it has started dies with it."""
    process.send_signal(signal.SIGQUIT)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for(process: "subprocess.Popen[bytes]", condition: object, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def _database_url() -> str:
    """The address in the environment, with the test's database in the place of the real one."""
    address = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(address._replace(path=f"/{quote(str(connection.settings_dict['NAME']))}"))


@contextmanager
def _enqueueing_to(broker: str) -> Iterator[None]:
    before = {name: app.conf[name] for name in ("broker_url", "broker_write_url", "task_always_eager")}
    app.conf.update(broker_url=broker, broker_write_url=broker, task_always_eager=False)
    _forget_connections()
    try:
        yield
    finally:
        app.conf.update(before)
        _forget_connections()


def _forget_connections() -> None:
    pools.reset()
    app.amqp._producer_pool = app._pool = None
