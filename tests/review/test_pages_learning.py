"""The desk, the models and the runs as pages: who gets them, and what is kept from whom."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import Campaign, Catalogue, Membership, Role, User
from annotate.services.features import add_features
from mlcore.api import ModelCard
from review.models import Dataset, ModelVersion, Run, Subject, Verdict, Workflow
from review.services import scores
from review.services.registry import COMPARED_WITH

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User | None], Client]
Subjects = Callable[..., list[Subject]]

# As mlcore writes it: bins say where they begin, and how many of how many were found.
FIGURES: dict[str, Any] = {
    "recall": 0.75,
    "recall_interval": [0.51, 0.90],
    "precision": 0.8,
    "precision_interval": [0.55, 0.93],
    "f1": 0.774,
    "n_truth": 16,
    "n_truth_hit": 12,
    "n_found": 15,
    "n_found_hit": 12,
    "by_diameter": [
        {"from_m": 1500.0, "n_truth": 10, "n_truth_hit": 7},
        {"from_m": 3000.0, "n_truth": 0, "n_truth_hit": 0},
        {"from_m": 6000.0, "n_truth": 6, "n_truth_hit": 5},
    ],
}
WORSE = FIGURES | {"recall": 0.5, "by_diameter": [{"from_m": 1500.0, "n_truth": 16, "n_truth_hit": 8}]}


@pytest.fixture(autouse=True)
def people(campaign: Campaign, annotator: User, reviewer: User) -> None:
    Campaign.objects.update(min_diameter_m=1000.0)
    campaign.refresh_from_db()
    for user, role in ((annotator, Role.ANNOTATOR), (reviewer, Role.REVIEWER)):
        Membership.objects.create(campaign=campaign, user=user, role=role)


@pytest.fixture
def make_version(campaign: Campaign) -> Callable[..., ModelVersion]:
    """What a finished training leaves: make_version(test=FIGURES)."""

    def make(*, test: dict[str, Any] | None = FIGURES, is_current: bool = False, **more: Any) -> ModelVersion:
        number = campaign.runs.count() + 1
        dataset = Dataset.objects.create(
            campaign=campaign,
            system="crater_detector",
            sha256=f"{number:064d}",
            path="datasets/x",
            counts={"craters": {"train": 941, "validation": 235, "test": 312}},
        )
        run = Run.objects.create(
            campaign=campaign,
            number=number,
            system="crater_detector",
            verb="train",
            state="finished",
            dataset=dataset,
        )
        card = replace(ModelCard.example(), metrics={"validation": test, "test": test}).to_json() | more
        return ModelVersion.objects.create(
            campaign=campaign,
            system="crater_detector",
            number=number,
            run=run,
            path="runs/x",
            card=card,
            is_current=is_current,
        )

    return make


def make_list(
    name: str, *, campaign: Campaign | None = None, lon: float = 10.0, diameter_m: float = 9000.0
) -> Catalogue:
    """An imported list of one crater."""
    made = Catalogue.objects.create(name=name, body="moon", origin="imported", campaign=campaign)
    add_features(made, [{"lon": lon, "lat": 5.0, "diameter_m": diameter_m}])
    return made


def page(client: Client, name: str, thing: Campaign | Run) -> str:
    response = client.get(reverse(f"review:{name}", args=[thing.uid]))
    assert response.status_code == 200, response.content
    return response.content.decode()


def config_in(text: str, name: str) -> dict[str, Any]:
    return json.loads(re.search(rf'id="{name}" type="application/json">(.*?)</script>', text)[1])


class TestDesk:
    def test_it_works(self, campaign: Campaign, workflow: Workflow, client_of: ClientOf, reviewer: User):
        text = page(client_of(reviewer), "review", campaign)
        config = config_in(text, "review-config")
        assert config["urls"]["next"] == reverse("review:api_next", args=[workflow.uid])
        assert config["body"]["radius_m"] == 1_737_400
        assert [reason["key"] for reason in config["reasons"]][:2] == ["ridge", "overlap"]
        assert "What your verdicts teach" in text

    def test_looking_leases_nothing(
        self, campaign: Campaign, make_subjects: Subjects, client_of: ClientOf, reviewer: User
    ):
        make_subjects(2)
        page(client_of(reviewer), "review", campaign)
        assert not Subject.objects.filter(leased_to__isnull=False).exists()

    def test_annotators_judge_blind(
        self, campaign: Campaign, make_subjects: Subjects, client_of: ClientOf, annotator: User
    ):
        subjects = make_subjects(3)
        Verdict.objects.create(subject=subjects[0], answer="rejected", rule="test")
        text = page(client_of(annotator), "review", campaign)
        assert "What your verdicts teach" not in text
        assert "0.6" not in text and "uncertain" not in text
        assert reverse("review:models", args=[campaign.uid]) not in text.split("desk-nothing")[1]

    def test_what_verdicts_taught_since_the_current_version(
        self,
        campaign: Campaign,
        make_subjects: Subjects,
        make_version: Callable[..., ModelVersion],
        client_of: ClientOf,
        reviewer: User,
    ):
        before, after, doubtful = make_subjects(3)
        Verdict.objects.create(subject=before, answer="confirmed", rule="test")
        make_version(is_current=True)
        Verdict.objects.create(subject=after, answer="rejected", rule="test")
        Verdict.objects.create(subject=doubtful, answer="unsure", rule="test")
        text = page(client_of(reviewer), "review", campaign)
        assert "New since version 1" in text
        assert 'data-count="1"' in text

    def test_strangers_and_readers_are_refused(self, campaign: Campaign, client_of: ClientOf, stranger: User):
        address = reverse("review:review", args=[campaign.uid])
        assert client_of(stranger).get(address).status_code == 403
        Membership.objects.create(campaign=campaign, user=stranger, role=Role.READER)
        assert client_of(stranger).get(address).status_code == 403
        assert client_of(None).get(address).status_code == 302


class TestModels:
    def test_it_works(
        self,
        campaign: Campaign,
        make_version: Callable[..., ModelVersion],
        client_of: ClientOf,
        lead: User,
    ):
        make_version(is_current=True)
        waiting = make_version()
        text = page(client_of(lead), "models", campaign)
        assert "0.75" in text and "[0.51, 0.90]" in text
        assert text.count("data-promote") == 1
        assert reverse("review:api_promote", args=[waiting.uid]) in text
        assert f'data-start="{reverse("review:api_runs", args=[campaign.uid])}"' in text
        assert "<option>quick</option>" in text

    def test_only_leads_may_start_and_promote(
        self,
        campaign: Campaign,
        make_version: Callable[..., ModelVersion],
        client_of: ClientOf,
        reviewer: User,
    ):
        make_version()
        text = page(client_of(reviewer), "models", campaign)
        assert "data-promote" not in text and "data-start" not in text

    def test_before_the_first_run_it_says_so(self, campaign: Campaign, client_of: ClientOf, lead: User):
        text = page(client_of(lead), "models", campaign)
        assert "The first training leaves version 1" in text
        assert "Nothing has run here yet" in text
        assert "There is no version to predict with yet" in text

    def test_leads_read_what_a_training_would_use_and_why_it_cannot_begin(
        self, campaign: Campaign, client_of: ClientOf, lead: User, reviewer: User
    ):
        text = page(client_of(lead), "models", campaign)
        assert "Searched tiles</dt><dd>0" in text
        assert "elevation model" in re.search(r'id="obstacle"><span>(.*?)</span>', text)[1]
        Run.objects.create(campaign=campaign, number=1, system="crater_detector", verb="train")
        assert "already trains the crater detector (run 1)" in page(client_of(lead), "models", campaign)
        assert 'id="obstacle"' not in page(client_of(reviewer), "models", campaign)

    def test_a_run_that_does_not_get_on_says_so_in_the_list(
        self, campaign: Campaign, client_of: ClientOf, lead: User
    ):
        Run.objects.create(campaign=campaign, number=1, system="crater_detector", verb="train", attempt=1,
                           state="running", heartbeat_at=timezone.now() - timedelta(seconds=30))  # fmt: skip
        assert "has not been heard of for 3" in page(client_of(lead), "models", campaign)

    def test_a_version_that_could_not_be_scored_says_why(
        self,
        campaign: Campaign,
        make_version: Callable[..., ModelVersion],
        client_of: ClientOf,
        lead: User,
    ):
        make_version(test=None)
        assert "no craters on the test places" in page(client_of(lead), "models", campaign)

    def test_lists_of_private_campaigns_are_not_offered(
        self, campaign: Campaign, client_of: ClientOf, lead: User
    ):
        private = Campaign.objects.create(
            name="Closed", body="moon", visibility="private", region=campaign.region
        )
        for name, where in (("Open list", None), ("Secret list", private)):
            make_list(name, campaign=where)
        text = page(client_of(lead), "models", campaign)
        assert "Open list v1" in text and "Secret list" not in text

    def test_lists_of_elsewhere_are_not_offered(self, campaign: Campaign, client_of: ClientOf, lead: User):
        make_list("Here")
        make_list("Too small", diameter_m=campaign.min_diameter_m / 2)
        make_list("Farside", lon=-130.0)
        catalogues = client_of(lead).get(reverse("review:models", args=[campaign.uid])).context["catalogues"]
        assert [(catalogue.name, catalogue.n_inside) for catalogue in catalogues] == [("Here", 1)]

    def test_the_last_trainings_lists_are_chosen_already(
        self, campaign: Campaign, client_of: ClientOf, lead: User
    ):
        chosen, _other = make_list("Chosen"), make_list("Other")
        config = {"label_catalogues": [str(chosen.uid)], "searched": "region"}
        Run.objects.create(
            campaign=campaign,
            number=1,
            system="crater_detector",
            verb="train",
            state="finished",
            config=config,
        )
        text = page(client_of(lead), "models", campaign)
        assert f'value="{chosen.uid}" checked' in text
        assert 'value="region" checked' in text
        assert text.count(" checked") == 2

    def test_a_retraining_is_offered_with_the_new_verdicts(
        self,
        campaign: Campaign,
        make_subjects: Subjects,
        make_version: Callable[..., ModelVersion],
        client_of: ClientOf,
        lead: User,
    ):
        make_version(is_current=True)
        assert "new-verdicts" not in page(client_of(lead), "models", campaign)
        for subject in make_subjects(2):
            Verdict.objects.create(subject=subject, answer="confirmed", rule="test")
        assert "<b>2 verdicts</b> are new since version 1" in page(client_of(lead), "models", campaign)

    def test_members_only(self, campaign: Campaign, client_of: ClientOf, stranger: User):
        address = reverse("review:models", args=[campaign.uid])
        assert client_of(stranger).get(address).status_code == 403


class TestRun:
    def test_it_works_while_it_runs(self, campaign: Campaign, client_of: ClientOf, lead: User):
        run = Run.objects.create(
            campaign=campaign, number=1, system="crater_detector", verb="train", state="running", progress=0.4
        )
        text = page(client_of(lead), "run", run)
        config = config_in(text, "run-config")
        assert config["run"]["progress"] == 0.4
        assert config["run"]["dataset"] is None
        assert config["urls"]["cancel"] == reverse("review:api_run_cancel", args=[run.uid])
        assert 'id="cancel"' in text
        assert 'value="0.4000"' in text

    def test_a_finished_training_stands_beside_the_version_before_it(
        self, make_version: Callable[..., ModelVersion], client_of: ClientOf, lead: User
    ):
        make_version(is_current=True)
        newer = make_version(**{COMPARED_WITH: {"number": 1, "metrics": WORSE}})
        text = page(client_of(lead), "run", newer.run)
        assert "Beside version 1, same frozen places" in text
        assert "<b>0.75</b>" in text
        assert "16 craters on places never trained on" in text
        assert reverse("review:api_promote", args=[newer.uid]) in text
        assert config_in(text, "run-config")["run"]["dataset"]["counts"]["craters"]["train"] == 941

    def test_recall_is_told_by_diameter(self, make_version: Callable[..., ModelVersion]):
        rows = {row.title: row for row in scores.rows(make_version())}
        assert rows["Recall 1.5–3 km"].this.value == pytest.approx(0.7)
        assert rows["Recall from 6 km"].this.value == pytest.approx(5 / 6)
        low, high = rows["Recall from 6 km"].this.interval
        assert low < 5 / 6 < high
        assert not any("3–6" in title for title in rows)

    def test_what_the_other_has_no_figure_for_stays_open(
        self, make_version: Callable[..., ModelVersion], client_of: ClientOf, lead: User
    ):
        newer = make_version(**{COMPARED_WITH: {"number": 1, "metrics": WORSE}})
        rows = {row.title: row for row in scores.rows(newer)}
        assert rows["Recall"].better
        assert rows["Recall from 6 km"].other is None
        assert "–" in page(client_of(lead), "run", newer.run)

    def test_without_craters_on_the_test_places_there_are_no_figures(
        self, make_version: Callable[..., ModelVersion], client_of: ClientOf, lead: User
    ):
        assert "nothing to score on" in page(client_of(lead), "run", make_version(test=None).run)

    def test_reviewers_may_watch_but_not_act(
        self, make_version: Callable[..., ModelVersion], client_of: ClientOf, reviewer: User
    ):
        version = make_version()
        text = page(client_of(reviewer), "run", version.run)
        assert 'id="cancel"' not in text and "data-promote" not in text
        assert "waits for a lead" in text

    def test_a_version_leads_to_its_run(
        self, make_version: Callable[..., ModelVersion], client_of: ClientOf, reviewer: User
    ):
        version = make_version()
        response = client_of(reviewer).get(reverse("review:model_version", args=[version.uid]))
        assert response.url == reverse("review:run", args=[version.run.uid])

    def test_unknown_runs_and_other_peoples_are_refused(
        self,
        make_version: Callable[..., ModelVersion],
        campaign: Campaign,
        client_of: ClientOf,
        stranger: User,
        lead: User,
    ):
        address = reverse("review:run", args=[make_version().run.uid])
        assert client_of(stranger).get(address).status_code == 403
        unknown = reverse("review:run", args=[campaign.uid])
        assert client_of(lead).get(unknown).status_code == 404


def test_pages_only_answer_get(campaign: Campaign, client_of: ClientOf, lead: User):
    for name in ("review", "models"):
        address = reverse(f"review:{name}", args=[campaign.uid])
        assert client_of(lead).post(address).status_code == 405
