"""Two map-tile servers side by side: ours and titiler, each started as its documentation says."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from benchmarks import http_load
from benchmarks.record import FOLDER, VAR
from mlcore.errors import TektiteError

WORKERS, CLIENTS = 2, 8
PEER_NAME = "titiler.core 2.4.0"
FOLDER_OF_RUN = VAR / "map_tiles"
PEER_PYTHON = VAR / "titiler" / "bin" / "python"
# As bin/run starts it; the peer as its documentation says.
OUR_OPTIONS = ("--worker-class", "gthread", "--threads", "4", "--preload", "--no-control-socket")
PEER_OPTIONS = ("--worker-class", "uvicorn_worker.UvicornWorker")
PEER_ENVIRONMENT = {"GDAL_CACHEMAX": "200", "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "VSI_CACHE": "TRUE"}


@dataclass
class Server:
    """One of the two, and what its rounds took."""

    port: int
    group: int
    loads: list[http_load.Load] = field(default_factory=list)
    used_s: float = 0.0

    def cpu_s(self) -> float:
        """Processor time of all its processes so far."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == self.group:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def tiles_per_s(self) -> float:
        """Of the middle round."""
        return float(np.median([len(load.latencies_ms) / load.wall_s for load in self.loads]))

    def figures(self) -> dict[str, object]:
        latencies = np.concatenate([load.latencies_ms for load in self.loads])
        return {
            "tiles_per_s": self.tiles_per_s(),
            "p50_ms": float(np.percentile(latencies, 50)),
            "p95_ms": float(np.percentile(latencies, 95)),
            "server_cpu_ms_per_tile": 1000.0 * self.used_s / len(latencies),
        }


def install_peer() -> None:
    """Make the peer's environment."""
    subprocess.run([sys.executable, "-m", "venv", PEER_PYTHON.parent.parent], check=True)
    pins = FOLDER / "peers" / "titiler.txt"
    subprocess.run([PEER_PYTHON, "-m", "pip", "install", "--quiet", "--requirement", pins], check=True)


def refuse_without_peer(benchmark_id: str) -> None:
    if not PEER_PYTHON.exists():
        raise TektiteError(f"titiler is not installed here: run bin/bench {benchmark_id} --setup first.")


@contextmanager
def database() -> Iterator[None]:
    """A database of the benchmark's own on the server that DATABASE_URL names; it is dropped at the end."""
    import psycopg

    url = urlsplit(os.environ.get("DATABASE_URL", ""))
    if not url.scheme:
        raise TektiteError("DATABASE_URL is not set; start with bin/bench, which starts a database.")
    server = urlunsplit(url._replace(scheme="postgresql", path="/postgres"))
    name = f"bench_map_tiles_{os.getpid()}"
    shutil.rmtree(FOLDER_OF_RUN, ignore_errors=True)
    (FOLDER_OF_RUN / "static").mkdir(parents=True)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        os.environ |= {
            "DATABASE_URL": urlunsplit(url._replace(path=f"/{name}")),
            "MEDIA_ROOT": str(FOLDER_OF_RUN / "media"),
            "STATIC_ROOT": str(FOLDER_OF_RUN / "static"),
            "SECRET_KEY": secrets.token_urlsafe(48),
            "DJANGO_SETTINGS_MODULE": "webapp.settings",
            "DEBUG": "0",
            "INSECURE_HTTP": "1",
            "ALLOWED_HOSTS": "127.0.0.1",
        }
        try:
            yield
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            shutil.rmtree(FOLDER_OF_RUN)


@contextmanager
def our_server() -> Iterator[Server]:
    command = [sys.executable, "-m", "gunicorn", "webapp.wsgi", *OUR_OPTIONS]
    with _server(command, dict(os.environ), FOLDER.parent) as server:
        yield server


@contextmanager
def peer_server(grids: Mapping[str, Mapping[str, object]]) -> Iterator[Server]:
    """The peer with a tile matrix set for each grid, so that its tiles are the grid's map tiles."""
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
    environment = {**kept, **PEER_ENVIRONMENT, "BENCHMARK_GRIDS": json.dumps(dict(grids))}
    command = [str(PEER_PYTHON), "-m", "gunicorn", "titiler_app:app", *PEER_OPTIONS]
    with _server(command, environment, FOLDER / "peers") as server:
        yield server


def tiles_of(grid: Mapping[str, object]) -> list[tuple[int, int, int]]:
    """Zoom, column and row of every map tile of a grid (as JSON with its max_zoom)."""
    width, height, deepest = (int(str(grid[name])) for name in ("width_px", "height_px", "max_zoom"))
    return [
        (z, x, y)
        for z in range(deepest + 1)
        for y in range(-(-height // (256 * 2 ** (deepest - z))))
        for x in range(-(-width // (256 * 2 ** (deepest - z))))
    ]


def measure(server: Server, paths: Sequence[str]) -> None:
    """One round: all paths, shared among the clients."""
    before_s = server.cpu_s()
    server.loads.append(http_load.run(server.port, paths, CLIENTS))
    server.used_s += server.cpu_s() - before_s


def difference(
    ours: Server, our_paths: Sequence[str], peer: Server, peer_paths: Sequence[str], *, limit: float
) -> float:
    """Fetch every tile once from both and compare what they show, 0–255."""
    from PIL import Image

    differences = []
    for paths in zip(our_paths, peer_paths, strict=True):
        shown = [
            np.asarray(Image.open(BytesIO(http_load.Client(server.port).get(path)[1])).convert("LA"), float)
            for server, path in zip((ours, peer), paths, strict=True)
        ]
        # titiler's JPEGs are black where ours are transparent.
        seen = shown[0][..., 1] > 0
        if seen.any():
            differences.append(np.abs(shown[0][..., 0] - shown[1][..., 0])[seen].mean())
    found = float(np.mean(differences))
    if found > limit:
        raise TektiteError(f"The two servers show different pictures: {found:.1f} of 255 apart on average.")
    return found


@contextmanager
def _server(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[Server]:
    """A web server that answers, in a process group of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    bind = ["--bind", f"127.0.0.1:{port}", "--workers", str(WORKERS), "--log-level", "warning"]
    log = (FOLDER_OF_RUN / f"{port}.log").open("wb")
    process = subprocess.Popen(
        [*command, *bind], env=environment, cwd=folder, start_new_session=True, stdout=log, stderr=log
    )
    try:
        _wait_for(port, process)
        yield Server(port, process.pid)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
        log.close()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            log = (FOLDER_OF_RUN / f"{port}.log").read_text()
            raise TektiteError(f"A server ended before it served anything; its last words: {log[-1000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TektiteError(f"The server on port {port} does not answer.")
