"""Prediction: windows of an elevation model searched by any number of workers, closed by whoever ends last.

Workers claim batches of windows (services/windows.py) and search each batch in one subprocess. A window's row
is written as soon as it is searched, so a lost worker costs at most what was open of its batch. The run is
lost only when nobody is heard of any more; while one of several workers goes on, so does the attempt.
"""

import logging
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from django.db import InterfaceError, OperationalError, transaction
from django.utils.translation import gettext as _

from annotate.models import Basemap, Campaign, Participant
from annotate.services.liveness import beating, patiently
from annotate.services.locks import alone_until_commit
from mlcore import api
from mlcore.bodies import get_body
from mlcore.errors import Conflict, InvalidInput, TektiteError
from review.models import ModelVersion, Run, RunWindow
from review.services import jobs, proposals, rasters, room, runs, windows
from review.services.policies import candidates
from review.services.versions import artifact_of

logger = logging.getLogger(__name__)

# A batch begins small, to learn how long a window takes here, and then aims at a minute.
FIRST_BATCH = 8
LARGEST_BATCH = 256
BATCH_S = 60.0


def request_prediction(
    *,
    campaign: Campaign | None = None,
    model_version: ModelVersion | None,
    basemap: Basemap | None = None,
    requested_by: Participant | None,
    again: bool = False,
) -> Run:
    """A queued prediction with its windows planned.

    Args:
        campaign: Where the proposals go; the version's own campaign when None.
        model_version: May be of another campaign on the same body.
        basemap: Any elevation model of the body; the campaign's own when None.
        requested_by: Who wanted it.
        again: Return the run that is under way for the same version and basemap instead of refusing.

    Raises:
        InvalidInput: No version, or not an elevation model of the same body that is ready.
        Conflict: The same is being predicted already.
        NoRoom: Too little of the disk is free.
    """
    if model_version is None:
        raise InvalidInput(
            _("No model version is current here; train and promote one, or choose one to predict with."),
            code="no_version",
        )
    campaign = campaign or model_version.campaign
    basemap = basemap or rasters.elevation_of(campaign)
    rasters.check_elevation(basemap, campaign.body)
    if model_version.campaign.body != campaign.body:
        raise InvalidInput(
            _("The version was trained on %(other)s and the campaign maps %(body)s; choose one of %(body)s.")
            % {"other": model_version.campaign.body, "body": campaign.body},
            code="wrong_body",
        )
    candidates.check_settings(candidates.workflow_of(campaign))
    if not again:
        # Where it only follows from something else, the run itself says so.
        room.require_for_prediction()
    planned = api.plan_windows(
        rasters.grid_of(basemap),
        api.read_card(artifact_of(model_version)),
        min_diameter_m=campaign.min_diameter_m or None,
    )
    with transaction.atomic():
        Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        under_way = (
            Run.objects.active()
            .filter(campaign=campaign, model_version=model_version, basemap=basemap, verb=Run.Verb.PREDICT)
            .first()
        )
        if under_way and again:
            return under_way
        if under_way:
            raise Conflict(
                _("Run %(number)d already searches “%(name)s” with this version; wait for it or cancel it.")
                % {"number": under_way.number, "name": basemap.name},
                code="already_predicting",
            )
        run = runs.create(
            campaign=campaign,
            system=model_version.system,
            verb=Run.Verb.PREDICT,
            requested_by=requested_by,
            model_version=model_version,
            basemap=basemap,
        )
        RunWindow.objects.bulk_create(
            RunWindow(run=run, index=window.index, window=window.to_json()) for window in planned
        )
    return run


def execute(run_pk: int, worker: str) -> list[Run]:
    """Claim the run or join those who work on it, and search until no window is left; what to enqueue."""
    run = patiently(runs.claim, run_pk, worker) or _join(run_pk)
    if run is None:
        return []
    with runs.guarded(run):
        return _search(run, worker)
    return []


def close(run: Run) -> bool:
    """Make the catalogue and the proposals once every window is done; whether this call did it.

    One transaction, in which its lock lets one worker in and the compare-and-set at its end commits all or
    nothing. The run's row is locked only by the latter: heartbeats come through meanwhile, and so does a wish
    to cancel, which then undoes the closing.
    """
    stage = _("Making the catalogue")
    with suppress(_Overtaken), beating(lambda: runs.heartbeat(run, stage=stage)), transaction.atomic():
        if not alone_until_commit(f"close run {run.pk}"):
            return False
        run = Run.objects.select_related("campaign", "basemap", "model_version").get(pk=run.pk)
        if run.state != Run.State.RUNNING or run.windows.exclude(state=RunWindow.State.DONE).exists():
            return False
        found = [
            api.Detection.from_json(detection)
            for detections in run.windows.order_by("index").values_list("detections", flat=True)
            for detection in detections
        ]
        merged = api.merge_detections(found, get_body(run.campaign.body).radius_m)
        catalogue = proposals.publish(run, merged)
        runs.log(
            run,
            _("%(n)d detections in %(windows)d windows; %(craters)d reach the threshold.")
            % {"n": len(merged), "windows": run.windows.count(), "craters": catalogue.features.count()},
        )
        if not runs.finish(run, catalogue=catalogue):
            raise _Overtaken
        return True
    return False


class _Overtaken(Exception):
    """The run was cancelled, or given to another attempt, while it was being closed."""


def _join(run_pk: int) -> Run | None:
    """A run that others work on."""
    return Run.objects.select_related("campaign").filter(pk=run_pk, state=Run.State.RUNNING).first()


def _search(run: Run, worker: str) -> list[Run]:
    size, begun = FIRST_BATCH, False
    while claim := patiently(windows.take, run, worker, size):
        if not begun:
            runs.log(run, _("%(worker)s begins to search.") % {"worker": worker})
            begun = True
        started = time.monotonic()
        outcome = _search_batch(run, claim)
        if outcome.end not in ("done", "superseded"):
            return _leave(run, claim, outcome)
        claim.release(blame=outcome.end == "done")
        seconds = (time.monotonic() - started) / len(claim.windows)
        size = max(1, min(LARGEST_BATCH, round(BATCH_S / max(seconds, 1e-3))))
    if not patiently(close, run):
        runs.stopped(run)
    return []


def _search_batch(run: Run, claim: windows.Claim) -> jobs.Outcome:
    """Search what was claimed. A refusal or an error of this machine is an outcome like any other."""

    def beat() -> bool:
        done, total = windows.progress_of(run)
        stage = _("%(done)d of %(total)d windows searched") % {"done": done, "total": total}
        return claim.beat() and runs.heartbeat(run, progress=done / total, stage=stage) is not None

    try:
        room.require_for_prediction()
        return jobs.follow(run, _job(claim), report=False, on_window=claim.write, on_beat=beat)
    except TektiteError as refusal:
        return jobs.Outcome("failed", message=refusal.message)
    except (OperationalError, InterfaceError):
        raise
    except SystemExit:
        claim.release(blame=False)
        raise
    except Exception as error:
        logger.exception("Run %s: the search broke down", run.uid)
        return jobs.Outcome("failed", message=runs.unforeseen(error))


def _leave(run: Run, claim: windows.Claim, outcome: jobs.Outcome) -> list[Run]:
    """This worker's search has ended early: others go on with what it leaves, or the run ends with it."""
    if outcome.end == "cancelled" or not windows.others_at_it(run, [claim.uid]):
        return jobs.conclude(run, outcome)
    claim.release(blame=True)
    runs.log(run, _("%(why)s Others go on with the search.") % {"why": outcome.message})
    return [run] if outcome.end == "lost" else []


def _job(claim: windows.Claim) -> api.PredictJob:
    run = claim.run
    folder: Path = runs.folder_of(run) / f"batch-{claim.windows[0].index}-{uuid4().hex[:8]}"
    return api.PredictJob(
        artifact_dir=str(artifact_of(run.model_version)),
        raster_path=str(rasters.path_of(run.basemap)),
        grid=rasters.grid_of(run.basemap),
        windows=claim.windows,
        out_dir=str(folder),
    )
