"""The seam: how the apps, and anybody else, reach the networks. Importing this loads no torch.

A job is a frozen dataclass, written to a file; `start` runs it as `python -m mlcore run job.json` in a
process of its own that dies with its parent; mlcore.events says how the two talk. Artifacts come back as
folders, detections as longitude, latitude and metres.

    job = TrainJob(dataset_dir="datasets/…", out_dir="runs/…")
    write_job(job, path)
    process = start(path, log_path)
    events, offset = read_events(Path(job.out_dir), offset)   # again and again, until process.poll() says
    card = read_card(Path(job.out_dir) / ARTIFACT_FOLDER)
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from pyproj import CRS

from mlcore import durable
from mlcore.artifact import ModelCard, read_card
from mlcore.crater_detector.detection import Detection
from mlcore.crater_detector.merging import merge_detections
from mlcore.errors import InvalidInput
from mlcore.events import EventLog, cancel_requested, read_events, request_cancel
from mlcore.raster import pyramid
from mlcore.raster.grid import Grid
from mlcore.raster.pyramid import Window

__all__ = [
    "ARTIFACT_FOLDER", "EXIT_CANCELLED", "EXIT_FAILED", "Detection", "EvaluateJob", "EventLog", "Job",
    "ModelCard", "PictureWindow", "PredictJob", "ScoreJob", "TrainJob", "Window", "cancel_requested", "end",
    "merge_detections", "plan_windows", "read_card", "read_events", "read_job", "request_cancel", "start",
    "write_job",
]  # fmt: skip

ARTIFACT_FOLDER = "artifact"
EXIT_FAILED = 1
EXIT_CANCELLED = 3
# The child leaves at once when this is no longer its parent.
PARENT_VARIABLE = "TEKTITE_PARENT_PID"


@dataclass(frozen=True)
class TrainJob:
    """Train a system on a frozen dataset; leaves out_dir/artifact and resumes from out_dir/checkpoint.

    Attributes:
        dataset_dir: Folder written by mlcore.dataset.
        out_dir: Folder for events, checkpoint and artifact; the same folder again resumes.
        system: Key of mlcore.registry.SYSTEMS.
        preset: One of the system's presets.
        overrides: Settings of the system's Config that differ from the preset.
        seed: Of everything random.
        initial_weights: Artifact folder to continue from; None starts from scratch.
    """

    verb: ClassVar[str] = "train"
    dataset_dir: str
    out_dir: str
    system: str = "crater_detector"
    preset: str = "quick"
    overrides: dict[str, Any] = field(default_factory=dict)
    seed: int = 1
    initial_weights: str | None = None

    @classmethod
    def example(cls) -> Self:
        """A quick training."""
        return cls(dataset_dir="media/datasets/d", out_dir="media/runs/r", overrides={"steps": 100})


@dataclass(frozen=True)
class EvaluateJob:
    """Score an artifact on one side of a dataset; the numbers are the result of the `done` event.

    Attributes:
        artifact_dir: Folder of the artifact.
        dataset_dir: Folder written by mlcore.dataset.
        out_dir: Folder for events and metrics.json.
        side: "train", "validation" or "test".
    """

    verb: ClassVar[str] = "evaluate"
    artifact_dir: str
    dataset_dir: str
    out_dir: str
    side: str = "test"

    @classmethod
    def example(cls) -> Self:
        """On the test places."""
        return cls("media/runs/r/artifact", "media/datasets/d", "media/runs/e")


@dataclass(frozen=True)
class PredictJob:
    """Search windows of a raster; each gives a `window` event with its detections, also weak ones.

    Attributes:
        artifact_dir: Folder of the artifact.
        raster_path: An elevation model that GDAL reads.
        grid: The grid of that raster's own pixels.
        windows: Those to search now, from plan_windows.
        out_dir: Folder for events.
    """

    verb: ClassVar[str] = "predict"
    artifact_dir: str
    raster_path: str
    grid: Grid
    windows: list[Window]
    out_dir: str

    @classmethod
    def example(cls) -> Self:
        """One window of an equirectangular grid of the Moon."""
        proj4 = "+proj=eqc +lat_ts=0 +lat_0=0 +lon_0=0 +x_0=0 +y_0=0 +R=1737400 +units=m +no_defs"
        wkt = CRS.from_proj4(proj4).to_wkt()
        grid = Grid("moon", wkt, proj4, -1_819_401.0, -606_467.0, 118.45, 5120, 5120, 118.45)
        return cls(
            "media/runs/r/artifact", "media/basemaps/b/source.tif", grid, [Window.example()], "media/runs/p"
        )


@dataclass(frozen=True)
class PictureWindow:
    """Some pictures that are scored and reported together.

    Attributes:
        index: Of the window in its run.
        pictures: [key, [paths of frames]] of each; the key is whatever the asker knows the picture by, and of
            several frames the highest score counts.
    """

    index: int
    pictures: list[list[Any]]

    @classmethod
    def example(cls) -> Self:
        """One picture of two frames, and one of one."""
        return cls(0, [[17, ["media/foils/c/a.png", "media/foils/c/b.png"]], [18, ["media/foils/c/d.png"]]])


@dataclass(frozen=True)
class ScoreJob:
    """Score pictures; each window gives a `window` event: {"picture": key, "score": probability} of each.

    A picture of which no frame can be read is missing there, and a log line says why.

    Attributes:
        artifact_dir: Folder of the artifact.
        windows: What to score.
        out_dir: Folder for events.
        device: "auto", "cpu" or "cuda".
        precision: "auto", "float32", "bfloat16" or "int8".
        engine: "auto", or one of mlcore.foil_classifier.engines.ENGINES.
        threshold: A probability that decides besides the card's: no short precision changes a side of it.
    """

    verb: ClassVar[str] = "score"
    artifact_dir: str
    windows: list[PictureWindow]
    out_dir: str
    device: str = "auto"
    precision: str = "auto"
    engine: str = "auto"
    threshold: float | None = None

    @classmethod
    def example(cls) -> Self:
        """One window."""
        return cls("media/runs/r/artifact", [PictureWindow.example()], "media/runs/s")


Job = TrainJob | EvaluateJob | PredictJob | ScoreJob
_JOBS: dict[str, type[TrainJob] | type[EvaluateJob] | type[PredictJob] | type[ScoreJob]] = {
    job.verb: job for job in (TrainJob, EvaluateJob, PredictJob, ScoreJob)
}


def job_to_json(job: Job) -> dict[str, Any]:
    """A JSON-serialisable dict: the attributes, and `verb`."""
    value = {"verb": job.verb, **asdict(job)}
    if isinstance(job, PredictJob):
        value["windows"] = [window.to_json() for window in job.windows]
    return value


def job_from_json(value: dict[str, Any]) -> Job:
    """Inverse of job_to_json; InvalidInput names an unknown verb or attribute."""
    verb = value.get("verb")
    if verb not in _JOBS:
        raise InvalidInput(f"A job's verb is one of {', '.join(_JOBS)}, not {verb!r}.")
    kind, values = _JOBS[verb], {key: item for key, item in value.items() if key != "verb"}
    unknown = sorted(values.keys() - {f.name for f in fields(kind)})
    if unknown:
        raise InvalidInput(f"A {verb} job has no attribute {', '.join(unknown)}.")
    try:
        if kind is PredictJob:
            values["grid"] = Grid.from_json(values["grid"])
            values["windows"] = [Window.from_json(window) for window in values["windows"]]
        if kind is ScoreJob:
            values["windows"] = [PictureWindow(**window) for window in values["windows"]]
        return kind(**values)
    except (TypeError, KeyError) as error:
        raise InvalidInput(f"The {verb} job is not complete: {error}.") from None


def write_job(job: Job, path: Path) -> None:
    """Write a job to a file, whole or not at all."""
    durable.write(path, json.dumps(job_to_json(job), indent=1).encode())


def read_job(path: Path) -> Job:
    """Read a job; InvalidInput where the file is none."""
    try:
        return job_from_json(json.loads(path.read_text()))
    except (OSError, ValueError):
        raise InvalidInput(f"{path.name} is not a job: it cannot be read as JSON.") from None


def start(job_path: Path, log_path: Path) -> "subprocess.Popen[bytes]":
    """Run a job in a process of its own, in a process group of its own, that dies with its parent.

    Args:
        job_path: Written by write_job.
        log_path: Receives what the process prints; appended.

    Returns:
        The process. Exit status 0: done; 1: failed (a `failed` event says why); 3: cancelled.
    """
    # Idle OpenMP threads that spin make two shared cores useless for everybody else.
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", PARENT_VARIABLE: str(os.getpid())}
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "mlcore", "run", str(job_path)],
            cwd=Path(__file__).parent.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def end(process: "subprocess.Popen[bytes]", *, grace_s: float = 5.0) -> None:
    """End a started process and everything it started: TERM, and after the grace KILL."""
    for number, patience_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)


def plan_windows(grid: Grid, card: ModelCard, *, min_diameter_m: float | None = None) -> list[Window]:
    """The windows in which a model searches a grid, at every level.

    Args:
        grid: Grid of the raster's own pixels.
        card: The model's card.
        min_diameter_m: Smallest crater wanted; the card's when None.

    Returns:
        Windows in the grid's pixels; see mlcore.raster.pyramid.

    Raises:
        InvalidInput: The model searches no rasters.
    """
    if "window_px" not in card.config:
        raise InvalidInput(f"A model of {card.system} searches no rasters; give one of crater_detector.")
    return pyramid.plan_windows(
        grid,
        min_diameter_m=min_diameter_m or card.min_diameter_m,
        window_px=card.config["window_px"],
        overlap_px=card.config["overlap_px"],
    )
