"""What a learning subprocess tells its parent, and how the parent asks it to stop.

The child appends one JSON object per line to `events.jsonl` in the job's folder; the parent reads from where
it stopped. The parent creates a file `cancel` there; the child looks for it at every batch and every window.

    {"kind": "log",      "message": str}
    {"kind": "metric",   "name": str, "step": int, "value": float}
    {"kind": "progress", "fraction": 0…1, "stage": str, "eta_s": float | null}
    {"kind": "window",   "index": int, "detections": [Detection as JSON, or {"picture": key, "score": 0…1}]}
    {"kind": "failed",   "code": str, "message": str}
    {"kind": "done",     "result": {…}}

Every event carries `at`, seconds since 1970, and when read `position`, its place in the file. Progress comes
with every step or window, at most once a second: the growing file is the heartbeat.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlcore.errors import Cancelled

EVENTS_FILE = "events.jsonl"
CANCEL_FILE = "cancel"

Event = dict[str, Any]


class EventLog:
    """The child's end: writes events and notices the wish to stop.

    Args:
        folder: The job's out_dir; created when missing.

    Attributes:
        folder: As given.
        stop_asked: Set to stop at the next batch, as the parent's `cancel` file would.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.stop_asked = False
        self._path = folder / EVENTS_FILE
        _cut_torn_line(self._path)
        self._last_progress = 0.0
        self._started = time.monotonic()
        self._first_fraction: float | None = None

    def _write(self, kind: str, **values: object) -> None:
        line = json.dumps({"kind": kind, "at": round(time.time(), 3), **values}, allow_nan=False)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def log(self, message: str) -> None:
        """One line for people."""
        self._write("log", message=message)

    def metric(self, name: str, step: int, value: float) -> None:
        """One point of the curve called name."""
        self._write("metric", name=name, step=step, value=float(value))

    def progress(self, fraction: float, stage: str, *, force: bool = False) -> None:
        """How far the job is, 0–1, and what it does; at most one event a second unless forced."""
        now = time.monotonic()
        if not force and now - self._last_progress < 1.0:
            return
        self._last_progress = now
        if self._first_fraction is None:
            # A resumed job starts in the middle: its speed is counted from there.
            self._first_fraction, self._started = fraction, now
        gained = fraction - self._first_fraction
        eta_s = (now - self._started) / gained * (1 - fraction) if gained > 0.01 else None
        self._write("progress", fraction=round(fraction, 4), stage=stage, eta_s=eta_s and round(eta_s, 1))

    def window(self, index: int, detections: Sequence[Mapping[str, object]]) -> None:
        """A window is searched; these were found in it."""
        self._write("window", index=index, detections=detections)

    def failed(self, code: str, message: str) -> None:
        """The job ends without a result."""
        self._write("failed", code=code, message=message)

    def done(self, result: dict[str, object]) -> None:
        """The job ends with this result."""
        self._write("done", result=result)

    def check_cancelled(self) -> None:
        """Raise Cancelled when the parent has asked for the end."""
        if self.stop_asked or cancel_requested(self.folder):
            raise Cancelled("The run was asked to stop and has stopped; what it had saved is kept.")


def read_events(folder: Path, offset: int = 0) -> tuple[list[Event], int]:
    """The events written since offset.

    Args:
        folder: The job's out_dir.
        offset: Byte position returned by the call before; 0 at first.

    Returns:
        The new events in order, without a line still being written, and the next offset. Each has its own
        offset as `position`.
    """
    path = folder / EVENTS_FILE
    if not path.exists():
        return [], offset
    with path.open("rb") as file:
        file.seek(offset)
        whole, newline, _ = file.read().rpartition(b"\n")
    if not newline:
        return [], offset
    events, position = [], offset
    for line in whole.split(b"\n"):
        events.append({**json.loads(line), "position": position})
        position += len(line) + 1
    return events, position


def request_cancel(folder: Path) -> None:
    """Ask the job that writes into folder to stop at its next batch."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CANCEL_FILE).touch()


def cancel_requested(folder: Path) -> bool:
    """Whether the job that writes into folder was asked to stop."""
    return (folder / CANCEL_FILE).exists()


def _cut_torn_line(path: Path) -> None:
    """Take away the half line of a process that was killed here while it wrote."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        text = file.read()
        file.truncate(text.rfind(b"\n") + 1)
