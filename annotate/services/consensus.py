"""Settling: the marks of a tile's visits become features of the campaign's consensus catalogue.

What the catalogue holds is a function of which tiles are settled and of the marks on them, of
nothing else: not of the order in which people drew or tiles were settled. So settling again
changes nothing, and unsettling brings back what was there before.

Everybody's marks weigh the same: weighting people by how often they agree with the same crowd
makes shared mistakes stronger. Their counts are kept (services/skills.py) for those who train.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

import numpy as np
from django.db import DatabaseError, transaction
from django.db.models import Count, F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Campaign, Catalogue, Feature, Mark, Tile, Visit
from annotate.services import grids, skills
from annotate.services.catalogues import next_version
from annotate.services.features import add_features
from annotate.services.locks import exclusive
from annotate.services.shapes import rim
from mlcore.bodies import get_body
from mlcore.catalogues.matching import match
from mlcore.consensus.circles import CircleMark, SettledCircle, settle

log = logging.getLogger(__name__)

# Namespace of the features' uids: the same marks always make the same feature.
_FEATURES = UUID("6f1b0a2e-58b7-4c0e-9d0c-0d4d3c5e8a11")
# What its author called uncertain counts half.
_UNCERTAIN_WEIGHT = 0.5
CONFIRMED_FROM = 0.5


@dataclass(frozen=True)
class _Seen:
    """What the people of one settled tile found in and around it."""

    tile: Tile
    n_visits: int
    circles: list[SettledCircle]
    # For each circle: whether its centre lies in the tile's own core, and in whose core it lies.
    own: list[bool]
    positions: list[tuple[float, float]]

    def array(self) -> np.ndarray:
        return np.array([(c.lon, c.lat, c.diameter_m) for c in self.circles], dtype=float).reshape(-1, 3)


def lock_campaign(campaign_pk: int) -> None:
    """Settling and unsettling of one campaign happen one after the other."""
    Campaign.objects.select_for_update(no_key=True).get(pk=campaign_pk)


def is_due(tile: Tile) -> bool:
    """Whether the tile has the visits it needs."""
    return tile.visits.submitted().count() >= tile.campaign.redundancy


def settle_due_tiles() -> None:
    """Settle open tiles that have their visits: their task got lost, or fewer are asked for now."""
    submitted = Count("visits", filter=Q(visits__state=Visit.State.SUBMITTED))
    due = (
        Tile.objects.open().annotate(n_submitted=submitted).filter(n_submitted__gte=F("campaign__redundancy"))
    )
    with exclusive("settle due tiles") as is_mine:
        for tile in due if is_mine else ():
            try:
                settle_tile(tile)
            except DatabaseError:
                raise
            except Exception:
                # One tile that cannot be settled must not keep the others from it, minute after minute.
                log.exception("Tile %s cannot be settled.", tile.uid)


@transaction.atomic
def settle_tile(tile: Tile) -> None:
    """Write the tile's features, and those of its settled neighbours where they share a crater."""
    lock_campaign(tile.campaign_id)
    locked = _locked(tile)
    if locked.settled_at is None:
        if not is_due(locked):
            return
        locked.settled_at = timezone.now()
        locked.save(update_fields=["settled_at"])
    _rewrite_around(locked)


@transaction.atomic
def unsettle_tile(tile: Tile) -> None:
    """Take the tile's features away, as if it had never been settled; its marks stay."""
    lock_campaign(tile.campaign_id)
    locked = _locked(tile)
    if locked.settled_at is None:
        return
    locked.settled_at = None
    locked.save(update_fields=["settled_at"])
    consensus_of(locked.campaign).features.filter(tile=locked).delete()
    _rewrite_around(locked)


def consensus_of(campaign: Campaign) -> Catalogue:
    """The campaign's one consensus catalogue, made at first need."""
    known = campaign.catalogues.filter(origin=Catalogue.Origin.CONSENSUS).first()
    if known is not None:
        return known
    name = _("%(campaign)s consensus") % {"campaign": campaign.name[:180]}
    return Catalogue.objects.create(
        name=name,
        version=next_version(campaign.body, name),
        body=campaign.body,
        origin=Catalogue.Origin.CONSENSUS,
        campaign=campaign,
        source=campaign.name,
        synthetic=campaign.synthetic,
        created_by=campaign.created_by,
    )


def _locked(tile: Tile) -> Tile:
    return (
        Tile.objects.select_for_update(no_key=True, of=("self",)).select_related("campaign").get(pk=tile.pk)
    )


def _rewrite_around(tile: Tile) -> None:
    catalogue = consensus_of(tile.campaign)
    seen: dict[int, _Seen] = {}
    changed = [*([tile] if tile.settled_at else []), *_settled_neighbours(tile)]
    for one in changed:
        others = _settled_neighbours(one)
        for each in (one, *others):
            if each.pk not in seen:
                seen[each.pk] = _look(each)
        _write(catalogue, seen[one.pk], _kept(seen[one.pk], [seen[other.pk] for other in others]))
    people = {visit.participant_id for one in (tile, *changed) for visit in one.visits.submitted()}
    skills.recount(catalogue, people)


def _settled_neighbours(tile: Tile) -> list[Tile]:
    """Settled tiles whose windows meet this tile's."""
    around = grids.core_cell(tile).grown(2 * tile.campaign.tile_overlap_px)
    near = grids.tiles_meeting(tile.campaign, around).settled().exclude(pk=tile.pk)
    return list(near.select_related("campaign").order_by("number"))


def _look(tile: Tile) -> _Seen:
    """Cluster the standing marks of the tile's submitted visits."""
    people = list(tile.visits.submitted().values_list("participant_id", flat=True))
    marks = (
        Mark.objects.standing()
        .filter(visit__tile=tile, visit__state=Visit.State.SUBMITTED)
        .select_related("visit")
    )
    circles = settle(
        [
            CircleMark(
                id=str(mark.uid),
                person=str(mark.visit.participant_id),
                lon=mark.lon,
                lat=mark.lat,
                diameter_m=mark.diameter_m,
                weight=_UNCERTAIN_WEIGHT if mark.uncertain else 1.0,
            )
            for mark in marks
        ],
        [str(person) for person in people],
        {},
        get_body(tile.campaign.body).radius_m,
    )
    grid, core = grids.grid_of(tile.campaign), grids.core_cell(tile)
    positions = [grids.pixel_of(grid, circle.lon, circle.lat) for circle in circles]
    return _Seen(tile, len(people), circles, [core.holds(*position) for position in positions], positions)


def _kept(here: _Seen, around: Sequence[_Seen]) -> list[SettledCircle]:
    """The circles that this tile answers for, each crater on a seam being one tile's only.

    People of two tiles see the same rim at slightly different places, so both or neither may find
    its centre in their own core. Both: the tile with the lower number keeps it. Neither: likewise,
    unless a third tile, not settled yet, is the one to say.
    """
    twins: list[list[tuple[_Seen, int]]] = [[] for _ in here.circles]
    radius_m = get_body(here.tile.campaign.body).radius_m
    for other in around:
        first, second = sorted((here, other), key=lambda seen: seen.tile.number)
        for pair in match(first.array(), second.array(), radius_m):
            mine, theirs = (pair.i, pair.j) if first is here else (pair.j, pair.i)
            twins[mine].append((other, theirs))
    cores = [grids.core_cell(seen.tile) for seen in (here, *around)]
    kept = []
    for index, circle in enumerate(here.circles):
        group = [(here, index), *twins[index]]
        claimed = [seen for seen, i in group if seen.own[i]]
        if not claimed and len(group) > 1 and any(core.holds(*here.positions[index]) for core in cores):
            claimed = [seen for seen, _ in group]
        if claimed and min(claimed, key=lambda seen: seen.tile.number) is here:
            kept.append(circle)
    return kept


def _write(catalogue: Catalogue, here: _Seen, circles: Iterable[SettledCircle]) -> None:
    """Make the tile's rows of the catalogue be these, leaving alone those that already are."""
    wanted: Mapping[UUID, SettledCircle] = {_uid_of(circle): circle for circle in circles}
    rows = catalogue.features.filter(tile=here.tile)
    rows.exclude(uid__in=wanted).delete()
    standing = {feature.uid: feature for feature in rows.defer("geom")}
    new = []
    for uid, circle in wanted.items():
        values = _values(circle, here)
        feature = standing.get(uid)
        if feature is None:
            new.append({"uid": uid, "tile": here.tile, **values})
        elif any(getattr(feature, name) != value for name, value in values.items()):
            geom = rim(circle.lon, circle.lat, circle.diameter_m, catalogue.body)
            rows.filter(pk=feature.pk).update(geom=geom, **values)
    _link_marks(add_features(catalogue, new), wanted)


def _values(circle: SettledCircle, here: _Seen) -> dict[str, object]:
    is_sure = circle.existence >= CONFIRMED_FROM
    return {
        "lon": circle.lon,
        "lat": circle.lat,
        "diameter_m": circle.diameter_m,
        "score": circle.existence,
        "status": Feature.Status.CONFIRMED if is_sure else Feature.Status.CANDIDATE,
        "center_sd_m": circle.center_sd_m,
        "diameter_sd_m": circle.diameter_sd_m,
        "n_marks": len(circle.mark_ids),
        "n_visits": here.n_visits,
        "provenance": {"rule": "mlcore.consensus.circles", "people": circle.n_people},
    }


def _uid_of(circle: SettledCircle) -> UUID:
    return uuid5(_FEATURES, ",".join(sorted(circle.mark_ids)))


def _link_marks(features: Sequence[Feature], circles: Mapping[UUID, SettledCircle]) -> None:
    uids = {uid for feature in features for uid in circles[feature.uid].mark_ids}
    pks = dict(Mark.objects.filter(uid__in=uids).values_list("uid", "pk"))
    link = Feature.marks.through
    link.objects.bulk_create(
        link(feature_id=feature.pk, mark_id=pks[UUID(uid)])
        for feature in features
        for uid in circles[feature.uid].mark_ids
    )
