"""Pictures of whole grids: their map tiles, and thousands of tiles in a few elements."""

import pytest

from annotate.models import Basemap, Campaign, CampaignBasemap, Catalogue, User
from annotate.services.features import add_features
from annotate.services.overview import TileState
from annotate.templatetags import imagery, plots
from tests.annotate.builders import make_campaign


@pytest.fixture
def shown(lead: User) -> Campaign:
    """A campaign of 5,120 × 2,560 px with an elevation model and its hillshade."""
    campaign = make_campaign(lead=lead, columns=20, rows=10)
    for position, kind in enumerate(("elevation", "hillshade")):
        basemap = Basemap.objects.create(name=kind, body="moon", kind=kind, state="ready")
        CampaignBasemap.objects.create(campaign=campaign, basemap=basemap, position=position)
    return campaign


def test_it_works(shown: Campaign):
    picture = imagery.campaign_picture(shown, zoom=1)
    hillshade = str(Basemap.objects.get(kind="hillshade").uid)
    assert [(image["x"], image["y"]) for image in picture["images"]] == [(0, 0), (4096, 0)]
    assert all(hillshade in image["url"] and "?s=" in image["url"] for image in picture["images"])


def test_a_small_grid_is_one_map_tile_at_any_zoom(lead: User):
    campaign = make_campaign(lead=lead, columns=1, rows=1)
    basemap = Basemap.objects.create(name="image", body="moon", kind="image", state="ready")
    CampaignBasemap.objects.create(campaign=campaign, basemap=basemap, position=0)
    (image,) = imagery.campaign_picture(campaign, zoom=2)["images"]
    assert "/0/0/0?" in image["url"]


def test_without_a_layer_there_is_no_picture(campaign: Campaign):
    assert imagery.campaign_picture(campaign) == {"missing": True}


def test_an_unconverted_basemap_has_no_picture(db: None):
    assert imagery.basemap_picture(Basemap.objects.create(name="new", body="moon")) == {"missing": True}


def row(n: int, y_px: int, state: str) -> list[TileState]:
    return [TileState(100 * i, y_px, 100, 100, state) for i in range(n)]


def test_few_tiles_stay_apart():
    paths = imagery.cell_paths(row(3, 0, "open") + row(2, 100, "settled"))
    assert {state: d.count("M") for state, d in paths.items()} == {"open": 3, "settled": 2}


def test_many_tiles_of_one_state_become_one_cell_for_each_row():
    half = imagery.MOST_APART // 2 + 1
    paths = imagery.cell_paths(row(half, 0, "open") + row(half, 100, "open"))
    assert paths == {"open": f"M0 0h{100 * half}v100h-{100 * half}zM0 100h{100 * half}v100h-{100 * half}z"}


class TestPlots:
    @pytest.fixture
    def catalogue(self, db: None) -> Catalogue:
        return Catalogue.objects.create(name="List", body="moon", origin="imported")

    def test_sizes_stand_between_their_edges(self, catalogue: Catalogue):
        add_features(
            catalogue, [{"lon": 0.0, "lat": 0.0, "diameter_m": d} for d in (1100.0, 1500.0, 12000.0)]
        )
        plot = plots.size_plot(catalogue)
        assert [bar["n"] for bar in plot["bars"]] == [1, 1, 0, 0, 0, 0, 0, 1]
        assert [edge["label"] for edge in plot["edges"]] == ["1 km", "2 km", "4 km", "8 km", "16 km"]

    def test_one_crater_has_room_round_it(self, catalogue: Catalogue):
        add_features(catalogue, [{"lon": 5.0, "lat": 5.0, "diameter_m": 12000.0}])
        plot = plots.extent_plot(catalogue)
        assert plot["n_dots"] == 1
        left, _y = (float(number) for number in plot["dots"][1:].split("a")[0].split())
        assert 0 < left < plot["width"]

    def test_an_empty_catalogue_has_no_plots(self, catalogue: Catalogue):
        assert plots.size_plot(catalogue)["bars"] == []
        assert plots.extent_plot(catalogue) == {}
