"""The triage page as the server gives it: open to all, holding no picture, with a simulated tutorial."""

import io
import json
import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image

from annotate.models import Campaign, Participant, User
from review.models import Judge, Showing, Subject
from review.services.foils.judging import tutorial

Make = Callable[..., list[Subject]]
ClientOf = Callable[[User | None], Client]


@pytest.fixture
def url(foils: Campaign) -> str:
    return reverse("review:triage", args=[foils.uid])


def config_of(client: Client, url: str) -> dict[str, object]:
    page = client.get(url).content.decode()
    return json.loads(re.search(r'id="triage-config" type="application/json">(.*?)</script>', page)[1])


def test_looking_at_the_page_hands_out_nothing_and_makes_nobody(
    url: str, make_foil_subjects: Make, client_of: ClientOf
):
    make_foil_subjects(3)
    people = Participant.objects.count()
    config = config_of(client_of(None), url)
    assert config["participant"] == ""
    assert (Showing.objects.count(), Judge.objects.count(), Participant.objects.count()) == (0, 0, people)


def test_it_belongs_to_whoever_is_signed_in(url: str, annotator: User, client_of: ClientOf):
    config = config_of(client_of(annotator), url)
    assert config["participant"] == str(Participant.objects.get(user=annotator).uid)


def test_a_visitor_who_signs_in_is_the_same_person(
    url: str, foils: Campaign, annotator: User, client_of: ClientOf
):
    """Asked before anything else makes them a participant, the page leaves all they did under one name."""
    client = client_of(None)
    start = config_of(client, url)["urls"]["start"]
    begun = client.post(start, {"consent": "1"}, content_type="application/json").json()
    assert config_of(client, url)["participant"] == begun["person"]["uid"]
    visited = client.session["triage_visitor"]
    client.force_login(annotator)
    client.session["triage_visitor"] = visited
    assert config_of(client, url)["participant"] == begun["person"]["uid"]
    assert Participant.objects.get(user=annotator).pseudonym == begun["person"]["pseudonym"]


def test_a_private_campaign_is_not_there_for_others(
    url: str, foils: Campaign, lead: User, stranger: User, client_of: ClientOf
):
    foils.visibility = Campaign.Visibility.PRIVATE
    foils.save()
    assert client_of(None).get(url).status_code == 302
    assert client_of(stranger).get(url).status_code == 404
    assert client_of(lead).get(url).status_code == 200


def test_a_campaign_on_maps_has_no_such_page(campaign: Campaign, client_of: ClientOf):
    response = client_of(None).get(reverse("review:triage", args=[campaign.uid]))
    assert response.status_code == 404
    assert not campaign.workflows.exists()


@pytest.mark.parametrize("lesson", tutorial.LESSONS, ids=lambda lesson: lesson.key)
def test_every_card_has_a_picture_and_rings_where_the_simulator_put_things(
    lesson: tutorial.Lesson, client_of: ClientOf, db: None
):
    response = client_of(None).get(reverse("review:triage_lesson", args=[lesson.key]))
    assert response["Content-Type"] == "image/jpeg"
    assert "max-age" in response["Cache-Control"]
    with Image.open(io.BytesIO(response.content)) as image:
        assert (image.size, image.mode) == ((tutorial.WIDTH_PX, tutorial.HEIGHT_PX), "L")
    rings = tutorial.draw(lesson.key).rings
    assert bool(rings) == lesson.rings_craters
    assert all(ring.is_crater == bool(lesson.recipe.families) for ring in rings)
    for ring in rings:
        assert 0 <= ring.x_px <= tutorial.WIDTH_PX and 0 <= ring.y_px <= tutorial.HEIGHT_PX


def test_a_picture_that_is_not_there(client_of: ClientOf, db: None):
    assert client_of(None).get(reverse("review:triage_lesson", args=["none"])).status_code == 404


def test_every_picture_of_the_tutorial_says_that_it_is_synthetic(url: str, client_of: ClientOf):
    page = client_of(None).get(url).content.decode()
    cards = re.findall(r'<article class="lesson".*?</article>', page, re.DOTALL)
    assert len(cards) == len(tutorial.LESSONS) >= 4
    assert all("synthetic" in card for card in cards)
