"""Made-up terrain with exact craters on a site, and a campaign on it that a network can be trained on."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from annotate.models import Basemap, Campaign, Catalogue, Participant, User
from annotate.services import basemaps, conversions
from annotate.services.campaigns import create_campaign
from annotate.services.features import add_features
from annotate.services.grids import grid_of
from annotate.services.participants import participant_of
from benchmarks.rig.site import Site
from mlcore.simulate.placed import on_body, write_world
from mlcore.simulate.terrain import TerrainParameters, World, make_world
from review.models import Run
from review.services import training
from review.services.labels import REGION

SIZE_PX, MIN_DIAMETER_M = 512, 1600.0
LON, LAT = 10.0, 0.0
# Half the terrain's width, less a rim.
INSIDE_DEG = 0.84


@dataclass(frozen=True)
class Ground:
    """A campaign that everybody may join, its lead, and its craters as an imported catalogue."""

    campaign: Campaign
    lead: User
    truth: Catalogue

    def ask_for_training(self, **settings: object) -> Run:
        """A training on the whole region, not yet enqueued; settings differ from the quick preset."""
        return training.request_training(
            campaign=self.campaign,
            requested_by=participant_of(self.lead),
            overrides=settings,
            label_catalogues=[self.truth],
            searched=REGION,
        )


def lay(site: Site) -> Ground:
    """Make it, in this process; see benchmarks.rig.inside.reach."""
    lead = User.objects.create_user("lead")
    terrain = add_terrain(site, participant_of(lead))
    conversions.convert(terrain.pk)
    terrain.refresh_from_db()
    campaign = create_campaign(
        name="Synthetic region",
        body="moon",
        basemaps=[terrain],
        created_by=participant_of(lead),
        tile_size_px=128,
        overlap=32,
        redundancy=2,
        min_diameter_m=MIN_DIAMETER_M,
        visibility=Campaign.Visibility.PUBLIC,
    )
    return Ground(campaign, lead, _truth(campaign))


def add_terrain(site: Site, added_by: Participant, *, times: int = 1) -> Basemap:
    """An elevation model that waits for its conversion: the same terrain so many times each way."""
    world = _world()
    parameters = replace(world.parameters, size_px=SIZE_PX * times)
    repeated = replace(world, elevation_m=np.tile(world.elevation_m, (times, times)), parameters=parameters)
    path = site.folder / f"terrain-{times}.tif"
    write_world(repeated, path, body="moon", lon=LON, lat=LAT)
    return basemaps.add_basemap(
        name=f"Synthetic terrain, {SIZE_PX * times} px",
        body="moon",
        path=path,
        kind="elevation",
        synthetic=True,
        added_by=added_by,
    )


@cache
def _world() -> World:
    return make_world(TerrainParameters(size_px=SIZE_PX, craters_per_megapixel=260.0), seed=5)


def _truth(campaign: Campaign) -> Catalogue:
    """The craters that the campaign wants, those at the very edge left out."""
    catalogue = Catalogue.objects.create(
        name="Exact truth", body="moon", origin=Catalogue.Origin.IMPORTED, campaign=campaign, synthetic=True
    )
    rows = on_body(_world().craters, grid_of(campaign))
    inside = np.abs(rows[:, :2] - [LON, LAT]).max(axis=1) < INSIDE_DEG
    wanted = rows[inside & (rows[:, 2] >= campaign.min_diameter_m)].tolist()
    add_features(catalogue, [dict(zip(("lon", "lat", "diameter_m"), row, strict=True)) for row in wanted])
    return catalogue
