"""What each threshold would remove and lose, and that what is chosen holds."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from annotate.models import Campaign, User
from annotate.services.participants import participant_of
from mlcore.metrics.audit import Stratum, missed
from mlcore.metrics.intervals import wilson
from review.models import (
    Classification,
    Confirmation,
    Gold,
    ModelVersion,
    Picture,
    ScoreImport,
    Showing,
    Subject,
    Workflow,
)
from review.services import runs
from review.services.foils import settings as triage_settings
from review.services.foils.network import scoring
from review.services.foils.results import audited
from review.services.foils.stream import stream, tradeoff
from review.services.foils.stream.known_scores import Group, Share, counted
from review.views.foils.tradeoff import percent, shown

pytestmark = pytest.mark.django_db

CURVE = [
    {"threshold": t, "n_lost": lost, "n_craters": 50, "n_removed": removed, "n_blanks": 200}
    for t, lost, removed in ((0.001, 0, 100), (0.01, 1, 190), (0.1, 4, 198), (0.9, 20, 200))
]


@pytest.fixture
def scored(triage: Workflow) -> Callable[..., list[Picture]]:
    """Pictures with scores and without files: scored(0.2, 0.005, None)."""

    def make(*scores: float | None, **fields: object) -> list[Picture]:
        first = Picture.objects.count()
        return [
            Picture.objects.create(
                campaign=triage.campaign, name=f"{at}.tif", width_px=64, height_px=48, sha256=f"{at:064x}",
                score_raw=score, **{"side": "train", **fields},
            )
            for at, score in enumerate(scores, first)
        ]  # fmt: skip

    return make


@pytest.fixture
def version(triage: Workflow) -> ModelVersion:
    """The version of our network whose scores stand."""
    campaign = triage.campaign
    trained = runs.create(campaign=campaign, system=scoring.SYSTEM, verb="train", requested_by=None)
    made = ModelVersion.objects.create(
        campaign=campaign,
        system=scoring.SYSTEM,
        number=3,
        run=trained,
        path="runs/none",
        card={"metrics": {"validation": {"curve": CURVE}}},
    )
    run = runs.create(
        campaign=campaign, system=scoring.SYSTEM, verb="predict", requested_by=None, model_version=made
    )
    report = {"n_scored": 1, "n_unreadable": 1, "unreadable": ["torn.tif"], "n_came_since": 0}
    ScoreImport.objects.create(campaign=campaign, run=run, state=ScoreImport.State.DONE, report=report)
    runs.finish(runs.claim(run.pk, "w"))
    return made


def at(workflow: Workflow, threshold: float) -> tuple[tradeoff.Tradeoff, tradeoff.Point]:
    found = tradeoff.of(workflow, threshold)
    return found, found.at(threshold)


def of_origin(workflow: Workflow, threshold: float, origin: str) -> Share:
    found, point = at(workflow, threshold)
    [where] = [n for n, group in enumerate(found.groups) if origin in group.origin]
    return point.known[where]


# -- Removed and lost --------------------------------------------------------------------------------


def test_without_scores_there_is_nothing_to_choose(triage: Workflow, scored: Callable[..., list[Picture]]):
    scored(None, None)
    assert tradeoff.of(triage) is None


def test_what_is_removed_is_counted_at_every_threshold(
    triage: Workflow, scored: Callable[..., list[Picture]], make_gold: Callable[..., list[Gold]]
):
    scored(0.0, 1e-7, 0.00999, 0.01, 0.5, 1.0, None)
    scored(0.001, purpose=Picture.Purpose.BLANK)
    # Known pictures are none of the survey's.
    Picture.objects.filter(pk=make_gold(1)[0].subject.picture_id).update(score_raw=0.001)
    found, point = at(triage, 0.01)
    assert (point.removed.k, point.removed.n, point.n_people) == (3, 7, 4)
    assert [one.threshold for one in found.points] == sorted({*tradeoff.GRID, 0.01})
    assert found.at(1e-6).removed.k == 2
    assert found.at(0.9999).removed.k == 5


def test_known_craters_below_are_told_by_origin(
    triage: Workflow,
    scored: Callable[..., list[Picture]],
    make_gold: Callable[..., list[Gold]],
    lead: User,
    version: ModelVersion,
):
    for gold, score in zip(make_gold(3), (0.5, 0.002, None), strict=True):
        Picture.objects.filter(pk=gold.subject.picture_id).update(score_raw=score)
    for gold, score in zip(make_gold(2, is_crater=False), (0.5, 0.002), strict=True):
        Picture.objects.filter(pk=gold.subject.picture_id).update(score_raw=score)
    for side, score in (("test", 0.003), ("test", 0.9), ("train", 0.004)):
        [picture] = scored(score, side=side)
        subject = Subject.objects.create(workflow=triage, picture=picture, outcome="candidate")
        Confirmation.objects.create(
            subject=subject, result="crater", method="sem", by=participant_of(lead), places=[]
        )
    [unsettled] = scored(0.02)
    Subject.objects.create(workflow=triage, picture=unsettled, outcome="candidate")
    assert of_origin(triage, 0.01, "Synthetic craters") == Share(1, 2)
    assert of_origin(triage, 0.01, "nothing added") == Share(1, 2)
    assert of_origin(triage, 0.01, "never trained on") == Share(1, 2)
    assert of_origin(triage, 0.01, "open to training") == Share(1, 1)
    assert of_origin(triage, 0.01, "no expert has settled") == Share(0, 1)
    assert of_origin(triage, 0.03, "no expert has settled") == Share(1, 1)
    assert of_origin(triage, 0.01, "pasted for validation (version 3)") == Share(1, 50)
    assert of_origin(triage, 0.01, "Blank foil for validation (version 3)") == Share(190, 200)
    assert Share(1, 50).interval == wilson(1, 50)


def test_between_two_points_of_a_cards_curve_more_is_lost_and_less_removed(
    triage: Workflow, scored: Callable[..., list[Picture]], version: ModelVersion
):
    scored(0.5)
    assert of_origin(triage, 0.02, "pasted") == Share(4, 50)
    assert of_origin(triage, 0.02, "Blank foil") == Share(190, 200)
    assert of_origin(triage, 0.95, "pasted") == Share(50, 50)
    assert of_origin(triage, 0.0001, "Blank foil") == Share(0, 200)


def test_what_the_audit_tells_holds_for_a_lower_threshold_and_not_for_a_higher(
    triage: Workflow, scored: Callable[..., list[Picture]]
):
    scored(*(0.002 for _ in range(60)), *(0.008 for _ in range(40)), *(0.05 for _ in range(5)))
    triage_settings.change(workflow=triage, threshold=0.01, audit_size=50)
    stream.fill(workflow=triage)
    drawn = triage.subjects.filter(stratum="audit")
    assert drawn.count() == 50
    drawn.update(outcome="nothing")
    craters = list(drawn.filter(picture__score_raw=0.008).values_list("pk", flat=True)[:2])
    drawn.filter(pk__in=craters).update(outcome="candidate")
    found, point = at(triage, 0.01)
    assert point.audited == tradeoff.Bound(0.01, audited.of(triage).upper, 50)
    lower = found.at(0.005).audited
    n_low = drawn.filter(picture__score_raw=0.002).count()
    assert (lower.upper, lower.n_judged) == (missed([Stratum(60, n_low, 0)]).upper, n_low)
    assert found.at(0.02).audited == point.audited
    told = shown(found, 0.02).step.texts["audit"]
    assert told.startswith(f"The audit was drawn for 0.01: at most {point.audited.upper} craters below that")


@given(st.lists(st.floats(0, 1), max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_never_keeps_more(scores: list[float], one: float, other: float):
    group = Group("", True, counted(scores))
    low, high = sorted((one, other))
    assert group.below(low).k <= group.below(high).k <= group.below(2.0).n == len(scores)


def test_thresholds_are_suggested_with_what_they_go_by(
    triage: Workflow,
    scored: Callable[..., list[Picture]],
    make_gold: Callable[..., list[Gold]],
    version: ModelVersion,
):
    scored(*(0.0001 for _ in range(95)), *(0.2 for _ in range(5)))
    for gold in make_gold(20):
        Picture.objects.filter(pk=gold.subject.picture_id).update(score_raw=0.3)
    suggested = {one.why: one.threshold for one in tradeoff.of(triage).suggestions}
    assert suggested["keeps 98 % of the craters pasted for validation"] == 0.01
    assert suggested["keeps 98 % of the synthetic craters"] == 0.3
    # Four of a hundred, as the published survey gave to people; here five share a score.
    assert suggested["gives people 4 pictures at most"] == 0.3


def test_a_handful_of_known_craters_suggests_nothing(
    triage: Workflow, scored: Callable[..., list[Picture]], make_gold: Callable[..., list[Gold]]
):
    scored(0.5, 0.001)
    for gold in make_gold(19):
        Picture.objects.filter(pk=gold.subject.picture_id).update(score_raw=0.3)
    assert [one.why for one in tradeoff.of(triage).suggestions] == ["gives people 1 pictures at most"]


def test_the_work_is_told_at_the_pace_of_people_here(
    triage: Workflow,
    scored: Callable[..., list[Picture]],
    make_user: Callable[..., User],
):
    scored(*(0.5 for _ in range(40)), *(0.001 for _ in range(10)))
    triage_settings.change(workflow=triage, threshold=0.01, audit_size=0)
    stream.fill(workflow=triage)
    found, point = at(triage, 0.01)
    assert (found.pace.is_by_rule, point.n_open) == (True, 40)
    assert "40 pictures to finish × 3 answers, the fewest of the rule: 120 answers." in _work(triage, 0.01)
    finished = triage.subjects.order_by("pk")[:30]
    triage.subjects.filter(pk__in=finished.values("pk")).update(
        retired_at=triage.created_at, outcome="nothing", n_votes=5
    )
    people = [participant_of(make_user(f"p{n}")) for n in range(2)]
    for n, subject in enumerate(finished):
        for person in people:
            one = Classification.objects.create(
                uid=uuid4(),
                workflow=triage,
                subject=subject,
                participant=person,
                answer="nothing",
                duration_ms=3600,
            )
            when = one.created_at - timedelta(hours=n)
            Classification.objects.filter(pk=one.pk).update(created_at=when)
    assert "10 pictures to finish × 5 answers, as so far: 50 answers, about one hour" in _work(triage, 0.01)
    assert "one day at the pace of late." in _work(triage, 0.01)


def _work(workflow: Workflow, threshold: float) -> str:
    return shown(tradeoff.of(workflow, threshold), threshold).step.texts["work"]


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "0 %"), (1.0, "100 %"), (0.034, "3.4 %"), (0.5, "50 %"), (0.96, "96 %"), (0.9997, "99.97 %"),
        (0.999999, "> 99.99 %"), (1e-6, "< 0.01 %"), (0.2, "20 %"),
    ],
)  # fmt: skip
def test_a_share_is_told_apart_from_all_and_from_nothing(share: float, words: str):
    assert percent(share).replace("\N{NO-BREAK SPACE}", " ") == words


# -- The page ----------------------------------------------------------------------------------------


@pytest.fixture
def page(lead: User, foils: Campaign, client_of: Callable[[User | None], Client]) -> Callable[..., Any]:
    client = client_of(lead)

    def ask(**form: Any) -> Any:
        url = reverse("review:foil_stream", args=[foils.uid])
        return client.post(url, form) if form else client.get(url)

    return ask


def text_of(response: Any) -> str:
    """Blanks of every kind as one."""
    return " ".join(response.content.decode().split())


def threshold_form(**changes: Any) -> dict[str, Any]:
    usual = {"threshold": "0.01", "audit_size": "4", "audit_share": "0.1", "audit_seed": "1"}
    return {**usual, "base_rate": "0.01", **changes}


def test_the_page_shows_what_the_standing_threshold_removes_and_loses(
    page: Callable[..., Any],
    scored: Callable[..., list[Picture]],
    version: ModelVersion,
):
    scored(*(0.001 for _ in range(24)), 0.5)
    page(act="set", **threshold_form())
    told = text_of(page())
    assert '<dd data-figure="removed">96 %</dd>' in told
    assert "1 of 50 · 2 % [0.4 %, 10 %]" in told
    assert "190 of 200 · 95 % [91 %, 97.3 %]" in told
    assert "version 3 of the foil network</a>" in told
    assert "torn.tif" in told
    steps = page().context["tradeoff"].to_json()["steps"]
    assert {"0.01", "0.5", "1e-06"} <= {step["threshold"] for step in steps}


def test_a_threshold_that_nobody_chose_for_these_scores_is_told_of(
    page: Callable[..., Any],
    triage: Workflow,
    scored: Callable[..., list[Picture]],
    version: ModelVersion,
):
    scored(0.5, 0.001)
    assert "Nobody has chosen 0.01 for scores of version 3" in text_of(page())
    # The same number again is a choice, and is remembered as one.
    page(act="set", **threshold_form())
    assert "Nobody has chosen" not in text_of(page())
    page(act="set", **threshold_form())
    [kept] = Workflow.objects.get(pk=triage.pk).settings["threshold_changes"]
    assert (kept["value"], kept["scores_of"]) == (0.01, str(version.uid))
    ModelVersion.objects.filter(pk=version.pk).update(uid=uuid4(), number=4)
    assert "Nobody has chosen 0.01 for scores of version 4" in text_of(page())


def test_a_suggestion_is_previewed_and_then_stands(
    page: Callable[..., Any], triage: Workflow, scored: Callable[..., list[Picture]], version: ModelVersion
):
    scored(*(0.0001 for _ in range(96)), *(0.2 for _ in range(4)))
    response = page(suggested="0.15", act="set", **threshold_form())
    assert response.status_code == 200
    assert triage_settings.of(Workflow.objects.get(pk=triage.pk)).threshold == 0.01
    told = text_of(response)
    assert 'name="threshold" value="0.15"' in told
    assert "With 0.15, 4 pictures go to people and 96 are held back" in told
    page(act="set", **threshold_form(threshold="0.15"))
    assert triage_settings.of(Workflow.objects.get(pk=triage.pk)).threshold == 0.15


def test_setting_a_threshold_draws_the_audit_anew_and_keeps_what_people_have_seen(
    page: Callable[..., Any],
    triage: Workflow,
    scored: Callable[..., list[Picture]],
    make_user: Callable[..., User],
):
    scored(*(0.005 for _ in range(8)), *(0.05 for _ in range(8)), 0.5)
    page(act="set", **threshold_form())
    before = {(one.low, one.high): one.n_pictures for one in triage.audit_strata.all()}
    assert (0.001, 0.01) in before
    seen = triage.subjects.filter(picture__score_raw=0.05).first()
    audited_before = triage.subjects.filter(stratum="audit").first()
    for subject in (seen, audited_before):
        Showing.objects.create(
            subject=subject,
            participant=participant_of(make_user(f"u{subject.pk}")),
            expires_at=seen.created_at,
        )
    page(act="set", **threshold_form(threshold="0.1"))
    strata = list(triage.audit_strata.order_by("number"))
    assert [(one.high, one.n_pictures) for one in strata][:2] == [(0.1, 8), (pytest.approx(0.01), 8)]
    assert triage.subjects.filter(stratum="audit", audit__isnull=False).count() == 4
    left = set(triage.subjects.values_list("pk", flat=True))
    assert {seen.pk, audited_before.pk} <= left
    # Of the others that were held back nobody had seen any.
    unseen = triage.subjects.filter(showings__isnull=True, picture__score_raw=0.05, audit__isnull=True)
    assert not unseen.exists()


def test_new_pictures_are_scored_by_the_version_whose_scores_stand(
    page: Callable[..., Any],
    triage: Workflow,
    scored: Callable[..., list[Picture]],
    version: ModelVersion,
    media: Path,
):
    scored(0.5, None)
    told = text_of(page())
    assert "One picture has none: it came later, or could not be read." in told
    assert "Score new pictures only" in told
    page(act="score_new")
    assert "no longer on disk" in text_of(page())
    (media / version.path).mkdir(parents=True)
    page(act="score_new")
    run = triage.campaign.runs.get(state="queued", verb="predict")
    assert (run.model_version, run.config, run.windows.count()) == (version, {"only_new": True}, 1)
    told = text_of(page())
    assert f"Run {run.number}</a> scores pictures with version 3: 0 %." in told
    assert "Score new pictures only" not in told
    page(act="score_new")
    assert f"Run {run.number} already scores pictures" in text_of(page())


def test_another_version_that_is_current_may_score_all_pictures(
    page: Callable[..., Any],
    triage: Workflow,
    scored: Callable[..., list[Picture]],
    version: ModelVersion,
    media: Path,
):
    scored(0.5)
    assert "Score all pictures" not in text_of(page())
    trained = runs.create(campaign=triage.campaign, system=scoring.SYSTEM, verb="predict", requested_by=None)
    runs.cancel(run=trained, by=None)
    (media / "runs/new").mkdir(parents=True)
    ModelVersion.objects.create(
        campaign=triage.campaign,
        system=scoring.SYSTEM,
        number=4,
        run=trained,
        path="runs/new",
        is_current=True,
    )
    assert "Score all pictures with version 4" in text_of(page())
    page(act="score_all")
    run = triage.campaign.runs.get(state="queued", verb="predict")
    assert (run.model_version.number, run.config) == (4, {})
