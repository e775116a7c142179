"""Home, landing page and cards: what is to be done in a campaign on foils, by whom."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from annotate.models import Campaign, Role, User
from annotate.services import members
from annotate.services.storage import file_of
from mlcore.consensus.answers.stopping import Outcome
from review.models import Gold, Subject, Workflow
from review.services.foils.results import reckoning

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
MakeSubjects = Callable[..., list[Subject]]


def retire(subject: Subject, outcome: Outcome) -> None:
    subject.outcome, subject.retired_at = outcome, timezone.now()
    subject.save()


class TestLanding:
    def test_whoever_comes_by_can_start_at_once(
        self, client: Client, foils: Campaign, make_foil_subjects: MakeSubjects
    ):
        make_foil_subjects(2)
        page = client.get("/").content.decode()
        assert f"/campaigns/{foils.uid}/triage/" in page
        assert "Find craters" in page and "without an account" in page
        assert "0 of 2 pictures judged" in page

    def test_a_campaign_without_pictures_is_not_offered(self, client: Client, foils: Campaign):
        page = client.get("/").content.decode()
        assert foils.name in page
        assert "Find craters" not in page

    def test_private_campaigns_are_not_shown(
        self, client: Client, foils: Campaign, make_foil_subjects: MakeSubjects
    ):
        make_foil_subjects(1)
        foils.visibility = Campaign.Visibility.PRIVATE
        foils.save()
        assert str(foils.uid) not in client.get("/").content.decode()


class TestHome:
    def first_of(self, page: str) -> str:
        return page.split('class="next first"')[1].split("</section>")[0]

    def test_a_lead_adds_images_first_and_known_pictures_then(
        self,
        client_of: ClientOf,
        lead: User,
        foils: Campaign,
        triage: Workflow,
        make_foil_subjects: MakeSubjects,
        make_gold: Callable[..., list[Gold]],
    ):
        client = client_of(lead)
        assert "Add images" in self.first_of(client.get("/").content.decode())
        make_foil_subjects(1)
        assert "Make known pictures" in self.first_of(client.get("/").content.decode())
        make_gold(1)
        assert "Find craters" in self.first_of(client.get("/").content.decode())

    def test_reviewers_look_through_what_is_found(
        self,
        client_of: ClientOf,
        reviewer: User,
        lead: User,
        foils: Campaign,
        triage: Workflow,
        make_foil_subjects: MakeSubjects,
        make_judge: Callable[..., object],
        say: Callable[..., object],
    ):
        members.give_role(campaign=foils, user=reviewer, role=Role.REVIEWER, by=lead)
        (subject,) = make_foil_subjects(1)
        say(make_judge("ada"), subject, "crater")
        retire(subject, Outcome.CANDIDATE)
        client = client_of(reviewer)
        assert "Find craters" in self.first_of(client.get("/").content.decode())
        reckoning.reckon(triage)
        retire(subject, Outcome.CANDIDATE)
        first = self.first_of(client.get("/").content.decode())
        assert "1 candidate waits for an expert" in first
        assert f"/campaigns/{foils.uid}/foils/results/" in first

    def test_somebody_who_is_no_member_judges_all_the_same(
        self, client_of: ClientOf, stranger: User, foils: Campaign, make_foil_subjects: MakeSubjects
    ):
        make_foil_subjects(1)
        page = client_of(stranger).get("/").content.decode()
        assert f"/campaigns/{foils.uid}/triage/" in page


class TestSample:
    def test_a_picture_that_was_judged_enough_stands_for_the_campaign(
        self, client: Client, foils: Campaign, make_foil_subjects: MakeSubjects
    ):
        open_one, nothing, candidate = make_foil_subjects(3)
        retire(nothing, Outcome.NOTHING)
        retire(candidate, Outcome.CANDIDATE)
        answer = client.get(f"/campaigns/{foils.uid}/foils/sample.jpg")
        assert answer["Content-Type"] == "image/jpeg"
        shown = candidate.picture.frames.get().shown_path
        assert b"".join(answer.streaming_content) == pixels(shown)
        assert open_one.picture.name not in str(answer.headers)

    def test_no_picture_that_waits_for_answers_nor_a_known_one_is_shown(
        self,
        client: Client,
        foils: Campaign,
        make_foil_subjects: MakeSubjects,
        make_gold: Callable[..., list[Gold]],
    ):
        make_foil_subjects(1)
        make_gold(1)
        answer = client.get(f"/campaigns/{foils.uid}/foils/sample.jpg")
        assert (answer.status_code, answer["Location"].rpartition("/")[2][:4]) == (302, "foil")

    def test_a_private_campaign_keeps_its_pictures(self, client: Client, foils: Campaign):
        foils.visibility = Campaign.Visibility.PRIVATE
        foils.save()
        assert client.get(f"/campaigns/{foils.uid}/foils/sample.jpg").status_code in (302, 403, 404)


def pixels(path: str) -> bytes:
    return file_of(path).read_bytes()
