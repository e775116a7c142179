"""Prediction: windows of an elevation model searched by any number of workers, closed by whoever ends last.

Workers claim batches of `run_window` rows by SKIP LOCKED and search each batch in one subprocess. A window's
row is written as soon as it is searched, so that a lost worker costs at most what was open of its batch.
"""

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Basemap, Campaign, Participant
from mlcore import api
from mlcore.bodies import get_body
from mlcore.errors import Conflict, InvalidInput
from review.models import ModelVersion, Run, RunWindow
from review.services import jobs, proposals, rasters, runs
from review.services.versions import artifact_of

# A batch begins small, to learn how long a window takes here, and then aims at a minute.
FIRST_BATCH = 8
LARGEST_BATCH = 256
BATCH_S = 60.0
# A claimed window whose worker has been silent for so long is free again.
CLAIM_STALE_AFTER = timedelta(seconds=60)


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
    windows = api.plan_windows(
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
            RunWindow(run=run, index=window.index, window=window.to_json()) for window in windows
        )
    return run


def execute(run_pk: int, worker: str) -> list[Run]:
    """Claim the run or join those who work on it, and search until no window is left; what to enqueue."""
    run = runs.claim(run_pk, worker) or _join(run_pk)
    if run is None:
        return []
    with runs.guarded(run):
        runs.log(run, _("%(worker)s begins to search.") % {"worker": worker})
        return _search(run, worker)
    return []


def close(run: Run) -> bool:
    """Make the catalogue and the proposals once every window is done; whether this call did it."""
    with transaction.atomic():
        rows = Run.objects.select_for_update(of=("self",))
        run = rows.select_related("campaign", "basemap", "model_version").get(pk=run.pk)
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
        return runs.finish(run, catalogue=catalogue)


@dataclass
class _Batch:
    """Windows claimed by one worker; `token` says by which claim."""

    run: Run
    token: str
    windows: list[api.Window]

    def write(self, index: int, detections: list[dict[str, float]]) -> None:
        """Keep a window's detections, unless the claim was given up for lost."""
        self._claimed().filter(index=index).update(
            state=RunWindow.State.DONE, detections=detections, done_at=timezone.now()
        )

    def beat(self) -> None:
        """Keep the claim on what is still open."""
        self._claimed().update(claimed_at=timezone.now())
        total = self.run.windows.count()
        done = self.run.windows.filter(state=RunWindow.State.DONE).count()
        runs.heartbeat(
            self.run,
            progress=done / total,
            stage=_("%(done)d of %(total)d windows searched") % {"done": done, "total": total},
        )

    def _claimed(self) -> QuerySet[RunWindow]:
        return RunWindow.objects.filter(run=self.run, state=RunWindow.State.CLAIMED, claimed_by=self.token)


def _join(run_pk: int) -> Run | None:
    """A run that others work on and that has windows left."""
    return Run.objects.select_related("campaign").filter(pk=run_pk, state=Run.State.RUNNING).first()


def _search(run: Run, worker: str) -> list[Run]:
    size = FIRST_BATCH
    while batch := _claim(run, worker, size):
        started = time.monotonic()
        outcome = jobs.follow(run, _job(batch), report=False, on_window=batch.write, on_beat=batch.beat)
        if outcome.end != "done":
            return jobs.conclude(run, outcome)
        seconds = (time.monotonic() - started) / len(batch.windows)
        size = max(1, min(LARGEST_BATCH, round(BATCH_S / max(seconds, 1e-3))))
    close(run)
    return []


def _claim(run: Run, worker: str, size: int) -> _Batch | None:
    now = timezone.now()
    token = f"{worker[:160]} {uuid4()}"
    with transaction.atomic():
        open_windows = RunWindow.objects.filter(run=run).filter(
            Q(state=RunWindow.State.PENDING)
            | Q(state=RunWindow.State.CLAIMED, claimed_at__lte=now - CLAIM_STALE_AFTER)
        )
        claimed = list(
            open_windows.select_for_update(skip_locked=True, of=("self",)).order_by("index")[:size]
        )
        RunWindow.objects.filter(pk__in=[window.pk for window in claimed]).update(
            state=RunWindow.State.CLAIMED, claimed_by=token, claimed_at=now
        )
    if not claimed:
        return None
    return _Batch(run, token, [api.Window.from_json(window.window) for window in claimed])


def _job(batch: _Batch) -> api.PredictJob:
    run = batch.run
    folder: Path = runs.folder_of(run) / f"batch-{batch.windows[0].index}-{uuid4().hex[:8]}"
    return api.PredictJob(
        artifact_dir=str(artifact_of(run.model_version)),
        raster_path=str(rasters.path_of(run.basemap)),
        grid=rasters.grid_of(run.basemap),
        windows=batch.windows,
        out_dir=str(folder),
    )
