"""Follows one learning subprocess on behalf of a run: events into rows, heartbeat, cancel, its end.

What may go wrong meanwhile, and what comes of it:

- The database goes away. The process works on; the follower tries again for ten minutes. What it reads twice
  because a commit's answer was lost is stored once: every event bears its place in the file.
- The process hangs. Asked to stop it gets GRACE_S, then TERM and KILL for its whole group; unasked it is
  ended when it has said nothing for settings.RUN_STALL_S, or has run for settings.RUN_LIMIT_S.
- This worker dies. The kernel ends the process with it; the run's heartbeat grows old (services/reaper.py).
"""

import logging
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from annotate.services.liveness import HEARTBEAT_S, patiently
from mlcore import api
from review.models import Run, RunEvent
from review.services import room, run_logs, runs

logger = logging.getLogger(__name__)

POLL_S = 0.3
# How often the run's row is asked whether to stop, and told of progress.
LOOK_S = 2.0
# A batch or a window may take this long before a cancelled process is ended by force.
GRACE_S = 30.0

Detections = list[dict[str, float]]
End = Literal["done", "failed", "cancelled", "lost", "superseded"]


@dataclass(frozen=True)
class Outcome:
    """How a job ended: `done` with its result, or otherwise with a sentence.

    `lost`: the process died without a word and may be tried again. `superseded`: the attempt or the claim is
    no longer current, so nothing may be written on its behalf.
    """

    end: End
    result: dict[str, object] = field(default_factory=dict)
    message: str = ""


@dataclass
class _Follower:
    run: Run
    folder: Path
    stage_prefix: str
    share: tuple[float, float] | None
    on_window: Callable[[int, Detections], object] | None
    on_beat: Callable[[], bool] | None
    offset: int = 0
    progress: dict[str, object] = field(default_factory=dict)
    has_news: bool = False
    beaten_at: float = float("-inf")
    heard_at: float = field(default_factory=time.monotonic)
    result: dict[str, object] | None = None
    failure: str = ""

    def read(self) -> None:
        """Take in what the process has written since the last call, all of it or nothing."""
        events, offset = api.read_events(self.folder, self.offset)
        if not events:
            return
        with transaction.atomic():
            if rows := [row for row in map(self._row, events) if row]:
                runs.report(self.run, rows)
            for event in events:
                if event["kind"] == "window" and self.on_window:
                    self.on_window(event["index"], event["detections"])
        self.offset, self.heard_at = offset, time.monotonic()
        for event in events:
            self._note(event)
            if event["kind"] == "log":
                logger.info("%s", event["message"])

    def _row(self, event: dict[str, Any]) -> RunEvent | None:
        match event["kind"]:
            case "log":
                payload = {"message": event["message"]}
            case "metric":
                payload = {name: event[name] for name in ("name", "step", "value")}
            case _:
                return None
        return RunEvent(
            run=self.run,
            attempt=self.run.attempt,
            kind=event["kind"],
            payload=payload,
            source=self.folder.name,
            position=event["position"],
        )

    def _note(self, event: dict[str, Any]) -> None:
        match event["kind"]:
            case "window":
                self.has_news = True
            case "progress" if self.share:
                self.has_news = True
                start, end = self.share
                self.progress = {
                    "progress": start + (end - start) * event["fraction"],
                    "stage": f"{self.stage_prefix}{event['stage']}",
                    "eta_s": event["eta_s"],
                }
            case "failed":
                self.failure = event["message"]
            case "done":
                self.result = event["result"]

    def look(self) -> str | None:
        """The run's state, told of progress and beaten for where it is time; None: not ours any more."""
        now = time.monotonic()
        if not self.has_news and now - self.beaten_at < HEARTBEAT_S:
            return runs.state_of(self.run)
        if self.on_beat and not self.on_beat():
            return None
        self.has_news, self.beaten_at = False, now
        return runs.heartbeat(self.run, **self.progress)


def follow(
    run: Run,
    job: api.Job,
    *,
    stage_prefix: str = "",
    share: tuple[float, float] = (0.0, 1.0),
    report: bool = True,
    on_window: Callable[[int, Detections], object] | None = None,
    on_beat: Callable[[], bool] | None = None,
) -> Outcome:
    """Run a job in its subprocess and wait for its end.

    Args:
        run: Whose attempt this is.
        job: Its out_dir receives job, log and events.
        stage_prefix: Put before what the process says it is doing.
        share: The part of the run's progress bar that this job fills.
        report: Whether the job's own progress is the run's; not where several jobs share one run.
        on_window: Called with each window's index and detections as they come; maybe twice with the same.
        on_beat: Called at each heartbeat; False where the job is no longer wanted.
    """
    folder = Path(job.out_dir)
    api.write_job(job, folder / "job.json")
    follower = _Follower(run, folder, stage_prefix, share if report else None, on_window, on_beat)
    process = api.start(folder / "job.json", folder / "log.txt")
    ended_by = None
    try:
        ended_by = _watch(process, follower)
    finally:
        if process.poll() is None:
            api.end(process)
    patiently(follower.read)
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


def _watch(process: "subprocess.Popen[bytes]", follower: _Follower) -> Outcome | None:
    """Follow until the process ends, or must be ended; then say why."""
    started, next_look, give_up_at = time.monotonic(), 0.0, float("inf")
    while process.poll() is None:
        patiently(follower.read)
        now = time.monotonic()
        if now >= next_look:
            state = patiently(follower.look)
            run_logs.keep_small(follower.folder / "log.txt")
            next_look = time.monotonic() + LOOK_S
            if state is None:
                return Outcome("superseded")
            if state == Run.State.CANCELLING and give_up_at == float("inf"):
                api.request_cancel(follower.folder)
                give_up_at = now + GRACE_S
        if now >= give_up_at:
            return Outcome("cancelled")
        if overdue := _overdue(now - started, now - follower.heard_at):
            return overdue
        time.sleep(POLL_S)
    return None


def _overdue(lasted_s: float, silent_s: float) -> Outcome | None:
    if lasted_s >= settings.RUN_LIMIT_S:
        return Outcome(
            "failed",
            message=_("It was ended after %(n).1f hours, the most that a run may take (RUN_LIMIT_S).")
            % {"n": settings.RUN_LIMIT_S / 3600},
        )
    if silent_s >= settings.RUN_STALL_S:
        return Outcome(
            "lost",
            message=_("Its process had said nothing for %(n)d minutes (RUN_STALL_S) and was ended.")
            % {"n": settings.RUN_STALL_S // 60},
        )
    return None


def _outcome(follower: _Follower, returncode: int, ended_by: Outcome | None) -> Outcome:
    if ended_by is not None and ended_by.end != "lost":
        return ended_by
    if follower.result is not None:
        return Outcome("done", result=follower.result)
    if ended_by is not None:
        return ended_by
    if returncode == api.EXIT_CANCELLED:
        return (
            Outcome("cancelled")
            if api.cancel_requested(follower.folder)
            else Outcome("lost", message=_("Its process was told to end, not by us."))
        )
    if follower.failure:
        return Outcome("failed", message=room.explained(follower.failure, [follower.failure]))
    last_lines = run_logs.tail(follower.folder / "log.txt")
    for line in last_lines:
        runs.log(follower.run, line)
    if returncode < 0:
        return Outcome(
            "lost",
            message=_("Its process was ended by signal %(number)d; too little memory is the usual cause.")
            % {"number": -returncode},
        )
    return Outcome(
        "failed",
        message=room.explained(
            _("Its process ended with status %(status)d and no result; the log's last lines say more.")
            % {"status": returncode},
            last_lines,
        ),
    )
