import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from mlcore import api, durable
from mlcore.artifact import WEIGHTS_FILE
from mlcore.crater_detector import verbs
from mlcore.dataset import Dataset
from mlcore.errors import Cancelled, InvalidInput
from mlcore.events import EventLog, read_events, request_cancel
from mlcore.training import learning_rate

# Small enough to be quick, whole enough to go through everything.
TINY = {"steps": 12, "batch_size": 2, "crop_px": 96, "views": 1}


def train(dataset: Path, out: Path, **changes: object) -> dict:
    given = {"overrides": TINY, "seed": 1, **changes}
    job = api.TrainJob(dataset_dir=str(dataset), out_dir=str(out), **given)  # type: ignore[arg-type]
    return verbs.train(job, EventLog(out))


@pytest.fixture(scope="module")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train(dataset, out)
    return out


def test_it_works(dataset: Path, trained: Path):
    card = api.read_card(trained / api.ARTIFACT_FOLDER)
    assert card.dataset_sha256 == Dataset(dataset).manifest.sha256
    assert (card.steps, card.initial_weights, card.threshold_source) == (12, "scratch", "validation")
    assert 0 < card.threshold < 1
    assert card.metrics["test"] and card.metrics["test"]["n_truth"] > 0
    kinds = {(event["kind"], event.get("name")) for event in read_events(trained)[0]}
    assert {("metric", "loss"), ("metric", "test recall"), ("progress", None)} <= kinds


def test_the_same_seed_gives_the_same_bits(dataset: Path, trained: Path, tmp_path: Path):
    train(dataset, tmp_path)
    first, second = ((out / api.ARTIFACT_FOLDER / WEIGHTS_FILE).read_bytes() for out in (trained, tmp_path))
    assert first == second


def test_a_stopped_run_goes_on_to_the_same_bits(
    dataset: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked = 0

    def stop_at_the_seventh_batch(self: EventLog) -> None:
        nonlocal asked
        asked += 1
        if asked == 7:
            raise Cancelled("stop")

    with monkeypatch.context() as patched:
        patched.setattr(EventLog, "check_cancelled", stop_at_the_seventh_batch)
        with pytest.raises(Cancelled):
            train(dataset, tmp_path)
    assert not (tmp_path / api.ARTIFACT_FOLDER).exists()
    train(dataset, tmp_path)
    assert any("step 6" in event.get("message", "") for event in read_events(tmp_path)[0])
    first, second = ((out / api.ARTIFACT_FOLDER / WEIGHTS_FILE).read_bytes() for out in (trained, tmp_path))
    assert first == second


# A whole training in a process of its own that is killed at the step it is told, between checkpoints.
KILLED_AT = """
import os, signal, sys
import mlcore.__main__ as program
from mlcore import training
take, kill_at = training.Trainer._take, int(sys.argv.pop(1))
def killed(self, losses, rate):
    if self.step == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return take(self, losses, rate)
training.Trainer._take = killed
training.Trainer._save_is_due = lambda self: self.step % 3 == 0
sys.exit(program.main())
"""


@pytest.mark.slow
def test_a_training_that_is_killed_again_and_again_ends_with_the_bits_of_an_undisturbed_one(
    dataset: Path, tmp_path: Path
):
    def run(out: Path, kill_at: int) -> int:
        job = tmp_path / f"{out.name}.json"
        api.write_job(api.TrainJob(str(dataset), str(out), overrides=TINY), job)
        command = [sys.executable, "-c", KILLED_AT, str(kill_at), "run", str(job)]
        # Bits are promised for one thread of a processor.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        return subprocess.run(command, env=environment, check=False).returncode

    random = np.random.default_rng(3)
    first, second = sorted(random.choice(np.arange(4, 12), 2, replace=False).tolist())
    assert run(tmp_path / "undisturbed", -1) == 0
    assert run(tmp_path / "killed", first) == run(tmp_path / "killed", second) == -signal.SIGKILL
    # The second one was also writing its checkpoint when the power failed.
    newest = tmp_path / "killed" / "checkpoint" / "state.pt"
    newest.write_bytes(newest.read_bytes()[:-100])
    assert run(tmp_path / "killed", -1) == 0

    one, other = (outcome(tmp_path / name) for name in ("undisturbed", "killed"))
    assert one == other


def outcome(out: Path) -> tuple[bytes, dict[str, object], dict[tuple[str, int], float]]:
    """Weights, card without what tells when, and the curves as they were told last."""
    artifact = out / api.ARTIFACT_FOLDER
    card = {**api.read_card(artifact).to_json(), "created_at": "", "code_version": ""}
    points = [event for event in read_events(out)[0] if event["kind"] == "metric"]
    curves = {(event["name"], event["step"]): event["value"] for event in points}
    return (artifact / WEIGHTS_FILE).read_bytes(), card, curves


def test_a_checkpoint_of_another_network_is_refused_in_words(dataset: Path, tmp_path: Path):
    train(dataset, tmp_path, overrides={**TINY, "steps": 1})
    path = tmp_path / "checkpoint" / "state.pt"
    state = torch.load(io.BytesIO(durable.newest_state(path) or b""), weights_only=True)
    state["model"].popitem()
    changed = io.BytesIO()
    torch.save(state, changed)
    durable.save_state(path, changed.getvalue())
    with pytest.raises(InvalidInput, match="another version of the network"):
        train(dataset, tmp_path, overrides={**TINY, "steps": 1})


def test_a_checkpoint_of_something_else_is_left_alone(dataset: Path, tmp_path: Path):
    train(dataset, tmp_path, overrides={**TINY, "steps": 1})
    train(dataset, tmp_path, overrides={**TINY, "steps": 1}, seed=2)
    assert any("starting anew" in event.get("message", "") for event in read_events(tmp_path)[0])


def test_training_may_continue_from_a_model(dataset: Path, trained: Path, tmp_path: Path):
    result = train(
        dataset, tmp_path, overrides={**TINY, "steps": 1}, initial_weights=str(trained / api.ARTIFACT_FOLDER)
    )
    assert "continued from" in result["card"]["initial_weights"]


def test_a_damaged_dataset_is_refused(make_dataset, tmp_path: Path):  # noqa: ANN001
    from tests.mlcore.crater_detector.conftest import make_test_world

    folder = make_dataset([make_test_world(1, size_px=128)])
    (folder / "samples.jsonl").write_text((folder / "samples.jsonl").read_text().replace("0.1", "0.2"))
    with pytest.raises(InvalidInput, match=r"samples\.jsonl"):
        train(folder, tmp_path)


def test_an_artifact_is_measured_again(dataset: Path, trained: Path, tmp_path: Path):
    artifact = str(trained / api.ARTIFACT_FOLDER)
    job = api.EvaluateJob(artifact, str(dataset), str(tmp_path), "test")
    result = verbs.evaluate(job, EventLog(tmp_path))
    card = api.read_card(trained / api.ARTIFACT_FOLDER)
    assert card.metrics["test"] is not None
    assert result["metrics"]["n_truth"] == card.metrics["test"]["n_truth"]
    assert abs(result["metrics"]["n_truth_hit"] - card.metrics["test"]["n_truth_hit"]) <= 1
    assert json.loads((tmp_path / "metrics.json").read_text()) == result


def test_windows_are_predicted_one_by_one(dataset: Path, trained: Path, tmp_path: Path):
    card = api.read_card(trained / api.ARTIFACT_FOLDER)
    grid = Dataset(dataset)[0].grid
    windows = api.plan_windows(grid, card)
    raster = str(dataset.parent / "world0.tif")
    job = api.PredictJob(str(trained / api.ARTIFACT_FOLDER), raster, grid, windows, str(tmp_path))
    verbs.predict(job, EventLog(tmp_path))
    found = [event for event in read_events(tmp_path)[0] if event["kind"] == "window"]
    assert [event["index"] for event in found] == [window.index for window in windows]
    lon, _ = grid.lonlat(np.array([0.0, 384.0]), np.array([0.0, 384.0]))
    for event in found:
        for value in event["detections"]:
            detection = api.Detection.from_json(value)
            assert lon[0] - 0.1 < detection.lon < lon[1] + 0.1
            assert 0 <= detection.score <= 1 and 0 <= detection.uncertainty <= 1


@pytest.mark.slow
def test_a_job_runs_in_a_process_of_its_own_and_stops_when_asked(dataset: Path, tmp_path: Path):
    out = tmp_path / "run"
    job = api.TrainJob(str(dataset), str(out), overrides={**TINY, "steps": 100_000})
    api.write_job(job, tmp_path / "job.json")
    process = api.start(tmp_path / "job.json", tmp_path / "log")
    try:
        deadline = time.monotonic() + 60
        while not any("step" in e.get("stage", "") for e in read_events(out)[0]):
            assert time.monotonic() < deadline and process.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
        request_cancel(out)
        assert process.wait(30) == api.EXIT_CANCELLED
    finally:
        api.end(process)
    assert (out / "checkpoint" / "state.pt").exists()
    assert read_events(out)[0][-1]["code"] == "cancelled"


def test_a_job_that_cannot_be_done_says_why(tmp_path: Path):
    job = api.TrainJob(str(tmp_path / "nowhere"), str(tmp_path / "run"))
    api.write_job(job, tmp_path / "job.json")
    process = api.start(tmp_path / "job.json", tmp_path / "log")
    assert process.wait(60) == api.EXIT_FAILED
    last = read_events(tmp_path / "run")[0][-1]
    assert last["kind"] == "failed" and "is not a dataset" in last["message"]


def test_the_command_line_refuses_in_one_sentence(tmp_path: Path):
    command = ["python", "-m", "mlcore", "train", "--dataset", "x", "--out", str(tmp_path), "--set", "steps"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (
        done.returncode == 2 and done.stderr.strip() == "--set takes NAME=JSON, for example --set steps=2000."
    )


def test_the_rate_warms_up_and_comes_down():
    rates = [learning_rate(step, 1000, 1.0, 0.0) for step in range(1000)]
    assert rates[0] < 0.05 and max(rates) == pytest.approx(1.0, abs=0.01) and rates[-1] < 0.02
    assert learning_rate(79_999, 100_000, 1e-3, 0.8) == 1e-3
    assert learning_rate(80_000, 100_000, 1e-3, 0.8) == pytest.approx(1e-4)
