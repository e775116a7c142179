"""The front page of a campaign on foils: true numbers for everybody, tabs for leads."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Campaign, Participant, User
from review.models import Gold, Judge, Subject
from review.services.foils import summary


@pytest.fixture
def url(foils: Campaign) -> str:
    return reverse("review:foils", args=[foils.uid])


def test_known_subjects_are_in_no_number(
    foils: Campaign,
    make_foil_subjects: Callable[..., list[Subject]],
    make_gold: Callable[..., list[Gold]],
) -> None:
    first, second, _third = make_foil_subjects(3)
    make_gold(2)
    Subject.objects.filter(pk__in=[first.pk, second.pk]).update(n_votes=3)
    Subject.objects.filter(pk=first.pk).update(outcome="nothing", retired_at=foils.created_at)
    found = summary.of(foils)
    assert (found.to_judge, found.judged, found.n_retired, found.open) == (3, 2, 1, 2)
    assert found.retired["nothing"] == 1 and found.retired["candidate"] == 0


def test_a_person_of_two_selves_is_one_person(foils: Campaign, make_judge: Callable[..., Judge]) -> None:
    ada = make_judge("ada", n_answers=5)
    earlier = Participant.objects.create(pseudonym="visitor-1", merged_into=ada.participant)
    Judge.objects.create(workflow=ada.workflow, participant=earlier, n_answers=2)
    found = summary.of(foils)
    assert (found.people, found.answers) == (1, 7)


def test_anybody_reads_the_numbers_and_leads_see_the_way_on(
    url: str, lead: User, client_of: Callable[[User | None], Client]
) -> None:
    settings = "/settings/"
    assert settings not in client_of(None).get(url).content.decode()
    assert settings in client_of(lead).get(url).content.decode()


def test_an_empty_campaign_says_so(url: str, client_of: Callable[[User | None], Client]) -> None:
    assert "There are no pictures yet" in client_of(None).get(url).content.decode()


def test_a_campaign_on_maps_has_no_such_page(
    campaign: Campaign, client_of: Callable[[User | None], Client]
) -> None:
    response = client_of(None).get(reverse("review:foils", args=[campaign.uid]))
    assert response.status_code == 404
    assert not campaign.workflows.exists()
