"""The pages of catalogues: lists go in with a report, and are shown largest first."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from annotate.models import Campaign, Catalogue, Feature, User
from annotate.services.catalogue_summary import size_bins
from annotate.services.features import add_features
from tests.annotate.builders import make_campaign

ClientOf = Callable[[User | None], Client]
GOOD = "lon,lat,diam_km,name,source\n-39.97,-17.48,111.4,Gassendi,IAU\n-40.08,-15.55,32.1,Gassendi A,IAU\n"


@pytest.fixture
def client(client_of: ClientOf, lead: User) -> Client:
    return client_of(lead)


def send(client: Client, text: str | bytes, filename: str = "craters.csv", **fields: object) -> object:
    content = text.encode() if isinstance(text, str) else text
    return client.post(
        reverse("annotate:catalogue_import"),
        {
            "file": SimpleUploadedFile(filename, content, "text/csv"),
            "body": "moon",
            "lon_positive": "east",
            **fields,
        },
        follow=True,
    )


class TestImport:
    def test_it_works(self, client: Client):
        response = send(client, GOOD)
        catalogue = Catalogue.objects.get()
        text = response.content.decode()
        assert response.redirect_chain[0][0] == reverse("annotate:catalogue", args=[catalogue.uid])
        assert (catalogue.name, catalogue.source, catalogue.features.count()) == ("craters", "IAU", 2)
        assert text.index("111 km") < text.index("32.10 km")
        assert "Gassendi A" in text

    def test_rows_left_out_are_listed_with_reason_and_hint(self, client: Client):
        response = send(
            client, GOOD + "5,95,3,Too far north,IAU\n5,5,-1,<b>Negative</b>,IAU\nx,5,1,Text,IAU\n"
        )
        text = response.content.decode()
        assert Feature.objects.count() == 2
        assert "Line 4" in text
        assert "Are longitude and latitude swapped?" in text
        assert "Line 5" in text
        assert "Line 6" in text
        assert "<b>Negative</b>" not in text

    def test_a_list_of_which_nothing_can_be_taken_says_so_row_by_row(self, client: Client):
        response = send(client, "lon,lat,diam_km\n5,95,3\n5,5,-1\n")
        text = response.content.decode()
        assert response.status_code == 422
        assert "Line 2" in text
        assert "Line 3" in text
        assert not Catalogue.objects.exists()

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            ("", "it has no bytes"),
            ("name,age\nAda,36\n", "column"),
            ("lon,lat,diam_km\n", "no craters in it"),
            (b"\x89PNG\r\n\x1a\n\x00\x00\x00", ""),
            (b"\xff\xfe\x00", ""),
        ],
    )
    def test_what_is_no_crater_list_is_refused(self, client: Client, content: str | bytes, sentence: str):
        response = send(client, content)
        assert response.status_code == 422
        assert "errorlist" in response.content.decode()
        assert sentence in response.content.decode()
        assert not Catalogue.objects.exists()

    @pytest.mark.parametrize("filename", ["../../x.csv", "<script>.csv", "a\x00b.csv", ".csv"])
    def test_awkward_file_names_make_plain_names(self, client: Client, filename: str):
        assert send(client, GOOD, filename).status_code == 200
        assert not set(Catalogue.objects.get().name) & set("<>/\\\x00")

    def test_a_bad_name_is_refused_beside_its_field(self, client: Client):
        response = send(client, GOOD, name="a/b")
        assert response.status_code == 422
        assert "may not hold" in response.content.decode()

    def test_each_source_becomes_a_catalogue(self, client: Client):
        response = send(client, GOOD + "1,2,3,Other,Robbins\n")
        assert "2 catalogues are imported, one for each source." in response.content.decode()

    def test_only_leads_add_to_a_campaign(
        self, client: Client, client_of: ClientOf, stranger: User, lead: User
    ):
        campaign = make_campaign(lead=lead)
        response = send(client_of(stranger), GOOD, campaign=campaign.uid)
        assert response.status_code == 422
        assert send(client, GOOD, campaign=campaign.uid).status_code == 200
        assert Catalogue.objects.get().campaign == campaign

    def test_anonymous_people_sign_in_first(self, client_of: ClientOf, db: None):
        assert client_of(None).get(reverse("annotate:catalogue_import")).status_code == 302


class TestShown:
    @pytest.fixture
    def catalogue(self, db: None) -> Catalogue:
        catalogue = Catalogue.objects.create(name="Robbins", body="moon", origin="imported")
        add_features(
            catalogue,
            [{"lon": i / 10, "lat": -i / 10, "diameter_m": 900.0 * 1.1**i, "name": ""} for i in range(60)],
        )
        return catalogue

    def test_it_works(self, catalogue: Catalogue, client_of: ClientOf):
        text = client_of(None).get(reverse("annotate:catalogue", args=[catalogue.uid])).content.decode()
        assert "60 craters" in text
        assert "1–25 of 60" in text
        assert "249 km" in text
        assert reverse("annotate:catalogue_csv", args=[catalogue.uid]) in text
        assert reverse("annotate:catalogue_geojson", args=[catalogue.uid]) in text
        assert text.count('class="plot"') == 2

    @pytest.mark.parametrize("number", ["0", "-1", "99", "x", "1e9"])
    def test_any_page_number_leads_somewhere(self, catalogue: Catalogue, client_of: ClientOf, number: str):
        url = reverse("annotate:catalogue", args=[catalogue.uid])
        assert client_of(None).get(url, {"page": number}).status_code == 200

    def test_sizes_are_counted_once_each(self, catalogue: Catalogue, client_of: ClientOf):
        bins = size_bins(catalogue)
        assert sum(one.n for one in bins) == 60
        assert all(low.high_m == pytest.approx(high.low_m) for low, high in pairwise(bins))

    def test_one_crater_is_enough_for_the_plots(self, client_of: ClientOf, db: None):
        lonely = Catalogue.objects.create(name="One", body="moon", origin="imported")
        add_features(lonely, [{"lon": 180.0, "lat": 90.0, "diameter_m": 1000.0}])
        assert client_of(None).get(reverse("annotate:catalogue", args=[lonely.uid])).status_code == 200

    def test_an_empty_one_says_so(self, client_of: ClientOf, db: None):
        empty = Catalogue.objects.create(name="Empty", body="moon", origin="imported")
        text = client_of(None).get(reverse("annotate:catalogue", args=[empty.uid])).content.decode()
        assert "It holds no crater." in text

    def test_versions_are_linked(self, catalogue: Catalogue, client_of: ClientOf):
        newer = Catalogue.objects.create(name="Robbins", version=2, body="moon", origin="imported")
        text = client_of(None).get(reverse("annotate:catalogue", args=[catalogue.uid])).content.decode()
        assert reverse("annotate:catalogue", args=[newer.uid]) in text

    def test_those_of_private_campaigns_stay_there(self, client_of: ClientOf, lead: User, stranger: User):
        closed = make_campaign(lead=lead, visibility=Campaign.Visibility.PRIVATE)
        Catalogue.objects.create(name="Secret list", body="moon", origin="imported", campaign=closed)
        url = reverse("annotate:catalogue_list")
        assert "Secret list" in client_of(lead).get(url).content.decode()
        assert "Secret list" not in client_of(stranger).get(url).content.decode()

    def test_a_list_without_any_says_what_to_do(self, client: Client):
        text = client.get(reverse("annotate:catalogue_list")).content.decode()
        assert "Import a published crater list" in text
