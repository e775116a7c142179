"""Our own site for a benchmark: a database dropped afterwards, and the servers as bin/run starts them."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from benchmarks.record import FOLDER
from mlcore.errors import TektiteError

# As bin/lib/services.sh starts it.
WEB = (
    "--worker-class", "gthread", "--threads", "4", "--preload", "--no-control-socket", "--timeout", "300",
    "--logger-class", "webapp.logging_gunicorn.Logger",
)  # fmt: skip


@contextmanager
def database(name: str, folder: Path) -> Iterator[None]:
    """A database of the benchmark's own on the server that DATABASE_URL names, and settings of production.

    Args:
        name: Of the benchmark.
        folder: For files; emptied before and removed after.
    """
    import psycopg

    url = urlsplit(os.environ.get("DATABASE_URL", ""))
    if not url.scheme:
        raise TektiteError("DATABASE_URL is not set; start with bin/bench, which starts a database.")
    server = urlunsplit(url._replace(scheme="postgresql", path="/postgres"))
    own = f"bench_{name}_{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "static").mkdir(parents=True)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {own}")
        os.environ |= {
            "DATABASE_URL": urlunsplit(url._replace(path=f"/{own}")),
            "MEDIA_ROOT": str(folder / "media"),
            "STATIC_ROOT": str(folder / "static"),
            "SECRET_KEY": secrets.token_urlsafe(48),
            "DJANGO_SETTINGS_MODULE": "webapp.settings",
            "DEBUG": "0",
            "INSECURE_HTTP": "1",
            "ALLOWED_HOSTS": "127.0.0.1",
            "LOG_FORMAT": "json",
        }
        try:
            yield
        finally:
            connection.execute(f"DROP DATABASE {own} WITH (FORCE)")
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(
    command: list[str], folder: Path, name: str, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own, with its output in folder/name.log."""
    log = (folder / f"{name}.log").open("wb")
    process = subprocess.Popen(
        command,
        env=dict(os.environ) if environment is None else environment,
        cwd=FOLDER.parent,
        start_new_session=True,
        stdout=log,
        stderr=log,
    )
    try:
        yield process
    finally:
        _stop(process)
        log.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """It and all its children; none may be left to take time from the next."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path, patience_s: float = 120.0) -> None:
    """Until somebody listens.

    Raises:
        TektiteError: The server ended, or does not listen in time; with its last words.
    """
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TektiteError(f"A server did not come up; its last words: {log.read_text()[-1000:]}")


def cpu_s(group: int) -> float:
    """Processor time that the processes of a group have used so far."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def web_and_worker(folder: Path) -> Iterator[tuple[int, int]]:
    """The web server and a default worker; yields port and process group. It logs to folder/access.log."""
    port, workers = free_port(), 2 * (os.cpu_count() or 1) + 1
    web = [
        sys.executable, "-m", "gunicorn", "webapp.wsgi", *WEB, "--bind", f"127.0.0.1:{port}",
        "--workers", str(workers), "--access-logfile", str(folder / "access.log"),
    ]  # fmt: skip
    worker = [
        sys.executable, "-m", "celery", "--app", "webapp", "--quiet", "worker", "--queues", "default",
        "--concurrency", "2", "--loglevel", "WARNING", "--without-mingle", "--hostname", f"bench{port}@%h",
    ]  # fmt: skip
    with running(worker, folder, "worker"), running(web, folder, "web") as process:
        wait_for(port, process, folder / "web.log")
        yield port, process.pid
