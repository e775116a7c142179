"""Work at the seam of a map of a whole body: its west edge is its east edge, for people and marks."""

import pytest

from annotate.models import Campaign, Feature, Tile, User
from annotate.services import consensus, features, grids
from annotate.services.features import in_view
from mlcore.errors import InvalidInput
from mlcore.raster.grid import Grid
from tests.annotate.builders import PIXEL_M, draw, make_campaign, make_people, search, take
from tests.data.grid_cases import grid_of
from tests.data.planes import PLANES

pytestmark = pytest.mark.django_db
ROUND = ["degrees −180…180", "degrees 0…360", "equirectangular metres"]


def whole_body(name: str) -> Grid:
    return grid_of(PLANES[name])


@pytest.fixture(params=ROUND)
def campaign(request: pytest.FixtureRequest, lead: User) -> Campaign:
    """Four tiles round the body, two from pole to pole."""
    return make_campaign(lead=lead, grid=whole_body(request.param), tile_px=360, redundancy=1, overlap_px=24)


def corner_tiles(campaign: Campaign) -> tuple[Tile, Tile]:
    """The first of the upper row, at the west edge, and the last of it, at the east edge."""
    row = campaign.tiles.filter(y_px=0).order_by("x_px")
    return row.first(), row.last()


def test_tiles_at_the_two_edges_are_neighbours(campaign: Campaign) -> None:
    west, east = corner_tiles(campaign)
    around = grids.core_cell(west).grown(campaign.tile_overlap_px)
    assert east in grids.tiles_meeting(campaign, around)
    assert west in grids.tiles_meeting(campaign, grids.core_cell(east).grown(campaign.tile_overlap_px))
    assert grids.tiles_meeting(campaign, around).count() == 6


def test_a_crater_on_the_seam_is_one_crater(campaign: Campaign) -> None:
    west, east = corner_tiles(campaign)
    people = make_people(campaign, 2)
    # Each sees it a little on the own side, at the same height.
    search(west, people[0], [(1.5, 200.0, 900.0)])
    search(east, people[1], [(1440 - 1.5, 200.0, 900.0)])
    for tile in (west, east):
        consensus.settle_tile(tile)
    found = Feature.objects.get(catalogue__campaign=campaign)
    assert found.tile == west and found.diameter_m == pytest.approx(900.0 * PIXEL_M)
    consensus.unsettle_tile(west)
    assert Feature.objects.get(catalogue__campaign=campaign).tile == east


def test_a_mark_beyond_the_edge_is_taken_and_belongs_to_the_other_side(campaign: Campaign) -> None:
    west, east = corner_tiles(campaign)
    east_pk = east.pk
    (person,) = make_people(campaign, 1)
    mark = draw(take(west, person), -10.0, 150.0, 900.0)
    x_px, _ = grids.pixel_of(grids.grid_of(campaign), mark.lon, mark.lat)
    assert x_px == pytest.approx(1430.0)
    # Also where only the tile at one edge is part of the region.
    campaign.tiles.filter(pk=east_pk).delete()
    draw(take(west, person), -12.0, 150.0, 900.0)
    with pytest.raises(InvalidInput, match="outside the region"):
        draw(take(west, person), -60.0, 150.0, 900.0)


def test_a_rim_across_the_seam_is_found_from_both_sides(campaign: Campaign) -> None:
    grid = grids.grid_of(campaign)
    lon, lat = (float(value) for value in grid.lonlat(0.5, 300.0))
    (person,) = make_people(campaign, 1)
    west, _ = corner_tiles(campaign)
    draw(take(west, person), 0.5, 300.0, 900.0)
    search(west, person, [(0.5, 300.0, 900.0)])
    consensus.settle_tile(west)
    catalogue = consensus.consensus_of(campaign)
    for shift in (-1.0, 1.0):
        centre = (lon + shift + 180.0) % 360.0 - 180.0
        box = (centre - 0.4, lat - 0.4, centre + 0.4, lat + 0.4)
        if box[0] >= -180.0 and box[2] <= 180.0:
            assert len(in_view(catalogue, box)["features"]) >= 1, box


def test_the_box_of_a_tile_at_the_edge_crosses_the_seam(campaign: Campaign) -> None:
    grid = grids.grid_of(campaign)
    west, _ = corner_tiles(campaign)
    window = grids.window_cell(west)
    left, _south, right, north = grids.bounds_lonlat(grid, window)
    seam, _ = (float(value) for value in grid.lonlat(0.0, 200.0))
    width_deg = (window.width_px) * 360.0 / 1440
    assert (right - left) % 360.0 == pytest.approx(width_deg, abs=0.01)
    assert (seam - left) % 360.0 == pytest.approx(campaign.tile_overlap_px * 0.25, abs=0.01)
    assert north > 85.0


def test_features_keep_their_longitudes_whatever_the_grid(campaign: Campaign) -> None:
    catalogue = consensus.consensus_of(campaign)
    features.add_features(
        catalogue, [{"lon": lon, "lat": 10.0, "diameter_m": 50_000.0} for lon in (-180.0, -0.1, 179.9)]
    )
    grid = grids.grid_of(campaign)
    for feature in catalogue.features.all():
        x_px, y_px = grids.pixel_of(grid, feature.lon, feature.lat)
        assert 0.0 <= x_px < 1440.0 and 0.0 <= y_px < grid.height_px
