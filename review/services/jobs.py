"""Follows one learning subprocess on behalf of a run: events into rows, heartbeat, cancel, its end."""

import subprocess
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from django.utils.translation import gettext as _

from mlcore import api
from review.models import Run, RunEvent
from review.services import runs

POLL_S = 0.3
HEARTBEAT_S = 2.0
# A batch or a window may take this long before a cancelled process is ended by force.
GRACE_S = 30.0
LOG_LINES_KEPT = 40

Detections = list[dict[str, float]]


@dataclass(frozen=True)
class Outcome:
    """How a job ended: `done` with its result, or otherwise with a sentence.

    `lost`: the process died without a word and may be tried again. `superseded`: the attempt is no longer
    current, so nothing may be written on its behalf.
    """

    end: Literal["done", "failed", "cancelled", "lost", "superseded"]
    result: dict[str, object] = field(default_factory=dict)
    message: str = ""


@dataclass
class _Follower:
    run: Run
    folder: Path
    stage_prefix: str
    share: tuple[float, float] | None
    on_window: Callable[[int, Detections], None] | None
    offset: int = 0
    progress: dict[str, object] = field(default_factory=dict)
    result: dict[str, object] | None = None
    failure: str = ""

    def read(self) -> None:
        """Take in what the process has written since the last call."""
        events, self.offset = api.read_events(self.folder, self.offset)
        rows: list[tuple[str, dict[str, object]]] = []
        for event in events:
            match event["kind"]:
                case "log":
                    rows.append((RunEvent.Kind.LOG, {"message": event["message"]}))
                case "metric":
                    point = {name: event[name] for name in ("name", "step", "value")}
                    rows.append((RunEvent.Kind.METRIC, point))
                case "progress" if self.share:
                    self.progress = self._progress(event, *self.share)
                case "window" if self.on_window:
                    self.on_window(event["index"], event["detections"])
                case "failed":
                    self.failure = event["message"]
                case "done":
                    self.result = event["result"]
        runs.add_events(self.run, rows)

    def _progress(self, event: dict[str, Any], start: float, end: float) -> dict[str, object]:
        return {
            "progress": start + (end - start) * event["fraction"],
            "stage": f"{self.stage_prefix}{event['stage']}",
            "eta_s": event["eta_s"],
        }


def follow(
    run: Run,
    job: api.Job,
    *,
    stage_prefix: str = "",
    share: tuple[float, float] = (0.0, 1.0),
    report: bool = True,
    on_window: Callable[[int, Detections], None] | None = None,
    on_beat: Callable[[], None] | None = None,
) -> Outcome:
    """Run a job in its subprocess and wait for its end.

    Args:
        run: Whose attempt this is.
        job: Its out_dir receives job, log and events.
        stage_prefix: Put before what the process says it is doing.
        share: The part of the run's progress bar that this job fills.
        report: Whether the job's own progress is the run's; not where several jobs share one run.
        on_window: Called with each window's index and detections as they come.
        on_beat: Called at each heartbeat.
    """
    folder = Path(job.out_dir)
    api.write_job(job, folder / "job.json")
    follower = _Follower(run, folder, stage_prefix, share if report else None, on_window)
    process = api.start(folder / "job.json", folder / "log.txt")
    ended_by = None
    try:
        ended_by = _watch(run, process, follower, on_beat)
    finally:
        if process.poll() is None:
            api.kill(process)
    follower.read()
    return _outcome(follower, process.returncode, ended_by)


def conclude(run: Run, outcome: Outcome) -> list[Run]:
    """Bring a run whose job did not end well to its end; itself, where it is to be tried again."""
    if outcome.end == "lost":
        return [run] if runs.lose(run, outcome.message) else []
    if outcome.end == "failed":
        runs.fail(run, outcome.message)
    elif outcome.end == "cancelled":
        runs.stopped(run)
    return []


def _watch(
    run: Run, process: "subprocess.Popen[bytes]", follower: _Follower, on_beat: Callable[[], None] | None
) -> Literal["cancelled", "superseded"] | None:
    """Follow until the process ends, or must be ended; then say why."""
    next_beat, give_up_at = 0.0, None
    while process.poll() is None:
        follower.read()
        now = time.monotonic()
        if now >= next_beat:
            next_beat = now + HEARTBEAT_S
            state = runs.heartbeat(run, **follower.progress)
            if on_beat:
                on_beat()
            if state is None:
                return "superseded"
            if state == Run.State.CANCELLING and give_up_at is None:
                api.request_cancel(follower.folder)
                give_up_at = now + GRACE_S
        if give_up_at is not None and now >= give_up_at:
            return "cancelled"
        time.sleep(POLL_S)
    return None


def _outcome(
    follower: _Follower, returncode: int, ended_by: Literal["cancelled", "superseded"] | None
) -> Outcome:
    if ended_by is not None:
        return Outcome(ended_by)
    if follower.result is not None and returncode == 0:
        return Outcome("done", result=follower.result)
    if returncode == api.EXIT_CANCELLED:
        return Outcome("cancelled")
    if follower.failure:
        return Outcome("failed", message=follower.failure)
    tail = _tail(follower.folder / "log.txt")
    runs.add_events(follower.run, [(RunEvent.Kind.LOG, {"message": line}) for line in tail])
    if returncode < 0:
        return Outcome(
            "lost",
            message=_("Its process was ended by signal %(number)d; too little memory is the usual cause.")
            % {"number": -returncode},
        )
    return Outcome(
        "failed",
        message=_("Its process ended with status %(status)d and no result; the log's last lines say more.")
        % {"status": returncode},
    )


def _tail(path: Path) -> list[str]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="replace") as lines:
        return [line.rstrip("\n") for line in deque(lines, maxlen=LOG_LINES_KEPT)]
