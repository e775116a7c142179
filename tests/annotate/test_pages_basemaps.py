"""The pages of basemaps: a raster goes in by the browser, is converted and shown, or refused in words."""

from collections.abc import Callable
from html import unescape
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from affine import Affine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks

from annotate.models import Basemap, Campaign, CampaignBasemap, User
from annotate.services.participants import participant_of
from tests.annotate.builders import make_campaign
from tests.data import rasters

ClientOf = Callable[[User | None], Client]


@pytest.fixture
def client(client_of: ClientOf, lead: User, media: Path) -> Client:
    return client_of(lead)


def send(client: Client, path: Path, **fields: object) -> object:
    file = SimpleUploadedFile(fields.pop("filename", path.name), path.read_bytes())
    return client.post(reverse("annotate:basemap_new"), {"file": file, "body": "moon", **fields})


@pytest.fixture
def terrain(tmp_path: Path) -> Path:
    return rasters.write(tmp_path / "gassendi_dem.tif", rasters.hills(300, 300), unit="m")


class TestUpload:
    def test_it_works(
        self,
        client: Client,
        terrain: Path,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ):
        with django_capture_on_commit_callbacks(execute=True):
            response = send(client, terrain, kind="elevation", sun_azimuth_deg="90", sun_altitude_deg="20")
        basemap = Basemap.objects.get(derived_from=None)
        assert response.status_code == 302
        assert response.url == reverse("annotate:basemap", args=[basemap.uid])
        assert (basemap.name, basemap.kind, basemap.state) == ("gassendi dem", "elevation", "ready")
        text = client.get(response.url).content.decode()
        for words in ("300 × 300 px", "float32", "gassendi dem · hillshade", "Begin a campaign on it"):
            assert words in text
        tile = client.get(reverse("annotate:basemap_tile", args=[basemap.uid, 0, 0, 0]))
        assert tile.status_code == 200
        assert tile["Content-Type"].startswith("image/")

    def test_the_form_opens(self, client: Client):
        assert 'id="upload"' in client.get(reverse("annotate:basemap_new")).content.decode()

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", "it has no bytes"),
            (b"lon,lat,diam_km\n1,2,3\n", "broken.tif"),
            (b"II*\x00" + b"\x00" * 40, "broken.tif"),
        ],
    )
    def test_what_is_no_raster_is_refused(
        self, client: Client, tmp_path: Path, content: bytes, sentence: str
    ):
        path = tmp_path / "broken.tif"
        path.write_bytes(content)
        response = send(client, path)
        assert response.status_code == 422
        assert "errorlist" in response.content.decode()
        assert sentence in response.content.decode()
        assert not Basemap.objects.exists()

    def test_the_earth_is_not_the_moon(self, client: Client, tmp_path: Path):
        path = rasters.write(tmp_path / "earth.tif", rasters.noise(64, 64), crs=rasters.EARTH)
        response = send(client, path)
        assert response.status_code == 422
        assert "earth.tif" in response.content.decode()

    @pytest.mark.parametrize(
        ("crs", "body", "words"),
        [
            (rasters.DEGREES, "mars", ["1,737,400 m", "3,396,190 m", "Choose the body it shows"]),
            (f"+proj=longlat +R={rasters.MOON_M * 1.006}", "moon", ["at most 0.5%", "IAU_2015:30100"]),
            (None, "moon", ["no CRS", "gdal_edit.py -a_srs IAU_2015:30100"]),
            ('LOCAL_CS["site",UNIT["metre",1]]', "moon", ["local coordinate system", "gdal_edit.py"]),
            (f"+proj=somerc +lat_0=40 +R={rasters.MOON_M}", "moon", ["cannot be drawn", "gdalwarp -t_srs"]),
            (f"+proj=longlat +R={rasters.MOON_M} +pm=20", "moon", ["meridian of 20°", "gdalwarp -t_srs"]),
        ],
        ids=[
            "another body",
            "another radius",
            "no system",
            "a local system",
            "unknown projection",
            "meridian",
        ],
    )
    def test_what_lies_elsewhere_is_refused_with_the_remedy(
        self, client: Client, tmp_path: Path, crs: str | None, body: str, words: list[str]
    ):
        path = rasters.write(tmp_path / "strip.tif", rasters.noise(64, 64), crs=crs)
        response = send(client, path, body=body)
        text = unescape(response.content.decode())
        assert response.status_code == 422
        assert not [word for word in words if word not in text]
        assert not Basemap.objects.exists()

    @pytest.mark.parametrize(
        "place",
        [
            Affine.translation(10, 5) * Affine.rotation(20) * Affine.scale(0.01, -0.01),
            Affine(0.01, 0, 10, 0, 0.01, 3),
            Affine(0.01, 0, 10, 0, -0.02, 5),
        ],
        ids=["turned", "south up", "oblong pixels"],
    )
    def test_what_is_not_square_to_north_is_brought_there(
        self,
        client: Client,
        tmp_path: Path,
        place: Affine,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ):
        path = rasters.write(tmp_path / "strip.tif", rasters.noise(64, 64, dtype="uint8"), transform=place)
        with django_capture_on_commit_callbacks(execute=True):
            assert send(client, path).status_code == 302
        basemap = Basemap.objects.get()
        assert (basemap.state, basemap.error) == ("ready", "")
        pixel, across, _, down, height, _ = basemap.transform
        assert (across, down, height) == (0.0, 0.0, -pixel)

    def test_a_radius_within_half_a_percent_without_a_name_is_taken(self, client: Client, tmp_path: Path):
        crs = f"+proj=longlat +R={rasters.MOON_M * 1.004}"
        path = rasters.write(tmp_path / "strip.tif", rasters.noise(64, 64), crs=crs)
        assert send(client, path).status_code == 302

    def test_a_constant_picture_is_refused(self, client: Client, tmp_path: Path):
        response = send(client, rasters.write(tmp_path / "flat.tif", np.full((64, 64), 7, np.uint8)))
        assert response.status_code == 422
        assert not Basemap.objects.exists()

    def test_no_file_is_said_beside_the_field(self, client: Client):
        response = client.post(reverse("annotate:basemap_new"), {"body": "moon"})
        assert response.status_code == 422
        assert "This field is required." in response.content.decode()

    @pytest.mark.parametrize("filename", ["../../etc/pass<wd>.tif", "a\x07b.tif", "…​.tif", "no_ending"])
    def test_awkward_file_names_make_plain_names(self, client: Client, terrain: Path, filename: str):
        assert send(client, terrain, filename=filename).status_code == 302
        basemap = Basemap.objects.get()
        assert not set(basemap.name) & set("<>/\\\x07")
        assert basemap.source_path.startswith(f"basemaps/{basemap.uid}/source")

    @pytest.mark.parametrize(
        ("field", "value", "sentence"),
        [
            ("name", "north/south", "may not hold"),
            ("body", "pluto", "valid choice"),
            ("kind", "hillshade", "valid choice"),
            ("sun_azimuth_deg", "nan", "number"),
            ("sun_altitude_deg", "91", "less than or equal to 90"),
        ],
    )
    def test_bad_fields_are_refused(
        self, client: Client, terrain: Path, field: str, value: str, sentence: str
    ):
        response = send(client, terrain, **{field: value})
        assert response.status_code == 422
        assert sentence in response.content.decode()
        assert not Basemap.objects.exists()

    def test_anonymous_people_sign_in_first(self, client_of: ClientOf, db: None):
        assert client_of(None).get(reverse("annotate:basemap_new")).status_code == 302


class TestList:
    def test_it_works(self, client: Client, lead: User):
        Basemap.objects.create(name="Mosaic", body="moon", added_by=participant_of(lead))
        text = client.get(reverse("annotate:basemap_list")).content.decode()
        assert "Mosaic" in text
        assert "Waiting for conversion" in text

    def test_a_failure_says_why(self, client: Client, lead: User):
        Basemap.objects.create(
            name="Strip",
            body="moon",
            state="failed",
            error="The disk was full.",
            added_by=participant_of(lead),
        )
        assert "The disk was full." in client.get(reverse("annotate:basemap_list")).content.decode()

    def test_others_see_those_of_public_campaigns_only(self, lead: User, client_of: ClientOf):
        shown, hidden, unused = (
            Basemap.objects.create(name=name, body="moon", added_by=participant_of(lead))
            for name in ("Shown", "Hidden", "Unused")
        )
        closed = make_campaign(lead=lead, visibility=Campaign.Visibility.PRIVATE)
        CampaignBasemap.objects.create(campaign=make_campaign(lead=lead), basemap=shown, position=0)
        CampaignBasemap.objects.create(campaign=closed, basemap=hidden, position=0)
        text = client_of(None).get(reverse("annotate:basemap_list")).content.decode()
        assert "Shown" in text
        assert "Hidden" not in text
        assert "Unused" not in text
        assert client_of(None).get(reverse("annotate:basemap", args=[shown.uid])).status_code == 200
        assert client_of(None).get(reverse("annotate:basemap", args=[unused.uid])).status_code == 302

    def test_where_there_is_none_it_says_what_to_do(self, client: Client):
        assert "Upload a basemap" in client.get(reverse("annotate:basemap_list")).content.decode()


class TestConversion:
    def make(self, lead: User, **fields: object) -> Basemap:
        return Basemap.objects.create(name="Strip", body="moon", added_by=participant_of(lead), **fields)

    def test_progress_is_asked_for_until_it_ends(self, client: Client, lead: User):
        basemap = self.make(lead, state="converting", progress=0.42)
        text = client.get(reverse("annotate:basemap", args=[basemap.uid])).content.decode()
        status_url = reverse("annotate:basemap_status", args=[basemap.uid])
        assert f'hx-get="{status_url}"' in text
        response = client.get(status_url)
        assert "42 %" in response.content.decode()
        assert "HX-Refresh" not in response
        Basemap.objects.update(state="ready")
        assert client.get(status_url)["HX-Refresh"] == "true"

    def test_a_failed_one_can_be_tried_again(
        self, client: Client, lead: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ):
        basemap = self.make(lead, state="failed", error="The disk was full.")
        url = reverse("annotate:basemap_retry", args=[basemap.uid])
        assert url in client.get(reverse("annotate:basemap", args=[basemap.uid])).content.decode()
        with django_capture_on_commit_callbacks() as callbacks:
            assert client.post(url).status_code == 302
        basemap.refresh_from_db()
        assert (basemap.state, basemap.error, len(callbacks)) == ("uploaded", "", 1)

    def test_only_by_who_added_it(self, client: Client, lead: User, client_of: ClientOf, stranger: User):
        basemap = self.make(lead, state="failed")
        CampaignBasemap.objects.create(campaign=make_campaign(lead=lead), basemap=basemap, position=0)
        response = client_of(stranger).post(reverse("annotate:basemap_retry", args=[basemap.uid]))
        assert response.status_code == 403
        assert "Only who added a basemap" in response.content.decode()

    def test_an_unknown_basemap_is_refused_in_words(self, client: Client):
        for name in ("basemap", "basemap_status"):
            response = client.get(reverse(f"annotate:{name}", args=[uuid4()]))
            assert response.status_code == 404
            assert "no basemap at this address" in response.content.decode()


def test_a_campaign_is_begun_on_it(
    client: Client, terrain: Path, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        send(client, terrain, kind="elevation")
    basemap = Basemap.objects.get(derived_from=None)
    planned = client.get(
        reverse("annotate:campaign_new_tiles"),
        {"grid_basemap": basemap.uid, "tile_size_px": 256, "redundancy": 3},
    )
    assert "<b>1 tile</b>" in planned.content.decode()
    assert "3 visits" in planned.content.decode()
    response = client.post(
        reverse("annotate:campaign_new"),
        {
            "name": "Mare Humorum",
            "grid_basemap": basemap.uid,
            "tile_size_px": 256,
            "tile_overlap_px": 32,
            "redundancy": 3,
            "min_diameter_m": 0,
            "lease_minutes": 60,
            "visibility": "public",
            "instructions": "",
        },
    )
    campaign = Campaign.objects.get()
    assert response.url == reverse("annotate:campaign", args=[campaign.uid])
    assert campaign.tiles.count() == 1
    assert campaign.layers.count() == 4
    text = client.get(response.url).content.decode()
    assert "<image href=" in text
    assert 'class="open"' in text


def test_tiles_are_planned_only_from_what_is_whole(client: Client):
    url = reverse("annotate:campaign_new_tiles")
    for query in ({}, {"grid_basemap": "x"}, {"grid_basemap": uuid4(), "tile_size_px": "7"}):
        response = client.get(url, query)
        assert response.status_code == 200
        assert "Choose a main basemap" in response.content.decode()
