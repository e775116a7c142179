"""Stopping rules as leads set them: seen before they stand, kept when they have stood, undone at will."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from annotate.models import Campaign, Participant, User
from annotate.services.participants import participant_of
from mlcore.consensus.answers.stopping import Outcome, StoppingRule
from mlcore.errors import Conflict, InvalidInput
from review.models import Errand, Judge, Reckoning, Retirement, Subject, Workflow
from review.services.foils import errands, work
from review.services.foils.results import weighing
from review.services.foils.rules import retiring, rule_preview, rules

Make = Callable[..., Any]
# Few answers decide, so that a test needs few of them.
QUICK = StoppingRule(min_votes=2, max_votes=4, accept=0.5, reject=0.02, practised_people=0)
GOOD = {"hits": 40, "craters": 40, "passes": 40, "blanks": 40}


@pytest.fixture
def by(lead: User) -> Participant:
    return participant_of(lead)


@pytest.fixture
def judges(make_judge: Make) -> list[Judge]:
    """Three who see well."""
    return [make_judge(name, **GOOD) for name in ("ada", "ben", "cleo")]


@pytest.fixture
def stand(triage: Workflow, by: Participant) -> Callable[..., None]:
    """Let a rule stand and do what follows: stand(rule, opens_again=True)."""

    def set_it(rule: StoppingRule, *, opens_again: bool = False) -> Errand:
        version = rules.set_rule(workflow=triage, rule=rule, why="a test", by=by)
        return do(triage, by, Errand.Kind.APPLY_RULE, rule=version.number, opens_again=opens_again)

    return set_it


def do(triage: Workflow, by: Participant, kind: Errand.Kind, **question: object) -> Errand:
    errand, _ = errands.ask(workflow=triage, kind=kind, question=question, by=by)
    work.execute(errand.pk)
    errand.refresh_from_db()
    assert errand.state == Errand.State.DONE, errand.error
    return errand


def outcomes(subjects: list[Subject]) -> list[str]:
    found = Subject.objects.in_bulk([subject.pk for subject in subjects])
    return [found[subject.pk].outcome for subject in subjects]


# -- A new rule ------------------------------------------------------------------------------------


def test_the_preview_says_what_then_happens(
    triage: Workflow, judges: list[Judge], make_foil_subjects: Make, say: Make, stand: Make
) -> None:
    subjects = make_foil_subjects(4, probability=0.3)
    for judge in judges[:2]:
        say(judge, subjects[0], "crater")
        say(judge, subjects[1], "nothing")
        say(judge, subjects[2], "cannot_tell")
    assert outcomes(subjects) == ["", "", "", ""]
    found = rule_preview.preview(triage, QUICK)
    assert found.retires == {
        Outcome.CANDIDATE: 1,
        Outcome.NOTHING: 1,
        Outcome.BAD_IMAGE: 1,
        Outcome.UNDECIDED: 0,
    }
    assert (found.open, found.opens_again) == (4, 0)
    assert [risky.subject for risky in found.riskiest] == [subjects[1]]
    assert found.riskiest[0].probability < QUICK.reject
    errand = stand(QUICK)
    assert outcomes(subjects) == ["candidate", "nothing", "bad_image", ""]
    assert errand.findings == {"looked_at": 3, "changed": {"candidate": 1, "nothing": 1, "bad_image": 1}}


def test_every_retirement_says_which_rule_and_why(
    judges: list[Judge], make_foil_subjects: Make, say: Make, stand: Make
) -> None:
    [subject] = make_foil_subjects(1, probability=0.3)
    for judge in judges[:2]:
        say(judge, subject, "nothing")
    stand(QUICK)
    step = Retirement.objects.get(subject=subject)
    assert (step.rule.number, step.outcome, step.step) == (2, "nothing", Retirement.Step.RETIRED)
    assert "Rule 2: probability" in step.why and "below 0.02 after 2 answers" in step.why


def test_what_is_retired_stays_so_unless_the_lead_ticks(
    triage: Workflow, judges: list[Judge], make_foil_subjects: Make, say: Make, stand: Make
) -> None:
    stand(QUICK)
    subjects = make_foil_subjects(2, probability=0.3)
    for judge in judges[:2]:
        say(judge, subjects[0], "nothing")
        say(judge, subjects[1], "crater")
    assert outcomes(subjects) == ["nothing", "candidate"]
    stricter = replace(QUICK, reject=1e-9)
    assert rule_preview.preview(triage, stricter).opens_again == 1
    stand(stricter)
    assert outcomes(subjects) == ["nothing", "candidate"]
    weighing.weigh_again(triage, lambda done, of: None)
    say(judges[2], subjects[0], "nothing")
    assert outcomes(subjects) == ["nothing", "candidate"], "neither a night nor a late answer opens it"
    say(judges[2], subjects[0], "crater")
    assert outcomes(subjects) == ["", "candidate"], "but what its own rule no longer says does"
    say(judges[2], subjects[0], "nothing")
    stand(QUICK)
    assert outcomes(subjects) == ["nothing", "candidate"]
    stand(replace(stricter, reject=1e-10), opens_again=True)
    assert outcomes(subjects) == ["", "candidate"]


def test_a_rule_that_wants_more_answers_opens_what_had_too_few(
    triage: Workflow, judges: list[Judge], make_foil_subjects: Make, say: Make, stand: Make
) -> None:
    stand(QUICK)
    [subject] = make_foil_subjects(1, probability=0.3)
    for judge in judges[:2]:
        say(judge, subject, "crater")
    more = replace(QUICK, min_votes=3)
    assert rule_preview.preview(triage, more).opens_again == 1
    stand(more, opens_again=True)
    assert outcomes([subject]) == [""]


def test_practice_is_counted_anew_where_the_rule_asks_for_more_of_it(
    triage: Workflow, judges: list[Judge], make_judge: Make, make_foil_subjects: Make, say: Make
) -> None:
    [subject] = make_foil_subjects(1, probability=0.3)
    beginner = make_judge("dan", hits=2, craters=2, passes=2, blanks=2)
    for judge in (*judges[:2], beginner):
        say(judge, subject, "nothing")
    for people, n in ((2, 1), (3, 0)):
        rule = replace(QUICK, max_votes=9, practised_people=people, practised_after=50)
        assert rule_preview.preview(triage, rule).retires[Outcome.NOTHING] == n
    assert rule_preview.preview(triage, replace(rule, practised_after=4)).retires[Outcome.NOTHING] == 1


def test_known_pictures_show_what_a_rule_would_lose_and_never_retire(
    triage: Workflow, judges: list[Judge], make_gold: Make, say: Make, stand: Make
) -> None:
    """Judges who overlook a known crater: the quick rule would have dropped it."""
    missed, found_one = make_gold(2)
    [blank] = make_gold(1, is_crater=False)
    for judge in judges:
        say(judge, missed.subject, "nothing")
        say(judge, found_one.subject, "crater")
        say(judge, blank.subject, "nothing")
    strict, easy = replace(QUICK, reject=1e-9), replace(QUICK, reject=0.45)
    rows = {rule.reject: rule_preview.preview(triage, rule).gold for rule in (strict, easy)}
    [row] = rows[0.45]
    assert (row.craters, row.craters_dropped, row.blanks, row.blanks_sent_on) == (2, 1, 1, 0)
    assert rule_preview.preview(triage, easy).craters_dropped == 1
    assert rows[1e-9][0].craters_dropped == 0
    stand(easy)
    assert outcomes([missed.subject, found_one.subject, blank.subject]) == ["", "", ""]


def test_answers_in_the_test_of_the_tutorial_say_nothing_of_a_rule(
    triage: Workflow, judges: list[Judge], make_gold: Make, say: Make
) -> None:
    [practice] = make_gold(1, is_practice=True)
    for judge in judges:
        say(judge, practice.subject, "nothing")
    assert rule_preview.preview(triage, QUICK).gold == []


def test_rules_are_numbered_kept_and_told_with_what_they_changed_and_did(
    triage: Workflow, judges: list[Judge], make_foil_subjects: Make, say: Make, stand: Make
) -> None:
    [subject] = make_foil_subjects(1, probability=0.3)
    for judge in judges[:2]:
        say(judge, subject, "crater")
    stand(replace(StoppingRule(), min_votes=2, accept=0.5))
    newest, first = rules.history(triage)
    assert [newest.version.number, first.version.number] == [2, 1]
    assert newest.changed == [("min_votes", 3, 2), ("accept", 0.95, 0.5)]
    assert newest.retired[Outcome.CANDIDATE] == 1
    assert first.version.rule == StoppingRule()
    assert newest.version.starts_at > first.version.starts_at


def test_a_rule_that_says_the_same_is_no_new_rule(triage: Workflow, by: Participant) -> None:
    with pytest.raises(Conflict, match="Rule 1 says the same"):
        rules.set_rule(workflow=triage, rule=StoppingRule(), why="", by=by)
    assert triage.rules.count() == 1


def test_applying_a_rule_twice_is_applying_it_once(
    triage: Workflow, by: Participant, judges: list[Judge], make_foil_subjects: Make, say: Make, stand: Make
) -> None:
    [subject] = make_foil_subjects(1, probability=0.3)
    for judge in judges[:2]:
        say(judge, subject, "crater")
    stand(QUICK)
    again = do(triage, by, Errand.Kind.APPLY_RULE, rule=2, opens_again=True)
    assert again.findings == {"looked_at": 0, "changed": {}}
    assert Retirement.objects.count() == 1


# -- The way back ----------------------------------------------------------------------------------


def test_a_retired_picture_comes_back_for_further_answers(
    by: Participant, judges: list[Judge], make_judge: Make, make_foil_subjects: Make, say: Make, stand: Make
) -> None:
    stand(QUICK)
    [subject] = make_foil_subjects(1, probability=0.3)
    for judge in judges[:2]:
        say(judge, subject, "nothing")
    retiring.reopen(subject=subject, further=2, why="a rim at the edge", by=by)
    assert outcomes([subject]) == [""]
    step = Retirement.objects.latest("pk")
    assert (step.step, step.by, step.why) == (Retirement.Step.REOPENED, by, "a rim at the edge")
    say(judges[2], subject, "nothing")
    assert outcomes([subject]) == [""], "one further answer of two"
    say(make_judge("dan", **GOOD), subject, "nothing")
    assert outcomes([subject]) == ["nothing"]


def test_all_that_a_rule_retired_in_one_way_come_back_together(
    triage: Workflow, by: Participant, judges: list[Judge], make_foil_subjects: Make, say: Make, stand: Make
) -> None:
    stand(QUICK)
    subjects = make_foil_subjects(3, probability=0.3)
    for judge in judges[:2]:
        say(judge, subjects[0], "nothing")
        say(judge, subjects[1], "nothing")
        say(judge, subjects[2], "crater")
    errand = do(triage, by, Errand.Kind.REOPEN, rule=2, outcome="nothing", further=3, why="wrong contrast")
    assert outcomes(subjects) == ["", "", "candidate"]
    assert errand.findings["changed"] == {"": 2}
    assert rules.history(triage)[0].reopened == 2


@pytest.mark.parametrize(
    ("further", "why", "sentence"), [(3, "  ", "Say why"), (0, "x", "1 to 100"), (101, "x", "not 101")]
)
def test_nothing_comes_back_without_a_reason_or_for_no_answers(
    by: Participant, make_foil_subjects: Make, further: int, why: str, sentence: str
) -> None:
    [subject] = make_foil_subjects(1)
    with pytest.raises(InvalidInput, match=sentence):
        retiring.reopen(subject=subject, further=further, why=why, by=by)


def test_what_is_in_the_queue_cannot_come_back(by: Participant, make_foil_subjects: Make) -> None:
    [subject] = make_foil_subjects(1)
    with pytest.raises(Conflict, match="in the queue already"):
        retiring.reopen(subject=subject, further=3, why="x", by=by)


# -- The replay ------------------------------------------------------------------------------------


def test_replaying_the_rule_that_stood_gives_what_happened(
    triage: Workflow,
    by: Participant,
    make_judge: Make,
    make_foil_subjects: Make,
    make_gold: Make,
    say: Make,
    stand: Make,
) -> None:
    """Known pictures in between, a correction, an undo's place, somebody set aside: all as it was."""
    stand(QUICK)
    people = [make_judge(name) for name in ("ada", "ben", "cleo", "dan")]
    craters, blanks = make_gold(2), make_gold(2, is_crater=False)
    subjects = make_foil_subjects(6, probability=0.3)
    for number, subject in enumerate(subjects):
        for judge in people:
            if number < 2:
                say(judge, craters[number].subject, "crater")
                say(judge, blanks[number].subject, "nothing" if judge is not people[3] else "crater")
            subject.refresh_from_db()
            if not subject.outcome:
                say(judge, subject, ("nothing", "crater", "cannot_tell")[number % 3])
    say(people[0], subjects[0], "crater")
    found = do(triage, by, Errand.Kind.REPLAY, settings=QUICK.to_json()).findings
    assert all(happened == again for happened, again in found["outcomes"].values())
    assert found["outcomes"]["candidate"][0] > 0 and found["outcomes"][""][0] < 6
    assert found["votes"][0] == found["votes"][1]
    assert (found["candidates_gained"], found["candidates_lost"]) == (0, 0)
    assert (found["known_craters"], found["known_blanks"]) == (2, 2)


def test_a_replay_tells_what_an_easier_rule_would_have_saved_and_lost(
    triage: Workflow,
    by: Participant,
    make_judge: Make,
    make_foil_subjects: Make,
    make_gold: Make,
    say: Make,
    stand: Make,
) -> None:
    stand(replace(QUICK, min_votes=3, max_votes=3))
    triage.settings = {"base_rate": 0.3}
    triage.save()
    judges = [make_judge(name) for name in ("ada", "ben", "cleo")]
    known = [*make_gold(4), *make_gold(4, is_crater=False)]
    subjects, [missed] = make_foil_subjects(2, probability=0.3), make_gold(1)
    for gold in known:
        for judge in judges:
            say(judge, gold.subject, "crater" if gold.is_crater else "nothing")
    for number, judge in enumerate(judges):
        say(judge, subjects[0], "crater")
        say(judge, subjects[1], "nothing" if number < 2 else "crater")
        say(judge, missed.subject, "nothing")
    assert outcomes(subjects) == ["candidate", "undecided"]
    found = do(triage, by, Errand.Kind.REPLAY, settings=replace(QUICK, reject=0.2).to_json()).findings
    assert found["outcomes"]["nothing"] == [0, 1]
    assert found["outcomes"]["candidate"] == [1, 1]
    assert found["votes"] == [6, 4]
    assert (found["known_craters"], found["known_craters_dropped"]) == (5, 1)


def test_a_replay_knows_the_nights(
    triage: Workflow, by: Participant, make_judge: Make, make_foil_subjects: Make, say: Make, stand: Make
) -> None:
    """With what the population can do a beginner's word suddenly counts."""
    [subject] = make_foil_subjects(1, probability=0.3)
    judges = [make_judge(name) for name in ("ada", "ben")]
    last = [say(judge, subject, "crater") for judge in judges][-1]
    settings = QUICK.to_json()
    before = do(triage, by, Errand.Kind.REPLAY, settings=settings).findings
    Reckoning.objects.create(
        workflow=triage,
        last_classification=last.pk,
        n_answers=2,
        n_people=2,
        n_subjects=1,
        sha256="",
        seconds=0.0,
        findings={"population": {"sensitivity": 0.9, "specificity": 0.9}},
    )
    after = do(triage, by, Errand.Kind.REPLAY, settings=settings).findings
    assert before["outcomes"]["candidate"][1] == 0
    assert (after["nights"], after["outcomes"]["candidate"][1]) == (1, 1)


def test_the_log_of_nobody_can_be_replayed(triage: Workflow, by: Participant) -> None:
    found = do(triage, by, Errand.Kind.REPLAY, settings=QUICK.to_json()).findings
    assert (found["answers"], found["subjects"]) == (0, 0)


# -- The pages -------------------------------------------------------------------------------------


def fields(rule: StoppingRule, **others: object) -> dict[str, object]:
    return {**rule.to_json(), **others}


def test_a_lead_previews_replays_and_sets_a_rule(
    foils: Campaign,
    triage: Workflow,
    lead: User,
    client_of: Callable[[User | None], Client],
    judges: list[Judge],
    make_foil_subjects: Make,
    say: Make,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = []
    monkeypatch.setattr("review.views.foils.asking.errand_task.delay_on_commit", sent.append)
    [subject] = make_foil_subjects(1, probability=0.3)
    for judge in judges[:2]:
        say(judge, subject, "nothing")
    client, url = client_of(lead), reverse("review:foil_rules", args=[foils.uid])
    previewed = client.post(url, fields(QUICK, act="preview"))
    assert "1 of 1 open pictures would retire now" in previewed.content.decode()
    assert triage.rules.count() == 1
    client.post(url, fields(QUICK, act="replay"))
    assert client.post(url, fields(QUICK, act="save")).status_code == 422, "it says why"
    assert client.post(url, fields(QUICK, act="save", why="fewer answers")).status_code == 302
    assert [errand.kind for errand in Errand.objects.order_by("pk")] == ["replay", "apply_rule"]
    assert sent == list(Errand.objects.order_by("pk").values_list("pk", flat=True))
    for pk in sent:
        work.execute(pk)
    page = client.get(url).content.decode()
    assert "Replayed on the log" in page and "fewer answers" in page
    assert outcomes([subject]) == ["nothing"]


def test_a_rule_that_cannot_be_is_refused_beside_its_field(
    foils: Campaign, lead: User, client_of: Callable[[User | None], Client]
) -> None:
    url = reverse("review:foil_rules", args=[foils.uid])
    wrong = {**QUICK.to_json(), "max_votes": 1, "act": "preview"}
    response = client_of(lead).post(url, wrong)
    assert response.status_code == 422
    assert response.context["form"].errors["max_votes"] == [
        "“Most answers” is from “Fewest answers” to 1000, not 1."
    ]


def test_the_list_of_what_left_the_queue_shows_why_and_the_way_back(
    foils: Campaign,
    lead: User,
    client_of: Callable[[User | None], Client],
    judges: list[Judge],
    make_foil_subjects: Make,
    say: Make,
    stand: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = []
    monkeypatch.setattr("review.views.foils.asking.errand_task.delay_on_commit", sent.append)
    stand(QUICK)
    one, other = make_foil_subjects(2, probability=0.3)
    for judge in judges[:2]:
        say(judge, one, "nothing")
        say(judge, other, "nothing")
    client, url = client_of(lead), reverse("review:foil_retired", args=[foils.uid])
    assert "below 0.02 after 2 answers" in client.get(url).content.decode()
    assert len(client.get(url, {"outcome": "candidate"}).context["page"]) == 0
    assert client.post(url, {"subject": one.uid, "further": 2, "why": "look again"}).status_code == 302
    assert outcomes([one, other]) == ["", "nothing"]
    assert client.post(url, {"further": 2, "why": "all"}).status_code == 422, "of which rule?"
    assert client.post(f"{url}?outcome=nothing&rule=2", {"further": 2, "why": "all"}).status_code == 302
    work.execute(sent[-1])
    assert outcomes([one, other]) == ["", ""]
    assert client.post(url, {"subject": "no uid", "further": 2, "why": "x"}).status_code == 422


def test_a_preview_of_many_is_quick_enough_to_wait_for(
    triage: Workflow, make_foil_subjects: Make, django_assert_max_num_queries: Make
) -> None:
    """However many pictures there are, a preview asks the database a few times for each 50,000."""
    make_foil_subjects(5)
    Subject.objects.update(n_votes=5, log_odds=-9.0, retired_at=timezone.now() - timedelta(days=1))
    with django_assert_max_num_queries(10):
        found = rule_preview.preview(triage, replace(QUICK, reject=1e-3))
    assert found.retires[Outcome.NOTHING] == 5
