"""Map tiles of a hillshade through our real view, beside titiler serving the same COG."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from random import Random
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from benchmarks import http_load
from benchmarks.record import FOLDER, VAR, Result
from mlcore.errors import TektiteError

ID = "loop.map-tiles"
CLAIM = "Serves hillshade map tiles through the real view at least 3 times as fast as titiler."
NEEDS_SERVERS = True
TARGET = "at least 3 times titiler's tiles/s"

WORKERS, CLIENTS, SEED = 2, 8, 2
ROUNDS, PASSES, QUICK_ROUNDS, QUICK_PASSES = 10, 6, 4, 1
FOLDER_OF_RUN = VAR / "map_tiles"
PEER_PYTHON = VAR / "titiler" / "bin" / "python"
ELEVATION = "dem/gld100_farside_256ppd.tif"
# As bin/run starts it; the peer as its documentation says.
OUR_OPTIONS = ("--worker-class", "gthread", "--threads", "4", "--preload", "--no-control-socket")
PEER_OPTIONS = ("--worker-class", "uvicorn_worker.UvicornWorker")
PEER_ENVIRONMENT = {"GDAL_CACHEMAX": "200", "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "VSI_CACHE": "TRUE"}


@dataclass(frozen=True)
class Place:
    """What both servers serve."""

    cog: Path
    grid: dict[str, object]
    our_path: str
    limits: tuple[float, float]
    tiles: list[tuple[int, int, int]]
    data: str


@dataclass
class Server:
    """One of the two, and what its rounds took."""

    port: int
    group: int
    paths: list[str]
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


def setup() -> None:
    """Make the peer's environment."""
    subprocess.run([sys.executable, "-m", "venv", PEER_PYTHON.parent.parent], check=True)
    pins = FOLDER / "peers" / "titiler.txt"
    subprocess.run([PEER_PYTHON, "-m", "pip", "install", "--quiet", "--requirement", pins], check=True)


def run(quick: bool) -> Result:
    """Interleaved rounds of every tile of every zoom, from the same clients."""
    if not PEER_PYTHON.exists():
        raise TektiteError(f"titiler is not installed here: run bin/bench {ID} --setup first.")
    busy = os.getloadavg()[0]
    with ExitStack() as stack:
        stack.enter_context(_database())
        place = _prepare()
        low, high = place.limits
        ours = stack.enter_context(
            _server(
                [sys.executable, "-m", "gunicorn", "webapp.wsgi", *OUR_OPTIONS],
                dict(os.environ),
                FOLDER.parent,
                [place.our_path.format(z=z, x=x, y=y) for z, x, y in place.tiles],
            )
        )
        peer = stack.enter_context(
            _server(
                [str(PEER_PYTHON), "-m", "gunicorn", "titiler_app:app", *PEER_OPTIONS],
                _peer_environment(place),
                FOLDER / "peers",
                [
                    f"/tiles/basemap/{z}/{x}/{y}.jpg?url={place.cog}&rescale={low},{high}"
                    for z, x, y in place.tiles
                ],
            )
        )
        difference = _difference(ours, peer)
        rounds = (QUICK_ROUNDS, QUICK_PASSES) if quick else (ROUNDS, PASSES)
        _measure((ours, peer), *rounds)
        ratio = ours.tiles_per_s() / peer.tiles_per_s()
    return Result(
        ours={**ours.figures(), "times_the_peer": ratio},
        peer={"name": "titiler.core 2.4.0", **peer.figures()},
        target=TARGET,
        met=ratio >= 3.0,
        seed=SEED,
        note=(
            f"{place.data}; {len(place.tiles)} tiles of all zooms, {len(ours.loads)} interleaved rounds of "
            f"{len(ours.loads[0].latencies_ms)}; gunicorn with {WORKERS} workers each, {CLIENTS} keep-alive "
            f"clients on the same cores; mean difference of the pictures {difference:.2f} of 255; "
            f"load of the machine before: {busy:.1f}"
        ),
    )


def _measure(servers: tuple[Server, Server], rounds: int, passes: int) -> None:
    random = Random(SEED)
    # Every thread of every worker opens the file for itself: not in the measured rounds.
    for server in servers:
        http_load.run(server.port, server.paths, CLIENTS)
    for number in range(rounds):
        order = list(range(len(servers[0].paths))) * passes
        random.shuffle(order)
        # Ours first, then the peer first: neither always meets the machine after the other.
        for server in servers if number % 2 == 0 else servers[::-1]:
            before_s = server.cpu_s()
            server.loads.append(http_load.run(server.port, [server.paths[i] for i in order], CLIENTS))
            server.used_s += server.cpu_s() - before_s


def _difference(ours: Server, peer: Server) -> float:
    """Fetch every tile once from both and compare what they show."""
    from PIL import Image

    differences = []
    for paths in zip(ours.paths, peer.paths, strict=True):
        shown = [
            np.asarray(Image.open(BytesIO(http_load.Client(server.port).get(path)[1])).convert("LA"), float)
            for server, path in zip((ours, peer), paths, strict=True)
        ]
        # titiler's JPEGs are black where ours are transparent.
        seen = shown[0][..., 1] > 0
        differences.append(np.abs(shown[0][..., 0] - shown[1][..., 0])[seen].mean())
    difference = float(np.mean(differences))
    if difference > 4.0:
        raise TektiteError(
            f"The two servers show different pictures: {difference:.1f} of 255 apart on average."
        )
    return difference


@contextmanager
def _database() -> Iterator[None]:
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


def _prepare() -> Place:
    """A campaign on the elevation model, made by our own services."""
    import django
    from django.core.management import call_command
    from django.urls import reverse

    django.setup()
    call_command("migrate", verbosity=0)
    from annotate.models import Basemap, User
    from annotate.services import basemaps, campaigns, conversions, participants, signatures
    from mlcore.raster.map_tiles import Stretch

    path, data = _elevation()
    lead = participants.participant_of(User.objects.create_user("bench"))
    elevation = basemaps.add_basemap(
        name="Elevation", body="moon", path=path, kind="elevation", added_by=lead
    )
    conversions.convert(elevation.pk)
    elevation.refresh_from_db()
    campaign = campaigns.create_campaign(name="Bench", body="moon", basemaps=[elevation], created_by=lead)
    shade = Basemap.objects.get(derived_from=elevation, kind=Basemap.Kind.HILLSHADE)
    grid = basemaps.grid_from(shade)
    template = reverse("annotate:map_tile", args=[shade.uid, campaign.uid, 10, 20, 30])
    template = template.removesuffix("10/20/30") + "{z}/{x}/{y}"
    signature = signatures.sign_layer(shade.uid, campaign.uid)
    return Place(
        cog=basemaps.cog_file(shade),
        grid={**grid.to_json(), "max_zoom": grid.max_zoom},
        our_path=f"{template}?low=2&high=98&gamma=1&invert=0&s={signature}",
        limits=Stretch(2, 98).limits(shade.statistics),
        tiles=[
            (z, x, y)
            for z in range(grid.max_zoom + 1)
            for y in range(-(-grid.height_px // (256 * 2 ** (grid.max_zoom - z))))
            for x in range(-(-grid.width_px // (256 * 2 ** (grid.max_zoom - z))))
        ],
        data=data,
    )


def _elevation() -> tuple[Path, str]:
    folder = Path(os.environ.get("TEKTITE_DATA", FOLDER.parent.parent / "shared" / "data"))
    path = folder / ELEVATION
    if not path.exists():
        raise TektiteError(
            f"'{path}' is not there; name the folder that holds {ELEVATION} with TEKTITE_DATA."
        )
    return path, f"hillshade of {path.name} (2,560 × 2,560 px, real)"


@contextmanager
def _server(
    command: list[str], environment: dict[str, str], folder: Path, paths: list[str]
) -> Iterator[Server]:
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
        yield Server(port, process.pid, paths)
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


def _peer_environment(place: Place) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
    return {**kept, **PEER_ENVIRONMENT, "BENCHMARK_GRID": json.dumps(place.grid)}
