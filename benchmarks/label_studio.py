"""The peer of loop.marks-load: Label Studio as it comes, with its own database and ten thousand tasks."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.our_site import free_port, running
from benchmarks.record import FOLDER, VAR
from mlcore.errors import TektiteError

NAME = "label-studio 1.23.2"
TASKS = 10_000
HOME = VAR / "label_studio"
PROGRAM = HOME / "bin" / "label-studio"
# Made once by setup; each run works on a copy.
FILLED = VAR / "label_studio_filled"
_PATIENCE_S = 300.0
_TOKEN = "0123456789abcdef0123456789abcdef01234567"
_START = (
    "start", "--no-browser", "--internal-host", "127.0.0.1", "--username", "bench@example.org",
    "--password", "a-bench-of-marks", "--user-token", _TOKEN, "--enable-legacy-api-token",
    "--log-level", "ERROR",
)  # fmt: skip
_CONFIG = (
    '<View><Image name="image" value="$image"/><EllipseLabels name="label" toName="image">'
    '<Label value="crater"/></EllipseLabels></View>'
)
_RESULT = {
    "from_name": "label",
    "to_name": "image",
    "type": "ellipselabels",
    "original_width": 512,
    "original_height": 512,
    "value": {"x": 50, "y": 50, "radiusX": 5, "radiusY": 5, "rotation": 0, "ellipselabels": ["crater"]},
}


def setup() -> None:
    """Install it, and fill a database with the tasks."""
    subprocess.run([sys.executable, "-m", "venv", HOME], check=True)
    pins = FOLDER / "peers" / "label_studio.txt"
    subprocess.run([HOME / "bin" / "python", "-m", "pip", "install", "--quiet", "-r", pins], check=True)
    shutil.rmtree(FILLED, ignore_errors=True)
    with _server(FILLED) as client:
        project = _sent(client.post("/api/projects/", json={"title": "Tiles", "label_config": _CONFIG}))["id"]
        tasks = [{"data": {"image": f"/static/tiles/{n}.png"}} for n in range(TASKS)]
        _sent(client.post(f"/api/projects/{project}/import", json=tasks))


def next_and_submit(times: int, folder: Path) -> dict[str, list[float]]:
    """One person asks for a task and submits a crater on it, so many times; milliseconds of each answer.

    Raises:
        TektiteError: setup has not been run, or the peer does not answer.
    """
    if not PROGRAM.exists() or not (FILLED / "label_studio.sqlite3").exists():
        raise TektiteError("Label Studio is not here yet: run bin/bench loop.marks-load --setup first.")
    copy = folder / "label_studio"
    shutil.copytree(FILLED, copy)
    taken: dict[str, list[float]] = {"next": [], "submit": []}
    with _server(copy) as client:
        project = _sent(client.get("/api/projects/"))["results"][0]["id"]
        # The first of each loads code and warms the database: not counted.
        for number in range(times + 1):
            before = time.perf_counter()
            task = _sent(client.get(f"/api/projects/{project}/next"))["id"]
            between = time.perf_counter()
            body = {"result": [_RESULT], "lead_time": 1.0}
            _sent(client.post(f"/api/tasks/{task}/annotations/", json=body))
            if number:
                taken["next"].append((between - before) * 1000)
                taken["submit"].append((time.perf_counter() - between) * 1000)
    return taken


@contextmanager
def _server(data: Path) -> Iterator[httpx.Client]:
    port = free_port()
    data.mkdir(parents=True, exist_ok=True)
    command = [str(PROGRAM), *_START, "--port", str(port), "--data-dir", str(data)]
    address = f"http://127.0.0.1:{port}"
    # A Django site too: our settings are none of its business.
    plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with (
        running(command, data, "peer", plain) as process,
        httpx.Client(base_url=address, headers={"Authorization": f"Token {_TOKEN}"}, timeout=120) as client,
    ):
        _wait(client, process, data / "peer.log")
        yield client


def _wait(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if client.get("/health").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise TektiteError(f"Label Studio does not come up; its last words: {log.read_text()[-1000:]}")


def _sent(answer: httpx.Response) -> dict[str, object]:
    if answer.is_error:
        raise TektiteError(f"Label Studio answered {answer.status_code}: {answer.text[:300]}")
    return answer.json()
