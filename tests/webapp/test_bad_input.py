"""What people may send by mistake or on purpose, through the whole stack: pages, API, services, disk.

Each gets a sentence that names the thing, the limit and the remedy; no 500 (the client raises those); and
nothing of it is kept.
"""

import html
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import rasterio
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from annotate.models import (
    Basemap,
    Campaign,
    CampaignBasemap,
    Catalogue,
    Feature,
    Mark,
    MarkRevision,
    Membership,
    Role,
    User,
)
from annotate.services import leases
from review.models import Classification, Dataset, Run, Subject, Verdict
from review.services.policies import candidates
from tests.annotate.builders import join, make_campaign, place
from tests.data import rasters

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User | None], Client]


@pytest.fixture
def client(client_of: ClientOf, lead: User, media: Path) -> Client:
    return client_of(lead)


@pytest.fixture
def campaign(lead: User) -> Campaign:
    return make_campaign(lead=lead, name="Trial")


def words_of(response: object) -> str:
    """The page's or the API's own words."""
    return html.unescape(response.content.decode())


@dataclass(frozen=True)
class Case:
    """Something sent, and the thing, the limit and the remedy that the answer names."""

    title: str
    make: Callable[[Path], Path]
    says: tuple[str, ...]


# -- Rasters -----------------------------------------------------------------------------------------


def text_file(path: Path) -> Path:
    path.write_text("lon,lat,diam_km\n1,2,3\n")
    return path


def cut_short(path: Path) -> Path:
    rasters.write(path, rasters.noise(600, 600))
    path.write_bytes(path.read_bytes()[:100_000])
    return path


def of_earth(path: Path) -> Path:
    return rasters.write(path, rasters.noise(64, 64), crs=rasters.EARTH)


def without_crs(path: Path) -> Path:
    return rasters.write(path, rasters.noise(64, 64), crs=None)


def huge_claim(path: Path) -> Path:
    layout = {"tiled": True, "blockxsize": 16384, "blockysize": 16384, "sparse_ok": True}
    place = {"crs": rasters.DEGREES, "transform": rasters.north_up(10, 5, 1e-4)}
    with rasterio.open(
        path, "w", driver="GTiff", count=1, dtype="uint8", width=60_000, height=60_000, **place, **layout
    ):
        pass
    assert path.stat().st_size < 2000
    return path


def all_nan(path: Path) -> Path:
    return rasters.write(path, np.full((64, 64), np.nan, np.float32))


def all_the_same(path: Path) -> Path:
    return rasters.write(path, np.full((64, 64), 7, np.uint8))


def complex_numbers(path: Path) -> Path:
    return rasters.write(path, rasters.noise(64, 64).astype("complex64"))


def beyond_the_pole(path: Path) -> Path:
    return rasters.write(path, rasters.noise(64, 64), transform=rasters.north_up(10.0, 89.9, -0.05))


RASTERS = (
    Case("no raster", text_file, ("strip.tif", "gdal_translate")),
    Case("cut short", cut_short, ("strip.tif", "again")),
    Case("of the Earth", of_earth, ("strip.tif", "6,378,137 m", "1,737,400 m", "0.5%", "gdal_edit.py")),
    Case("without a place", without_crs, ("strip.tif", "no CRS", "gdal_edit.py")),
    Case("60,000 × 60,000 px in 1 kB", huge_claim, ("strip.tif", "60,000 × 60,000")),
    Case("all NaN", all_nan, ("strip.tif", "no valid pixel", "gdalinfo")),
    Case("one value", all_the_same, ("strip.tif", "the value 7 everywhere", "gdalinfo")),
    Case("complex numbers", complex_numbers, ("strip.tif", "complex64", "gdal_translate")),
    Case("beyond the pole", beyond_the_pole, ("strip.tif", "90°", "gdal_edit.py")),
)


@pytest.mark.parametrize("case", RASTERS, ids=lambda case: case.title)
def test_a_bad_raster_is_refused_in_words_and_leaves_nothing(
    case: Case, client: Client, tmp_path: Path, media: Path
):
    path = case.make(tmp_path / "strip.tif")
    upload = SimpleUploadedFile("strip.tif", path.read_bytes())
    response = client.post(reverse("annotate:basemap_new"), {"file": upload, "body": "moon"})
    assert response.status_code == 422
    text = words_of(response)
    assert [words for words in case.says if words not in text] == []
    assert not Basemap.objects.exists()
    assert [path for path in media.rglob("*") if path.is_file()] == []


# -- Crater lists ------------------------------------------------------------------------------------

GOOD_ROW = "10,5,12\n"
LISTS = {
    "wrong columns": ("name,age\nAda,36\n", ("lon", "lat", "diam_km")),
    "text in numbers": ("lon,lat,diam_km\n10,north,3\n", ("Line 2", "north")),
    "latitude 95": ("lon,lat,diam_km\n10,95,3\n", ("Line 2", "95", "swapped")),
    "diameter −1": ("lon,lat,diam_km\n10,5,-1\n", ("Line 2", "-1")),
    "diameter NaN": ("lon,lat,diam_km\n10,5,nan\n", ("Line 2",)),
    "larger than the Moon": ("lon,lat,diam_km\n10,5,9000\n", ("Line 2", "9000")),
    "nothing but a header": ("lon,lat,diam_km\n", ("no craters in it",)),
    "bytes of a picture": ("\x89PNG\r\n\x1a\n\x00\x00", ()),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_bad_list_is_refused_in_words_and_leaves_nothing(name: str, client: Client):
    content, says = LISTS[name]
    upload = SimpleUploadedFile("craters.csv", content.encode("latin-1"), "text/csv")
    response = client.post(
        reverse("annotate:catalogue_import"),
        {"file": upload, "body": "moon", "longitude": "detect"},
        follow=True,
    )
    text = words_of(response)
    # A file that is no list is refused at once; one of bad rows is shown with each row's reason.
    assert (response.status_code == 422 and "errorlist" in text) or "Nothing can be imported" in text
    assert "Import it" not in text
    assert [words for words in says if words not in text] == []
    assert not Catalogue.objects.exists() and not Feature.objects.exists()


def test_bad_rows_do_not_take_good_ones_with_them(client: Client):
    rows = GOOD_ROW + "10,95,3\n10,5,-1\nx,5,1\n" + "-10,-5,3\n"
    upload = SimpleUploadedFile("craters.csv", f"lon,lat,diam_km\n{rows}".encode(), "text/csv")
    address = reverse("annotate:catalogue_import")
    response = client.post(address, {"file": upload, "body": "moon", "longitude": "detect"}, follow=True)
    text = words_of(response)
    assert [line for line in ("Line 3", "Line 4", "Line 5") if line not in text] == []
    assert not Feature.objects.exists()
    confirm = response.redirect_chain[-1][0] + "confirm/"
    client.post(confirm, {"on_bad_rows": "stop"})
    assert not Feature.objects.exists()
    client.post(confirm, {"on_bad_rows": "skip"})
    assert Feature.objects.count() == 2


# -- Names -------------------------------------------------------------------------------------------

NAMES = {
    "markup": "<script>alert(1)</script>",
    "a path": "../../etc/passwd",
    "a control character": "Mare\x07Humorum",
    "a turned direction": "Mare \u202egnp.exe",
    "two lines": "Mare\nHumorum",
    "too long": "x" * 201,
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_that_would_do_harm_are_refused_wherever_they_are_typed(
    kind: str, client: Client, campaign: Campaign, tmp_path: Path
):
    raster = rasters.write(tmp_path / "strip.tif", rasters.noise(64, 64)).read_bytes()
    settings = {
        "visibility": "public",
        "redundancy": 3,
        "min_diameter_m": 0,
        "lease_minutes": 60,
        "instructions": "",
    }
    asked = (
        ("basemap_new", [], {"file": SimpleUploadedFile("strip.tif", raster), "body": "moon"}),
        (
            "catalogue_import",
            [],
            {
                "file": SimpleUploadedFile("a.csv", f"lon,lat,diam_km\n{GOOD_ROW}".encode()),
                "body": "moon",
                "longitude": "detect",
            },
        ),
        ("campaign_settings", [campaign.uid], settings),
    )
    for name, where, fields in asked:
        response = client.post(reverse(f"annotate:{name}", args=where), {"name": NAMES[kind], **fields})
        assert response.status_code == 422, name
        text = words_of(response)
        assert any(words in text for words in ("may not hold", "control character", "at most 200")), name
        assert "<script>alert" not in response.content.decode()
    campaign.refresh_from_db()
    assert campaign.name == "Trial"
    assert not Basemap.objects.exists() and not Catalogue.objects.exists()


# -- Geometry ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pen:
    """An annotator's open visit and a browser to draw with."""

    client: Client
    address: str
    place: tuple[float, float]

    def send(self, body: str) -> object:
        return self.client.generic("POST", self.address, body, content_type="application/json")

    def mark(self, **fields: object) -> dict[str, object]:
        lon, lat = self.place
        return {"uid": str(uuid4()), "lon": lon, "lat": lat, "diameter_m": 2500.0, "view": {}, **fields}


@pytest.fixture
def pen(campaign: Campaign, client_of: ClientOf, annotator: User) -> Pen:
    visit = leases.hand_out(campaign=campaign, participant=join(campaign, annotator))
    assert visit is not None
    address = reverse("annotate:api_marks", args=[visit.uid])
    return Pen(client_of(annotator), address, place(campaign, 100, 100))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"lon": float("nan")}, "NaN"),
        ({"diameter_m": float("inf")}, "Infinity"),
        ({"lat": 95.0}, "95"),
        ({"lon": 400.0}, "400"),
        ({"lon": 120.0, "lat": -60.0}, "outside the region of “Trial”"),
        ({"diameter_m": -1.0}, "-1"),
        ({"diameter_m": 0.0}, "0"),
        ({"diameter_m": 1e9}, "m"),
        ({"diameter_m": "wide"}, "number"),
        ({"rim_points": [[10.0, 5.0], [10.0, 5.0]]}, "3"),
        ({"rim_points": [[10.0, 95.0], [10.1, 5.0], [10.0, 5.1]]}, "from −90 to 90"),
    ],
    ids=str,
)
def test_a_bad_rim_is_refused_in_words_and_leaves_nothing(pen: Pen, fields: dict[str, object], says: str):
    response = pen.send(json.dumps(pen.mark(**fields)))
    answer = response.json()
    assert response.status_code == 400, answer
    assert says in answer["message"] and len(answer["message"].split()) > 3
    assert not Mark.objects.exists() and not MarkRevision.objects.exists()


def test_ten_megabytes_of_coordinates_are_not_read(pen: Pen):
    response = pen.send(json.dumps(pen.mark(rim_points=[[10.0, 5.0]] * 800_000)))
    assert response.status_code == 413
    assert "2.5 MB" in response.json()["message"]
    assert not Mark.objects.exists()


@pytest.mark.parametrize("body", ["", "{", "[]", "7", '"x"', "null", "\x00", "[" * 5000])
def test_what_is_no_object_gets_a_sentence(pen: Pen, body: str):
    response = pen.send(body)
    assert response.status_code == 400
    assert response.json()["message"]
    assert not Mark.objects.exists()


def test_what_was_acknowledged_survives_what_comes_after(pen: Pen):
    good = pen.mark()
    stored = pen.send(json.dumps(good)).json()
    assert pen.send(json.dumps(pen.mark(lat=95.0))).status_code == 400
    # The same uid is the same stroke, whatever else is sent with it.
    assert pen.send(json.dumps(good | {"diameter_m": -1.0})).json() == stored
    mark = Mark.objects.get()
    assert (str(mark.uid), mark.diameter_m, mark.version) == (good["uid"], 2500.0, 1)


# -- Judging -----------------------------------------------------------------------------------------


@pytest.fixture
def desk(campaign: Campaign, client_of: ClientOf, reviewer: User) -> Iterator[Callable[..., object]]:
    """A reviewer's answer to one proposal: desk(answer="edit", payload={…})."""
    Membership.objects.create(campaign=campaign, user=reviewer, role=Role.REVIEWER)
    workflow = candidates.workflow_of(campaign)
    catalogue = Catalogue.objects.create(name="p", body="moon", campaign=campaign, origin="predicted")
    lon, lat = place(campaign, 100, 100)
    feature = Feature.objects.create(
        catalogue=catalogue, lon=lon, lat=lat, diameter_m=2000.0, geom=campaign.region
    )
    subject = Subject.objects.create(workflow=workflow, feature=feature)
    client, address = client_of(reviewer), reverse("review:api_classifications", args=[workflow.uid])

    def answer(**fields: object) -> object:
        body = {"uid": str(uuid4()), "subject": str(subject.uid), **fields}
        return client.generic("POST", address, json.dumps(body), content_type="application/json")

    yield answer
    assert not Classification.objects.exists() and not Verdict.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"answer": "perhaps"},
        {"answer": "reject"},
        {"answer": "reject", "reason": "<b>"},
        {"answer": "edit"},
        {"answer": "edit", "payload": {"lon": float("nan"), "lat": 0, "diameter_m": 1000}},
        {"answer": "edit", "payload": {"lon": 0, "lat": 95, "diameter_m": 1000}},
        {"answer": "edit", "payload": {"lon": 0, "lat": 0, "diameter_m": -1}},
        {"answer": "edit", "payload": {"lon": 0, "lat": 0, "diameter_m": 1e9}},
        {"answer": "accept", "duration_ms": -5},
        {"answer": "accept", "subject": "not-a-uid"},
        {"answer": "withdrawn"},
    ],
    ids=str,
)
def test_a_bad_answer_is_refused_in_words_and_leaves_nothing(
    desk: Callable[..., object], fields: dict[str, object]
):
    response = desk(**fields)
    assert response.status_code == 400, response.content
    assert len(response.json()["message"].split()) > 3


# -- Learning ----------------------------------------------------------------------------------------


@pytest.fixture
def with_elevation(campaign: Campaign) -> None:
    """An elevation model among the campaign's layers, of which nobody has searched a tile."""
    basemap = Basemap.objects.create(name="Heights", body="moon", kind="elevation", state="ready")
    CampaignBasemap.objects.create(campaign=campaign, basemap=basemap, position=0)


@pytest.mark.usefixtures("with_elevation")
@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"verb": "train"}, "no tile of “Trial” is settled"),
        ({"verb": "train", "system": "mind_reader"}, "mind_reader"),
        ({"verb": "train", "preset": "instant"}, "instant"),
        ({"verb": "predict"}, "train and promote one"),
        ({"verb": "dance"}, "dance"),
        ({"verb": "train", "label_catalogues": ["x"]}, "UUID"),
        ({"verb": "train", "label_catalogues": 7}, "list"),
        ({"verb": "train", "searched": "everything"}, "everything"),
    ],
    ids=str,
)
def test_a_run_with_nothing_to_work_on_is_refused_before_it_waits(
    client: Client, campaign: Campaign, wish: dict[str, object], says: str
):
    address = reverse("review:api_runs", args=[campaign.uid])
    response = client.post(address, wish, content_type="application/json")
    assert response.status_code == 400, response.content
    assert says in response.json()["message"]
    assert not Run.objects.exists() and not Dataset.objects.exists()
