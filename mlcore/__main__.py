"""`python -m mlcore`: run a job, or train, evaluate, predict, score from the command line, without Django."""

import argparse
import ctypes
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

# Before torch is imported: idle OpenMP threads that spin make shared cores useless for everybody else.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from mlcore import api
from mlcore.errors import Cancelled, InvalidInput, TektiteError
from mlcore.events import EventLog
from mlcore.registry import SYSTEMS, get_system

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to end this process with the one that api.start'ed it, and leave if that is gone."""
    parent = os.environ.get(api.PARENT_VARIABLE)
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit(api.EXIT_FAILED)


def run(job: api.Job) -> int:
    """Do a job; its end is an event and an exit status. TERM is a wish to cancel."""
    events = EventLog(Path(job.out_dir))
    signal.signal(signal.SIGTERM, lambda *_: setattr(events, "stop_asked", True))
    try:
        name = job.system if isinstance(job, api.TrainJob) else api.read_card(Path(job.artifact_dir)).system
        events.progress(0.0, "starting", force=True)
        verbs = get_system(name).verbs()
        if not hasattr(verbs, job.verb):
            raise InvalidInput(f"A model of {name} cannot {job.verb}; give one of a system that can.")
        events.done(getattr(verbs, job.verb)(job, events))
    except Cancelled as end:
        events.failed(end.code, end.message)
        return api.EXIT_CANCELLED
    except TektiteError as error:
        events.failed(error.code, error.message)
        print(error.message, file=sys.stderr)
        return api.EXIT_FAILED
    except Exception as error:
        # The trace goes to the log for those who mend; the event says what people need.
        events.failed(
            "crashed", f"The run broke down ({type(error).__name__}: {error}). Its log has the trace."
        )
        raise
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mlcore", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("run", help="run a job file")
    one.add_argument("job", type=Path)
    one = verbs.add_parser("train", help="train a system on a frozen dataset")
    one.add_argument("--dataset", required=True, help="folder of the dataset")
    one.add_argument("--out", required=True, help="folder for checkpoint and artifact; again: resumes")
    one.add_argument("--system", default="crater_detector", choices=list(SYSTEMS))
    one.add_argument("--preset", default="quick")
    one.add_argument("--set", dest="overrides", action="append", default=[], metavar="NAME=JSON")
    one.add_argument("--seed", type=int, default=1)
    one.add_argument("--initial-weights", help="artifact to continue from")
    one = verbs.add_parser("evaluate", help="measure an artifact on one side of a dataset")
    one.add_argument("--artifact", required=True)
    one.add_argument("--dataset", required=True)
    one.add_argument("--out", required=True)
    one.add_argument("--side", default="test", choices=["train", "validation", "test"])
    one = verbs.add_parser("predict", help="search an elevation model; writes detections.csv")
    one.add_argument("--artifact", required=True)
    one.add_argument("--raster", required=True, type=Path)
    one.add_argument("--body", default="moon")
    one.add_argument("--out", required=True)
    one.add_argument("--min-diameter-m", type=float)
    one = verbs.add_parser("score", help="score pictures of foils into a table")
    one.add_argument("--artifact", required=True)
    one.add_argument("--images", required=True, type=Path, help="folder; those below it are scored too")
    one.add_argument("--out", required=True, type=Path, help="scores.csv, which import_foil_scores reads")
    one.add_argument("--device", default="auto", help="auto, cpu or cuda")
    one.add_argument("--precision", default="auto", help="auto, float32, bfloat16 or int8")
    one.add_argument("--engine", default="auto", help="auto, openvino, onnx_runtime or torch")
    return parser


def _overrides(pairs: list[str]) -> dict[str, object]:
    """NAME=JSON pairs as a dict."""
    try:
        return {name: json.loads(value) for name, _, value in (pair.partition("=") for pair in pairs)}
    except ValueError:
        raise InvalidInput("--set takes NAME=JSON, for example --set steps=2000.") from None


def _job(given: argparse.Namespace) -> api.Job:
    if given.verb == "run":
        return api.read_job(given.job)
    if given.verb == "train":
        return api.TrainJob(
            dataset_dir=given.dataset,
            out_dir=given.out,
            system=given.system,
            preset=given.preset,
            overrides=_overrides(given.overrides),
            seed=given.seed,
            initial_weights=given.initial_weights,
        )
    if given.verb == "evaluate":
        return api.EvaluateJob(given.artifact, given.dataset, given.out, given.side)
    # Reading rasters is the business of predict alone; training machines need no GDAL.
    from mlcore.raster.cog import grid_of, inspect

    grid = grid_of(inspect(given.raster, given.body), given.body)
    card = api.read_card(Path(given.artifact))
    windows = api.plan_windows(grid, card, min_diameter_m=given.min_diameter_m)
    return api.PredictJob(given.artifact, str(given.raster), grid, windows, given.out)


def _write_csv(job: api.PredictJob) -> None:
    """Merge the windows' detections into out_dir/detections.csv, best first."""
    from mlcore.bodies import get_body

    events, _ = api.read_events(Path(job.out_dir))
    found = [
        api.Detection.from_json(detection)
        for event in events
        if event["kind"] == "window"
        for detection in event["detections"]
    ]
    lines = ["lon,lat,diam_km,score,uncertainty"]
    for d in api.merge_detections(found, get_body(job.grid.body).radius_m):
        lines.append(f"{d.lon:.5f},{d.lat:.5f},{d.diameter_m / 1000:.4f},{d.score:.4f},{d.uncertainty:.4f}")
    (Path(job.out_dir) / "detections.csv").write_text("\n".join(lines) + "\n")


def _score(given: argparse.Namespace) -> int:
    """Score a folder's pictures into a table; what was said on the way goes to the standard error."""
    from mlcore.foil_classifier import score_folder

    score_folder.check_table(given.out)
    with tempfile.TemporaryDirectory(prefix="tektite-score-") as out_dir:
        job = score_folder.job_of(
            given.images,
            out_dir,
            artifact_dir=given.artifact,
            device=given.device,
            precision=given.precision,
            engine=given.engine,
        )
        status = run(job)
        events, _ = api.read_events(Path(out_dir))
        for event in events:
            if event["kind"] == "log":
                print(event["message"], file=sys.stderr)
        if status == 0:
            score_folder.write_table(events, given.out)
    return status


def main() -> int:
    """Do what the command line says."""
    die_with_parent()
    given = _parser().parse_args()
    try:
        if given.verb == "score":
            return _score(given)
        job = _job(given)
    except TektiteError as error:
        print(error.message, file=sys.stderr)
        return 2
    status = run(job)
    if status == 0 and given.verb == "predict" and isinstance(job, api.PredictJob):
        _write_csv(job)
    return status


if __name__ == "__main__":
    sys.exit(main())
