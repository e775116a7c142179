"""People of a triage: how well they see, whose answers weigh, and what each learns of themselves alone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import Campaign, Participant, User
from annotate.services.participants import participant_of
from mlcore.consensus.answers import suspicion
from mlcore.consensus.answers.skill import Rates
from mlcore.consensus.answers.suspicion import Reason
from mlcore.errors import Conflict, InvalidInput
from review.models import Classification, Errand, Judge, Quarantine, Subject, Workflow
from review.services.foils import work
from review.services.foils.people import people, suspects

Make = Callable[..., Any]
HERE = {"x_px": 10.0, "y_px": 10.0}


@pytest.fixture
def by(lead: User) -> Participant:
    return participant_of(lead)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Suspect from four answers on, so that a test needs few of them."""
    monkeypatch.setattr(suspicion, "FEWEST", 4)


def reasons(judge: Judge) -> list[str]:
    judge.refresh_from_db()
    return judge.quarantine_reasons


# -- The nightly look ------------------------------------------------------------------------------


def test_habits_are_counted_from_the_answers_that_stand(
    triage: Workflow, make_judge: Make, make_foil_subjects: Make, make_gold: Make, say: Make
) -> None:
    ada, ben, cleo = (make_judge(name) for name in ("ada", "ben", "cleo"))
    subjects, [crater], [practice] = make_foil_subjects(3), make_gold(1), make_gold(1, is_practice=True)
    for judge in (ben, cleo):
        say(judge, subjects[0], "nothing")
        say(judge, subjects[1], "crater")
    say(ada, subjects[0], "crater", duration_ms=100, marks=[HERE, HERE])
    say(ada, subjects[1], "crater", duration_ms=300, marks=[HERE])
    say(ada, subjects[2], "cannot_tell", duration_ms=900)
    say(ada, crater.subject, "nothing")
    say(ada, crater.subject, "crater", marks=[{"x_px": 60.0, "y_px": 40.0}])
    say(ada, practice.subject, "nothing")
    habits = suspects.habits(triage)[ada.pk]
    assert (habits.answers, habits.called) == (3, 3)
    assert habits.median_ms == 300.0
    assert (habits.gold_answers, habits.gold_right) == (1, 1)
    assert (habits.shared_answers, habits.shared_agree) == (2, 1)
    assert (habits.marks, habits.marks_at_one_place) == (4, 3)


def test_two_selves_have_one_set_of_habits(
    triage: Workflow, make_judge: Make, make_foil_subjects: Make, say: Make
) -> None:
    ada = make_judge("ada")
    earlier = Participant.objects.create(pseudonym="visitor", merged_into=ada.participant)
    one, other = make_foil_subjects(2)
    say(Judge(participant=earlier), one, "nothing")
    say(ada, one, "crater")
    say(ada, other, "nothing")
    assert set(suspects.habits(triage)) == {ada.pk}
    habits = suspects.habits(triage)[ada.pk]
    assert (habits.answers, habits.called) == (2, 0), "of two selves the first answer counts"


@pytest.mark.usefixtures("few")
def test_who_does_not_look_is_set_aside_with_the_reason(
    triage: Workflow, make_judge: Make, make_foil_subjects: Make, say: Make
) -> None:
    hasty, clicker, calm = (make_judge(name) for name in ("hasty", "clicker", "calm"))
    for number, subject in enumerate(make_foil_subjects(5)):
        say(hasty, subject, "nothing", duration_ms=200)
        say(clicker, subject, "crater", marks=[HERE], duration_ms=2000)
        elsewhere = {"x_px": 10.0 * number, "y_px": 5.0 * number}
        say(calm, subject, "crater", marks=[elsewhere], duration_ms=3000)
    assert {judge.pk for judge in suspects.look_through(triage)} == {hasty.pk, clicker.pk}
    assert (reasons(hasty), reasons(clicker), reasons(calm)) == ([Reason.HASTY], [Reason.SAME_PLACE], [])
    step = hasty.quarantines.get()
    assert (step.step, step.by, step.habits["median_ms"]) == (Quarantine.Step.SET_ASIDE, None, 200.0)
    assert suspects.look_through(triage) == [], "nobody is set aside twice"
    assert Classification.objects.count() == 15, "and nothing is deleted"


@pytest.mark.usefixtures("few")
def test_what_a_lead_has_let_count_is_not_held_against_anybody_again(
    triage: Workflow, by: Participant, make_judge: Make, make_foil_subjects: Make, say: Make
) -> None:
    hasty = make_judge("hasty")
    old, new = make_foil_subjects(5), make_foil_subjects(5)
    for subject in old:
        say(hasty, subject, "nothing", duration_ms=200)
    suspects.look_through(triage)
    suspects.count_again(judge=hasty, why="a fast eye, I sat beside her", by=by)
    assert suspects.look_through(triage) == []
    for subject in new:
        say(hasty, subject, "nothing", duration_ms=200)
    assert [judge.pk for judge in suspects.look_through(triage)] == [hasty.pk]
    assert [step.step for step in hasty.quarantines.order_by("pk")] == ["set_aside", "cleared", "set_aside"]


def test_a_triage_without_answers_has_no_suspects(triage: Workflow, make_judge: Make) -> None:
    make_judge("ada")
    assert suspects.look_through(triage) == []


# -- What leads decide -----------------------------------------------------------------------------


def test_setting_aside_takes_the_weight_away_and_counting_again_gives_it_back(
    triage: Workflow, by: Participant, make_judge: Make, make_foil_subjects: Make, say: Make
) -> None:
    ada = make_judge("ada", hits=40, craters=40, passes=40, blanks=40)
    [subject] = make_foil_subjects(1)
    say(ada, subject, "crater")

    def weighed() -> tuple[float, int]:
        errand = Errand.objects.create(
            workflow=triage, kind=Errand.Kind.WEIGH_AGAIN, question={"judge": ada.pk}
        )
        work.execute(errand.pk)
        subject.refresh_from_db()
        return subject.log_odds, subject.n_votes

    before = weighed()
    suspects.set_aside(judge=ada, why="says so herself", by=by)
    assert weighed() == (subject.prior_log_odds, 0)
    suspects.count_again(judge=ada, why="a misunderstanding", by=by)
    assert weighed() == before != (subject.prior_log_odds, 0)


def test_every_decision_needs_a_reason_and_another_state(by: Participant, make_judge: Make) -> None:
    ada = make_judge("ada")
    with pytest.raises(InvalidInput, match="Say why"):
        suspects.set_aside(judge=ada, why=" ", by=by)
    with pytest.raises(Conflict, match="count already"):
        suspects.count_again(judge=ada, why="x", by=by)
    suspects.set_aside(judge=ada, why="x", by=by)
    with pytest.raises(Conflict, match="set aside already"):
        suspects.set_aside(judge=ada, why="x", by=by)


def test_leads_see_pseudonyms_matrices_and_reasons_and_no_addresses(
    foils: Campaign, lead: User, client_of: Callable[[User | None], Client], make_judge: Make
) -> None:
    ada = make_judge("ada", hits=18, craters=20, passes=29, blanks=30, n_answers=60, effort=75)
    Quarantine.objects.create(
        judge=ada,
        step=Quarantine.Step.SET_ASIDE,
        reasons=["hasty"],
        habits={"median_ms": 212.0},
    )
    page = client_of(lead).get(reverse("review:foil_people", args=[foils.uid])).content.decode()
    assert ada.participant.pseudonym in page
    assert "ada@example.org" not in page and ">ada" not in page
    assert "Half of the answers came within 212 ms" in page
    [person] = client_of(lead).get(reverse("review:foil_people", args=[foils.uid])).context["people"]
    assert (person.seen.craters.right, person.seen.craters.wrong) == (18, 2)
    assert person.seen.craters.low < person.seen.craters.mean < person.seen.craters.high


def test_a_lead_sets_somebody_aside_on_the_page(
    foils: Campaign,
    lead: User,
    client_of: Callable[[User | None], Client],
    make_judge: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = []
    monkeypatch.setattr("review.views.foils.asking.errand_task.delay_on_commit", sent.append)
    ada = make_judge("ada", n_answers=5)
    client, url = client_of(lead), reverse("review:foil_people", args=[foils.uid])
    decision = {"judge": ada.participant.uid, "act": "set_aside"}
    assert client.post(url, decision).status_code == 422, "it says why"
    assert client.post(url, {**decision, "why": "two people at one screen"}).status_code == 302
    ada.refresh_from_db()
    assert ada.quarantined_at is not None
    assert sent == [Errand.objects.get(kind=Errand.Kind.WEIGH_AGAIN).pk]
    shown = client.get(url, {"show": "set_aside"}).content.decode()
    assert "two people at one screen" in shown
    again = client.post(url, {**decision, "why": "x"})
    assert again.status_code == 422 and "set aside already" in again.content.decode()
    client.post(url, {**decision, "act": "count_again", "why": "they take turns"})
    ada.refresh_from_db()
    assert ada.quarantined_at is None and ada.cleared_at is not None
    assert len(sent) == 2, "what the first decision has under way does not stand for the second"


def test_whoever_is_not_there_cannot_be_set_aside(
    foils: Campaign, lead: User, stranger: User, client_of: Callable[[User | None], Client]
) -> None:
    url = reverse("review:foil_people", args=[foils.uid])
    decision = {"judge": participant_of(stranger).uid, "act": "set_aside", "why": "x"}
    assert "Nobody of that name" in client_of(lead).post(url, decision).content.decode()


# -- One's own record ------------------------------------------------------------------------------


def test_everybody_reads_their_own_skill_in_words_and_nobody_elses(
    foils: Campaign, client_of: Callable[[User | None], Client], make_judge: Make
) -> None:
    ada = make_judge("ada", hits=18, craters=20, passes=29, blanks=30, n_answers=60, effort=75)
    ben = make_judge("ben")
    url = reverse("review:profile")
    page = client_of(ada.participant.user).get(url).content.decode()
    assert "My skill in foil triage" in page and foils.name in page
    assert "Of 100 craters you would find about 83" in page
    assert "My skill in foil triage" not in client_of(ben.participant.user).get(url).content.decode()


def test_with_few_known_answers_there_is_no_figure_yet(make_judge: Make) -> None:
    ada = make_judge("ada", hits=4, craters=5, passes=4, blanks=4, n_answers=20)
    [record] = people.own_records(ada.participant)
    assert not record.seen.is_worth_showing
    assert "You have answered 9 pictures whose answer is known" in record.in_words


def test_shares_begin_at_what_people_can_do_and_narrow_with_answers(make_judge: Make) -> None:
    population = Rates(0.8, 0.9)
    new = people.seen_by(make_judge("new").skill(population))
    old = people.seen_by(make_judge("old", hits=80, craters=100, passes=90, blanks=100).skill(population))
    assert new.craters.mean == pytest.approx(old.craters.mean) == pytest.approx(0.8)
    assert new.craters.high - new.craters.low > 3 * (old.craters.high - old.craters.low)


def test_an_answer_long_before_a_clearing_counts_for_others(
    triage: Workflow, make_judge: Make, make_foil_subjects: Make, say: Make
) -> None:
    """What a cleared judge gave is not looked at again, but others are still compared with it."""
    ada, ben = make_judge("ada"), make_judge("ben")
    [subject] = make_foil_subjects(1)
    say(ada, subject, "crater")
    say(ben, subject, "crater")
    Judge.objects.filter(pk=ada.pk).update(cleared_at=timezone.now() + timedelta(minutes=1))
    found = suspects.habits(triage)
    assert ada.pk not in found
    assert (found[ben.pk].shared_answers, found[ben.pk].shared_agree) == (1, 1)
    assert Subject.objects.get(pk=subject.pk).n_votes == 2
