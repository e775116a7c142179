"""Basemaps and catalogues are renamed and deleted by those who may, and not from under those who use them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Basemap, Campaign, CampaignBasemap, Catalogue, Feature, User
from annotate.services import upkeep
from annotate.services.features import add_features
from annotate.services.locks import exclusive
from annotate.services.participants import participant_of
from annotate.services.storage import file_of
from mlcore.errors import Conflict, InvalidInput
from tests.annotate.builders import at_once, make_campaign

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]


@pytest.fixture
def basemap(media: Path, lead: User) -> Basemap:
    """An elevation model with one derived layer; files of a few bytes stand for the rasters."""
    made = Basemap.objects.create(name="Mare", body="moon", state="ready", added_by=participant_of(lead))
    Basemap.objects.create(
        name="Mare · slope",
        body="moon",
        kind="slope",
        state="ready",
        derived_from=made,
        added_by=made.added_by,
    )
    for one in Basemap.objects.all():
        folder = file_of(f"basemaps/{one.uid}")
        folder.mkdir(parents=True)
        (folder / "basemap.tif").write_bytes(b"II*")
    return made


@pytest.fixture
def catalogue(lead: User) -> Catalogue:
    made = Catalogue.objects.create(
        name="Robins", body="moon", origin="imported", created_by=participant_of(lead)
    )
    add_features(made, [{"lon": lon, "lat": 0.0, "diameter_m": 9000.0} for lon in (1.0, 2.0, 3.0)])
    return made


def refused(act: Callable[[], object]) -> Conflict:
    with pytest.raises(Conflict) as refusal:
        act()
    return refusal.value


class TestBasemaps:
    def test_it_works(
        self, basemap: Basemap, lead: User, django_capture_on_commit_callbacks: Callable
    ) -> None:
        folders = [file_of(f"basemaps/{one.uid}") for one in Basemap.objects.all()]
        upkeep.rename_basemap(basemap, "  Mare Humorum ")
        assert sorted(Basemap.objects.values_list("name", flat=True)) == [
            "Mare Humorum",
            "Mare Humorum · slope",
        ]
        with django_capture_on_commit_callbacks(execute=True):
            upkeep.delete_basemap(basemap, asked_by=lead)
        assert not Basemap.objects.exists()
        assert not any(folder.exists() for folder in folders)

    def test_one_in_use_stays_and_its_campaigns_are_named(self, basemap: Basemap, lead: User) -> None:
        open_to_all = make_campaign(name="North")
        hidden = make_campaign(name="Secret", visibility="private")
        CampaignBasemap.objects.create(campaign=open_to_all, basemap=basemap, position=0)
        CampaignBasemap.objects.create(campaign=hidden, basemap=basemap.derived.get(), position=0)
        refusal = refused(lambda: upkeep.delete_basemap(basemap, asked_by=lead))
        assert refusal.code == "in_use"
        assert "“North”" in refusal.message and "1 not open to you" in refusal.message
        assert "Secret" not in refusal.message
        assert file_of(f"basemaps/{basemap.uid}").exists()

    def test_a_derived_layer_goes_with_its_source_only(self, basemap: Basemap, lead: User) -> None:
        layer = basemap.derived.get()
        assert refused(lambda: upkeep.rename_basemap(layer, "Other")).code == "derived"
        assert refused(lambda: upkeep.delete_basemap(layer, asked_by=lead)).code == "derived"

    def test_a_name_is_needed(self, basemap: Basemap) -> None:
        with pytest.raises(InvalidInput):
            upkeep.rename_basemap(basemap, " ")

    @pytest.mark.django_db(transaction=True)
    def test_not_while_it_is_being_converted(self, basemap: Basemap, lead: User) -> None:
        with exclusive(f"basemap {basemap.pk}"):
            # Another connection asks: the lock is this one's.
            errors = at_once([lambda: upkeep.delete_basemap(basemap, asked_by=lead)])
        assert [error.code for error in errors] == ["converting"]


class TestCatalogues:
    def test_it_works(self, catalogue: Catalogue, lead: User) -> None:
        Catalogue.objects.create(
            name="Robins", version=2, body="moon", origin="imported", created_by=catalogue.created_by
        )
        upkeep.rename_catalogue(catalogue, "Robbins")
        assert list(Catalogue.objects.values_list("name", flat=True)) == ["Robbins"] * 2
        upkeep.delete_catalogue(catalogue, asked_by=lead)
        assert Catalogue.objects.get().version == 2
        assert not Feature.objects.exists()

    def test_large_ones_go_in_parts(
        self, catalogue: Catalogue, lead: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(upkeep, "_BATCH", 2)
        upkeep.delete_catalogue(catalogue, asked_by=lead)
        assert not Feature.objects.exists()

    def test_a_name_that_is_taken_or_shared_is_refused(self, catalogue: Catalogue, annotator: User) -> None:
        Catalogue.objects.create(name="Salamuniccar", body="moon", origin="imported")
        assert refused(lambda: upkeep.rename_catalogue(catalogue, "Salamuniccar")).code == "name_taken"
        Catalogue.objects.create(
            name="Robins", version=2, body="moon", origin="imported", created_by=participant_of(annotator)
        )
        assert refused(lambda: upkeep.rename_catalogue(catalogue, "Robbins")).code == "shared_name"

    def test_what_people_made_or_judge_stays(self, catalogue: Catalogue, lead: User) -> None:
        campaign = make_campaign(name="North", proposals=catalogue)
        refusal = refused(lambda: upkeep.delete_catalogue(catalogue, asked_by=lead))
        assert "“North”" in refusal.message
        settled = Catalogue.objects.create(name="c", body="moon", origin="consensus", campaign=campaign)
        assert refused(lambda: upkeep.delete_catalogue(settled, asked_by=lead)).code == "made_by_people"


class TestPages:
    def test_the_maker_renames_and_deletes(
        self, basemap: Basemap, catalogue: Catalogue, lead: User, client_of: ClientOf
    ) -> None:
        client = client_of(lead)
        for noun, thing in (("basemap", basemap), ("catalogue", catalogue)):
            page = reverse(f"annotate:{noun}", args=[thing.uid])
            assert "Keep in order" in client.get(page).content.decode()
            answer = client.post(
                reverse(f"annotate:{noun}_rename", args=[thing.uid]), {"name": "New"}, follow=True
            )
            assert "Renamed." in answer.content.decode()
            assert "<h1>New" in answer.content.decode()
            answer = client.post(reverse(f"annotate:{noun}_delete", args=[thing.uid]), follow=True)
            assert "is deleted." in answer.content.decode()
        assert not Basemap.objects.exists() and not Catalogue.objects.exists()

    def test_a_refusal_is_said_on_the_page(self, basemap: Basemap, lead: User, client_of: ClientOf) -> None:
        campaign: Campaign = make_campaign(name="North")
        CampaignBasemap.objects.create(campaign=campaign, basemap=basemap, position=0)
        answer = client_of(lead).post(reverse("annotate:basemap_delete", args=[basemap.uid]), follow=True)
        assert "is in use and cannot be deleted" in answer.content.decode()

    def test_others_see_no_such_buttons(
        self, basemap: Basemap, catalogue: Catalogue, annotator: User, client_of: ClientOf
    ) -> None:
        CampaignBasemap.objects.create(campaign=make_campaign(), basemap=basemap, position=0)
        for noun, thing in (("basemap", basemap), ("catalogue", catalogue)):
            assert (
                "Keep in order"
                not in client_of(annotator)
                .get(reverse(f"annotate:{noun}", args=[thing.uid]))
                .content.decode()
            )
