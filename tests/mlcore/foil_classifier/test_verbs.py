import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mlcore import api, durable, training
from mlcore.artifact import WEIGHTS_FILE
from mlcore.errors import Cancelled, InvalidInput
from mlcore.events import EventLog, read_events
from mlcore.foil_classifier import verbs
from mlcore.foil_classifier.dataset import FoilDataset, FoilSample, write_foil_dataset
from mlcore.foil_classifier.evaluation import USUAL_THRESHOLD
from mlcore.foil_classifier.model import FoilClassifier, is_dead
from tests.mlcore.foil_classifier.conftest import make_blank, make_cut_out

# Small enough to be quick, whole enough to go through everything: both steps, and mining twice.
TINY = {
    "steps_1": 6, "batch_1": 4, "crop_1_px": 48, "steps_2": 6, "batch_2": 4, "crop_2_px": [64, 96],
    "mine_every": 4, "mine_pool": 6, "mine_share": 0.4,
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def on_the_processor() -> Iterator[None]:
    """Bits are promised there, also where there is a GPU."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training, "choose_device", lambda: torch.device("cpu"))
        yield


def train(dataset: Path, out: Path, **changes: object) -> dict:
    given = {"overrides": TINY, "seed": 1, **changes}
    job = api.TrainJob(str(dataset), str(out), "foil_classifier", **given)  # type: ignore[arg-type]
    return verbs.train(job, EventLog(out))


@pytest.fixture(scope="module")
def trained(foil_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train(foil_dataset, out)
    return out


def weights(out: Path) -> bytes:
    return (out / api.ARTIFACT_FOLDER / WEIGHTS_FILE).read_bytes()


def test_it_works(foil_dataset: Path, trained: Path):
    card = api.read_card(trained / api.ARTIFACT_FOLDER)
    assert card.dataset_sha256 == FoilDataset(foil_dataset).manifest.sha256
    assert (card.system, card.classes, card.min_diameter_m) == ("foil_classifier", ["blank", "crater"], 0.0)
    assert (card.steps, card.initial_weights, card.threshold_source) == (12, "scratch", "validation")
    assert 0 < card.threshold < 1
    for side in ("validation", "test"):
        found = card.metrics[side]
        assert found is not None
        assert (found["n_craters"], found["n_blanks"]) == (20, 20)
        assert found["curve"][0]["n_lost"] <= found["curve"][-1]["n_lost"]
    validation = card.metrics["validation"]
    assert validation is not None
    assert validation["sensitivity"] >= 0.98
    kinds = {(event["kind"], event.get("name")) for event in read_events(trained)[0]}
    assert {("metric", "loss"), ("metric", "test specificity"), ("progress", None)} <= kinds
    # The loss has one part: its curve would lie on that of the sum.
    assert ("metric", "cross-entropy") not in kinds


def test_the_same_seed_gives_the_same_bits(foil_dataset: Path, trained: Path, tmp_path: Path):
    train(foil_dataset, tmp_path)
    assert weights(trained) == weights(tmp_path)


@pytest.mark.parametrize("stop_at", [4, 8, 11])
def test_a_stopped_run_goes_on_to_the_same_bits_from_either_step(
    foil_dataset: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
):
    asked = 0

    def stop(self: EventLog) -> None:
        nonlocal asked
        asked += 1
        if asked == stop_at + 1:
            raise Cancelled("stop")

    with monkeypatch.context() as patched:
        patched.setattr(EventLog, "check_cancelled", stop)
        with pytest.raises(Cancelled):
            train(foil_dataset, tmp_path)
    assert not (tmp_path / api.ARTIFACT_FOLDER).exists()
    train(foil_dataset, tmp_path)
    assert any(f"step {stop_at}." in event.get("message", "") for event in read_events(tmp_path)[0])
    assert weights(trained) == weights(tmp_path)


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
    foil_dataset: Path, trained: Path, tmp_path: Path
):
    out = tmp_path / "killed"

    def run(kill_at: int) -> int:
        job = tmp_path / "job.json"
        api.write_job(api.TrainJob(str(foil_dataset), str(out), "foil_classifier", overrides=TINY), job)
        command = [sys.executable, "-c", KILLED_AT, str(kill_at), "run", str(job)]
        # Bits are promised for one thread of a processor.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        return subprocess.run(command, env=environment, check=False).returncode

    # In the first step, and in the second between two looks at the blanks.
    assert run(5) == run(11) == -signal.SIGKILL
    # The second one was also writing its checkpoint when the power failed.
    newest = out / "checkpoint" / "state.pt"
    newest.write_bytes(newest.read_bytes()[:-100])
    assert run(-1) == 0
    assert weights(trained) == weights(out)
    cards = [json.loads((at / api.ARTIFACT_FOLDER / "card.json").read_text()) for at in (trained, out)]
    for card in cards:
        card.pop("created_at")
    assert cards[0] == cards[1]


def test_a_checkpoint_holds_what_mining_found(trained: Path):
    newest = durable.newest_state(trained / "checkpoint" / "state.pt")
    assert newest is not None
    state = torch.load(io.BytesIO(newest), weights_only=True)
    found = state["companion"]["weights"].numpy()
    assert len(found) == 12
    assert found.max() > found.min()


def kill(model: FoilClassifier) -> None:
    """As a step that is too large does: one narrow layer is 0 whatever comes."""
    last = [module for module in model.head if isinstance(module, torch.nn.Linear)][-2]
    with torch.no_grad():
        last.weight.fill_(-1.0)
        last.bias.fill_(-1.0)


@pytest.fixture
def dies_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A function: the network of the next training dies right before that step, once."""

    def dying(step: int) -> None:
        take, died = training.Trainer._take, False

        def deadly(self: training.Trainer, *rest: Any) -> dict[str, float]:
            nonlocal died
            if self.step == step and not died:
                died = True
                kill(self.model)  # type: ignore[arg-type]
            return take(self, *rest)

        monkeypatch.setattr(training.Trainer, "_take", deadly)
        monkeypatch.setattr(verbs, "LOOK_FOR_DEATH_EVERY", 2)

    return dying


def test_a_network_that_dies_early_begins_anew(
    foil_dataset: Path, tmp_path: Path, dies_at: Callable[[int], None]
):
    dies_at(3)
    artifact = Path(train(foil_dataset, tmp_path)["artifact"])
    said = [event["message"] for event in read_events(tmp_path)[0] if event["kind"] == "log"]
    assert "The network said the same of every picture at step 4 and begins anew." in said
    model, _ = verbs.of_artifact(artifact)
    assert not is_dead(model, torch.randn(4, 1, 64, 64))


def test_one_that_dies_late_is_no_model(foil_dataset: Path, tmp_path: Path, dies_at: Callable[[int], None]):
    dies_at(8)
    with pytest.raises(InvalidInput, match=r"the same of every picture at step 8 .*a lower rate"):
        train(foil_dataset, tmp_path)
    assert not (tmp_path / api.ARTIFACT_FOLDER).exists()


def test_one_that_continues_another_does_not_begin_anew(
    foil_dataset: Path, trained: Path, tmp_path: Path, dies_at: Callable[[int], None]
):
    dies_at(3)
    with pytest.raises(InvalidInput, match="says the same of every picture"):
        train(foil_dataset, tmp_path, initial_weights=str(trained / api.ARTIFACT_FOLDER))


def test_it_continues_from_earlier_weights(foil_dataset: Path, trained: Path, tmp_path: Path):
    artifact = str(trained / api.ARTIFACT_FOLDER)
    card = train(foil_dataset, tmp_path, initial_weights=artifact)["card"]
    assert card["initial_weights"].startswith("continued from a model trained on dataset")
    assert weights(tmp_path) != weights(trained)


def test_weights_of_another_layout_are_refused_before_anything_is_trained(
    foil_dataset: Path, trained: Path, tmp_path: Path
):
    with pytest.raises(InvalidInput, match=r"another layout .*dense 320.*dense 1\)"):
        train(
            foil_dataset, tmp_path, overrides={**TINY, "dense": [1]},
            initial_weights=str(trained / api.ARTIFACT_FOLDER),
        )  # fmt: skip
    assert not (tmp_path / "checkpoint").exists()


def test_where_validation_cannot_say_the_usual_threshold_is_taken(tmp_path: Path):
    samples: list[FoilSample] = [make_blank(1), make_cut_out(1), make_cut_out(2), make_blank(2, "validation")]
    write_foil_dataset(tmp_path / "d", samples)
    card = train(tmp_path / "d", tmp_path / "run")["card"]
    assert card["threshold"] == USUAL_THRESHOLD
    assert card["calibration"] == [1.0, 0.0]
    assert "the validation side has 1 blanks and 0 craters" in card["threshold_source"]
    assert card["metrics"]["test"] is None


def test_one_crater_is_refused_before_training_starts(tmp_path: Path):
    write_foil_dataset(tmp_path / "d", [make_blank(1), make_cut_out(1)])
    with pytest.raises(InvalidInput, match="There is one crater"):
        train(tmp_path / "d", tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoint").exists()


def test_a_changed_dataset_is_refused(foil_dataset: Path, tmp_path: Path):
    samples = list(FoilDataset(foil_dataset))
    write_foil_dataset(tmp_path / "d", samples)
    lines = tmp_path / "d" / "samples.jsonl"
    lines.write_text(lines.read_text().replace("reference picture", "reference Picture"))
    with pytest.raises(InvalidInput, match=r"samples\.jsonl of the dataset has changed"):
        train(tmp_path / "d", tmp_path / "run")


def test_evaluate_says_what_the_card_says(foil_dataset: Path, trained: Path, tmp_path: Path):
    artifact = trained / api.ARTIFACT_FOLDER
    events = EventLog(tmp_path)
    result = verbs.evaluate(api.EvaluateJob(str(artifact), str(foil_dataset), str(tmp_path), "test"), events)
    assert result == json.loads((tmp_path / "metrics.json").read_text())
    card = api.read_card(artifact)
    known = card.metrics["test"]
    assert known is not None
    assert result["threshold"] == card.threshold
    for name in ("n_found", "n_removed"):
        assert result["metrics"][name] == known[name]
    np.testing.assert_allclose(result["metrics"]["auc"], known["auc"], atol=1e-6)


def test_evaluate_refuses_a_side_that_is_none(foil_dataset: Path, trained: Path, tmp_path: Path):
    job = api.EvaluateJob(str(trained / api.ARTIFACT_FOLDER), str(foil_dataset), str(tmp_path), "left")
    with pytest.raises(InvalidInput, match="train, validation, test"):
        verbs.evaluate(job, EventLog(tmp_path))


@pytest.mark.parametrize("n_test", [0, 1])
def test_two_cut_outs_are_enough_where_few_or_none_can_be_held_out(n_test: int, tmp_path: Path):
    cut_outs = [make_cut_out(seed) for seed in (1, 2)] + [make_cut_out(3, "test")] * n_test
    blanks = [make_blank(10 + n, side) for n, side in enumerate(("train", "validation", "test"))]
    write_foil_dataset(tmp_path / "d", [*cut_outs, *blanks])
    card = train(tmp_path / "d", tmp_path)["card"]
    assert "0 craters" in card["threshold_source"]
    assert card["threshold"] == USUAL_THRESHOLD


def test_bfloat16_trains_too(foil_dataset: Path, tmp_path: Path):
    card = train(foil_dataset, tmp_path, overrides={**TINY, "precision": "bfloat16"})["card"]
    assert card["device"].startswith("cpu bfloat16")
