"""The pages of campaigns: each works, says what comes next, and refuses in words."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Basemap, Campaign, Catalogue, Membership, Role, User
from annotate.services.participants import participant_of
from tests.annotate.builders import join, make_campaign, search

ClientOf = Callable[[User | None], Client]


def page(client: Client, name: str, *args: object, **query: object) -> str:
    """The text of a page that works."""
    response = client.get(reverse(f"annotate:{name}", args=args), query)
    assert response.status_code == 200, response.content.decode()
    return response.content.decode()


class TestList:
    def test_it_works(self, campaign: Campaign, client_of: ClientOf, annotator: User):
        text = page(client_of(annotator), "campaign_list")
        assert "Mine" in text
        assert "Trial" in text
        assert "0 of 4 tiles settled" in text

    def test_a_stranger_sees_public_campaigns_only(self, lead: User, client_of: ClientOf, stranger: User):
        make_campaign(lead=lead, name="Open mare")
        make_campaign(lead=lead, name="Closed mare", visibility=Campaign.Visibility.PRIVATE)
        for who in (stranger, None):
            text = page(client_of(who), "campaign_list")
            assert "Open mare" in text
            assert "Closed mare" not in text

    def test_where_there_is_none_it_says_what_to_do(self, client_of: ClientOf, stranger: User):
        assert "start one" in page(client_of(stranger), "campaign_list")
        assert "signed in" in page(client_of(None), "campaign_list")

    def test_synthetic_campaigns_wear_the_chip(self, lead: User, client_of: ClientOf):
        make_campaign(lead=lead, synthetic=True)
        assert "chip synthetic" in page(client_of(None), "campaign_list")


class TestOverview:
    def test_it_works(self, campaign: Campaign, client_of: ClientOf, annotator: User):
        text = page(client_of(annotator), "campaign", campaign.uid)
        assert "Your first tile is waiting" in text
        assert reverse("annotate:label", args=[campaign.uid]) in text

    def test_there_is_exactly_one_primary_button(self, campaign: Campaign, client_of: ClientOf, lead: User):
        assert page(client_of(lead), "campaign", campaign.uid).count("button primary") == 1

    def test_the_next_step_follows_the_work(self, campaign: Campaign, client_of: ClientOf, annotator: User):
        client, me = client_of(annotator), participant_of(annotator)
        tiles = list(campaign.tiles.all())
        search(tiles[0], me)
        assert "You have searched 1 tile" in page(client, "campaign", campaign.uid)
        client.post(reverse("annotate:api_tile_next", args=[campaign.uid]))
        assert "is in your hands" in page(client, "campaign", campaign.uid)
        for tile in tiles[1:]:
            search(tile, me)
        assert "Nothing to do now" in page(client, "campaign", campaign.uid)

    def test_tiles_are_counted_by_state(
        self, campaign: Campaign, client_of: ClientOf, annotator: User, lead: User
    ):
        first, second, *_rest = campaign.tiles.all()
        search(first, participant_of(annotator))
        search(second, join(campaign, lead, Role.LEAD))
        text = page(client_of(annotator), "campaign", campaign.uid)
        assert "searched by me · 1" in text
        assert "searched by somebody · 1" in text
        assert "not searched yet · 2" in text

    def test_who_asks_for_the_map_without_a_role_is_offered_to_join(
        self, campaign: Campaign, client_of: ClientOf, stranger: User
    ):
        client = client_of(stranger)
        refused = client.get(reverse("annotate:label", args=[campaign.uid]))
        join = reverse("annotate:campaign_join", args=[campaign.uid])
        assert refused.status_code == 403
        assert f'action="{join}"' in refused.content.decode()
        settings_page = client.get(reverse("annotate:campaign_settings", args=[campaign.uid]))
        assert (settings_page.status_code, join in settings_page.content.decode()) == (403, False)

    def test_a_passer_by_may_join(self, campaign: Campaign, client_of: ClientOf, stranger: User):
        client = client_of(stranger)
        assert "Join as annotator" in page(client, "campaign", campaign.uid)
        response = client.post(reverse("annotate:campaign_join", args=[campaign.uid]), follow=True)
        assert "You are now an annotator" in response.content.decode()
        assert Membership.objects.filter(campaign=campaign, user=stranger, role=Role.ANNOTATOR).exists()

    def test_outsiders_see_leads_only_by_name(self, campaign: Campaign, client_of: ClientOf, lead: User):
        text = page(client_of(None), "campaign", campaign.uid)
        assert lead.username in text
        assert ">annotator<" not in text
        assert "2 people in all" in text

    def test_the_blind_are_not_shown_what_others_found(
        self, campaign: Campaign, client_of: ClientOf, annotator: User, lead: User
    ):
        Catalogue.objects.create(name="Settled", body="moon", origin="consensus", campaign=campaign)
        assert "by their own eyes" in page(client_of(annotator), "campaign", campaign.uid)
        assert "Settled" in page(client_of(lead), "campaign", campaign.uid)

    def test_a_private_campaign_is_not_there_for_strangers(
        self, lead: User, client_of: ClientOf, stranger: User
    ):
        closed = make_campaign(lead=lead, name="Closed mare", visibility=Campaign.Visibility.PRIVATE)
        url = reverse("annotate:campaign", args=[closed.uid])
        response = client_of(stranger).get(url)
        assert response.status_code == 404
        assert "Closed mare" not in response.content.decode()
        assert client_of(None).get(url).status_code == 302

    def test_an_unknown_campaign_is_refused_in_words(self, client_of: ClientOf, stranger: User):
        response = client_of(stranger).get(reverse("annotate:campaign", args=[uuid4()]))
        assert response.status_code == 404
        assert "There is no campaign at this address." in response.content.decode()

    def test_markup_in_a_name_stays_text(self, lead: User, client_of: ClientOf):
        campaign = make_campaign(lead=lead, name="<script>alert(1)</script>")
        assert "<script>alert" not in page(client_of(lead), "campaign", campaign.uid)


class TestSettings:
    def given(self, **fields: object) -> dict[str, object]:
        return {
            "name": "Mare Humorum",
            "instructions": "Rims only.",
            "visibility": "private",
            "redundancy": 2,
            "min_diameter_m": 800,
            "lease_minutes": 30,
            **fields,
        }

    def test_it_works(self, campaign: Campaign, client_of: ClientOf, lead: User):
        client, url = client_of(lead), reverse("annotate:campaign_settings", args=[campaign.uid])
        assert 'value="Trial"' in page(client, "campaign_settings", campaign.uid)
        assert client.post(url, self.given()).status_code == 302
        campaign.refresh_from_db()
        assert (campaign.name, campaign.redundancy, campaign.visibility) == ("Mare Humorum", 2, "private")

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"name": "a/b"}, "may not hold"),
            ({"name": "<b>bold</b>"}, "may not hold"),
            ({"name": "bell \x07"}, "control character"),
            ({"name": "   "}, "required"),
            ({"name": "x" * 201}, "at most 200"),
            ({"redundancy": 0}, "greater than or equal to 1"),
            ({"redundancy": "many"}, "whole number"),
            ({"min_diameter_m": "nan"}, "number"),
            ({"min_diameter_m": -5}, "greater than or equal to 0"),
            ({"visibility": "secret"}, "valid choice"),
            ({"instructions": "x" * 20_001}, "at most 20000"),
        ],
    )
    def test_bad_input_is_refused_beside_its_field(
        self, campaign: Campaign, client_of: ClientOf, lead: User, fields: dict[str, object], sentence: str
    ):
        url = reverse("annotate:campaign_settings", args=[campaign.uid])
        response = client_of(lead).post(url, self.given(**fields))
        assert response.status_code == 422
        assert "errorlist" in response.content.decode()
        assert sentence in response.content.decode()
        campaign.refresh_from_db()
        assert campaign.name == "Trial"

    def test_annotators_may_not(self, campaign: Campaign, client_of: ClientOf, annotator: User):
        url = reverse("annotate:campaign_settings", args=[campaign.uid])
        response = client_of(annotator).post(url, self.given())
        assert response.status_code == 403
        assert "ask one of its leads" in response.content.decode()


class TestMembers:
    def test_it_works(self, campaign: Campaign, client_of: ClientOf, lead: User, stranger: User):
        client, url = client_of(lead), reverse("annotate:campaign_members", args=[campaign.uid])
        assert "annotator" in page(client, "campaign_members", campaign.uid)
        response = client.post(url, {"who": "stranger", "role": "reviewer"}, follow=True)
        assert "stranger is now reviewer here." in response.content.decode()
        response = client.post(url, {"remove": str(stranger.uid), "role": "reviewer"}, follow=True)
        assert "every mark made in it stays" in response.content.decode()
        assert not Membership.objects.filter(user=stranger).exists()

    def test_an_e_mail_address_will_do(
        self, campaign: Campaign, client_of: ClientOf, lead: User, stranger: User
    ):
        url = reverse("annotate:campaign_members", args=[campaign.uid])
        client_of(lead).post(url, {"who": "Stranger@example.org", "role": "reader"})
        assert Membership.objects.get(user=stranger).role == Role.READER

    def test_somebody_unknown_is_refused_beside_the_field(
        self, campaign: Campaign, client_of: ClientOf, lead: User
    ):
        url = reverse("annotate:campaign_members", args=[campaign.uid])
        response = client_of(lead).post(url, {"who": "<nobody>", "role": "reader"})
        assert response.status_code == 422
        assert "Nobody is signed up as “&lt;nobody&gt;”" in response.content.decode()

    def test_the_last_lead_cannot_go(self, campaign: Campaign, client_of: ClientOf, lead: User):
        url = reverse("annotate:campaign_members", args=[campaign.uid])
        response = client_of(lead).post(url, {"remove": str(lead.uid), "role": "lead"}, follow=True)
        assert "would be left without a lead" in response.content.decode()
        assert Membership.objects.filter(user=lead, role=Role.LEAD).exists()

    @pytest.mark.parametrize("remove", ["", "not-a-uid", "9d2cf6d0-52a0-4c6e-9b53-3f3a4b1d1f00"])
    def test_nonsense_to_remove_is_refused(
        self, campaign: Campaign, client_of: ClientOf, lead: User, remove: str
    ):
        url = reverse("annotate:campaign_members", args=[campaign.uid])
        response = client_of(lead).post(url, {"remove": remove, "role": "lead"}, follow=True)
        assert "does not hold that role" in response.content.decode()


class TestNew:
    @pytest.fixture
    def basemap(self, lead: User) -> Basemap:
        return Basemap.objects.create(
            name="Mosaic",
            body="moon",
            state=Basemap.State.READY,
            added_by=participant_of(lead),
            width_px=512,
            height_px=512,
            resolution_m_per_px=100.0,
        )

    def test_without_a_basemap_it_sends_to_the_upload(self, client_of: ClientOf, stranger: User):
        assert reverse("annotate:basemap_new") in page(client_of(stranger), "campaign_new")

    def test_it_offers_what_is_ready_and_mine(
        self, client_of: ClientOf, lead: User, stranger: User, basemap: Basemap
    ):
        Basemap.objects.create(name="Half done", body="moon", added_by=participant_of(lead))
        text = page(client_of(lead), "campaign_new", basemap=basemap.uid)
        assert "Mosaic" in text
        assert "Half done" not in text
        assert "Mosaic" not in page(client_of(stranger), "campaign_new")

    def test_nothing_chosen_is_said_field_by_field(self, client_of: ClientOf, lead: User, basemap: Basemap):
        response = client_of(lead).post(reverse("annotate:campaign_new"), {"grid_basemap": "not-a-uid"})
        assert response.status_code == 422
        text = response.content.decode()
        assert "not a valid UUID" in text
        assert text.count("This field is required.") > 3

    def test_anonymous_people_sign_in_first(self, client_of: ClientOf, db: None):
        response = client_of(None).get(reverse("annotate:campaign_new"))
        assert response.status_code == 302
        assert response.url.startswith(reverse("account_login"))


class TestLabel:
    def test_only_those_who_draw(
        self, campaign: Campaign, client_of: ClientOf, annotator: User, stranger: User
    ):
        url = reverse("annotate:label", args=[campaign.uid])
        response = client_of(annotator).get(url)
        assert response.status_code == 200
        assert 'id="label-config"' in response.content.decode()
        assert client_of(stranger).get(url).status_code == 403
