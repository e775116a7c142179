"""A campaign's region: a box in degrees on any grid, refused where there is no basemap."""

from collections.abc import Callable
from pathlib import Path

import pytest
import shapely
from django.test import Client
from django.urls import reverse

from annotate.models import Basemap, Campaign, User
from annotate.services import basemaps, campaigns, conversions, grids
from annotate.services.participants import participant_of
from annotate.services.regions import on_basemap, region_of
from mlcore.errors import InvalidInput
from tests.data import rasters
from tests.data.planes import PLANES

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]


def parts(west: float, south: float, east: float, north: float) -> list[tuple[float, ...]]:
    """The boxes of a region's parts, from west to east."""
    return sorted(part.extent for part in region_of(west, south, east, north))


class TestBoxes:
    def test_it_works(self) -> None:
        assert parts(-60, -40, -40, -20) == [(-60, -40, -40, -20)]

    @pytest.mark.parametrize(
        ("sides", "expected"),
        [
            ((170, -5, -170, 5), [(-180, -5, -170, 5), (170, -5, 180, 5)]),
            ((170, -5, 190, 5), [(-180, -5, -170, 5), (170, -5, 180, 5)]),
            ((300, 0, 320, 10), [(-60, 0, -40, 10)]),
            ((-20, 0, 200, 10), [(-180, 0, -160, 10), (-20, 0, 180, 10)]),
            ((-180, -90, 180, 90), [(-180, -90, 180, 90)]),
            ((0, 60, 360, 90), [(-180, 60, 180, 90)]),
        ],
    )
    def test_longitudes_of_either_convention_go_eastwards(
        self, sides: tuple[float, ...], expected: list[tuple[float, ...]]
    ) -> None:
        assert parts(*sides) == [pytest.approx(box) for box in expected]

    @pytest.mark.parametrize(
        "sides",
        [
            (0, 10, 10, 10),
            (0, 10, 10, 5),
            (5, 0, 5, 10),
            (0, -95, 10, 0),
            (0, 0, 1000, 10),
            (float("nan"), 0, 1, 1),
            (0, float("nan"), 1, 1),
        ],
    )
    def test_what_is_no_box_is_refused(self, sides: tuple[float, ...]) -> None:
        with pytest.raises(InvalidInput) as refusal:
            region_of(*sides)
        assert refusal.value.code == "bad_region"


@pytest.fixture
def add(media: Path, tmp_path: Path, lead: User) -> Callable[[str], Basemap]:
    """A ready basemap on one of the planes."""

    def add(name: str) -> Basemap:
        plane = PLANES[name]
        place = rasters.north_up(*plane.origin, plane.pixel)
        path = rasters.write(
            tmp_path / "plane.tif",
            rasters.noise(*plane.size[::-1], dtype="uint8"),
            crs=plane.crs,
            transform=place,
        )
        added = basemaps.add_basemap(path=path, name="Plane", body="moon", added_by=participant_of(lead))
        conversions.convert(added.pk)
        return Basemap.objects.get(pk=added.pk)

    return add


@pytest.mark.parametrize(
    ("name", "box", "place"),
    [
        ("degrees −180…180", (170, -20, -170, 20), (180.0, 0.0)),
        ("degrees 0…360", (-10, 20, 10, 40), (0.0, 30.0)),
        ("equirectangular metres", (-70, 0, -50, 20), (-60.0, 10.0)),
        ("polar stereographic north", (0, 84, 360, 90), (45.0, 89.0)),
        ("polar stereographic south", (170, -84, -170, -76), (180.0, -80.0)),
        ("azimuthal equidistant", (-175, -55, -165, -45), (-170.0, -50.0)),
    ],
)
def test_tiles_are_laid_where_they_meet_the_region(
    add: Callable[[str], Basemap], lead: User, name: str, box: tuple[float, ...], place: tuple[float, float]
) -> None:
    basemap = add(name)
    campaign = campaigns.create_campaign(
        name="Part",
        body="moon",
        basemaps=[basemap],
        created_by=participant_of(lead),
        region=region_of(*box),
        tile_size_px=128,
        overlap=16,
    )
    region = shapely.from_wkb(bytes(campaign.region.wkb))
    assert campaign.tiles.count() < len(campaigns.plan_tiles(basemap=basemap, tile_size_px=128, region=None))
    assert region.covers(shapely.Point(place[0] if place[0] < 180 else 179.9, place[1]))
    x_px, y_px = grids.pixel_of(grids.grid_of(campaign), *place)
    assert grids.tiles_meeting(campaign, grids.Cell(int(x_px), int(y_px), 1, 1)).exists()
    for tile in campaign.tiles.all():
        outline = shapely.from_wkb(bytes(tile.outline.wkb))
        assert outline.intersection(region).area > 0


def test_a_region_is_kept_as_far_as_the_basemap_reaches(add: Callable[[str], Basemap]) -> None:
    basemap = add("polar stereographic north")
    common = on_basemap(region_of(0, 60, 90, 90), basemap)
    assert common.bounds[1] == pytest.approx(basemap.bounds[1], abs=3.0) and common.bounds[3] == 90.0


class TestPage:
    def given(self, basemap: Basemap, **fields: object) -> dict[str, object]:
        return {
            "name": "Mare",
            "grid_basemap": str(basemap.uid),
            "tile_size_px": 256,
            "tile_overlap_px": 16,
            "redundancy": 2,
            "min_diameter_m": 0,
            "lease_minutes": 60,
            "visibility": "private",
            **fields,
        }

    def test_it_works(self, add: Callable[[str], Basemap], client_of: ClientOf, lead: User) -> None:
        client, basemap = client_of(lead), add("degrees −180…180")
        sides = {"west": "170", "south": "-20", "east": "-170", "north": "20"}
        planned = client.get(
            reverse("annotate:campaign_new_tiles"),
            {"grid_basemap": basemap.uid, "tile_size_px": 256, "redundancy": 2, **sides},
        ).content.decode()
        assert "<b>2 tiles</b>" in planned and "4 visits" in planned and 'class="planned"' in planned
        response = client.post(reverse("annotate:campaign_new"), self.given(basemap, **sides))
        assert response.status_code == 302
        campaign = Campaign.objects.get()
        assert campaign.tiles.count() == 2
        assert campaign.region.extent == pytest.approx((-180, -20, 180, 20))

    @pytest.mark.parametrize(
        ("sides", "words"),
        [
            ({"west": "10", "south": "0", "east": "20"}, "needs all four sides"),
            ({"west": "10", "south": "-20", "east": "20", "north": "-40"}, "south below the north"),
            ({"west": "10", "south": "0", "east": "10", "north": "5"}, "it has no width"),
            ({"west": "10", "south": "0", "east": "x", "north": "5"}, "Enter a number"),
            ({"west": "10", "south": "-20", "east": "20", "north": "0"}, "does not meet the main basemap"),
        ],
    )
    def test_what_is_no_region_of_the_basemap_is_refused(
        self,
        add: Callable[[str], Basemap],
        client_of: ClientOf,
        lead: User,
        sides: dict[str, str],
        words: str,
    ) -> None:
        client, basemap = client_of(lead), add("polar stereographic north")
        response = client.post(reverse("annotate:campaign_new"), self.given(basemap, **sides))
        assert response.status_code == 422
        assert words in response.content.decode()
        assert not Campaign.objects.exists()
        query = {"grid_basemap": basemap.uid, "tile_size_px": 256, "redundancy": 2, **sides}
        assert client.get(reverse("annotate:campaign_new_tiles"), query).status_code == 200
