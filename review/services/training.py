"""Training: requested by a lead, executed by whichever worker claims the run.

Each attempt has a folder of its own and begins with the newest checkpoint of those before it. The version,
the end of the run, its promotion and the prediction that follows are one transaction: a worker that dies
around it leaves all of them or none, and then the next attempt has only to measure and adopt again.
"""

import shutil
from pathlib import Path

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from annotate.models import Campaign, Participant
from annotate.services.liveness import beating, patiently, seldom
from mlcore import api
from mlcore.errors import Conflict, InvalidInput, TektiteError
from mlcore.registry import get_system
from review.models import Dataset, ModelVersion, Run
from review.services import datasets, frozen, jobs, registry, room, runs
from review.services.foils.network import learning
from review.services.teaching import Teaching
from review.services.versions import artifact_of, current

TEACHINGS: dict[str, Teaching] = {
    "crater_detector": datasets.TEACHING,
    "foil_classifier": learning.TEACHING,
}
DEFAULT_SEED = 1
CHECKPOINT_FOLDER = "checkpoint"
# Shares of the progress bar: freezing, training, scoring the current version beside it.
_FROZEN, _TRAINED = 0.05, 0.95


def system_of(campaign: Campaign) -> str:
    """The learning system of a campaign of this kind."""
    return next(system for system, teaching in TEACHINGS.items() if teaching.kind == campaign.kind)


def request_training(
    *,
    campaign: Campaign,
    system: str = "crater_detector",
    preset: str = "quick",
    requested_by: Participant | None,
    overrides: dict[str, object] | None = None,
    start_from: ModelVersion | None = None,
    seed: int = DEFAULT_SEED,
    promote: bool = False,
    **material: object,
) -> Run:
    """A queued training on what people will have settled when it starts.

    Args:
        campaign: Whose people.
        system: Key of mlcore.registry.SYSTEMS.
        preset: One of the system's.
        requested_by: Who pressed the button.
        overrides: Settings that differ from the preset.
        start_from: A version whose weights are the beginning; from scratch otherwise.
        seed: Of everything random.
        promote: Make the version current when it is finished, as if its requester had pressed the button.
        material: What may be chosen of what this system learns from: of the crater detector
            `label_catalogues`, imported catalogues whose craters count as labels, and `searched`,
            datasets.TILES or datasets.REGION: what counts as searched completely.

    Raises:
        InvalidInput: Unknown system, preset or setting, weights that do not fit, or nothing to learn from.
        Conflict: The campaign trains this system already.
        NoRoom: Too little of the disk is free.
    """
    _check(campaign, system, preset, overrides or {}, start_from, material)
    config = {
        "preset": preset,
        "overrides": overrides or {},
        "seed": seed,
        **TEACHINGS[system].kept(**material),
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


def obstacle(*, campaign: Campaign, system: str = "crater_detector", **material: object) -> str:
    """Why a training could not begin now, for beside the button; empty if it can. See request_training."""
    if sentence := _already_training(campaign, system):
        return sentence
    try:
        _check(campaign, system, "quick", {}, None, material)
    except TektiteError as refusal:
        return refusal.message
    return ""


def _check(
    campaign: Campaign,
    system: str,
    preset: str,
    overrides: dict[str, object],
    start_from: ModelVersion | None,
    material: dict[str, object],
) -> None:
    """Refuse what cannot be begun, before anybody waits for it."""
    config, teaching = get_system(system).config(preset, overrides), TEACHINGS[system]
    words = {"system": teaching.title, "name": campaign.name}
    if campaign.kind != teaching.kind:
        raise InvalidInput(
            _("“%(name)s” has nothing that the %(system)s could look at; train the %(own)s here.")
            % {**words, "own": TEACHINGS[system_of(campaign)].title},
            code="wrong_system",
        )
    if start_from and start_from.system != system:
        raise InvalidInput(
            _(
                "Version %(number)d is one of the %(other)s, and the %(system)s is to be trained; start from "
                "one of its own versions, or from scratch."
            )
            % {**words, "number": start_from.number, "other": TEACHINGS[start_from.system].title},
            code="wrong_system",
        )
    if start_from and teaching.check_start:
        teaching.check_start(config, start_from)
    teaching.check(campaign, **material)
    room.require_for_training()


def _already_training(campaign: Campaign, system: str) -> str:
    active = Run.objects.active().filter(campaign=campaign, system=system, verb=Run.Verb.TRAIN).first()
    if active is None:
        return ""
    sentence = _(
        "This campaign already trains the %(system)s (run %(number)s); wait for its end or cancel it."
    )
    return sentence % {"system": TEACHINGS[system].title, "number": active.number}


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
    """Freeze what it learns from at the first attempt; later attempts go on with the same."""
    if run.dataset is None:
        teaching = TEACHINGS[run.system]
        stage = str(teaching.freezing)
        with beating(lambda: runs.heartbeat(run, stage=stage)):
            run.dataset = teaching.freeze(run, seldom(lambda: runs.beat_or_stop(run, stage=stage)))
        Run.objects.filter(pk=run.pk, attempt=run.attempt).update(dataset=run.dataset)
        runs.log(
            run,
            _("Dataset %(sha)s: %(counts)s.")
            % {"sha": run.dataset.sha256[:8], "counts": teaching.counted(run.dataset.counts)},
        )
    return run.dataset


def _job(run: Run, dataset: Dataset) -> api.TrainJob:
    folder = runs.folder_of(run)
    _take_over_checkpoint(run, folder)
    start_from = run.config["start_from"]
    initial = ModelVersion.objects.get(uid=start_from) if start_from else None
    return api.TrainJob(
        dataset_dir=str(frozen.folder_of(dataset)),
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
    """The current version's metrics on the new dataset's test side, so that the two can be compared.

    The split never moves, so neither has been trained there. A failure here does not spoil the training.
    """
    version = current(run.campaign, run.system)
    if version is None:
        return None
    outcome = jobs.follow(
        run,
        api.EvaluateJob(
            artifact_dir=str(artifact_of(version)),
            dataset_dir=str(frozen.folder_of(dataset)),
            out_dir=str(runs.folder_of(run) / "beside"),
            side="test",
        ),
        stage_prefix=_("Version %(number)d on the same test side: ") % {"number": version.number},
        share=(_TRAINED, 1.0),
    )
    if outcome.end != "done":
        why = _("The current version could not be scored beside it: %(why)s") % {"why": outcome.message}
        runs.log(run, why)
        return None
    metrics = outcome.result["metrics"]
    return {"uid": str(version.uid), "number": version.number, "side": "test", "metrics": metrics}
