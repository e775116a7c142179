"""The nightly reckoning: published numbers come from the log alone, and can be worked out again."""

import random
from collections.abc import Callable
from threading import Event, Thread
from uuid import uuid4

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction

from annotate.models import Participant
from annotate.services.locks import exclusive
from mlcore.consensus.answers.stopping import Outcome, StoppingRule
from mlcore.errors import Conflict
from review.models import Classification, Estimate, Gold, Judge, Reckoning, Retirement, Subject, Workflow
from review.services import classifications
from review.services.foils.results import log, reckoning, weighing
from review.services.foils.results.reckoning import check, reckon
from review.services.foils.rules import rules

Answer = Classification.Answer
pytestmark = pytest.mark.django_db

AT_CRATER = {"marks": [{"x_px": 30.0, "y_px": 20.0}]}
ELSEWHERE = {"marks": [{"x_px": 5.0, "y_px": 45.0}]}


def say(subject: Subject, judge: Judge, answer: str, payload: dict | None = None) -> Classification:
    """An answer as the log keeps it, without what it does at once."""
    edits = Classification.objects.filter(subject=subject, participant=judge.participant).count()
    if payload is None:
        payload = AT_CRATER if answer == Answer.CRATER else {}
    return Classification.objects.create(
        uid=uuid4(),
        workflow=subject.workflow,
        subject=subject,
        participant=judge.participant,
        edit=edits,
        answer=answer,
        payload=payload,
    )


def answer(subject: Subject, judge: Judge, said: str) -> Classification:
    """An answer as people give it."""
    return classifications.record(
        workflow=subject.workflow,
        subject=subject,
        participant=judge.participant,
        uid=uuid4(),
        answer=said,
        payload=AT_CRATER if said == Answer.CRATER else {},
    )


@pytest.fixture
def crowd(
    make_gold: Callable[..., list[Gold]],
    make_foil_subjects: Callable[..., list[Subject]],
    make_judge: Callable[..., Judge],
) -> tuple[list[Judge], list[Gold], list[Subject]]:
    """Six people who are mostly right, 24 known subjects and 10 others; the first 2 of these show craters."""
    dice = random.Random(1)
    golds = make_gold(12) + make_gold(12, is_crater=False)
    subjects = make_foil_subjects(10)
    judges = [make_judge(f"judge{number}") for number in range(6)]
    truths = [(gold.subject, gold.is_crater) for gold in golds]
    truths += [(subject, number < 2) for number, subject in enumerate(subjects)]
    rows = []
    for subject, is_crater in truths:
        for judge in judges:
            says_crater = is_crater if dice.random() < 0.9 else not is_crater
            said = (Answer.CRATER, AT_CRATER) if says_crater else (Answer.NOTHING, {})
            rows.append((subject, judge.participant, *said))
    Classification.objects.bulk_create(
        Classification(
            uid=uuid4(),
            workflow=subject.workflow,
            subject=subject,
            participant=participant,
            answer=answer,
            payload=payload,
        )
        for subject, participant, answer, payload in rows
    )
    return judges, golds, subjects


def numbers(found: Reckoning) -> list[tuple]:
    return list(
        found.estimates.order_by("subject").values_list("subject", "probability", "low", "high", "n_votes")
    )


def test_it_publishes_what_the_answers_say(triage: Workflow, crowd: tuple):
    _judges, _golds, subjects = crowd
    found = reckon(triage)
    assert (found.n_answers, found.n_people, found.n_subjects) == (34 * 6, 6, 34)
    assert found.last_classification == Classification.objects.latest("pk").pk
    told = {one.subject_id: one for one in found.estimates.all()}
    for number, subject in enumerate(subjects):
        one = told[subject.pk]
        assert (one.probability > 0.2) == (number < 2)
        assert one.low <= one.probability <= one.high
        assert one.n_votes == 6
    assert found.findings["calibration"]["slope"] > 0.0
    assert found.findings["population"]["sensitivity"] == pytest.approx(0.9, abs=0.1)


def test_what_is_published_is_what_the_known_subjects_would_get(triage: Workflow, crowd: tuple):
    """Of a known subject stands what it would have been given had nobody known it."""
    found = reckon(triage)
    told = {one.subject_id: one for one in found.estimates.all()}
    for gold in crowd[1]:
        assert 0.0 < told[gold.pk].probability < 1.0
        assert told[gold.pk].n_votes <= StoppingRule().max_votes


def test_the_order_of_the_log_changes_no_bit(triage: Workflow, crowd: tuple):
    first = reckon(triage)
    rows = list(Classification.objects.values("participant_id", "subject_id", "answer", "payload"))
    Classification.objects.all().delete()
    random.Random(7).shuffle(rows)
    Classification.objects.bulk_create(Classification(uid=uuid4(), workflow=triage, **row) for row in rows)
    second = reckon(triage)
    assert second.sha256 == first.sha256
    assert numbers(second) == numbers(first)
    assert second.findings == first.findings


def test_it_can_be_worked_out_again_after_people_went_on(
    triage: Workflow, crowd: tuple, make_judge: Callable
):
    judges, _golds, subjects = crowd
    found = reckon(triage)
    say(subjects[0], make_judge("late"), Answer.NOTHING)
    say(subjects[1], judges[0], Answer.CANNOT_TELL)
    Judge.objects.filter(pk=judges[1].pk).update(quarantined_at=triage.created_at)
    again = check(found)
    assert again.holds and again.n_estimates == 34 and again.largest < 1e-12


def test_the_check_notices_a_number_that_was_changed(triage: Workflow, crowd: tuple):
    found = reckon(triage)
    Estimate.objects.filter(reckoning=found, subject=crowd[2][0]).update(probability=0.987654)
    again = check(found)
    assert again.same_input and not again.holds
    assert again.n_differ == 1 and again.largest > 0.0


def test_the_check_notices_that_what_is_known_is_another(triage: Workflow, crowd: tuple):
    found = reckon(triage)
    Gold.objects.filter(pk=crowd[1][0].pk).update(is_crater=False, places=[])
    assert not check(found).same_input


def test_the_command_reckons_and_checks(triage: Workflow, crowd: tuple, capsys: pytest.CaptureFixture):
    uid = str(triage.campaign.uid)
    call_command("reckon", uid)
    assert "34 estimates" in capsys.readouterr().out
    call_command("reckon", uid, "--check")
    assert "same numbers" in capsys.readouterr().out
    Estimate.objects.filter(subject=crowd[2][0]).update(high=1.0)
    with pytest.raises(CommandError, match="1 of 34 estimates"):
        call_command("reckon", uid, "--check")
    for unknown in (str(uuid4()), "nonsense"):
        with pytest.raises(CommandError, match="no campaign on foils"):
            call_command("reckon", unknown)


def test_the_command_says_that_nothing_is_published_yet(triage: Workflow):
    with pytest.raises(CommandError, match="Nothing has been reckoned yet"):
        call_command("reckon", str(triage.campaign.uid), "--check")


def test_only_the_newest_two_keep_their_estimates(triage: Workflow, crowd: tuple):
    made = [reckon(triage) for _ in range(3)]
    kept = set(Estimate.objects.values_list("reckoning", flat=True))
    assert kept == {made[1].pk, made[2].pk}
    assert Reckoning.objects.count() == 3


def test_two_at_once_are_refused_with_a_sentence(triage: Workflow, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reckoning, "exclusive", lambda name: _Held())
    with pytest.raises(Conflict, match="at this moment"):
        reckon(triage)
    with exclusive("reckon 0") as is_mine:
        assert is_mine


class _Held:
    def __enter__(self) -> bool:
        return False

    def __exit__(self, *error: object) -> None:
        pass


def test_a_triage_without_answers_is_reckoned_to_nothing(triage: Workflow):
    found = reckon(triage)
    assert (found.n_answers, found.estimates.count(), found.last_classification) == (0, 0, 0)
    assert found.findings["completeness"] == [] and found.findings["reliability"] is None
    assert check(found).holds


# -- What counts --------------------------------------------------------------------------------


def read(triage: Workflow) -> log.Log:
    return log.read(triage, until=log.end(triage))


def test_of_corrections_the_last_counts_and_what_is_taken_back_does_not(
    triage: Workflow, make_foil_subjects: Callable, make_judge: Callable
):
    one, two = make_foil_subjects(2)
    ada = make_judge("ada")
    say(one, ada, Answer.CRATER)
    say(one, ada, Answer.NOTHING)
    say(two, ada, Answer.CRATER)
    say(two, ada, Answer.WITHDRAWN)
    votes = read(triage).votes
    assert votes.key.tolist() == [one.pk] and votes.answer.tolist() == [1]


def test_the_log_up_to_an_answer_is_as_it_was_then(
    triage: Workflow, make_foil_subjects: Callable, make_judge: Callable
):
    (one,) = make_foil_subjects(1)
    ada = make_judge("ada")
    then = say(one, ada, Answer.CRATER)
    say(one, ada, Answer.WITHDRAWN)
    assert log.read(triage, until=then.pk).votes.answer.tolist() == [0]
    assert len(read(triage).votes.answer) == 0


def test_a_silent_retest_and_a_skip_do_not_count(
    triage: Workflow, make_foil_subjects: Callable, make_judge: Callable
):
    one, two = make_foil_subjects(2)
    ada = make_judge("ada")
    again = say(one, ada, Answer.CRATER)
    Classification.objects.filter(pk=again.pk).update(round=1)
    say(two, ada, Answer.SKIP)
    assert len(read(triage).votes.answer) == 0


def test_several_selves_of_a_person_count_once_by_the_first_answer(
    triage: Workflow, make_foil_subjects: Callable, make_judge: Callable
):
    one, two = make_foil_subjects(2)
    ada = make_judge("ada")
    visitor = Participant.objects.create(pseudonym="p-1", merged_into=ada.participant)
    earlier = Judge(workflow=triage, participant=visitor)
    say(one, earlier, Answer.NOTHING)
    say(one, ada, Answer.CRATER)
    say(two, earlier, Answer.CRATER)
    found = read(triage)
    assert found.people.tolist() == [ada.participant_id]
    subjects = found.votes.key[found.votes.subject].tolist()
    assert dict(zip(subjects, found.votes.answer.tolist(), strict=True)) == {one.pk: 1, two.pk: 0}


def test_who_is_set_aside_counts_for_nothing_and_is_kept(
    triage: Workflow, make_foil_subjects: Callable, make_judge: Callable
):
    subjects = make_foil_subjects(2)
    ada, bot = make_judge("ada"), make_judge("bot", quarantined_at=triage.created_at)
    visitor = Participant.objects.create(pseudonym="p-1", merged_into=bot.participant)
    say(subjects[0], ada, Answer.NOTHING)
    say(subjects[0], bot, Answer.CRATER)
    say(subjects[1], Judge(workflow=triage, participant=visitor), Answer.CRATER)
    found = reckon(triage)
    assert (found.n_answers, found.n_subjects) == (1, 1)
    assert found.findings["set_aside"] == [bot.participant_id]
    assert Classification.objects.count() == 3


def test_a_crater_that_is_called_elsewhere_was_not_seen(
    triage: Workflow, make_gold: Callable, make_judge: Callable
):
    (gold,) = make_gold(1)
    say(gold.subject, make_judge("ada"), Answer.CRATER, AT_CRATER)
    say(gold.subject, make_judge("bob"), Answer.CRATER, ELSEWHERE)
    assert sorted(read(triage).votes.answer.tolist()) == [0, 1]


def test_the_practice_does_not_count(triage: Workflow, make_gold: Callable, make_judge: Callable):
    (gold,) = make_gold(1, is_practice=True)
    say(gold.subject, make_judge("ada"), Answer.CRATER)
    assert len(read(triage).votes.answer) == 0


@pytest.mark.django_db(transaction=True)
def test_answers_that_are_being_written_are_waited_for_or_it_says_so(
    triage: Workflow, make_foil_subjects: Callable, make_judge: Callable, monkeypatch: pytest.MonkeyPatch
):
    """A number may be drawn long before its row is there; the log does not end before it has come."""
    (one,) = make_foil_subjects(1)
    ada, begun, go_on = make_judge("ada"), Event(), Event()

    def write() -> None:
        with transaction.atomic():
            say(one, ada, Answer.CRATER)
            begun.set()
            go_on.wait(30)
        connection.close()

    writer = Thread(target=write)
    writer.start()
    assert begun.wait(30)
    monkeypatch.setattr(log, "_TRIES", 1)
    monkeypatch.setattr(log, "_WAIT", "200ms")
    with pytest.raises(Conflict, match="takes long"):
        log.end(triage)
    go_on.set()
    writer.join(30)
    monkeypatch.undo()
    assert log.end(triage) == Classification.objects.get().pk


def test_many_answers_are_read_in_pieces(triage: Workflow, crowd: tuple, monkeypatch: pytest.MonkeyPatch):
    whole = read(triage).votes
    monkeypatch.setattr(log, "_CHUNK_BYTES", 100)
    pieces = read(triage).votes
    for name in ("subject", "person", "answer", "key", "prior_log_odds", "known"):
        assert (getattr(whole, name) == getattr(pieces, name)).all()


# -- What it puts right -------------------------------------------------------------------------


def test_counts_that_are_not_those_of_the_log_are_put_right(triage: Workflow, crowd: tuple):
    judges, _golds, _subjects = crowd
    Judge.objects.update(hits=99, craters=99)
    reckon(triage)
    judge = Judge.objects.get(pk=judges[0].pk)
    assert (judge.craters, judge.blanks) == (12, 12)
    right = Classification.objects.filter(
        participant=judge.participant, subject__gold__is_crater=True, answer="crater"
    )
    assert judge.hits == right.count()


def test_open_pictures_are_weighed_by_what_is_known_of_their_judges_now(
    triage: Workflow, make_gold: Callable, make_foil_subjects: Callable, make_judge: Callable
):
    ada = make_judge("ada")
    (subject,) = make_foil_subjects(1)
    answer(subject, ada, Answer.CRATER)
    subject.refresh_from_db()
    assert subject.log_odds == subject.prior_log_odds
    for gold in make_gold(8):
        answer(gold.subject, ada, Answer.CRATER)
    for gold in make_gold(8, is_crater=False):
        answer(gold.subject, ada, Answer.NOTHING)
    reckon(triage)
    subject.refresh_from_db()
    assert subject.log_odds > subject.prior_log_odds + 1.0
    before = Subject.objects.filter(pk=subject.pk).values().get()
    assert weighing.weigh_again(triage, lambda n_done, n_all: None)["other_odds"] == 0
    assert Subject.objects.filter(pk=subject.pk).values().get() == before


def test_a_retired_picture_that_the_rule_no_longer_supports_opens_again(
    triage: Workflow, make_foil_subjects: Callable, make_judge: Callable
):
    (subject,) = make_foil_subjects(1, probability=0.5)
    skill = {"hits": 40, "craters": 40, "passes": 40, "blanks": 40}
    judges = [make_judge(f"judge{number}", **skill) for number in range(3)]
    for judge in judges:
        answer(subject, judge, Answer.CRATER)
    subject.refresh_from_db()
    assert subject.outcome == Outcome.CANDIDATE
    # Of the skill the log knows nothing, so it is put right, and with it the outcome.
    reckon(triage)
    subject.refresh_from_db()
    assert subject.outcome == "" and subject.retired_at is None
    steps = list(Retirement.objects.filter(subject=subject).order_by("pk").values_list("step", flat=True))
    assert steps == ["retired", "reopened"]


def test_a_picture_that_stays_retired_keeps_the_odds_with_which_it_did(
    triage: Workflow, make_foil_subjects: Callable, make_judge: Callable
):
    (subject,) = make_foil_subjects(1, probability=0.96)
    for number in range(3):
        answer(subject, make_judge(f"judge{number}"), Answer.CRATER)
    subject.refresh_from_db()
    assert subject.outcome == Outcome.CANDIDATE
    stood = subject.log_odds
    reckon(triage)
    subject.refresh_from_db()
    assert (subject.outcome, subject.log_odds) == (Outcome.CANDIDATE, stood)


def test_what_an_earlier_rule_retired_stays_so_under_a_new_one(
    triage: Workflow, make_foil_subjects: Callable, make_judge: Callable
):
    (subject,) = make_foil_subjects(1, probability=0.96)
    for number in range(3):
        answer(subject, make_judge(f"judge{number}"), Answer.CRATER)
    rules.set_rule(workflow=triage, rule=StoppingRule(min_votes=5), why="More eyes", by=None)
    reckon(triage)
    subject.refresh_from_db()
    assert (subject.outcome, subject.rule.number) == ("candidate", 1)


# -- What it says of itself ---------------------------------------------------------------------


def test_completeness_is_told_by_origin_and_diameter_and_never_pooled(
    triage: Workflow, make_gold: Callable, make_judge: Callable
):
    def sized(diameter_um: float) -> list[dict]:
        return [{"x_px": 30.0, "y_px": 20.0, "diameter_um": diameter_um}]

    small, large = make_gold(6, places=sized(0.4)), make_gold(6, places=sized(3.0))
    confirmed = make_gold(3, origin=Gold.Origin.CONFIRMED, places=sized(0.4))
    blanks = make_gold(12, is_crater=False)
    judges = [make_judge(f"judge{number}") for number in range(8)]
    for judge in judges:
        for gold in (*large, *confirmed):
            say(gold.subject, judge, Answer.CRATER)
        for gold in (*small, *blanks):
            say(gold.subject, judge, Answer.NOTHING)
    rules.set_rule(workflow=triage, rule=StoppingRule(reject=1e-3, accept=0.9, max_votes=8), why="", by=None)
    rows = reckon(triage).findings["completeness"]
    told = {(row["origin"], row["is_whole"], row["low_um"]): row for row in rows}
    assert told["synthetic", False, 2.0]["found"] == told["synthetic", False, 2.0]["n"] == 6
    assert told["synthetic", False, 0.3]["found"] == 0
    assert told["synthetic", True, None]["n"] == 12
    assert told["confirmed", True, None]["n"] == 3
    assert not any(row["n"] == 15 for row in rows)
    low, high = told["synthetic", False, 2.0]["interval"]
    assert (low, high) == (pytest.approx(0.5407, abs=1e-4), 1.0)


def test_known_subjects_with_too_few_answers_are_named_and_do_not_count(
    triage: Workflow, make_gold: Callable, make_judge: Callable
):
    one, _ = make_gold(2)
    say(one.subject, make_judge("ada"), Answer.CRATER)
    (whole,) = [row for row in reckon(triage).findings["completeness"] if row["is_whole"]]
    assert (whole["n_known"], whole["n"]) == (2, 0)
    assert whole["interval"] == [0.0, 1.0]


def test_reliability_and_skills_are_told(triage: Workflow, crowd: tuple):
    findings = reckon(triage).findings
    assert findings["reliability"]["n"] == 24
    assert sum(one["n"] for one in findings["reliability"]["bins"]) == 24
    assert 0.0 <= findings["reliability"]["error"] <= 1.0
    assert findings["skills"]["n_people"] == 6
    assert sum(findings["skills"]["sensitivity"]) == 6
    assert np.argmax(findings["skills"]["specificity"]) >= 7
