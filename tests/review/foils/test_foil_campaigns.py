"""A campaign on foils among the others: begun by a person, shown everywhere, and never asked for a map."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Campaign, Membership, Role, User
from review.models import Subject, Workflow

pytestmark = pytest.mark.django_db

Browser = Callable[[User | None], Client]


def test_it_is_begun_with_a_form(client_of: Browser, annotator: User) -> None:
    answer = client_of(annotator).post(
        reverse("annotate:campaign_new_foils"),
        {"name": "Foil I1061N", "instructions": "Round pits with a rim.", "visibility": "public"},
    )
    campaign = Campaign.objects.get()
    assert answer.url == reverse("annotate:campaign", args=[campaign.uid])
    assert (campaign.kind, campaign.visibility) == (Campaign.Kind.FOIL, Campaign.Visibility.PUBLIC)
    assert not campaign.synthetic
    assert Membership.objects.get(campaign=campaign).role == Role.LEAD


def test_what_the_form_lacks_is_said_beside_it(client_of: Browser, annotator: User) -> None:
    answer = client_of(annotator).post(reverse("annotate:campaign_new_foils"), {"name": " "})
    assert answer.status_code == 422
    assert b"errorlist" in answer.content
    assert not Campaign.objects.exists()


def test_both_ways_to_begin_lead_to_each_other(client_of: Browser, annotator: User) -> None:
    ways = reverse("annotate:campaign_new"), reverse("annotate:campaign_new_foils")
    for here, there in (ways, ways[::-1]):
        assert f'href="{there}"' in client_of(annotator).get(here).content.decode()


def test_its_page_is_that_of_its_foils(client_of: Browser, foils: Campaign) -> None:
    answer = client_of(None).get(reverse("annotate:campaign", args=[foils.uid]), follow=True)
    assert answer.redirect_chain == [(reverse("review:foils", args=[foils.uid]), 302)]
    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["review:home", "annotate:campaign_list"])
def test_lists_show_it_with_its_pictures(
    name: str,
    client_of: Browser,
    foils: Campaign,
    lead: User,
    make_foil_subjects: Callable[..., list[Subject]],
) -> None:
    make_foil_subjects(2)
    for reader in (None, lead):
        page = client_of(reader).get(reverse(name)).content.decode()
        assert foils.name in page
        assert "0 of 2 pictures judged" in page
        assert "settled" not in page


def test_lists_show_one_without_pictures(client_of: Browser, foils: Campaign) -> None:
    assert "No pictures yet" in client_of(None).get(reverse("annotate:campaign_list")).content.decode()


def test_its_settings_leave_what_concerns_tiles(client_of: Browser, foils: Campaign, lead: User) -> None:
    url = reverse("annotate:campaign_settings", args=[foils.uid])
    browser = client_of(lead)
    assert "lease_minutes" not in browser.get(url).content.decode()
    answer = browser.post(url, {"name": "Renamed", "instructions": "", "visibility": "private"})
    assert answer.status_code == 302
    foils.refresh_from_db()
    assert (foils.name, foils.visibility, foils.redundancy) == ("Renamed", "private", 3)


def test_its_people_are_kept_as_elsewhere(client_of: Browser, foils: Campaign, lead: User) -> None:
    page = client_of(lead).get(reverse("annotate:campaign_members", args=[foils.uid]))
    assert page.status_code == 200
    assert "judges pictures" in page.content.decode()


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("GET", "annotate:label"),
        ("GET", "annotate:campaign_tiles"),
        ("GET", "review:review"),
        ("GET", "review:models"),
        ("GET", "annotate:api_features"),
        ("POST", "annotate:api_tile_next"),
        ("PUT", "annotate:api_view"),
    ],
)
def test_what_needs_a_map_is_not_there(
    method: str, name: str, client_of: Browser, foils: Campaign, lead: User
) -> None:
    answer = client_of(lead).generic(method, reverse(name, args=[foils.uid]))
    assert answer.status_code == 404
    assert "has pictures of foils and no map" in answer.content.decode()


@pytest.mark.parametrize("name", ["review:api_next", "review:api_classifications", "review:api_back"])
def test_its_pictures_are_not_handed_out_by_the_review_desk(
    name: str, client_of: Browser, triage: Workflow, lead: User
) -> None:
    answer = client_of(lead).post(reverse(name, args=[triage.uid]), "{}", content_type="application/json")
    assert answer.status_code == 404


def test_its_subjects_have_no_cutout(
    client_of: Browser, make_foil_subjects: Callable[..., list[Subject]], lead: User
) -> None:
    [subject] = make_foil_subjects(1)
    assert client_of(lead).get(reverse("review:api_cutout", args=[subject.uid])).status_code == 404


def test_crater_lists_are_not_offered_to_it(client_of: Browser, foils: Campaign, lead: User) -> None:
    assert foils.name not in client_of(lead).get(reverse("annotate:catalogue_import")).content.decode()
