"""Map tiles: the basemap's own pixels, for those who may see them, kept by the browser."""

import io
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image

from annotate.models import Basemap, Campaign, User
from annotate.services import basemaps, campaigns, conversions, map_tiles, members, signatures, workbench
from annotate.services.participants import participant_of
from tests.data import rasters

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]


@pytest.fixture
def values() -> np.ndarray:
    return rasters.noise(300, 500, dtype="uint8")


@pytest.fixture
def layered(media: Path, tmp_path: Path, lead: User, values: np.ndarray) -> Campaign:
    """A private campaign on one image of 500 × 300 px."""
    path = rasters.write(tmp_path / "image.tif", values)
    added = basemaps.add_basemap(path=path, name="Image", body="moon")
    conversions.convert(added.pk)
    basemap = Basemap.objects.get(pk=added.pk)
    return campaigns.create_campaign(
        name="Layered", body="moon", basemaps=[basemap], created_by=participant_of(lead), overlap=16
    )


def address(campaign: Campaign, z: int = 1, x: int = 0, y: int = 0, query: str = "") -> str:
    """Unsigned."""
    basemap = campaign.layers.first().basemap
    return reverse("annotate:map_tile", args=[basemap.uid, campaign.uid, z, x, y]) + query


def signed(campaign: Campaign, z: int = 1, x: int = 0, y: int = 0, query: str = "") -> str:
    template = workbench.layers_json(campaign)[0]["tile_url"]
    return template.format(z=z, x=x, y=y) + query


class TestPictures:
    def test_it_works(self, client: Client, layered: Campaign, values: np.ndarray) -> None:
        answer = client.get(signed(layered, query="&low=0&high=100"))
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
        assert answer["Cache-Control"] == "private, max-age=86400"
        shown = np.asarray(Image.open(io.BytesIO(answer.content)), dtype=float)
        assert shown.shape == (256, 256)
        assert np.corrcoef(shown.ravel(), values[:256, :256].ravel())[0, 1] > 0.95

    def test_contrast_changes_the_picture(self, client: Client, layered: Campaign) -> None:
        plain = client.get(signed(layered))
        inverted = client.get(signed(layered, query="&invert=1&gamma=2&low=5&high=90"))
        assert plain.content != inverted.content
        assert plain["ETag"] != inverted["ETag"]

    def test_beyond_the_edge_is_transparent(self, client: Client, layered: Campaign) -> None:
        answer = client.get(signed(layered, x=7))
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
        assert Image.open(io.BytesIO(answer.content)).getextrema()[-1] == (0, 0)

    @pytest.mark.parametrize("query", ["&low=x", "&low=98&high=2", "&gamma=0", "&gamma=nan", "&high=101"])
    def test_what_is_no_contrast_is_refused(self, client: Client, layered: Campaign, query: str) -> None:
        assert client.get(signed(layered, query=query)).status_code == 400

    def test_there_is_no_deeper_zoom_than_the_pixels(self, client: Client, layered: Campaign) -> None:
        assert client.get(signed(layered, z=2)).status_code == 400

    def test_a_picture_already_there_is_not_sent_again(
        self, client: Client, layered: Campaign, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        etag = client.get(signed(layered))["ETag"]
        monkeypatch.setattr(map_tiles, "render", lambda *_, **__: pytest.fail("drawn for nothing"))
        answer = client.get(signed(layered), headers={"If-None-Match": etag})
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)


class TestAccess:
    def test_a_signed_address_needs_neither_session_nor_database(
        self, client: Client, layered: Campaign, django_assert_num_queries: Callable
    ) -> None:
        client.get(signed(layered))
        there = signed(layered, z=0)
        with django_assert_num_queries(0):
            assert client.get(there).status_code == 200

    def test_an_unsigned_one_asks_who_is_there(
        self, layered: Campaign, client_of: ClientOf, lead: User, stranger: User
    ) -> None:
        assert client_of(lead).get(address(layered)).status_code == 200
        assert client_of(stranger).get(address(layered)).status_code == 404
        assert client_of(None).get(address(layered)).status_code == 302

    def test_a_signature_is_for_one_layer_of_one_campaign(self, layered: Campaign) -> None:
        basemap = layered.layers.first().basemap
        signature = signatures.sign_layer(basemap.uid, layered.uid)
        assert signatures.is_signed(basemap.uid, layered.uid, signature)
        assert not signatures.is_signed(uuid4(), layered.uid, signature)
        assert not signatures.is_signed(basemap.uid, uuid4(), signature)

    @pytest.mark.parametrize("forged", ["", ".", "x.y", "999999.0", "9" * 40 + ".0", "²³.0"])
    def test_forged_ones_do_not_count(self, forged: str) -> None:
        assert not signatures.is_signed(uuid4(), uuid4(), forged)

    @pytest.mark.parametrize(("public", "slot_s"), [(False, 3600), (True, 24 * 3600)])
    def test_it_is_good_for_one_to_two_hours_and_days_where_public(
        self, public: bool, slot_s: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        basemap, campaign = uuid4(), uuid4()
        begin = 1_800_000_000 // slot_s * slot_s
        made = set()
        for after_s in (0, slot_s // 2, slot_s - 1):
            monkeypatch.setattr(signatures, "_now_s", lambda now=begin + after_s: now)
            made.add(signatures.sign_layer(basemap, campaign, public=public))
        [signature] = made
        for after_s, good in ((0, True), (2 * slot_s - 1, True), (2 * slot_s, False)):
            monkeypatch.setattr(signatures, "_now_s", lambda now=begin + after_s: now)
            assert signatures.is_signed(basemap, campaign, signature) is good

    def test_another_time_or_letter_breaks_it(self) -> None:
        basemap, campaign = uuid4(), uuid4()
        until, _, digest = signatures.sign_layer(basemap, campaign).partition(".")
        other = "0" if digest[-1] != "0" else "1"
        for tampered in (
            f"{int(until) + 3600}.{digest}",
            f"{until}.{digest[:-1]}{other}",
            f"{until}.{digest[:-1]}",
        ):
            assert not signatures.is_signed(basemap, campaign, tampered)

    def test_a_role_taken_away_ends_with_the_signature(
        self, layered: Campaign, client_of: ClientOf, stranger: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Campaign.objects.filter(pk=layered.pk).update(visibility="private")
        layered.refresh_from_db()
        members.add_member(campaign=layered, who="stranger", role="annotator")
        client, there = client_of(stranger), signed(layered)
        members.remove_member(campaign=layered, user=stranger, role="annotator")
        assert client.get(there).status_code == 200
        later = signatures._now_s() + 2 * 3600
        monkeypatch.setattr(signatures, "_now_s", lambda: later)
        assert client.get(there).status_code == 404
        members.add_member(campaign=layered, who="stranger", role="annotator")
        assert client.get(there).status_code == 200

    def test_no_shared_cache_keeps_them(self, layered: Campaign, client_of: ClientOf, lead: User) -> None:
        for there in (signed(layered), address(layered)):
            assert "private" in client_of(lead).get(there)["Cache-Control"]

    def test_another_campaigns_layer_is_not_there(
        self, layered: Campaign, client_of: ClientOf, lead: User
    ) -> None:
        there = reverse("annotate:map_tile", args=[uuid4(), layered.uid, 0, 0, 0])
        assert client_of(lead).get(there).status_code == 404

    def test_a_basemap_on_its_own(
        self, layered: Campaign, client_of: ClientOf, lead: User, stranger: User
    ) -> None:
        basemap = layered.layers.first().basemap
        there = reverse("annotate:basemap_tile", args=[basemap.uid, 1, 0, 0])
        assert client_of(lead).get(there)["Content-Type"] == "image/jpeg"
        assert client_of(stranger).get(there).status_code == 404


class TestValues:
    def test_it_works(self, layered: Campaign, client_of: ClientOf, lead: User, values: np.ndarray) -> None:
        basemap = layered.layers.first().basemap
        there = reverse("annotate:api_basemap_value", args=[basemap.uid])
        answer = client_of(lead).get(there, {"lon": 10.105, "lat": 4.895})
        assert answer.json() == {"value": float(values[10, 10]), "unit": None}
        assert client_of(lead).get(there, {"lon": 0, "lat": 0}).json()["value"] is None

    @pytest.mark.parametrize("query", [{}, {"lon": "x", "lat": "1"}, {"lon": "nan", "lat": "1"}])
    def test_no_place_no_value(
        self, layered: Campaign, client_of: ClientOf, lead: User, query: dict[str, str]
    ) -> None:
        there = reverse("annotate:api_basemap_value", args=[layered.layers.first().basemap.uid])
        answer = client_of(lead).get(there, query)
        assert answer.status_code == 400 or answer.json()["value"] is None

    def test_how_far_a_conversion_is(self, layered: Campaign, client_of: ClientOf, lead: User) -> None:
        basemap = layered.layers.first().basemap
        answer = client_of(lead).get(reverse("annotate:api_basemap", args=[basemap.uid])).json()
        assert answer == {
            "uid": str(basemap.uid),
            "name": "Image",
            "state": "ready",
            "progress": 1.0,
            "error": "",
        }


class TestWorkbench:
    def test_the_page_gets_everything_at_once(self, layered: Campaign, lead: User) -> None:
        config = workbench.config_for(campaign=layered, participant=participant_of(lead))
        assert config["campaign"]["body"]["radius_m"] == 1_737_400.0
        assert config["grid"]["max_zoom"] == 1
        assert config["visit"]["tile"]["number"] == 1
        assert config["view"] == {
            "layer": config["layers"][0]["uid"],
            "low_percent": 2.0,
            "high_percent": 98.0,
            "gamma": 1.0,
            "invert": False,
        }
        assert config["urls"]["submit"] == "/api/v1/visits/{uid}/submit"
        assert config["overlays"] == []

    def test_the_view_survives(self, layered: Campaign, lead: User, client_of: ClientOf) -> None:
        wanted = {
            "layer": str(layered.layers.first().basemap.uid),
            "low_percent": 1.0,
            "high_percent": 99.0,
            "gamma": 1.5,
            "invert": True,
        }
        there = reverse("annotate:api_view", args=[layered.uid])
        answer = client_of(lead).put(there, wanted, content_type="application/json")
        assert (answer.status_code, answer.json()) == (200, wanted)
        config = workbench.config_for(campaign=layered, participant=participant_of(lead))
        assert config["view"] == wanted

    @pytest.mark.parametrize(
        "wrong",
        [
            {"layer": str(uuid4())},
            {"layer": "none"},
            {"low_percent": 99.0, "high_percent": 1.0},
            {"low_percent": -1},
            {"high_percent": "NaN"},
            {"gamma": 0},
            {"invert": 7},
        ],
    )
    def test_what_is_no_view_is_refused(
        self, layered: Campaign, lead: User, client_of: ClientOf, wrong: dict[str, object]
    ) -> None:
        given = {
            "layer": str(layered.layers.first().basemap.uid),
            "low_percent": 1.0,
            "high_percent": 99.0,
            "gamma": 1.5,
            "invert": True,
            **wrong,
        }
        there = reverse("annotate:api_view", args=[layered.uid])
        answer = client_of(lead).put(there, given, content_type="application/json")
        assert answer.status_code == 400
        assert answer.json()["message"]
