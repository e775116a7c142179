"""Home says what waits for me; my record says what became of what I did, and only to me."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Campaign, Catalogue, Role, User
from annotate.services import consensus, leases
from annotate.services.participants import participant_of
from review.models import Run, Subject, Verdict, Workflow
from review.services import classifications, records
from tests.annotate.builders import join, make_campaign, search

ClientOf = Callable[[User | None], Client]


def text_of(client: Client, name: str) -> str:
    response = client.get(reverse(f"review:{name}"))
    assert response.status_code == 200
    return response.content.decode()


class TestHome:
    def test_it_works(self, client_of: ClientOf, lead: User, annotator: User):
        trial = make_campaign(lead=lead)
        join(trial, annotator)
        text = text_of(client_of(annotator), "home")
        assert "Hello, annotator" in text
        assert "Your first tile is waiting" in text
        assert text.count("button primary") == 1

    def test_passers_by_get_one_sentence_and_the_sign_in(self, client_of: ClientOf, lead: User):
        make_campaign(lead=lead, name="Open mare")
        make_campaign(lead=lead, name="Closed mare", visibility=Campaign.Visibility.PRIVATE)
        text = text_of(client_of(None), "home")
        assert "one crater at a time" in text
        assert reverse("account_signup") in text
        assert "Open mare" in text
        assert "Closed mare" not in text

    def test_without_campaigns_it_says_what_to_do(self, client_of: ClientOf, stranger: User, lead: User):
        assert "none is open to everyone" in text_of(client_of(stranger), "home")
        make_campaign(lead=lead)
        assert "Join one below" in text_of(client_of(stranger), "home")

    def test_a_finished_campaign_asks_for_nothing(self, client_of: ClientOf, lead: User, annotator: User):
        trial = make_campaign(lead=lead, redundancy=1)
        join(trial, annotator)
        for tile in trial.tiles.all():
            search(tile, participant_of(annotator))
        text = text_of(client_of(annotator), "home")
        assert "Nothing waits for you now" in text
        assert "button primary" not in text

    def test_proposals_are_counted(
        self,
        campaign: Campaign,
        make_subjects: Callable[..., list[Subject]],
        client_of: ClientOf,
        lead: User,
    ):
        make_subjects(3)
        Campaign.objects.update(proposals=Catalogue.objects.first())
        text = text_of(client_of(lead), "home")
        assert "3 proposals wait for you" in text
        assert reverse("review:review", args=[campaign.uid]) in text

    def test_a_tile_in_hand_comes_before_a_new_one(self, client_of: ClientOf, lead: User, annotator: User):
        older, newer = make_campaign(lead=lead, name="Older"), make_campaign(lead=lead, name="Newer")
        join(newer, annotator)
        leases.hand_out(campaign=older, participant=join(older, annotator))
        first = client_of(annotator).get(reverse("review:home")).context["first"]
        assert first[0] == older
        assert "is in your hands" in first[1].title

    def test_runs_at_work_are_shown(self, campaign: Campaign, client_of: ClientOf, lead: User):
        Run.objects.create(
            campaign=campaign,
            number=7,
            system="crater_detector",
            verb="train",
            state="running",
            progress=0.4,
            stage="Epoch 4 of 10",
        )
        text = text_of(client_of(lead), "home")
        assert "Training 7" in text
        assert "Epoch 4 of 10" in text
        assert "40 %" in text

    def test_markup_in_names_stays_text(self, client_of: ClientOf, lead: User):
        make_campaign(lead=lead, name="<img src=x onerror=alert(1)>")
        assert "<img src=x" not in text_of(client_of(lead), "home")


class TestProfile:
    def test_it_works(self, client_of: ClientOf, lead: User, annotator: User):
        trial = make_campaign(lead=lead, redundancy=2, name="Mare Humorum")
        me, other = join(trial, annotator), join(trial, lead, Role.LEAD)
        first, second, *_rest = trial.tiles.all()
        both, mine_only = (100.0, 100.0, 30.0), (180.0, 180.0, 30.0)
        search(first, me, [both, mine_only])
        search(first, other, [both])
        consensus.settle_tile(first)
        search(second, me, [(400.0, 100.0, 20.0)])
        text = text_of(client_of(annotator), "profile")
        (record,) = client_of(annotator).get(reverse("review:profile")).context["drawn"]
        assert "Mare Humorum" in text
        assert (record.visits, record.marks, record.waiting) == (2, 3, 1)
        assert record.confirmed + record.alone == 2
        assert record.confirmed >= 1

    def test_marks_of_an_open_visit_are_not_counted_yet(
        self, lead: User, annotator: User, client_of: ClientOf
    ):
        trial = make_campaign(lead=lead)
        visit = leases.hand_out(campaign=trial, participant=join(trial, annotator))
        assert visit is not None
        assert "You have not searched a tile yet" in text_of(client_of(annotator), "profile")

    def test_verdicts_are_upheld_or_overruled(
        self, workflow: Workflow, make_subjects: Callable[..., list[Subject]], annotator: User
    ):
        me = participant_of(annotator)
        for subject, answer in zip(make_subjects(3), ("accept", "reject", "unsure"), strict=True):
            classifications.record(
                workflow=workflow,
                subject=subject,
                participant=me,
                uid=uuid4(),
                answer=answer,
                reason="ridge" if answer == "reject" else "",
                as_reviewer=False,
            )
            Verdict.objects.update_or_create(
                subject=subject, defaults={"answer": "confirmed", "rule": "test"}
            )
        (record,) = records.answers_of(me)
        assert (record.given, record.upheld, record.overruled, record.unsure, record.waiting) == (
            3,
            1,
            1,
            1,
            0,
        )

    def test_only_for_those_signed_in(self, client_of: ClientOf, db: None):
        response = client_of(None).get(reverse("review:profile"))
        assert response.status_code == 302
        assert response.url.startswith(reverse("account_login"))


@pytest.mark.parametrize("name", ["home", "profile"])
def test_pages_only_answer_get(name: str, client_of: ClientOf, stranger: User):
    assert client_of(stranger).post(reverse(f"review:{name}")).status_code == 405
