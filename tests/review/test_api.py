"""The API of judging and learning: shapes, blindness, and that refusals are sentences."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client

from annotate.models import Basemap, Campaign, Catalogue, Membership, Role, User
from annotate.services.features import add_features
from annotate.services.participants import participant_of
from review import tasks
from review.models import Classification, ModelVersion, Run, RunEvent, Subject, Workflow
from review.services import runs
from review.services.policies import candidates

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User | None], Client]


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have gone to the workers."""
    sent: list[str] = []
    for task in (tasks.train_task, tasks.predict_task):
        monkeypatch.setattr(task, "delay_on_commit", lambda pk, name=task.name: sent.append(name))
    return sent


@pytest.fixture
def desk(region: Campaign, truth: Catalogue, annotator: User, reviewer: User) -> Workflow:
    """Three proposals to judge in the region, an annotator and a reviewer."""
    Membership.objects.create(campaign=region, user=annotator, role=Role.ANNOTATOR)
    Membership.objects.create(campaign=region, user=reviewer, role=Role.REVIEWER)
    workflow = candidates.workflow_of(region)
    catalogue = Catalogue.objects.create(
        name="predicted", body="moon", campaign=region, origin=Catalogue.Origin.PREDICTED
    )
    craters = truth.features.filter(diameter_m__gte=2000).order_by("pk")[:3]
    rows = [
        {"lon": c.lon, "lat": c.lat, "diameter_m": c.diameter_m, "score": 0.61, "uncertainty": 0.37}
        for c in craters
    ]
    for place, feature in enumerate(add_features(catalogue, rows)):
        Subject.objects.create(
            workflow=workflow, feature=feature, priority=1 - place / 3, why="uncertain", stratum="random"
        )
    return workflow


def post(client: Client, path: str, **body: object) -> dict:
    response = client.post(f"/api/v1/{path}", body, content_type="application/json")
    assert response.status_code in (200, 201), response.content
    return response.json()


def refused(client: Client, path: str, status: int, **body: object) -> str:
    response = client.post(f"/api/v1/{path}", body, content_type="application/json")
    assert response.status_code == status, response.content
    return response.json()["message"]


def test_it_works_a_reviewer_judges_and_is_shown_the_next(
    desk: Workflow, client_of: ClientOf, reviewer: User
):
    client = client_of(reviewer)
    first = post(client, f"workflows/{desk.uid}/next")
    assert first["progress"] == {"done": 0, "waiting": 3, "per_minute": 0.0}
    assert first["subject"]["score"] == 0.61
    uid = str(uuid4())
    given = post(
        client,
        f"workflows/{desk.uid}/classifications",
        uid=uid,
        subject=first["subject"]["uid"],
        answer="accept",
        reason="",
        payload={},
        duration_ms=900,
    )
    assert given["classification"]["uid"] == uid
    assert given["next"]["uid"] != first["subject"]["uid"]
    assert given["progress"]["done"] == 1
    back = post(client, f"workflows/{desk.uid}/back")
    assert back["subject"]["uid"] == first["subject"]["uid"]
    assert back["progress"]["done"] == 0


def test_an_annotator_judges_blind(desk: Workflow, client_of: ClientOf, annotator: User, reviewer: User):
    first = Subject.objects.order_by("-priority").first()
    Classification.objects.create(
        uid=uuid4(), workflow=desk, subject=first, participant=participant_of(reviewer), answer="unsure"
    )
    shown = post(client_of(annotator), f"workflows/{desk.uid}/next")
    subject = shown["subject"]
    assert (subject["score"], subject["uncertainty"], subject["why"], subject["nearest"]) == (
        None,
        None,
        "",
        None,
    )
    assert set(subject) == {
        "uid", "lon", "lat", "diameter_m", "score", "uncertainty", "why", "nearest", "cutout", "profile",
        "model",
    }  # fmt: skip
    text = str(shown)
    for secret in ("0.61", "0.37", "unsure", "random", "stratum", "n_answers", "priority"):
        assert secret not in text


def test_an_annotators_answer_does_not_settle(desk: Workflow, client_of: ClientOf, annotator: User):
    client = client_of(annotator)
    subject = post(client, f"workflows/{desk.uid}/next")["subject"]
    post(
        client,
        f"workflows/{desk.uid}/classifications",
        uid=str(uuid4()),
        subject=subject["uid"],
        answer="accept",
    )
    assert not Classification.objects.get().as_reviewer
    assert Subject.objects.get(uid=subject["uid"]).retired_at is None


def test_the_same_answer_sent_twice_is_answered_the_same(desk: Workflow, client_of: ClientOf, reviewer: User):
    client = client_of(reviewer)
    subject = post(client, f"workflows/{desk.uid}/next")["subject"]
    body = {"uid": str(uuid4()), "subject": subject["uid"], "answer": "skip"}
    first = post(client, f"workflows/{desk.uid}/classifications", **body)
    again = post(client, f"workflows/{desk.uid}/classifications", **body)
    assert again["classification"] == first["classification"]
    assert again["next"] == first["next"]


def test_when_all_is_judged_it_says_so(desk: Workflow, client_of: ClientOf, reviewer: User):
    desk.subjects.all().delete()
    none = post(client_of(reviewer), f"workflows/{desk.uid}/next")
    assert (none["subject"], none["reason"]) == (None, "none")


WRONG_ANSWERS: list[tuple[dict, str]] = [
    ({"answer": "maybe"}, "is no answer"),
    ({"answer": "reject"}, "needs one of these reasons"),
    ({"answer": "edit", "payload": {"lon": 1}}, "needs numbers"),
    ({"answer": "edit", "payload": {"lon": 10, "lat": 95, "diameter_m": 1000}}, "Latitude 95"),
    ({"uid": "no"}, "uid"),
    ({"duration_ms": -1}, "duration_ms"),
    ({"payload": [1]}, "payload"),
]


def test_a_wrong_answer_is_refused_in_words(desk: Workflow, client_of: ClientOf, reviewer: User):
    body = {"uid": str(uuid4()), "subject": str(desk.subjects.first().uid), "answer": "accept"}
    client = client_of(reviewer)
    for change, words in WRONG_ANSWERS:
        message = refused(client, f"workflows/{desk.uid}/classifications", 400, **(body | change))
        assert words in message
    assert not Classification.objects.exists()


def test_a_subject_of_another_workflow_is_not_found(
    desk: Workflow, campaign: Campaign, client_of: ClientOf, lead: User
):
    other = candidates.workflow_of(campaign)
    subject = desk.subjects.first()
    body = {"uid": str(uuid4()), "subject": str(subject.uid), "answer": "accept"}
    assert "no such subject" in refused(
        client_of(lead), f"workflows/{other.uid}/classifications", 404, **body
    )


def test_a_cutout_is_a_picture(desk: Workflow, client_of: ClientOf, annotator: User):
    client = client_of(annotator)
    shown = post(client, f"workflows/{desk.uid}/next")["subject"]["cutout"]
    for url in [shown["url"], *(layer["url"] for layer in shown["layers"])]:
        response = client.get(url)
        assert response.status_code == 200
        assert response["Content-Type"].startswith("image/")
    assert client_of(None).get(shown["url"]).status_code == 401


def test_a_lead_starts_a_training(
    region: Campaign, truth: Catalogue, client_of: ClientOf, lead: User, enqueued: list[str]
):
    started = post(
        client_of(lead),
        f"campaigns/{region.uid}/runs",
        verb="train",
        system="crater_detector",
        preset="quick",
        label_catalogues=[str(truth.uid)],
        searched="region",
    )
    assert (started["state"], started["number"], started["attempt"]) == ("queued", 1, 0)
    assert enqueued == ["review.tasks.train_task"]
    assert "already trains the crater detector (run 1)" in refused(
        client_of(lead),
        f"campaigns/{region.uid}/runs",
        409,
        verb="train",
        label_catalogues=[str(truth.uid)],
        searched="region",
    )


WRONG_WISHES: list[tuple[dict, int, str]] = [
    ({"verb": "train"}, 400, "no tile of “Synthetic region” is settled"),
    ({"verb": "train", "system": "oracle"}, 400, "no learning system 'oracle'"),
    ({"verb": "train", "preset": "best"}, 400, "no preset 'best'"),
    ({"verb": "train", "label_catalogues": [str(uuid4())]}, 404, "no catalogue"),
    ({"verb": "predict"}, 400, "No model version is current"),
    ({"verb": "predict", "model_version": str(uuid4())}, 404, "no model version"),
    ({"verb": "predict", "basemap": str(uuid4())}, 404, "no basemap"),
    ({"verb": "dance"}, 400, "dance"),
]


def test_a_run_that_cannot_be_is_refused_in_words(
    region: Campaign, client_of: ClientOf, lead: User, enqueued: list[str]
):
    client = client_of(lead)
    for wish, status, words in WRONG_WISHES:
        assert words in refused(client, f"campaigns/{region.uid}/runs", status, **wish)
    assert enqueued == []
    assert not Run.objects.exists()


def test_a_lead_promotes_and_it_predicts_at_once(
    make_version: Callable[..., ModelVersion], client_of: ClientOf, lead: User, enqueued: list[str]
):
    version = make_version()
    promoted = post(client_of(lead), f"model-versions/{version.uid}/promote")
    run = Run.objects.get(verb="predict")
    assert promoted == {
        "uid": str(version.uid),
        "number": 1,
        "is_current": True,
        "prediction": str(run.uid),
    }
    # Several copies of the message, for several workers to share the windows.
    assert set(enqueued) == {"review.tasks.predict_task"}
    told = client_of(lead).get(f"/api/v1/runs/{version.run.uid}").json()
    assert (told["version"]["number"], told["version"]["is_current"]) == (1, True)


def test_a_lead_predicts_with_a_version_of_another_campaign_over_its_raster(
    make_version: Callable[..., ModelVersion],
    campaign: Campaign,
    client_of: ClientOf,
    lead: User,
    enqueued: list[str],
):
    version = make_version()
    terrain = Basemap.objects.get(kind="elevation")
    started = post(
        client_of(lead),
        f"campaigns/{campaign.uid}/runs",
        verb="predict",
        model_version=str(version.uid),
        basemap=str(terrain.uid),
    )
    run = Run.objects.get(uid=started["uid"])
    assert (run.campaign, run.model_version, run.basemap) == (campaign, version, terrain)
    assert run.windows.exists()


def test_another_campaigns_private_basemap_is_not_found(
    region: Campaign, campaign: Campaign, client_of: ClientOf, make_user: Callable[..., User], staff: User
):
    region.visibility = Campaign.Visibility.PRIVATE
    region.save()
    other = make_user("other-lead")
    Membership.objects.create(campaign=campaign, user=other, role=Role.LEAD)
    basemap = Basemap.objects.get(kind="elevation")
    wish = {"verb": "predict", "basemap": str(basemap.uid)}
    assert "no basemap" in refused(client_of(other), f"campaigns/{campaign.uid}/runs", 404, **wish)
    assert "No model version" in refused(client_of(staff), f"campaigns/{campaign.uid}/runs", 400, **wish)


def test_a_run_tells_what_is_new_since_last_time(region: Campaign, client_of: ClientOf, lead: User):
    run = runs.create(campaign=region, system="crater_detector", verb="train", requested_by=None)
    claimed = runs.claim(run.pk, "worker-1")
    runs.log(claimed, "first")
    client = client_of(lead)
    told = client.get(f"/api/v1/runs/{run.uid}").json()
    assert (told["state"], told["worker"], told["version"]) == ("running", "worker-1", None)
    assert [event["payload"]["message"] for event in told["events"]] == ["first"]
    point = {"name": "loss", "step": 1, "value": 0.5}
    runs.report(claimed, [RunEvent(run=claimed, attempt=1, kind="metric", payload=point)])
    later = client.get(f"/api/v1/runs/{run.uid}?after={told['events'][-1]['id']}").json()
    assert [event["payload"] for event in later["events"]] == [{"name": "loss", "step": 1, "value": 0.5}]
    assert client.get(f"/api/v1/runs/{run.uid}?after=x").status_code == 400
    assert post(client, f"runs/{run.uid}/cancel")["state"] == "cancelling"


def test_only_a_lead_starts_stops_and_promotes(
    campaign: Campaign, client_of: ClientOf, annotator: User, reviewer: User, stranger: User
):
    Membership.objects.create(campaign=campaign, user=annotator, role=Role.ANNOTATOR)
    Membership.objects.create(campaign=campaign, user=reviewer, role=Role.REVIEWER)
    run = runs.create(campaign=campaign, system="crater_detector", verb="train", requested_by=None)
    for who in (None, stranger, annotator, reviewer):
        for path in (f"campaigns/{campaign.uid}/runs", f"runs/{run.uid}/cancel"):
            refused(client_of(who), path, 401 if who is None else 403)
    assert Run.objects.get().state == "queued"
