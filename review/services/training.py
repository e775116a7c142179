"""Training: requested by a lead, executed by whichever worker claims the run.

Each attempt has a folder of its own and begins with the newest checkpoint of those before it. The version,
the end of the run, its promotion and the prediction that follows are one transaction: a worker that dies
around it leaves all of them or none, and then the next attempt has only to measure and adopt again.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from annotate.models import Campaign, Catalogue, Participant
from annotate.services.liveness import beating, patiently
from mlcore import api
from mlcore.errors import Conflict, InvalidInput, TektiteError
from mlcore.registry import get_system
from review.models import Dataset, ModelVersion, Run
from review.services import datasets, jobs, registry, room, runs
from review.services.versions import artifact_of, current

DEFAULT_SEED = 1
CHECKPOINT_FOLDER = "checkpoint"
# Shares of the progress bar: freezing the labels, training, scoring the current version beside it.
_FROZEN, _TRAINED = 0.05, 0.95


def request_training(
    *,
    campaign: Campaign,
    system: str = "crater_detector",
    preset: str = "quick",
    requested_by: Participant | None,
    overrides: dict[str, object] | None = None,
    label_catalogues: Sequence[Catalogue] = (),
    searched: str = datasets.TILES,
    start_from: ModelVersion | None = None,
    seed: int = DEFAULT_SEED,
    promote: bool = False,
) -> Run:
    """A queued training on the campaign's labels as they will be when it starts.

    Args:
        campaign: Whose labels.
        system: Key of mlcore.registry.SYSTEMS.
        preset: One of the system's.
        requested_by: Who pressed the button.
        overrides: Settings that differ from the preset.
        label_catalogues: Imported catalogues whose craters count as labels.
        searched: datasets.TILES or datasets.REGION: what counts as searched completely.
        start_from: A version whose weights are the beginning; from scratch otherwise.
        seed: Of everything random.
        promote: Make the version current when it is finished, as if its requester had pressed the button.

    Raises:
        InvalidInput: Unknown system, preset or setting, or nothing to learn from.
        Conflict: The campaign trains this system already.
        NoRoom: Too little of the disk is free.
    """
    get_system(system).config(preset, overrides or {})
    datasets.check(campaign, label_catalogues=label_catalogues, searched=searched)
    room.require_for_training()
    config = {
        "preset": preset,
        "overrides": overrides or {},
        "seed": seed,
        "label_catalogues": [str(catalogue.uid) for catalogue in label_catalogues],
        "searched": searched,
        "start_from": str(start_from.uid) if start_from else None,
        "promote": promote,
    }
    try:
        with transaction.atomic():
            return runs.create(
                campaign=campaign,
                system=system,
                verb=Run.Verb.TRAIN,
                requested_by=requested_by,
                config=config,
            )
    except IntegrityError:
        just_ended = _("Another training has just ended; ask again.")
        raise Conflict(_already_training(campaign, system) or just_ended, code="already_training") from None


def obstacle(
    *,
    campaign: Campaign,
    system: str = "crater_detector",
    label_catalogues: Sequence[Catalogue] = (),
    searched: str = datasets.TILES,
) -> str:
    """Why a training with these labels could not begin now, for beside the button; empty if it can."""
    if sentence := _already_training(campaign, system):
        return sentence
    try:
        datasets.check(campaign, label_catalogues=label_catalogues, searched=searched)
        room.require_for_training()
    except TektiteError as refusal:
        return refusal.message
    return ""


def _already_training(campaign: Campaign, system: str) -> str:
    active = Run.objects.active().filter(campaign=campaign, system=system, verb=Run.Verb.TRAIN).first()
    if active is None:
        return ""
    sentence = _(
        "This campaign already trains the %(system)s (run %(number)s); wait for its end or cancel it."
    )
    return sentence % {"system": system.replace("_", " "), "number": active.number}


def execute(run_pk: int, worker: str) -> list[Run]:
    """Claim the run and see it through; the runs to enqueue afterwards.

    Nothing happens where the run is not waiting any more: a message that arrives twice does no harm.
    """
    run = patiently(runs.claim, run_pk, worker)
    if run is None:
        return []
    with runs.guarded(run):
        return _train(run)
    return []


def _train(run: Run) -> list[Run]:
    room.require_for_training()
    dataset = _dataset(run)
    outcome = jobs.follow(run, _job(run, dataset), share=(_FROZEN, _TRAINED))
    if outcome.end != "done":
        return jobs.conclude(run, outcome)
    beside = _current_beside_it(run, dataset)
    version = patiently(registry.adopt, run, compared_with=beside)
    if version is None:
        # Cancelled at the last moment, or no longer the current attempt.
        runs.stopped(run)
        return []
    _remove_checkpoints(run)
    return list(version.prediction_runs.filter(state=Run.State.QUEUED))


def _dataset(run: Run) -> Dataset:
    """Freeze the labels at the first attempt; later attempts go on with the same."""
    if run.dataset is None:
        uids = run.config["label_catalogues"]
        by_uid = {str(c.uid): c for c in Catalogue.objects.filter(uid__in=uids)}
        missing = [uid for uid in uids if uid not in by_uid]
        if missing:
            raise InvalidInput(
                _("A catalogue chosen as labels is gone (%(uid)s); start a new run without it.")
                % {"uid": ", ".join(missing)}
            )
        stage = _("Freezing the labels")
        with beating(lambda: runs.heartbeat(run, stage=stage)):
            run.dataset = datasets.freeze(
                campaign=run.campaign,
                system=run.system,
                created_by=run.requested_by,
                label_catalogues=[by_uid[uid] for uid in uids],
                searched=run.config["searched"],
                progress=lambda: runs.beat_or_stop(run, stage=stage),
            )
        Run.objects.filter(pk=run.pk, attempt=run.attempt).update(dataset=run.dataset)
        runs.log(
            run,
            _("Dataset %(sha)s: %(counts)s.")
            % {"sha": run.dataset.sha256[:8], "counts": datasets.in_words(run.dataset.counts)},
        )
    return run.dataset


def _job(run: Run, dataset: Dataset) -> api.TrainJob:
    folder = runs.folder_of(run)
    _take_over_checkpoint(run, folder)
    start_from = run.config["start_from"]
    initial = ModelVersion.objects.get(uid=start_from) if start_from else None
    return api.TrainJob(
        dataset_dir=str(datasets.folder_of(dataset)),
        out_dir=str(folder),
        system=run.system,
        preset=run.config["preset"],
        overrides=run.config["overrides"],
        seed=run.config["seed"],
        initial_weights=str(artifact_of(initial)) if initial else None,
    )


def _take_over_checkpoint(run: Run, folder: Path) -> None:
    """Let an attempt go on from where those before it were lost, in a folder of its own.

    The one just before may have left nothing, or have been lost while it copied: then the one before that.
    """
    own = folder / CHECKPOINT_FOLDER
    earlier = (folder.parent / str(n) / CHECKPOINT_FOLDER for n in range(run.attempt - 1, 0, -1))
    left = next((path for path in earlier if path.is_dir()), None)
    if left is None or own.exists():
        return
    half_done = own.with_name(own.name + ".half-done")
    shutil.rmtree(half_done, ignore_errors=True)
    shutil.copytree(left, half_done)
    half_done.replace(own)


def _remove_checkpoints(run: Run) -> None:
    """A finished run goes on from nothing any more, and checkpoints are large."""
    for folder in runs.folder_of(run).parent.glob(f"*/{CHECKPOINT_FOLDER}"):
        shutil.rmtree(folder, ignore_errors=True)


def _current_beside_it(run: Run, dataset: Dataset) -> dict[str, object] | None:
    """The current version's metrics on the new dataset's test places, so that the two can be compared.

    The split never moves, so neither has been trained there. A failure here does not spoil the training.
    """
    version = current(run.campaign, run.system)
    if version is None:
        return None
    outcome = jobs.follow(
        run,
        api.EvaluateJob(
            artifact_dir=str(artifact_of(version)),
            dataset_dir=str(datasets.folder_of(dataset)),
            out_dir=str(runs.folder_of(run) / "beside"),
            side="test",
        ),
        stage_prefix=_("Version %(number)d on the same places: ") % {"number": version.number},
        share=(_TRAINED, 1.0),
    )
    if outcome.end != "done":
        why = _("The current version could not be scored beside it: %(why)s") % {"why": outcome.message}
        runs.log(run, why)
        return None
    metrics = outcome.result["metrics"]
    return {"uid": str(version.uid), "number": version.number, "side": "test", "metrics": metrics}
