"""The demonstration: a synthetic lunar region with a campaign, another on simulated pictures of foils, and
volunteers who are simulated.

Each step looks for what it would make and goes on from there, so loading twice, or after an
interruption, ends with the same.
"""

import secrets
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid5

from django.db import transaction
from django.utils.translation import gettext as _

from annotate.models import Basemap, Campaign, Participant, Role, User, Visit
from annotate.services import (
    basemaps,
    campaigns,
    catalogues,
    consensus,
    conversions,
    grids,
    leases,
    marks,
    members,
)
from annotate.services.participants import participant_of
from mlcore.raster.grid import Grid
from mlcore.simulate.crowd import Volunteer, draw
from mlcore.simulate.placed import on_body, write_world
from mlcore.simulate.terrain import Circle, TerrainParameters, World, make_world
from review.services.foils import demonstration as foil_demonstration

SEED = 20
WORLD = TerrainParameters(size_px=1536)
LON, LAT = -42.0, 2.0
TILE_PX = 256
MIN_DIAMETER_M = 1500.0
# Submitted visits of the three simulated volunteers: what all three have searched is settled, and a
# newcomer's visit to one of the next tiles settles it.
VISITS = (24, 24, 20)

# Name → (roles in the campaign, what the account is for).
CAST: dict[str, tuple[tuple[Role, ...], str]] = {
    "lead": ((Role.LEAD,), "trains, promotes, exports"),
    "annotator1": ((Role.ANNOTATOR,), "draws craters"),
    "annotator2": ((Role.ANNOTATOR,), "draws craters"),
    "annotator3": ((Role.ANNOTATOR,), "draws craters"),
    "reviewer": ((Role.REVIEWER,), "judges what a model proposes"),
    "reader": ((Role.READER,), "reads and downloads"),
    "staff": ((), "sees all, and /admin/"),
}
_MARKS = UUID("0e7c1f0a-6d0e-4a53-9d9b-0b6a5f6f2c11")


@dataclass(frozen=True)
class Demonstration:
    """What was loaded: the campaigns, their lead, and the passwords of the accounts made just now."""

    campaign: Campaign
    foils: Campaign
    lead: Participant
    passwords: dict[str, str]


def load() -> Demonstration:
    """Load what is missing of the demonstration."""
    passwords = _make_cast()
    lead = participant_of(User.objects.get(username="lead"))
    # First, so that the map is the newer campaign, with which people's home begins.
    foils = foil_demonstration.load(lead)
    foil_demonstration.confirm(foils, participant_of(User.objects.get(username="reviewer")))
    _give_roles(foils)
    basemap = _basemap(lead)
    campaign = _campaign(basemap, lead)
    _publish_truth(campaign, lead)
    for number in range(len(VISITS)):
        _search(campaign, number)
    return Demonstration(campaign, foils, lead, passwords)


def _make_cast() -> dict[str, str]:
    passwords = {}
    for name in CAST:
        if User.objects.filter(username=name).exists():
            continue
        passwords[name] = secrets.token_urlsafe(9)
        is_staff = name == "staff"
        User.objects.create_user(name, password=passwords[name], is_staff=is_staff, is_superuser=is_staff)
    return passwords


@lru_cache(maxsize=1)
def _world() -> World:
    return make_world(WORLD, SEED)


def _basemap(lead: Participant) -> Basemap:
    name = _("Synthetic lunar region")
    basemap = Basemap.objects.originals().filter(name=name, synthetic=True, added_by=lead).first()
    if basemap is None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "synthetic.tif"
            write_world(_world(), path, body="moon", lon=LON, lat=LAT)
            basemap = basemaps.add_basemap(
                name=name, body="moon", path=path, kind="elevation", added_by=lead, synthetic=True
            )
    conversions.convert(basemap.pk)
    basemap.refresh_from_db()
    return basemap


def _campaign(basemap: Basemap, lead: Participant) -> Campaign:
    campaign = Campaign.objects.filter(synthetic=True, layers__basemap=basemap, created_by=lead).first()
    if campaign is None:
        campaign = campaigns.create_campaign(
            name=_("Demonstration: craters of a synthetic region"),
            body="moon",
            basemaps=[basemap],
            created_by=lead,
            tile_size_px=TILE_PX,
            overlap=32,
            min_diameter_m=MIN_DIAMETER_M,
            visibility=Campaign.Visibility.PUBLIC,
            instructions=_(
                "Draw the rim of every crater of 1.5 km or more with its centre in your tile. The terrain is "
                "made up: some hollows, mounds and rings of hills are no craters."
            ),
        )
    _give_roles(campaign)
    return campaign


def _give_roles(campaign: Campaign) -> None:
    lead = User.objects.get(username="lead")
    for name, (roles, _what) in CAST.items():
        for role in roles:
            members.give_role(campaign=campaign, user=User.objects.get(username=name), role=role, by=lead)


def _publish_truth(campaign: Campaign, lead: Participant) -> None:
    name = _("Truth of the synthetic region")
    if campaign.catalogues.filter(name=name).exists():
        return
    grid = grids.grid_of(campaign)
    craters = [c for c in _world().craters if _is_inside(c, grid) and _is_wanted(c, grid)]
    rows = "".join(f"{lon:.6f},{lat:.6f},{m / 1000:.4f}\n" for lon, lat, m in on_body(craters, grid))
    catalogues.import_craters(
        stream=BytesIO(f"lon,lat,diam_km\n{rows}".encode()),
        name=name,
        body="moon",
        campaign=campaign,
        created_by=lead,
    )


def _is_inside(circle: Circle, grid: Grid) -> bool:
    return 0 <= circle.x_px < grid.width_px and 0 <= circle.y_px < grid.height_px


def _is_wanted(circle: Circle, grid: Grid) -> bool:
    return circle.diameter_px * grid.resolution_m_per_px >= MIN_DIAMETER_M


def _search(campaign: Campaign, number: int) -> None:
    """Let the simulated volunteer of this number search their tiles."""
    volunteer, _made = Participant.objects.get_or_create(pseudonym=_("simulated volunteer %d") % (number + 1))
    mine = volunteer.visits.filter(tile__campaign=campaign)
    while mine.submitted().count() < VISITS[number]:
        visit = leases.hand_out(campaign=campaign, participant=volunteer)
        if visit is None:
            return
        with transaction.atomic():
            _draw(visit, number)
            leases.submit(visit, empty=False)
        if consensus.is_due(visit.tile):
            consensus.settle_tile(visit.tile)


def _draw(visit: Visit, number: int) -> None:
    campaign, tile = visit.tile.campaign, visit.tile
    grid, core, world = grids.grid_of(campaign), grids.core_cell(tile), _world()
    drawn = draw(
        Volunteer(hit_rate=0.97 - 0.02 * number, false_rate=0.05 + 0.05 * number),
        [circle for circle in world.craters if core.holds(circle.x_px, circle.y_px)],
        [circle for circle in world.lookalikes if core.holds(circle.x_px, circle.y_px)],
        min_diameter_px=MIN_DIAMETER_M / grid.resolution_m_per_px,
        seed=[SEED, number, tile.number],
    )
    for index, (lon, lat, diameter_m) in enumerate(on_body(drawn, grid)):
        marks.draw(
            visit=visit,
            uid=uuid5(_MARKS, f"{visit.uid} {index}"),
            lon=float(lon),
            lat=float(lat),
            diameter_m=float(diameter_m),
        )
