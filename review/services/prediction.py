"""Prediction: an elevation model searched for craters in windows; what is found becomes proposals.

The going through windows is services/searching.py.
"""

from pathlib import Path
from uuid import uuid4

from django.db import transaction
from django.utils.translation import gettext as _

from annotate.models import Basemap, Campaign, Participant
from mlcore import api
from mlcore.bodies import get_body
from mlcore.errors import Conflict, InvalidInput
from review.models import ModelVersion, Run, RunWindow
from review.services import proposals, rasters, room, runs, windows
from review.services.policies import candidates
from review.services.search import Found, Search
from review.services.versions import artifact_of


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


def _job(claim: windows.Claim) -> api.PredictJob:
    run = claim.run
    folder: Path = runs.folder_of(run) / f"batch-{claim.windows[0].index}-{uuid4().hex[:8]}"
    return api.PredictJob(
        artifact_dir=str(artifact_of(run.model_version)),
        raster_path=str(rasters.path_of(run.basemap)),
        grid=rasters.grid_of(run.basemap),
        windows=[api.Window.from_json(window.window) for window in claim.windows],
        out_dir=str(folder),
    )


def _checked(window: RunWindow, found: Found) -> Found:
    """Detections lie where they lie: merging and publishing take them as they come."""
    return found


def _progress(run: Run) -> tuple[float, str]:
    done, total = windows.progress_of(run)
    return done / total, _("%(done)d of %(total)d windows searched") % {"done": done, "total": total}


def _publish(run: Run) -> dict[str, object]:
    """The catalogue and the proposals of all that was found."""
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
    return {"catalogue": catalogue}


SEARCH = Search(
    job=_job,
    checked=_checked,
    progress=_progress,
    closing=lambda: _("Making the catalogue"),
    publish=_publish,
)
