"""Campaigns begin on a basemap's grid with their tiles laid, and are led by people."""

from pathlib import Path

import pytest
import shapely

from annotate.models import Basemap, Campaign, Membership, Role, User
from annotate.services import basemaps, campaigns, conversions, grids, workbench
from annotate.services.participants import participant_of
from mlcore import geodesy
from mlcore.errors import InvalidInput
from tests.annotate.builders import lunar_grid, square
from tests.data import rasters

pytestmark = pytest.mark.django_db


def add(path: Path, **fields: object) -> Basemap:
    basemap = basemaps.add_basemap(**{"path": path, "name": path.stem, "body": "moon", **fields})
    conversions.convert(basemap.pk)
    return Basemap.objects.get(pk=basemap.pk)


@pytest.fixture
def terrain(media: Path, tmp_path: Path) -> Basemap:
    return add(rasters.write(tmp_path / "dem.tif", rasters.hills(300, 280), unit="m"))


@pytest.fixture
def plain(media: Path, tmp_path: Path) -> Basemap:
    return add(rasters.write(tmp_path / "image.tif", rasters.noise(300, 280, dtype="uint8")))


def create(lead: User, *layers: Basemap, **fields: object) -> Campaign:
    return campaigns.create_campaign(
        **{
            "name": "Hills",
            "body": "moon",
            "basemaps": layers,
            "created_by": participant_of(lead),
            "tile_size_px": 100,
            "overlap": 16,
            **fields,
        }
    )


class TestCreating:
    def test_it_works(self, terrain: Basemap, lead: User) -> None:
        campaign = create(lead, terrain)
        assert campaign.grid == basemaps.grid_from(terrain).to_json()
        assert campaign.tiles.count() == 9
        assert [layer.basemap.kind for layer in campaign.layers.all()] == [
            "hillshade",
            "elevation",
            "slope",
            "curvature",
        ]
        assert not campaign.layers.filter(resampled=True).exists()
        assert Membership.objects.get(campaign=campaign).role == Role.LEAD
        assert campaign.region.area == pytest.approx(2.8 * 3.0, rel=1e-6)

    def test_tiles_are_laid_in_reading_order_and_tile_the_plane(self, plain: Basemap, lead: User) -> None:
        tiles = list(create(lead, plain).tiles.order_by("number"))
        assert [(tile.x_px, tile.y_px) for tile in tiles[:4]] == [(0, 0), (93, 0), (187, 0), (0, 100)]
        assert sum(tile.width_px * tile.height_px for tile in tiles) == 280 * 300
        assert min(tile.width_px for tile in tiles) >= 93
        assert sum(tile.outline.area for tile in tiles) == pytest.approx(2.8 * 3.0, rel=1e-6)

    def test_with_a_region_only_tiles_that_meet_it_are_laid(self, plain: Basemap, lead: User) -> None:
        campaign = create(lead, plain, region=square(10.4, 4.5, 0.2))
        assert [tile.number for tile in campaign.tiles.all()] == [1]
        with pytest.raises(InvalidInput) as refusal:
            create(lead, plain, region=square(50.0, 4.5, 0.2))
        assert refusal.value.code == "no_overlap"

    def test_the_split_has_some_forty_blocks(self, plain: Basemap, lead: User) -> None:
        campaign = create(lead, plain)
        assert campaign.split_block_deg == 0.2
        assert campaign.region.area / campaign.split_block_deg**2 >= 40

    def test_a_layer_on_another_grid_is_marked_resampled(
        self, plain: Basemap, lead: User, tmp_path: Path
    ) -> None:
        place = rasters.north_up(10.3, 4.8, 0.013)
        other = add(
            rasters.write(tmp_path / "image.tif", rasters.noise(99, 99, dtype="uint8"), transform=place)
        )
        campaign = create(lead, plain, other)
        assert [layer.basemap for layer in campaign.layers.filter(resampled=True)] == [other]

    def test_the_sun_of_a_hillshade_is_told_as_far_as_it_is_known(
        self, terrain: Basemap, lead: User, tmp_path: Path
    ) -> None:
        place = rasters.north_up(*rasters.polar(11.0, 4.0), 800.0)
        polar = add(
            rasters.write(
                tmp_path / "polar.tif",
                rasters.hills(60, 60),
                crs=rasters.NORTH_POLE,
                transform=place,
                unit="m",
            )
        )

        def suns(*layers: Basemap) -> list[tuple[object, object]]:
            told = workbench.layers_json(create(lead, *layers))
            return [
                (one["sun_azimuth_deg"], one["sun_is_from_up"]) for one in told if one["kind"] == "hillshade"
            ]

        assert suns(terrain, polar) == [(315.0, False), (None, False)]
        assert suns(polar, terrain) == [(315.0, True), (315.0, False)]

    def test_a_layer_of_another_place_is_refused(self, plain: Basemap, lead: User, tmp_path: Path) -> None:
        far = add(
            rasters.write(
                tmp_path / "far.tif", rasters.noise(64, 64), transform=rasters.north_up(80.0, 5.0, 0.01)
            )
        )
        with pytest.raises(InvalidInput, match="share no"):
            create(lead, plain, far)
        assert not Campaign.objects.exists()

    @pytest.mark.parametrize(
        ("wrong", "code"),
        [
            ({"basemaps": []}, "no_basemap"),
            ({"body": "mars"}, "wrong_body"),
            ({"tile_size_px": 63}, "out_of_range"),
            ({"tile_size_px": 10_000}, "out_of_range"),
            ({"overlap": 51}, "out_of_range"),
            ({"redundancy": 0}, "out_of_range"),
            ({"lease_minutes": 1}, "out_of_range"),
            ({"min_diameter_m": -1.0}, "bad_min_diameter"),
            ({"min_diameter_m": float("nan")}, "bad_min_diameter"),
            ({"visibility": "secret"}, "bad_visibility"),
            ({"name": "<script>"}, "name_characters"),
            ({"instructions": "x" * 20_001}, "text_long"),
        ],
    )
    def test_what_does_not_fit_is_refused_whole(
        self, plain: Basemap, lead: User, wrong: dict[str, object], code: str
    ) -> None:
        with pytest.raises(InvalidInput) as refusal:
            create(lead, plain, **wrong)
        assert refusal.value.code == code
        assert not Campaign.objects.exists()

    def test_a_basemap_must_be_ready(self, plain: Basemap, lead: User) -> None:
        Basemap.objects.filter(pk=plain.pk).update(state=Basemap.State.FAILED)
        plain.refresh_from_db()
        with pytest.raises(InvalidInput) as refusal:
            create(lead, plain)
        assert refusal.value.code == "basemap_not_ready"

    def test_instructions_keep_their_lines(self, plain: Basemap, lead: User) -> None:
        campaign = create(lead, plain, instructions=" Rims only.\r\n D < 5 km: skip.\x00\n")
        assert campaign.instructions == "Rims only.\n D < 5 km: skip."


class TestGrids:
    def test_windows_across_the_antimeridian_have_west_beyond_east(self) -> None:
        grid = lunar_grid(600, 300, lon=179.5, lat=1.0)
        west, _south, east, _north = grids.bounds_lonlat(grid, grids.Cell(0, 0, 600, 300))
        assert west == pytest.approx(179.5)
        assert east == pytest.approx(-178.52, abs=0.01)
        assert len(grids.outline(grid, grids.Cell(0, 0, 600, 300)).geoms) == 2

    def test_a_tile_over_the_pole_covers_it(self) -> None:
        grid = rasters.grid_of(rasters.NORTH_POLE, -50_000, 50_000, 100.0, 1000, 1000)
        shape = grids.outline(grid, grids.Cell(0, 0, 1000, 1000))
        assert shape.bounds[3] == 90.0
        assert len(grids.lay_tiles(grid, 500, None)) == 4

    @pytest.mark.parametrize("pole", [rasters.NORTH_POLE, rasters.SOUTH_POLE])
    @pytest.mark.parametrize("shift_px", [0.0, 0.3, 125.0])
    @pytest.mark.parametrize("size", [250, 500, 1000])
    def test_tiles_that_meet_at_a_pole_share_the_ground_round_it(
        self, pole: str, shift_px: float, size: int
    ) -> None:
        grid = rasters.grid_of(pole, -50_000 + shift_px * 100.0, 50_000, 100.0, 1000, 1000)
        cells = grids.lay_tiles(grid, size, None)
        shapes = [grids.outline(grid, cell) for cell in cells]
        areas = [geodesy.polygon_area_m2(shape, rasters.MOON_M) for shape in shapes]
        assert areas == [pytest.approx((size * 100.0) ** 2, rel=0.02)] * len(cells)
        together = geodesy.polygon_area_m2(shapely.union_all(shapes), rasters.MOON_M)
        assert together == pytest.approx(1e10, rel=0.01)

    @pytest.mark.parametrize(
        ("length", "size"), [(512, 512), (1000, 512), (1300, 512), (100, 512), (2560, 256)]
    )
    def test_no_tile_is_a_sliver(self, length: int, size: int) -> None:
        cells = grids.lay_tiles(lunar_grid(length, 64), size, None)
        assert sum(cell.width_px for cell in cells) == length
        assert min(cell.width_px for cell in cells) >= min(length, size * 2 // 3)
        assert max(cell.width_px for cell in cells) <= size * 3 / 2
