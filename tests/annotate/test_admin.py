"""The admin opens, and shows neither marks nor a map of the Earth."""

from collections.abc import Callable

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from annotate import models
from annotate.models import Campaign, Catalogue, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client_of: Callable[[User | None], Client], staff: User) -> Client:
    return client_of(staff)


@pytest.mark.parametrize("name", ["campaign", "basemap", "catalogue", "user"])
def test_lists_open(desk: Client, campaign: Campaign, name: str) -> None:
    assert desk.get(reverse(f"admin:annotate_{name}_changelist"), {"q": "x"}).status_code == 200


def test_forms_open_and_save_without_a_map(desk: Client, campaign: Campaign, lead: User) -> None:
    there = reverse("admin:annotate_campaign_change", args=[campaign.pk])
    page = desk.get(there)
    assert page.status_code == 200
    assert "OpenLayers" not in page.content.decode()
    members = campaign.memberships.order_by("pk")
    form = {
        "name": "Renamed",
        "visibility": "private",
        "instructions": "",
        "memberships-TOTAL_FORMS": members.count(),
        "memberships-INITIAL_FORMS": members.count(),
        "layers-TOTAL_FORMS": 0,
        "layers-INITIAL_FORMS": 0,
    }
    for k, member in enumerate(members):
        form |= {
            f"memberships-{k}-id": member.pk,
            f"memberships-{k}-campaign": campaign.pk,
            f"memberships-{k}-user": member.user_id,
            f"memberships-{k}-role": member.role,
        }
    assert desk.post(there, form).status_code == 302
    campaign.refresh_from_db()
    assert (campaign.name, campaign.visibility) == ("Renamed", "private")


def test_catalogues_open(desk: Client, campaign: Campaign) -> None:
    catalogue = Catalogue.objects.create(name="C", body="moon", origin="consensus", campaign=campaign)
    assert desk.get(reverse("admin:annotate_catalogue_change", args=[catalogue.pk])).status_code == 200
    assert desk.get(reverse("admin:annotate_catalogue_add")).status_code == 403


def test_what_people_drew_is_not_there() -> None:
    hidden = (models.Mark, models.MarkRevision, models.Visit, models.Skill, models.Feature)
    assert not [model for model in hidden if admin.site.is_registered(model)]
