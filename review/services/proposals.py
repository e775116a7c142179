"""Proposals: a prediction's detections become a catalogue, and what is new in it becomes subjects.

Detections that match a crater which is settled, imported or reviewed are linked to it; those that match a
proposal rejected before stay rejected. The rest is asked about, the most instructive first, with a share of
random ones mixed in, some from slightly below the threshold: they keep the metrics honest, for what is asked
because the model is unsure says little of how good the model is.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np
from django.contrib.gis.geos import Point
from django.db.models import Q, QuerySet
from django.utils import timezone
from numpy.typing import NDArray

from annotate.models import Catalogue, Feature
from annotate.services.catalogues import next_version
from annotate.services.features import add_features
from mlcore import api
from mlcore.active.diversity import features_of, order
from mlcore.active.uncertainty import instructiveness
from mlcore.bodies import BODY_SPHERE_SRID, get_body
from mlcore.catalogues.matching import match
from review.models import Run, Subject, Verdict, Workflow
from review.services.known import known_craters
from review.services.policies import candidates

T = TypeVar("T")

# Of the random ones, as many as possible of this share come from below the threshold, but not far below.
BELOW_SHARE, SLIGHTLY_BELOW = 1 / 3, 0.6
# Labels of the smallest craters scatter; what is clearly smaller than wanted is not proposed.
SMALLEST_SHARE = 0.9
SAME_CIRCLE_IOU = 0.5
# Two places this share of the basemap's width apart are as unlike as a crater and one of twice its size.
REACH_SHARE = 0.1
DOUBTFUL, NEAR_THRESHOLD = 0.5, 0.15
WHY_RANDOM = "a random one"
WHY_WEAK = "a random one, slightly below the threshold"


@dataclass(frozen=True)
class _Asked:
    """A feature to ask about, in which stratum and why."""

    feature: Feature
    stratum: str
    why: str


def publish(run: Run, detections: Sequence[api.Detection]) -> Catalogue:
    """Make a prediction's catalogue, show it as the campaign's proposals, and ask about what is new.

    The caller holds the run's row lock.
    """
    threshold = float(run.model_version.card["threshold"])
    smallest_m = SMALLEST_SHARE * run.campaign.min_diameter_m
    wanted = [detection for detection in detections if detection.diameter_m >= smallest_m]
    shown = [detection for detection in wanted if detection.score >= threshold]
    below = [d for d in wanted if SLIGHTLY_BELOW * threshold <= d.score < threshold]
    catalogue = _catalogue(run)
    features = add_features(catalogue, [_row(run, detection) for detection in shown])
    is_own = run.campaign.layers.filter(basemap=run.basemap).exists()
    if is_own:
        run.campaign.proposals = catalogue
        run.campaign.save(update_fields=["proposals"])
    workflow = candidates.workflow_of(run.campaign)
    _supersede(workflow, run)
    _ask(run, workflow, features, below)
    return catalogue


def _ask(run: Run, workflow: Workflow, features: list[Feature], below: Sequence[api.Detection]) -> None:
    random = np.random.default_rng(run.uid.int)
    share, wanted = candidates.random_share_of(workflow), candidates.wanted_of(workflow)
    new = _unknown(run, features)
    n_random = int(np.ceil(share * len(new))) if new else int(bool(below) and share > 0)
    weak = _weak(run, below, int(np.ceil(BELOW_SHARE * n_random)), random)
    drawn = set(random.permutation(len(new))[: max(0, n_random - len(weak))].tolist())
    rest = [feature for index, feature in enumerate(new) if index not in drawn]
    randoms = [_Asked(new[index], Subject.Stratum.RANDOM, WHY_RANDOM) for index in sorted(drawn)]
    randoms += [_Asked(feature, Subject.Stratum.RANDOM, WHY_WEAK) for feature in weak]
    queue = interleave(_instructive(run, rest), [randoms[i] for i in random.permutation(len(randoms))])
    Subject.objects.bulk_create(
        (
            Subject(
                workflow=workflow,
                feature=asked.feature,
                stratum=asked.stratum,
                why=asked.why,
                priority=1.0 - place / len(queue),
                wanted=wanted,
            )
            for place, asked in enumerate(queue)
        ),
        batch_size=1000,
    )


def interleave(first: Sequence[T], mixed_in: Sequence[T]) -> list[T]:
    """Both in their order, the second spread evenly over the whole."""
    places = [((index + 0.5) / len(first), 1, index) for index in range(len(first))]
    places += [((index + 0.5) / len(mixed_in), 0, index) for index in range(len(mixed_in))]
    return [first[index] if which else mixed_in[index] for _, which, index in sorted(places)]


def _instructive(run: Run, features: Sequence[Feature]) -> list[_Asked]:
    """The most instructive first: what the model is unsure of, each unlike those before it."""
    if not features:
        return []
    threshold = float(run.model_version.card["threshold"])
    score = np.array([feature.score for feature in features], float)
    doubt = np.array([feature.uncertainty for feature in features], float)
    rows = _rows(features)
    reach_m = run.basemap.width_px * run.basemap.resolution_m_per_px * REACH_SHARE
    alike = features_of(*rows.T, get_body(run.campaign.body).radius_m, reach_m)
    places = order(instructiveness(score, doubt, threshold), alike)
    return [
        _Asked(features[i], Subject.Stratum.INSTRUCTIVE, _why(score[i], doubt[i], threshold)) for i in places
    ]


def _why(score: float, doubt: float, threshold: float) -> str:
    if doubt >= DOUBTFUL:
        return "the model is of two minds"
    return "close to the threshold" if score - threshold < NEAR_THRESHOLD else "unlike those before it"


def _unknown(run: Run, features: Sequence[Feature]) -> list[Feature]:
    """Link what is known or was rejected before; the features that nobody has decided on."""
    campaign = run.campaign
    here = Q(geom__bboverlaps=run.basemap.footprint)
    known = known_craters(campaign).filter(here).defer("geom")
    rejected = Feature.objects.filter(
        here, subjects__workflow__campaign=campaign, subjects__verdict__answer=Verdict.Answer.REJECTED
    ).defer("geom")
    left = _link(features, known, campaign.body)
    # A rejected circle says nothing of one that is clearly larger or smaller at the same place.
    left = _link(left, rejected, campaign.body, status=Feature.Status.REJECTED, min_iou=SAME_CIRCLE_IOU)
    if not run.campaign.layers.filter(basemap=run.basemap).exists():
        return left
    region = campaign.region.prepared
    return [f for f in left if region.contains(Point(f.lon, f.lat, srid=BODY_SPHERE_SRID))]


def _link(
    features: Sequence[Feature],
    known: QuerySet[Feature],
    body: str,
    *,
    status: str | None = None,
    min_iou: float = 0.1,
) -> list[Feature]:
    """Set same_as where a known crater matches; those without a match."""
    others = list(known.order_by("pk"))
    pairs = match(_rows(features), _rows(others), get_body(body).radius_m, min_iou=min_iou)
    for pair in pairs:
        features[pair.i].same_as = others[pair.j]
        features[pair.i].status = status or features[pair.i].status
    linked = {pair.i for pair in pairs}
    Feature.objects.bulk_update([features[i] for i in sorted(linked)], ["same_as", "status"], batch_size=1000)
    return [feature for index, feature in enumerate(features) if index not in linked]


def _weak(
    run: Run, below: Sequence[api.Detection], wanted: int, random: np.random.Generator
) -> list[Feature]:
    """A few detections from slightly below the threshold, in a catalogue of their own, not proposed."""
    picked = [below[i] for i in sorted(random.permutation(len(below))[:wanted].tolist())]
    if not picked:
        return []
    catalogue = _catalogue(run, suffix=" (below the threshold)")
    return _unknown(run, add_features(catalogue, [_row(run, detection) for detection in picked]))


def _supersede(workflow: Workflow, run: Run) -> None:
    """Take what an older prediction over the same ground still asks out of the queue; answers stay."""
    Subject.objects.filter(
        workflow=workflow, retired_at__isnull=True, feature__provenance__basemap=str(run.basemap.uid)
    ).update(retired_at=timezone.now(), retired_because=candidates.SUPERSEDED)


def _catalogue(run: Run, suffix: str = "") -> Catalogue:
    version = run.model_version
    who = f"{version.system.replace('_', ' ')} v{version.number}"
    name = f"{run.campaign.name[:80]}: {who} on {run.basemap.name[:70]}{suffix}"
    return Catalogue.objects.create(
        name=name,
        version=next_version(run.campaign.body, name),
        body=run.campaign.body,
        origin=Catalogue.Origin.PREDICTED,
        campaign=run.campaign,
        source=f"{who}, run {run.number}",
        synthetic=run.basemap.synthetic,
        created_by=run.requested_by,
    )


def _row(run: Run, detection: api.Detection) -> dict[str, object]:
    return {
        **asdict(detection),
        "provenance": {
            "run": str(run.uid),
            "model_version": str(run.model_version.uid),
            "system": run.system,
            "number": run.model_version.number,
            "basemap": str(run.basemap.uid),
        },
    }


def _rows(features: Sequence[Feature]) -> NDArray[np.float64]:
    return np.array([(f.lon, f.lat, f.diameter_m) for f in features], dtype=float).reshape(-1, 3)
