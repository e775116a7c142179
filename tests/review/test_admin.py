"""The site's admin: trains by the same service, and shows no votes."""

from collections.abc import Callable

import pytest
from django.contrib import admin
from django.test import Client
from django.utils import timezone

from annotate.models import Campaign, Catalogue, User
from review import tasks
from review.models import Classification, Run, Subject, Verdict
from review.services.policies import candidates

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User | None], Client]


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    sent: list[int] = []
    monkeypatch.setattr(tasks.train_task, "delay_on_commit", sent.append)
    return sent


@pytest.fixture
def settled(region: Campaign, truth: Catalogue) -> None:
    """All tiles searched, the truth their consensus."""
    region.tiles.update(settled_at=timezone.now())
    Catalogue.objects.filter(pk=truth.pk).update(origin=Catalogue.Origin.CONSENSUS)


def press_train(client: Client, campaign: Campaign) -> str:
    response = client.post(
        "/admin/annotate/campaign/",
        {"action": "train", "_selected_action": [campaign.pk]},
        follow=True,
    )
    return " ".join(str(message) for message in response.context["messages"])


def test_it_works(region: Campaign, client_of: ClientOf, staff: User, enqueued: list[int], settled: None):
    assert "waits for a worker" in press_train(client_of(staff), region)
    run = Run.objects.get()
    assert (run.verb, run.requested_by.user) == ("train", staff)
    assert enqueued == [run.pk]


def test_a_refusal_is_shown_in_words(region: Campaign, client_of: ClientOf, staff: User, enqueued: list[int]):
    assert "no tile of “Synthetic region” is settled" in press_train(client_of(staff), region)
    assert enqueued == []
    assert not Run.objects.exists()


def test_who_is_not_staff_is_not_let_in(
    region: Campaign, client_of: ClientOf, lead: User, enqueued: list[int]
):
    response = client_of(lead).post("/admin/annotate/campaign/", {"action": "train"})
    assert response.status_code == 302
    assert "/admin/login/" in response["Location"]
    assert not Run.objects.exists()


def test_settings_of_a_workflow_are_refused_in_words(campaign: Campaign, client_of: ClientOf, staff: User):
    workflow = candidates.workflow_of(campaign)
    client, url = client_of(staff), f"/admin/review/workflow/{workflow.pk}/change/"
    answer = client.post(url, {"question": "Is it one?", "settings": '{"random_share": 2}'})
    assert "is 2, and should be a number from 0 to 1" in answer.content.decode()
    answer = client.post(url, {"question": "Is it one?", "settings": '{"random_share": 0.5}'})
    assert answer.status_code == 302
    workflow.refresh_from_db()
    assert workflow.settings == {"random_share": 0.5}


def test_lists_show_no_votes(client_of: ClientOf, staff: User):
    assert not admin.site.is_registered(Classification)
    assert not admin.site.is_registered(Verdict)
    shown = admin.site.get_model_admin(Subject)
    assert set(shown.list_display) | set(shown.fields) <= {"uid", "workflow", "created_at"}
    for model in ("run", "dataset", "modelversion", "workflow", "subject"):
        assert client_of(staff).get(f"/admin/review/{model}/").status_code == 200
