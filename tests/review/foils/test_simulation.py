"""The simulator: with the project's own people where enough is known of them, and honest where not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Campaign, User
from mlcore.consensus.answers.stopping import StoppingRule
from mlcore.consensus.answers.swap import log_odds
from review.models import Errand, Judge, Workflow
from review.services.foils import errands, plots, work
from review.services.foils.rules import simulation

Make = Callable[..., Any]
RULE = StoppingRule(reject=1e-3)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small simulation of two rules, so that a test takes little time."""
    monkeypatch.setattr(simulation, "IMAGES", 150)
    monkeypatch.setattr(simulation, "SEEDS", (1, 2))
    monkeypatch.setattr(simulation, "ASSUMED_PEOPLE", 60)
    monkeypatch.setattr(simulation, "around", lambda rule: [rule, replace(rule, reject=rule.reject / 100)])


@pytest.fixture
def crowd(make_judge: Make) -> list[Judge]:
    """Enough people of whom enough is known."""
    return [
        make_judge(f"judge-{n}", hits=18, craters=20, passes=19, blanks=20, n_answers=10 + n)
        for n in range(simulation.FEWEST_PEOPLE)
    ]


def simulated(triage: Workflow) -> dict[str, Any]:
    errand, _ = errands.ask(
        workflow=triage, kind=Errand.Kind.SIMULATION, question={"settings": RULE.to_json()}, by=None
    )
    work.execute(errand.pk)
    errand.refresh_from_db()
    assert errand.state == Errand.State.DONE, errand.error
    return errand.findings


@pytest.mark.usefixtures("crowd")
def test_it_is_played_with_ones_own_people_and_priors(triage: Workflow, make_foil_subjects: Make) -> None:
    make_foil_subjects(3, probability=0.2)
    found = simulated(triage)
    assert (found["has_own_people"], found["n_people"], found["n_practised"]) == (True, 20, 20)
    assert found["crater_share"] == pytest.approx(0.2)
    asked, stricter = found["points"]
    assert asked["is_asked"] and not stricter["is_asked"]
    assert asked["votes"]["mean"] < stricter["votes"]["mean"]
    for point in found["points"]:
        for name in ("votes", "completeness", "to_reviewers"):
            assert point[name]["low"] <= point[name]["mean"] <= point[name]["high"]
    assert asked["completeness"]["mean"] > 0.5


def test_with_too_few_people_others_are_assumed_and_it_says_so(
    foils: Campaign,
    triage: Workflow,
    lead: User,
    client_of: Callable[[User | None], Client],
    make_judge: Make,
) -> None:
    make_judge("ada", hits=18, craters=20, passes=19, blanks=20, n_answers=40)
    found = simulated(triage)
    assert (found["has_own_people"], found["n_people"], found["n_practised"]) == (False, 60, 1)
    page = client_of(lead).get(reverse("review:foil_simulation", args=[foils.uid])).content.decode()
    assert "The people are <b>assumed</b>: 1 of yours" in page
    assert "simulated" in page


def test_those_set_aside_and_earlier_selves_are_not_played(triage: Workflow, crowd: list[Judge]) -> None:
    Judge.objects.filter(pk=crowd[0].pk).update(quarantined_at=triage.created_at)
    basis = simulation.basis_of(triage)
    assert (len(basis.skills), basis.has_own_people) == (19, False)


def test_people_do_as_much_of_the_work_as_they_did(triage: Workflow, crowd: list[Judge]) -> None:
    world = simulation.basis_of(triage).world(1)
    answers = np.array([judge.n_answers for judge in crowd])
    assert world.people.effort == pytest.approx(answers / answers.sum())


def test_known_pictures_come_as_the_campaign_has_them(triage: Workflow, make_gold: Make) -> None:
    assert not simulation.basis_of(triage).is_gold_own
    make_gold(20)
    make_gold(20, is_crater=False)
    make_gold(10, is_crater=False, origin="look_alike")
    basis = simulation.basis_of(triage)
    assert basis.is_gold_own
    assert (basis.gold.n_images, basis.gold.crater_share, basis.gold.lookalike_share) == (50, 0.4, 0.2)


def test_without_pictures_the_base_rate_is_taken(triage: Workflow) -> None:
    assert simulation.basis_of(triage).priors.tolist() == [log_odds(0.01)]


def test_a_lead_asks_for_it_on_the_page_and_nothing_is_changed(
    foils: Campaign,
    triage: Workflow,
    lead: User,
    client_of: Callable[[User | None], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = []
    monkeypatch.setattr("review.views.foils.asking.errand_task.delay_on_commit", sent.append)
    client, url = client_of(lead), reverse("review:foil_simulation", args=[foils.uid])
    assert "Nothing has been simulated here yet" in client.get(url).content.decode()
    assert client.post(url, RULE.to_json()).status_code == 302
    assert "hx-trigger" in client.get(url).content.decode(), "it waits for a worker"
    work.execute(sent[0])
    page = client.get(url).content.decode()
    assert "<svg" in page and "90 % intervals" in page
    assert triage.rules.count() == 1
    assert client.post(url, {**RULE.to_json(), "reject": 2}).status_code == 422


# -- The figure ------------------------------------------------------------------------------------


def a_point(votes: float, completeness: float | None, *, is_asked: bool = False) -> dict[str, Any]:
    around = {"mean": votes, "low": votes - 1, "high": votes + 1}
    found = completeness and {
        "mean": completeness,
        "low": completeness - 0.02,
        "high": min(1.0, completeness + 0.01),
    }
    return {"votes": around, "completeness": found, "rule": RULE.to_json(), "is_asked": is_asked}


def test_the_curve_grows_to_the_right_and_upwards_within_its_frame() -> None:
    curve = plots.votes_against_completeness([a_point(12, 0.99), a_point(6, 0.93, is_asked=True)])
    few, many = curve.dots
    assert few.is_asked and few.x < many.x and few.y > many.y
    for dot in curve.dots:
        assert 0 <= dot.left <= dot.x <= dot.right <= curve.width
        assert 0 <= dot.top <= dot.y <= dot.bottom <= curve.height
    assert curve.upwards[0].label == "0.9" and curve.upwards[-1].label == "1"
    assert len(curve.across) >= 3


def test_without_a_crater_there_is_no_curve() -> None:
    assert plots.votes_against_completeness([a_point(6, None)]) is None
