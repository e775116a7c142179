"""The pages of catalogues: lists go in with a report, and are shown largest first."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Campaign, Catalogue, User
from annotate.services.catalogue_summary import size_bins
from annotate.services.features import add_features
from tests.annotate.builders import make_campaign

ClientOf = Callable[[User | None], Client]
GOOD = "lon,lat,diam_km,name,source\n-39.97,-17.48,111.4,Gassendi,IAU\n-40.08,-15.55,32.1,Gassendi A,IAU\n"


@pytest.fixture
def client(client_of: ClientOf, lead: User) -> Client:
    return client_of(lead)


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
