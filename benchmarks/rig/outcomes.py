"""What runs have left on a site, in a form that can be compared with what they should have left."""

import hashlib
from collections import Counter
from datetime import datetime

from mlcore import api
from mlcore.artifact import WEIGHTS_FILE
from mlcore.bodies import get_body
from review.models import ModelVersion, Run, RunEvent
from review.services.proposals import SMALLEST_SHARE
from review.services.versions import artifact_of

# Of a window: index, state, when it was done, what was found.
Row = tuple[int, str, datetime | None, list[dict[str, float]] | None]


def windows_of(run: Run) -> list[Row]:
    """The windows of a prediction in order."""
    return list(run.windows.order_by("index").values_list("index", "state", "done_at", "detections"))


def features_of(run: Run) -> list[tuple[float, ...]]:
    """What its catalogue holds: lon, lat, diameter_m, score of each, in order."""
    features = run.catalogue.features.values_list("lon", "lat", "diameter_m", "score")
    return sorted(features)


def features_due(run: Run) -> list[tuple[float, ...]]:
    """What its catalogue has to hold, merged once more from its windows."""
    found = [api.Detection.from_json(one) for *_, detections in windows_of(run) for one in detections or ()]
    smallest_m, threshold = SMALLEST_SHARE * run.campaign.min_diameter_m, run.model_version.card["threshold"]
    merged = api.merge_detections(found, get_body(run.campaign.body).radius_m)
    wanted = [d for d in merged if d.diameter_m >= smallest_m and d.score >= threshold]
    return sorted((d.lon, d.lat, d.diameter_m, d.score) for d in wanted)


def weights_sha256(version: ModelVersion) -> str:
    """Of the file that a training left."""
    return hashlib.sha256((artifact_of(version) / WEIGHTS_FILE).read_bytes()).hexdigest()


def told_twice(run: Run) -> list[tuple[int, str, int]]:
    """Attempt, name and step of the points that a run's curves have more than once in one attempt."""
    points = RunEvent.objects.filter(run=run, kind=RunEvent.Kind.METRIC)
    told = Counter((point.attempt, point.payload["name"], point.payload["step"]) for point in points)
    return [point for point, times in told.items() if times > 1]
