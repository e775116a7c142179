"""How far campaigns are, and what one participant has done in them. Reads only."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from annotate.models import Campaign, Catalogue, Feature, Mark, Participant, Tile, Visit
from annotate.services import leases


def with_progress(campaigns: QuerySet[Campaign]) -> QuerySet[Campaign]:
    """Each campaign with `n_tiles` and `n_settled`."""

    def count(tiles: QuerySet[Tile]) -> Coalesce:
        per_campaign = tiles.filter(campaign=OuterRef("pk")).order_by().values("campaign")
        return Coalesce(Subquery(per_campaign.annotate(n=Count("pk")).values("n")), 0)

    return campaigns.annotate(
        n_tiles=count(Tile.objects.all()),
        n_settled=count(Tile.objects.settled()),
    )


class TileState(NamedTuple):
    """Where a tile lies on the grid and how far it is: settled, mine, begun or open; or only planned."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int
    state: str


def tile_states(campaign: Campaign, participant: Participant | None) -> list[TileState]:
    """Every tile of the campaign; `mine` are unsettled ones that the participant has searched."""
    submitted = Visit.objects.submitted().filter(tile=OuterRef("pk"))
    tiles = campaign.tiles.annotate(
        begun=Exists(submitted), mine=Exists(submitted.filter(participant=participant))
    ).values_list("x_px", "y_px", "width_px", "height_px", "settled_at", "mine", "begun")
    return [TileState(*cell, _state(settled_at, mine, begun)) for *cell, settled_at, mine, begun in tiles]


def _state(settled_at: datetime | None, mine: bool, begun: bool) -> str:
    if settled_at:
        return "settled"
    return "mine" if mine else "begun" if begun else "open"


@dataclass(frozen=True)
class Work:
    """One participant's standing in one campaign."""

    submitted: int
    # The number of the tile in hand, under a lease that may have run out.
    tile_in_hand: int | None
    # Tiles that could still be handed out to this participant now.
    tiles_left: int


def work_in(campaign: Campaign, participant: Participant) -> Work:
    """What the participant has done in the campaign and what is left to do."""
    mine = Visit.objects.filter(tile__campaign=campaign, participant=participant)
    in_hand = mine.filter(state=Visit.State.LEASED, tile__settled_at=None).order_by("leased_at").first()
    return Work(
        submitted=mine.submitted().count(),
        tile_in_hand=in_hand.tile.number if in_hand else None,
        tiles_left=leases.open_to(campaign, participant).count(),
    )


@dataclass(frozen=True)
class Record:
    """What became of a participant's marks in one campaign."""

    campaign: Campaign
    visits: int
    marks: int
    confirmed: int
    alone: int
    waiting: int


def records_of(participant: Participant) -> list[Record]:
    """One record for each campaign in which the participant has submitted a tile, latest first."""
    visits = (
        Visit.objects.submitted()
        .filter(participant=participant)
        .values("tile__campaign")
        .annotate(n=Count("pk"))
        .order_by()
    )
    visits_in = {row["tile__campaign"]: row["n"] for row in visits}
    confirmed = Feature.objects.filter(
        marks=OuterRef("pk"),
        catalogue__origin=Catalogue.Origin.CONSENSUS,
        status=Feature.Status.CONFIRMED,
    )
    marks = (
        Mark.objects.standing()
        .filter(visit__participant=participant, visit__state=Visit.State.SUBMITTED)
        .annotate(confirmed=Exists(confirmed), campaign=F("visit__tile__campaign"))
        .values("campaign")
        .annotate(
            n=Count("pk"),
            n_waiting=Count("pk", filter=Q(visit__tile__settled_at=None)),
            n_confirmed=Count("pk", filter=Q(confirmed=True, visit__tile__settled_at__isnull=False)),
        )
        .order_by()
    )
    marks_in = {row["campaign"]: row for row in marks}
    none = {"n": 0, "n_waiting": 0, "n_confirmed": 0}
    records = []
    for campaign in Campaign.objects.filter(pk__in=visits_in).order_by("-created_at"):
        row = marks_in.get(campaign.pk, none)
        records.append(
            Record(
                campaign=campaign,
                visits=visits_in[campaign.pk],
                marks=row["n"],
                confirmed=row["n_confirmed"],
                waiting=row["n_waiting"],
                alone=row["n"] - row["n_confirmed"] - row["n_waiting"],
            )
        )
    return records
