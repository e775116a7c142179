"""What the foil classifier can be asked to do: train, evaluate, score. Loads torch."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import mlcore
from mlcore import training
from mlcore.api import ARTIFACT_FOLDER, EvaluateJob, TrainJob
from mlcore.artifact import WEIGHTS_FILE, ModelCard, read_card, write_artifact
from mlcore.errors import InvalidInput
from mlcore.events import EventLog
from mlcore.foil_classifier import checks, evaluation
from mlcore.foil_classifier.config import Config, make_config
from mlcore.foil_classifier.data import TrainingCrops
from mlcore.foil_classifier.dataset import FoilDataset
from mlcore.foil_classifier.engines import fixed_images
from mlcore.foil_classifier.losses import ease, losses, optimiser, rate
from mlcore.foil_classifier.mining import Mining
from mlcore.foil_classifier.model import FoilClassifier, is_dead, load_weights, save_weights
from mlcore.foil_classifier.normalise import NORMALISATION
from mlcore.foil_classifier.score_verb import score as score
from mlcore.split import SIDES

# Of a training job's time, the share that the steps take; the rest is evaluation.
TRAINING_SHARE = 0.9
# A network that has died is found after so many steps at most, and begins anew in this first share of them.
LOOK_FOR_DEATH_EVERY, LAST_REVIVAL = 20, 0.5
CLASSES = ["blank", "crater"]


def train(job: TrainJob, events: EventLog) -> dict[str, Any]:
    """Train in two steps, choose the threshold on the validation side, measure, and leave an artifact.

    Args:
        job: What to train on and where to leave it.
        events: Progress, curves and cancellation.

    Returns:
        {"artifact": folder, "card": the card}.

    Raises:
        InvalidInput: The dataset cannot teach this (mlcore.foil_classifier.checks), or the initial weights do
            not fit.
        Cancelled: On request.
    """
    version = training.code_version(Path(mlcore.__file__).parent)
    config = make_config(job.preset, job.overrides)
    started_from = _card_of_initial_weights(job, config)
    dataset = FoilDataset(Path(job.dataset_dir))
    dataset.verify()
    notes = _notes(dataset.manifest.provenance)
    events.progress(0.0, "looking the pictures through", force=True)
    crops = TrainingCrops(dataset, config, checks.check_dataset(dataset, config, events.log))
    events.log(_told(crops))
    random = training.seed_everything(job.seed)
    device = training.choose_device()
    model = FoilClassifier(config)
    origin = "scratch"
    if started_from and job.initial_weights:
        load_weights(model, Path(job.initial_weights) / WEIGHTS_FILE)
        origin = _origin(started_from)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    _fit(
        model,
        crops,
        events,
        random,
        json.dumps([dataset.manifest.sha256, config.to_json(), job.seed, origin]),
        may_begin_anew=started_from is None,
    )
    card = ModelCard(
        system=job.system,
        preset=job.preset,
        config=config.to_json(),
        normalisation=dict(NORMALISATION),
        classes=CLASSES,
        min_diameter_m=0.0,
        dataset_sha256=dataset.manifest.sha256,
        code_version=version,
        seed=job.seed,
        initial_weights=origin,
        steps=config.steps,
        device=_describe(device, config),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=notes,
        **_measure(model, dataset, events),
    )
    artifact = Path(job.out_dir) / ARTIFACT_FOLDER
    write_artifact(artifact, card, lambda path: _save(model, dataset, path))
    return {"artifact": str(artifact), "card": card.to_json()}


def _save(model: FoilClassifier, dataset: FoilDataset, path: Path) -> None:
    """The weights, and beside them the images on which engines are held against each other."""
    save_weights(model, path)
    pictures = evaluation.fixed_pictures(dataset, fixed_images.N_OF_A_KIND)
    if len(pictures) >= fixed_images.LEAST:
        fixed_images.keep(path.parent, pictures)


def _card_of_initial_weights(job: TrainJob, config: Config) -> ModelCard | None:
    """Of the model to continue from, where there is one; refused where its weights cannot fit."""
    if job.initial_weights is None:
        return None
    card = read_card(Path(job.initial_weights))
    sentence = checks.other_weights(card, config)
    if sentence:
        raise InvalidInput(sentence, code="other_layout")
    return card


def _origin(card: ModelCard) -> str:
    return f"continued from a model trained on dataset {card.dataset_sha256[:12]} with seed {card.seed}"


def _notes(provenance: dict[str, Any]) -> list[str]:
    """What readers of the card must know of its pictures, of which {"synthetic": {"samples", "of"}} tells."""
    made = provenance.get("synthetic") or {"samples": 0}
    if not made["samples"]:
        return []
    note = (
        f"Synthetic: of {made['of']:,} pictures and cut-outs that it learnt from and was measured on, "
        f"{made['samples']:,} were made by Tektite and not by a microscope."
    )
    return [f"{note} Its figures say nothing of real foils." if made["samples"] == made["of"] else note]


def _told(crops: TrainingCrops) -> str:
    n_cut_outs = len(crops.recipe.cut_outs) if crops.recipe else 0
    return (
        f"{n_cut_outs} cut-outs and {len(crops.craters)} confirmed craters to learn from, "
        f"{len(crops.blanks)} blank foils and {len(crops.look_alikes)} look-alikes."
    )


def _describe(device: torch.device, config: Config) -> str:
    said = training.describe_device(device)
    return said.replace("float32", config.precision) if device.type == "cpu" else said


def _fit(
    model: FoilClassifier,
    crops: TrainingCrops,
    events: EventLog,
    random: np.random.Generator,
    fingerprint: str,
    *,
    may_begin_anew: bool,
) -> None:
    """Both steps of the training, as one that can be taken up anywhere."""
    config, device = model.config, next(model.parameters()).device

    def believed(numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        return evaluation.logits(model, (crops.pictures.pixels(crops.blanks[n]) for n in numbers))

    mining = Mining(len(crops.blanks), config, believed)
    steps = optimiser(model)
    trainer = training.Trainer(model, steps, events, fingerprint=fingerprint, random=random, companion=mining)

    def revive(images: torch.Tensor) -> None:
        """Begin anew where the network has died early; what it draws and when is part of the checkpoint."""
        if trainer.step % LOOK_FOR_DEATH_EVERY or not is_dead(model, images):
            return
        if trainer.step > config.steps * LAST_REVIVAL or not may_begin_anew:
            raise InvalidInput(
                f"The network says the same of every picture at step {trainer.step} and learns no more; "
                "train with another seed or a lower rate.",
                code="diverged",
            )
        if trainer.step:
            events.log(f"The network said the same of every picture at step {trainer.step} and begins anew.")
        model.initialise()
        steps.state.clear()

    def step(generator: np.random.Generator) -> dict[str, torch.Tensor]:
        is_first = trainer.step < config.steps_1
        edge = config.crop_1_px
        images, labels = crops.batch(
            generator,
            config.batch_1 if is_first else config.batch_2,
            (edge, edge) if is_first else (config.crop_2_px[0], config.crop_2_px[1]),
            ease=ease(config, trainer.step),
            paired=config.paired[0 if is_first else 1],
            blank_weights=mining.weights(trainer.step, generator),
        )
        on_device = torch.from_numpy(images).to(device)
        revive(on_device)
        return losses(model, on_device, torch.from_numpy(labels).to(device))

    trainer.fit(step, config.steps, lambda n: rate(config, n), until=TRAINING_SHARE)


def _measure(model: FoilClassifier, dataset: FoilDataset, events: EventLog) -> dict[str, Any]:
    """Calibration and threshold from the validation side, metrics of both held-out sides."""
    config = model.config
    scored = {}
    for number, side in enumerate(("validation", "test")):

        def report(share: float, before: float = number / 2.0) -> None:
            events.check_cancelled()
            done = TRAINING_SHARE + (1.0 - TRAINING_SHARE) * (before + share / 2.0)
            events.progress(done, "measuring on the held-out sides")

        scored[side] = evaluation.score_side(model, dataset, side, config.n_validation, report)
    slope, intercept = evaluation.fit_calibration(scored["validation"])
    scored = {side: found.calibrated(slope, intercept) for side, found in scored.items()}
    threshold, source = evaluation.choose_threshold(scored["validation"], config.sensitivity), "validation"
    if threshold is None:
        threshold = evaluation.USUAL_THRESHOLD
        source = (
            f"the validation side has {len(scored['validation'].blank)} blanks and "
            f"{len(scored['validation'].pasted)} craters, and {evaluation.LEAST_TO_TELL} of each are needed: "
            f"{threshold} was taken"
        )
        events.log(f"The threshold could not be chosen: {source}.")
    metrics = {side: evaluation.metrics(found, threshold) for side, found in scored.items()}
    for side, values in metrics.items():
        for name in ("sensitivity", "specificity"):
            if values and values[name] is not None:
                events.metric(f"{side} {name}", config.steps, values[name])
    return {
        "calibration": [slope, intercept],
        "threshold": threshold,
        "threshold_source": source,
        "metrics": metrics,
    }


def evaluate(job: EvaluateJob, events: EventLog) -> dict[str, Any]:
    """Measure an artifact on one side of a dataset at the card's threshold; writes metrics.json."""
    if job.side not in SIDES:
        raise InvalidInput(f"A side is one of {', '.join(SIDES)}, not '{job.side}'.")
    dataset = FoilDataset(Path(job.dataset_dir))
    dataset.verify()
    model, card = of_artifact(Path(job.artifact_dir))

    def report(share: float) -> None:
        events.check_cancelled()
        events.progress(share, f"measuring on the {job.side} side")

    raw = evaluation.score_side(model, dataset, job.side, model.config.n_validation, report)
    slope, intercept = card.calibration
    result = {
        "side": job.side,
        "dataset_sha256": dataset.manifest.sha256,
        "threshold": card.threshold,
        "metrics": evaluation.metrics(raw.calibrated(slope, intercept), card.threshold),
    }
    (Path(job.out_dir) / "metrics.json").write_text(json.dumps(result, indent=1))
    return result


def of_artifact(folder: Path) -> tuple[FoilClassifier, ModelCard]:
    """A trained network on the device that is there, and its card."""
    card = read_card(folder)
    model = FoilClassifier(Config.from_json(card.config))
    load_weights(model, folder / WEIGHTS_FILE)
    model.to(training.choose_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.eval(), card
