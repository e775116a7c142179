"""Campaigns: begun on a basemap's grid with its tiles laid, and changed by leads."""

from collections.abc import Sequence

import shapely
from django.contrib.gis.geos import MultiPolygon
from django.db import transaction
from django.utils.translation import gettext as _

from annotate.models import Basemap, Campaign, CampaignBasemap, Participant, Role, Tile
from annotate.services import grids, members
from annotate.services.basemaps import cog_file, grid_from
from annotate.services.names import clean_name, clean_text
from annotate.services.regions import on_basemap
from annotate.services.shapes import stamped
from mlcore import geodesy
from mlcore.bodies import BODY_SPHERE_SRID
from mlcore.errors import InvalidInput
from mlcore.raster.grid import Grid
from mlcore.raster.handles import on_grid
from mlcore.raster.outline import refuse_no_overlap

MIN_TILE_PX = 64
MAX_TILE_PX = 8192
MAX_TILES = 200_000
MAX_REDUNDANCY = 50
LEASE_MINUTES = (5, 7 * 24 * 60)


@transaction.atomic
def create_campaign(
    *,
    name: str,
    body: str,
    basemaps: Sequence[Basemap],
    created_by: Participant,
    region: MultiPolygon | None = None,
    tile_size_px: int = 512,
    overlap: int = 64,
    redundancy: int = 3,
    min_diameter_m: float = 0.0,
    lease_minutes: int = 60,
    visibility: str = Campaign.Visibility.PRIVATE,
    instructions: str = "",
    synthetic: bool | None = None,
) -> Campaign:
    """Begin a campaign on the first basemap's grid; its creator becomes its lead.

    Args:
        name: One line.
        body: Key of mlcore.bodies.BODIES, that of all the basemaps.
        basemaps: Ready ones; the first gives the grid, the derived ones of each come along.
        created_by: Somebody with a sign-in.
        region: Where to map, as far as the first basemap shows it; all of that where None.
        tile_size_px: About the edge of a tile; tiles share what is left over.
        overlap: Pixels by which a tile's window shows into its neighbours.
        redundancy: Visits that a tile needs.
        min_diameter_m: Below it nobody needs to draw.
        lease_minutes: How long a tile is kept for somebody.
        visibility: A value of Campaign.Visibility.
        instructions: Shown beside the map.
        synthetic: Whether the terrain is made up; as the first basemap says where None.

    Raises:
        InvalidInput: Something does not fit; the sentence says what, which limit and the remedy.
    """
    _check_basemaps(basemaps, body)
    _check_tiles(tile_size_px, overlap)
    grid = grid_from(basemaps[0])
    for basemap in basemaps[1:]:
        refuse_no_overlap(
            _shape(basemaps[0].footprint),
            _shape(basemap.footprint),
            name=basemaps[0].name,
            other=basemap.name,
        )
    area = on_basemap(region, basemaps[0]) if region else _shape(basemaps[0].footprint)
    campaign = Campaign(
        name=clean_name(name),
        body=body,
        created_by=created_by,
        synthetic=basemaps[0].synthetic if synthetic is None else synthetic,
        grid=grid.to_json(),
        region=stamped(geodesy.split_at_antimeridian(area)),
        tile_size_px=tile_size_px,
        tile_overlap_px=overlap,
        split_block_deg=grids.choose_split_block_deg(area, body),
    )
    _set(campaign, redundancy, min_diameter_m, lease_minutes, visibility, instructions)
    campaign.save()
    _lay(campaign, grid, None if region is None else area)
    _add_layers(campaign, grid, basemaps)
    if created_by.user is not None:
        members.give_role(campaign=campaign, user=created_by.user, role=Role.LEAD, by=created_by.user)
    return campaign


@transaction.atomic
def create_foil_campaign(
    *,
    name: str,
    created_by: Participant,
    visibility: str = Campaign.Visibility.PRIVATE,
    instructions: str = "",
    synthetic: bool = False,
) -> Campaign:
    """Begin a campaign on pictures of foils: no basemap, no tiles; its creator becomes its lead.

    Args:
        name: One line.
        created_by: Somebody with a sign-in.
        visibility: A value of Campaign.Visibility.
        instructions: Shown beside the pictures.
        synthetic: Whether the pictures are made up.

    Raises:
        InvalidInput: The name or the text does not fit; the sentence says what, which limit and the remedy.
    """
    campaign = Campaign(
        name=clean_name(name),
        body="picture",
        kind=Campaign.Kind.FOIL,
        created_by=created_by,
        synthetic=synthetic,
        region=MultiPolygon(srid=BODY_SPHERE_SRID),
    )
    _set(campaign, campaign.redundancy, 0.0, campaign.lease_minutes, visibility, instructions)
    campaign.save()
    if created_by.user is not None:
        members.give_role(campaign=campaign, user=created_by.user, role=Role.LEAD, by=created_by.user)
    return campaign


@transaction.atomic
def update_campaign(
    *,
    campaign: Campaign,
    name: str,
    instructions: str,
    visibility: str,
    redundancy: int,
    min_diameter_m: float,
    lease_minutes: int,
) -> Campaign:
    """Change what may still change once tiles are laid; fewer visits per tile make some due to settle."""
    campaign.name = clean_name(name)
    _set(campaign, redundancy, min_diameter_m, lease_minutes, visibility, instructions)
    campaign.save()
    return campaign


def _set(
    campaign: Campaign,
    redundancy: int,
    min_diameter_m: float,
    lease_minutes: int,
    visibility: str,
    instructions: str,
) -> None:
    _check_range(_("The number of people per tile"), redundancy, 1, MAX_REDUNDANCY)
    _check_range(_("The minutes per tile"), lease_minutes, *LEASE_MINUTES)
    if not 0.0 <= min_diameter_m < float("inf"):
        raise InvalidInput(
            _("The smallest diameter, %(value)s m, must be 0 or more.") % {"value": min_diameter_m},
            code="bad_min_diameter",
        )
    if visibility not in Campaign.Visibility.values:
        raise InvalidInput(_("A campaign is either public or private."), code="bad_visibility")
    campaign.redundancy = redundancy
    campaign.lease_minutes = lease_minutes
    campaign.min_diameter_m = min_diameter_m
    campaign.visibility = visibility
    campaign.instructions = clean_text(instructions)


def _check_range(what: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidInput(
            _("%(what)s is %(value)s; it must be from %(low)d to %(high)d.")
            % {"what": what, "value": value, "low": low, "high": high},
            code="out_of_range",
        )


def _check_tiles(tile_size_px: int, overlap: int) -> None:
    _check_range(_("The tile size in pixels"), tile_size_px, MIN_TILE_PX, MAX_TILE_PX)
    _check_range(_("The overlap in pixels"), overlap, 0, tile_size_px // 2)


def _check_basemaps(basemaps: Sequence[Basemap], body: str) -> None:
    if not basemaps:
        raise InvalidInput(_("A campaign needs at least one basemap; add one first."), code="no_basemap")
    for basemap in basemaps:
        if basemap.state != Basemap.State.READY:
            raise InvalidInput(
                _("“%(name)s” is not ready (%(state)s). Wait for its conversion, or choose another basemap.")
                % {"name": basemap.name, "state": basemap.get_state_display()},
                code="basemap_not_ready",
            )
        if basemap.body != body:
            raise InvalidInput(
                _("“%(name)s” shows %(other)s, the campaign maps %(body)s. Choose basemaps of one body.")
                % {"name": basemap.name, "other": basemap.body, "body": body},
                code="wrong_body",
            )


def plan_tiles(*, basemap: Basemap, tile_size_px: int, region: MultiPolygon | None) -> list[grids.Cell]:
    """The tiles that a campaign on the basemap would have.

    Raises:
        InvalidInput: Too many, or the region does not meet the basemap.
    """
    return _cells(grid_from(basemap), tile_size_px, region and on_basemap(region, basemap))


def _cells(grid: Grid, tile_size_px: int, region: shapely.MultiPolygon | None) -> list[grids.Cell]:
    n_cells = (grid.width_px // tile_size_px) * (grid.height_px // tile_size_px)
    if n_cells > MAX_TILES:
        raise InvalidInput(
            _("%(n)d tiles of %(size)d px would be laid; at most %(limit)d are. Take larger ones.")
            % {"size": tile_size_px, "n": n_cells, "limit": MAX_TILES},
            code="too_many_tiles",
        )
    cells = grids.lay_tiles(grid, tile_size_px, region)
    if not cells:
        raise InvalidInput(
            _("The region does not meet the basemap; draw it where the basemap is."), code="no_overlap"
        )
    return cells


def _lay(campaign: Campaign, grid: Grid, region: shapely.MultiPolygon | None) -> None:
    cells = _cells(grid, campaign.tile_size_px, region)
    Tile.objects.bulk_create(
        (
            Tile(
                campaign=campaign,
                number=number,
                x_px=cell.x_px,
                y_px=cell.y_px,
                width_px=cell.width_px,
                height_px=cell.height_px,
                outline=stamped(grids.outline(grid, cell)),
            )
            for number, cell in enumerate(cells, start=1)
        ),
        batch_size=1000,
    )


# The order of the `l` key: what is looked at most comes first.
_LAYER_ORDER = [
    kind.value
    for kind in (
        Basemap.Kind.IMAGE,
        Basemap.Kind.HILLSHADE,
        Basemap.Kind.ELEVATION,
        Basemap.Kind.SLOPE,
        Basemap.Kind.CURVATURE,
    )
]


def _shape(geometry: MultiPolygon) -> shapely.MultiPolygon:
    return shapely.from_wkb(bytes(geometry.wkb))


def _add_layers(campaign: Campaign, grid: Grid, basemaps: Sequence[Basemap]) -> None:
    layers: list[Basemap] = []
    for basemap in basemaps:
        family = [basemap, *basemap.derived.ready()]
        layers += sorted(family, key=lambda one: (_LAYER_ORDER.index(one.kind), one.pk))
    CampaignBasemap.objects.bulk_create(
        CampaignBasemap(
            campaign=campaign,
            basemap=basemap,
            position=position,
            resampled=not on_grid(cog_file(basemap), grid),
        )
        for position, basemap in enumerate(dict.fromkeys(layers))
    )
