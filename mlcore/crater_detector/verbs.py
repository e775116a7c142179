"""What the crater detector can be asked to do: train, evaluate, predict. Loads torch."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mlcore
from mlcore import training
from mlcore.api import ARTIFACT_FOLDER, EvaluateJob, PredictJob, TrainJob
from mlcore.artifact import WEIGHTS_FILE, ModelCard, read_card, write_artifact
from mlcore.crater_detector import evaluation
from mlcore.crater_detector.config import Config, make_config
from mlcore.crater_detector.data import NORMALISATION, TrainingCrops
from mlcore.crater_detector.losses import losses
from mlcore.crater_detector.model import CraterDetector, load_weights, save_weights
from mlcore.crater_detector.predict import Searcher, calibrate
from mlcore.dataset import Dataset, Sample
from mlcore.errors import InvalidInput
from mlcore.events import EventLog

# Of a training job's time, the share that the steps take; the rest is evaluation.
TRAINING_SHARE = 0.85


def train(job: TrainJob, events: EventLog) -> dict[str, Any]:
    """Train, choose the threshold on the validation side, measure, and leave an artifact.

    Args:
        job: What to train on and where to leave it.
        events: Progress, curves and cancellation.

    Returns:
        {"artifact": folder, "card": the card}.

    Raises:
        InvalidInput: The dataset cannot teach this, or the initial weights do not fit.
        Cancelled: On request.
    """
    version = training.code_version(Path(mlcore.__file__).parent)
    config = make_config(job.preset, job.overrides)
    dataset = Dataset(Path(job.dataset_dir))
    dataset.verify()
    samples = list(dataset)
    crops = TrainingCrops(samples, config)
    events.log(
        f"{len(samples)} samples, {crops.n_craters} craters and {crops.n_negatives} rejected proposals to "
        f"learn from, each counted at every level that shows it."
    )
    random = training.seed_everything(job.seed)
    device = training.choose_device()
    model = CraterDetector(config).to(device)
    origin = _start_from(model, job)
    fingerprint = json.dumps([dataset.manifest.sha256, config.to_json(), job.seed, origin])
    trainer = training.Trainer(
        model, _optimiser(model, config), events, fingerprint=fingerprint, random=random
    )

    def step(generator: np.random.Generator) -> dict[str, torch.Tensor]:
        images, targets = crops.batch(generator)
        return losses(model, torch.from_numpy(images).to(device), targets)

    trainer.fit(
        step,
        config.steps,
        lambda n: training.learning_rate(n, config.steps, config.learning_rate, config.decay_at),
        until=TRAINING_SHARE,
    )
    measured = _measure(model, samples, events)
    card = ModelCard(
        system=job.system,
        preset=job.preset,
        config=config.to_json(),
        normalisation=dict(NORMALISATION),
        classes=["background", "crater"],
        min_diameter_m=dataset.manifest.min_diameter_m,
        dataset_sha256=dataset.manifest.sha256,
        code_version=version,
        seed=job.seed,
        initial_weights=origin,
        steps=config.steps,
        device=training.describe_device(device),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        **measured,
    )
    artifact = Path(job.out_dir) / ARTIFACT_FOLDER
    write_artifact(artifact, card, lambda path: save_weights(model, path))
    return {"artifact": str(artifact), "card": card.to_json()}


def _optimiser(model: CraterDetector, config: Config) -> torch.optim.Optimizer:
    if config.optimiser == "sgd":
        return torch.optim.SGD(
            model.parameters(), config.learning_rate, momentum=0.9, weight_decay=config.weight_decay
        )
    return torch.optim.AdamW(model.parameters(), config.learning_rate, weight_decay=config.weight_decay)


def _start_from(model: CraterDetector, job: TrainJob) -> str:
    """Load the weights to continue from; what the card says about it."""
    if job.initial_weights is None:
        return "scratch"
    folder = Path(job.initial_weights)
    card = read_card(folder)
    load_weights(model, folder / WEIGHTS_FILE)
    return f"continued from a model trained on dataset {card.dataset_sha256[:12]} with seed {card.seed}"


def _measure(model: CraterDetector, samples: list[Sample], events: EventLog) -> dict[str, Any]:
    """Calibration and threshold from the validation side, metrics of both held-out sides."""

    def report(share: float) -> None:
        events.check_cancelled()
        events.progress(TRAINING_SHARE + (1 - TRAINING_SHARE) * share, "measuring on the held-out sides")

    scored = evaluation.score_sides(Searcher(model), samples, ("validation", "test"), report)
    calibration = evaluation.fit_calibration(scored["validation"])
    threshold, source = evaluation.choose_threshold(scored["validation"]), "validation"
    if not len(scored["validation"].truth_score):
        source = "no crater on the validation side: 0.5 was taken"
        events.log("There is no crater on the validation side; the threshold is 0.5 until there is one.")
    metrics = {side: evaluation.metrics(found, threshold) for side, found in scored.items()}
    for side, values in metrics.items():
        for name in ("recall", "precision", "f1") if values else ():
            if values and values[name] is not None:
                events.metric(f"{side} {name}", model.config.steps, float(str(values[name])))
    return {
        "calibration": list(calibration),
        "threshold": float(calibrate(np.array([threshold]), calibration)[0]),
        "threshold_source": source,
        "metrics": metrics,
    }


def evaluate(job: EvaluateJob, events: EventLog) -> dict[str, Any]:
    """Measure an artifact on one side of a dataset at the card's threshold; writes metrics.json."""
    if job.side not in ("train", "validation", "test"):
        raise InvalidInput(f"A side is train, validation or test, not '{job.side}'.")
    dataset = Dataset(Path(job.dataset_dir))
    searcher, card = Searcher.of_artifact(Path(job.artifact_dir))

    def report(share: float) -> None:
        events.check_cancelled()
        events.progress(share, f"measuring on the {job.side} side")

    scored = evaluation.score_sides(searcher, list(dataset), [job.side], report)[job.side]
    result = {
        "side": job.side,
        "dataset_sha256": dataset.manifest.sha256,
        "threshold": card.threshold,
        "metrics": evaluation.metrics(scored, card.threshold),
    }
    (Path(job.out_dir) / "metrics.json").write_text(json.dumps(result, indent=1))
    return result


def predict(job: PredictJob, events: EventLog) -> dict[str, Any]:
    """Search windows; each is reported as soon as it is done, so that nothing found is lost."""
    # Training and evaluation need no GDAL; only whoever predicts reads rasters.
    from mlcore.crater_detector.cutting import read_elevation

    searcher, card = Searcher.of_artifact(Path(job.artifact_dir))
    found = 0
    for done, window in enumerate(job.windows):
        events.check_cancelled()
        elevation = read_elevation(Path(job.raster_path), job.grid, window)
        detections = searcher.detections(elevation, job.grid, window)
        events.window(window.index, [detection.to_json() for detection in detections])
        found += sum(detection.score >= card.threshold for detection in detections)
        events.progress((done + 1) / len(job.windows), f"window {done + 1} of {len(job.windows)}")
    return {"windows": len(job.windows), "above_threshold": found}
