"""Crater lists come in with a report of every refused row, and go out whole."""

import csv
import io
import json
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate import access
from annotate.models import Campaign, Catalogue, Feature, User
from annotate.services import catalogues, exports
from annotate.services.features import add_features
from mlcore.errors import InvalidInput
from tests.annotate.builders import join
from tests.conftest import REAL_DATA

pytestmark = pytest.mark.django_db


def import_text(text: str, **fields: object) -> list[Catalogue]:
    return catalogues.import_craters(
        **{"stream": io.BytesIO(text.encode()), "name": "Trial list", "body": "moon", **fields}
    )


def make_catalogue(n: int = 3, **fields: object) -> Catalogue:
    catalogue = Catalogue.objects.create(
        **{"name": "Made", "body": "moon", "origin": Catalogue.Origin.IMPORTED, **fields}
    )
    add_features(catalogue, [{"lon": 10.0 + k, "lat": 5.0, "diameter_m": 1000.0 * (k + 1)} for k in range(n)])
    return catalogue


class TestImport:
    def test_it_works(self) -> None:
        (catalogue,) = import_text("lon,lat,diam_km,name\n10,5,12.5,Alpha\n350,-60,3,\n")
        assert (catalogue.name, catalogue.version, catalogue.origin) == ("Trial list", 1, "imported")
        assert list(catalogue.features.order_by("pk").values_list("lon", "lat", "diameter_m", "name")) == [
            (10.0, 5.0, 12_500.0, "Alpha"),
            (-10.0, -60.0, 3000.0, ""),
        ]
        assert set(catalogue.features.values_list("status", flat=True)) == {"confirmed"}

    def test_one_catalogue_for_each_source(self) -> None:
        made = import_text("lon,lat,diam_km,source\n1,1,5,Head\n2,2,5,Robbins\n3,3,5,Head\n4,4,5,\n")
        counts = {(c.name, c.source): c.features.count() for c in made}
        assert counts == {
            ("Trial list · Head", "Head"): 2,
            ("Trial list · Robbins", "Robbins"): 1,
            ("Trial list · no source", ""): 1,
        }

    def test_the_same_name_again_is_the_next_version(self) -> None:
        for version in (1, 2, 3):
            (catalogue,) = import_text("lon,lat,diam_km\n1,1,5\n")
            assert catalogue.version == version

    def test_bad_rows_are_reported_and_the_rest_is_taken(self) -> None:
        text = "lon,lat,diam_km\n1,1,5\n1,95,5\n1,1,-1\nx,1,5\n1,1,\n2,2,6\n"
        (catalogue,) = import_text(text)
        assert catalogue.features.count() == catalogue.report["accepted"] == 2
        assert catalogue.report["rejected_count"] == 4
        assert [row["row"] for row in catalogue.report["rejected"]] == [3, 4, 5, 6]
        assert all(row["reason"] and row["hint"] and row["text"] for row in catalogue.report["rejected"])

    def test_all_or_nothing_when_asked(self) -> None:
        with pytest.raises(InvalidInput, match="Line 3") as refusal:
            import_text("lon,lat,diam_km\n1,1,5\n1,95,5\n", on_bad_rows="stop")
        assert refusal.value.code == "bad_rows"
        assert not Catalogue.objects.exists()

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("", "empty_file"),
            ("a,b,c\n1,2,3\n", None),
            ("lon,lat,diam_km\n", "no_rows"),
            ("lon,lat,diam_km\n1,95,5\n", "no_rows"),
        ],
    )
    def test_what_is_no_list_is_refused(self, text: str, code: str | None) -> None:
        with pytest.raises(InvalidInput) as refusal:
            import_text(text)
        assert code is None or refusal.value.code == code
        assert not Catalogue.objects.exists()

    @pytest.mark.parametrize(
        "text",
        [
            "lon,lat,diam_km,na\x00me\n1,1,5,x\n",
            "lon,lat,diam_km,source,name\n1,1,5,a\x00\x07b,\x00<b>n</b>\n1,1\x00,5,\x00,x\n",
            "\x00,\x00\n",
        ],
    )
    def test_control_characters_never_reach_the_database(self, text: str) -> None:
        try:
            made = import_text(text)
        except InvalidInput as refusal:
            assert refusal.message
        else:
            names = " ".join(f"{c.name} {c.source} {f.name}" for c in made for f in c.features.all())
            assert not set(names) & set("\x00\x07<>")

    def test_a_campaign_and_its_list_are_of_one_body(self, campaign: Campaign) -> None:
        with pytest.raises(InvalidInput) as refusal:
            import_text("lon,lat,diam_km\n1,1,5\n", body="mars", campaign=campaign)
        assert refusal.value.code == "wrong_body"

    @pytest.mark.data
    def test_the_gassendi_lists(self) -> None:
        path = REAL_DATA / "dem" / "gld100_gassendi_large_craters.csv"
        if not path.exists():
            pytest.skip("the real data are not here")
        with path.open("rb") as stream:
            made = catalogues.import_craters(stream=stream, name="Gassendi", body="moon")
        assert sum(c.features.count() for c in made) == 426
        assert len(made) == 4


class TestExport:
    def test_csv_comes_back_as_it_was(self) -> None:
        first = make_catalogue(5)
        export = exports.csv_lines(first)
        text = "".join(export.chunks)
        assert export.count == len(list(csv.DictReader(io.StringIO(text)))) == 5
        (second,) = import_text(text)
        fields = ("lon", "lat", "diameter_m", "name")
        assert list(second.features.order_by("pk").values_list(*fields)) == list(
            first.features.order_by("pk").values_list(*fields)
        )

    def test_geojson_holds_rims_and_the_body(self) -> None:
        catalogue = make_catalogue(2)
        export = exports.geojson_chunks(catalogue)
        collection = json.loads("".join(export.chunks))
        assert export.count == len(collection["features"]) == 2
        assert collection["body"]["name"] == "moon"
        assert collection["features"][0]["properties"]["diameter_m"] == 1000.0

    def test_an_empty_catalogue_is_a_whole_file(self) -> None:
        catalogue = make_catalogue(0)
        assert json.loads("".join(exports.geojson_chunks(catalogue).chunks))["features"] == []
        assert "".join(exports.csv_lines(catalogue).chunks).startswith("lon,lat,diam_km")

    def test_a_short_file_breaks_off(self) -> None:
        catalogue = make_catalogue(3)
        export = exports.csv_lines(catalogue)
        catalogue.features.first().delete()
        with pytest.raises(RuntimeError, match="2 of 3"):
            list(export.chunks)

    def test_downloads(self, client: Client) -> None:
        catalogue = make_catalogue(3, name='A "b" / ä')
        for ending, kind in (("csv", "text/csv"), ("geojson", "application/geo+json")):
            answer = client.get(reverse(f"annotate:catalogue_{ending}", args=[catalogue.uid]))
            assert answer.status_code == 200
            assert answer["Content-Type"].startswith(kind)
            assert answer["Content-Disposition"] == f'attachment; filename="A_b_v1.{ending}"'
            assert answer["X-Feature-Count"] == "3"
            assert len(answer.getvalue()) > 100

    @given(n=st.integers(0, 30))
    @settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_counts_in_equal_counts_out(self, n: int) -> None:
        catalogue = make_catalogue(n, name=f"Made {Catalogue.objects.count()}")
        lines = list(exports.csv_lines(catalogue).chunks)
        assert len(lines) == n + 1


class TestFeatures:
    def ask(self, client: Client, catalogue: Catalogue, **query: object) -> dict[str, object]:
        answer = client.get(reverse("annotate:api_catalogue_features", args=[catalogue.uid]), query)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def test_the_largest_in_view_come_first(self, client: Client) -> None:
        body = self.ask(client, make_catalogue(5), bbox="11.5,0,20,10", limit=2)
        assert [f["properties"]["diameter_m"] for f in body["features"]] == [5000.0, 4000.0]
        assert body["truncated"] is True
        assert set(body["features"][0]["properties"]) == {
            "uid",
            "lon",
            "lat",
            "diameter_m",
            "score",
            "status",
            "name",
        }

    def test_a_view_across_the_antimeridian(self, client: Client) -> None:
        catalogue = make_catalogue(0)
        add_features(
            catalogue,
            [{"lon": lon, "lat": 0.0, "diameter_m": 90_000.0} for lon in (-179.9, 179.0, 0.0, -120.0)],
        )
        body = self.ask(client, catalogue, bbox="178,-5,-178,5")
        assert sorted(f["properties"]["lon"] for f in body["features"]) == [-179.9, 179.0]
        assert len(self.ask(client, catalogue)["features"]) == 4

    @pytest.mark.parametrize(
        "query",
        [
            {"bbox": "1,2,3"},
            {"bbox": "a,b,c,d"},
            {"bbox": "0,5,1,4"},
            {"bbox": "nan,0,1,1"},
            {"limit": "-1"},
            {"limit": "many"},
        ],
    )
    def test_what_is_no_view_gets_a_sentence(self, client: Client, query: dict[str, str]) -> None:
        answer = client.get(reverse("annotate:api_catalogue_features", args=[make_catalogue(1).uid]), query)
        assert answer.status_code == 400
        assert answer.json()["message"]

    def test_one_bad_row_stores_none(self) -> None:
        catalogue = make_catalogue(0)
        with pytest.raises(InvalidInput):
            add_features(
                catalogue,
                [{"lon": 1.0, "lat": 1.0, "diameter_m": d} for d in (1000.0, 1e9)],
            )
        assert not Feature.objects.exists()


class TestWhoSees:
    """Those who draw do not see what others found before every tile is settled, in the API neither."""

    @pytest.fixture
    def found(self, campaign: Campaign) -> Catalogue:
        return make_catalogue(2, campaign=campaign, origin=Catalogue.Origin.CONSENSUS, name="Found")

    @pytest.fixture
    def answers(
        self, campaign: Campaign, found: Catalogue, client_of: Callable[[User | None], Client]
    ) -> Callable[[User | None], set[int]]:
        def ask(user: User | None) -> set[int]:
            client = client_of(user)
            there = [
                reverse("annotate:catalogue_csv", args=[found.uid]),
                reverse("annotate:catalogue_geojson", args=[found.uid]),
                reverse("annotate:api_catalogue_features", args=[found.uid]),
                reverse("annotate:api_features", args=[campaign.uid]) + f"?catalogue={found.uid}",
            ]
            return {client.get(address).status_code for address in there}

        return ask

    def test_before(
        self,
        campaign: Campaign,
        answers: Callable[[User | None], set[int]],
        make_user: Callable[..., User],
        lead: User,
        annotator: User,
        stranger: User,
        staff: User,
    ) -> None:
        for role in ("reviewer", "reader", "chair", "panelist"):
            user = make_user(role)
            join(campaign, user, role)
            assert answers(user) == {200}
        assert answers(lead) == answers(staff) == {200}
        assert answers(annotator) == answers(stranger) == answers(None) == {403}
        join(campaign, annotator, "reader")
        assert answers(annotator) == {403}

    def test_after(
        self,
        campaign: Campaign,
        answers: Callable[[User | None], set[int]],
        annotator: User,
        stranger: User,
    ) -> None:
        campaign.tiles.update(settled_at="2026-01-01T00:00:00Z")
        assert answers(annotator) == answers(stranger) == answers(None) == {200}

    def test_lists_hide_what_may_not_be_seen(
        self, campaign: Campaign, found: Catalogue, annotator: User, lead: User
    ) -> None:
        listed = make_catalogue(1, campaign=campaign, name="Listed")
        assert set(access.catalogues_for(annotator)) == {listed}
        assert set(access.catalogues_for(lead)) == {listed, found}
        assert not access.overlays_for(annotator, campaign).exists()
        assert set(access.overlays_for(lead, campaign)) == {listed, found}

    def test_everybodys_lists_lie_over_the_ground_that_they_list(
        self, campaign: Campaign, lead: User
    ) -> None:
        here, farside = (make_catalogue(0, name=name) for name in ("Here", "Farside"))
        for catalogue, lon in ((here, 10.3), (farside, -130.0)):
            add_features(catalogue, [{"lon": lon, "lat": 4.7, "diameter_m": 2000.0}])
        assert list(access.overlays_for(lead, campaign)) == [here]

    def test_imported_lists_are_seen_but_not_laid_under_the_pencil(
        self, campaign: Campaign, annotator: User, client_of: Callable[[User | None], Client]
    ) -> None:
        listed = make_catalogue(1, campaign=campaign, name="Listed")
        client = client_of(annotator)
        assert client.get(reverse("annotate:api_catalogue_features", args=[listed.uid])).status_code == 200
        over = client.get(reverse("annotate:api_features", args=[campaign.uid]), {"catalogue": listed.uid})
        assert (over.status_code, over.json()["code"]) == (403, "blind")

    @pytest.mark.parametrize("uid", ["", "x", "9d2cf6d0-52a0-4c6e-9b53-3f3a4b1d1f00"])
    def test_unknown_catalogues_are_not_there(
        self, campaign: Campaign, lead: User, client_of: Callable[[User | None], Client], uid: str
    ) -> None:
        answer = client_of(lead).get(
            reverse("annotate:api_features", args=[campaign.uid]), {"catalogue": uid}
        )
        assert answer.status_code == 404


def test_an_export_of_a_generated_world_says_so_in_every_row(db: None) -> None:
    catalogue = Catalogue.objects.create(
        name="Made", body="moon", origin=Catalogue.Origin.IMPORTED, source="a simulator", synthetic=True
    )
    add_features(catalogue, [{"lon": 1.0, "lat": 2.0, "diameter_m": 3000.0}])
    assert "a simulator (synthetic)" in "".join(exports.csv_lines(catalogue).chunks)
    assert "a simulator (synthetic)" in "".join(exports.geojson_chunks(catalogue).chunks)
