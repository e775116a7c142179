"""What becomes of a picture: a function of the answers that stand, and of nothing else."""

from collections.abc import Callable, Iterator
from itertools import count, permutations
from math import log
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate.models import Participant
from mlcore.consensus.answers.skill import Answer, Rates, Skill
from mlcore.consensus.answers.stopping import StoppingRule
from mlcore.consensus.answers.swap import evidence, log_odds
from review.models import Classification, Gold, Judge, Reckoning, Retirement, RuleVersion, Subject, Workflow
from review.services import classifications
from review.services.foils.gold import known
from review.services.foils.ground import Ground
from review.services.foils.judging.votes import Vote
from review.services.policies import triage as policy

pytestmark = pytest.mark.django_db

Make = Callable[..., list[Any]]
GOOD = {"hits": 40, "craters": 40, "passes": 40, "blanks": 40}
MARKS = {"marks": [{"x_px": 30.0, "y_px": 20.0}]}


@pytest.fixture
def say(triage: Workflow) -> Callable[..., Classification]:
    """say(judge, subject, "crater")."""

    def record(who: Judge | Participant, subject: Subject, answer: str, **more: Any) -> Classification:
        participant = who.participant if isinstance(who, Judge) else who
        payload = MARKS if answer == "crater" else {}
        given = {"payload": payload, "uid": uuid4(), "answer": answer, **more}
        return classifications.record(workflow=triage, subject=subject, participant=participant, **given)

    return record


@pytest.fixture
def crowd(make_judge: Callable[..., Judge]) -> Iterator[Judge]:
    """Judges of good skill, one after the other: next(crowd)."""
    return (make_judge(f"judge{n}", **GOOD) for n in count())


def tally(subject: Subject) -> tuple[float, int, int, int, str]:
    s = Subject.objects.get(pk=subject.pk)
    return (s.log_odds, s.n_votes, s.n_cannot_tell, s.n_practised, s.outcome)


def set_rule(triage: Workflow, **changes: Any) -> None:
    number = triage.rules.count() + 1
    RuleVersion.objects.create(workflow=triage, number=number, settings=StoppingRule(**changes).to_json())


# -- What works ----------------------------------------------------------------------------------


def test_it_works_an_answer_weighs_what_its_giver_can_see(
    make_foil_subjects: Make, make_judge: Callable[..., Judge], say: Callable[..., Any]
):
    [subject] = make_foil_subjects(1)
    say(make_judge("ada", hits=9, craters=10, passes=18, blanks=20), subject, "crater")
    say(make_judge("bob"), subject, "nothing")
    ada = Skill(9, 10, 18, 20)
    expected = log_odds(0.04) + evidence(ada, Answer.CRATER) + evidence(Skill(), Answer.NOTHING)
    assert tally(subject) == (pytest.approx(expected), 2, 0, 1, "")


def test_beginners_start_from_what_the_population_can_do(
    triage: Workflow, make_foil_subjects: Make, make_judge: Callable[..., Judge], say: Callable[..., Any]
):
    [subject] = make_foil_subjects(1)
    common = {"workflow": triage, "last_classification": 1, "n_answers": 1, "n_people": 1, "n_subjects": 1}
    for rates in ({"sensitivity": 0.1, "specificity": 0.1}, {"sensitivity": 0.8, "specificity": 0.9}):
        Reckoning.objects.create(**common, sha256="", seconds=1.0, findings={"population": rates})
    say(make_judge("ada"), subject, "crater")
    assert tally(subject)[0] == pytest.approx(log_odds(0.04) + log(8))
    assert evidence(Skill(prior=Rates(0.8, 0.9)), Answer.CRATER) == pytest.approx(log(8))


def test_enough_calls_make_a_candidate_and_say_why(
    triage: Workflow, make_foil_subjects: Make, crowd: Iterator[Judge], say: Callable[..., Any]
):
    [subject] = make_foil_subjects(1)
    for _ in range(3):
        say(next(crowd), subject, "crater")
    subject.refresh_from_db()
    assert (subject.outcome, subject.rule.number) == ("candidate", 1)
    assert subject.retired_at is not None
    step = Retirement.objects.get()
    assert (step.step, step.outcome, step.tally["votes"]) == ("retired", "candidate", 3)
    assert step.why == subject.retired_because == "Rule 1: probability 0.997 is at least 0.95 after 3 answers"


@pytest.mark.parametrize(
    ("answer", "n", "outcome", "why"),
    [
        ("nothing", 4, "nothing", "Rule 1: probability 2.6e-07 is below 1e-06 after 4 answers, 4 of them by"),
        ("cannot_tell", 3, "bad_image", "Rule 1: 3 of 3 answers are “cannot tell”, at least 60 %"),
    ],
)
def test_each_outcome_says_why(
    make_foil_subjects: Make, crowd: Iterator[Judge], say: Callable[..., Any],
    answer: str, n: int, outcome: str, why: str,
):  # fmt: skip
    [subject] = make_foil_subjects(1)
    for _ in range(n):
        assert tally(subject)[-1] == ""
        say(next(crowd), subject, answer)
    subject.refresh_from_db()
    assert subject.outcome == outcome
    assert subject.retired_because.startswith(why)


def test_what_nobody_can_decide_goes_to_reviewers(
    triage: Workflow, make_foil_subjects: Make, crowd: Iterator[Judge], say: Callable[..., Any]
):
    set_rule(triage, max_votes=4)
    [subject] = make_foil_subjects(1)
    for answer in ("crater", "nothing") * 2:
        say(next(crowd), subject, answer)
    subject.refresh_from_db()
    assert subject.outcome == "undecided"
    assert subject.retired_because == "Rule 2: probability 0.04 decides nothing after 4 answers; to reviewers"


def test_a_retired_picture_opens_again_when_an_answer_is_taken_back(
    make_foil_subjects: Make, crowd: Iterator[Judge], say: Callable[..., Any]
):
    [subject] = make_foil_subjects(1)
    for _ in range(3):
        last = say(next(crowd), subject, "crater")
    with transaction.atomic():
        classifications.withdraw(last)
    subject.refresh_from_db()
    assert (subject.outcome, subject.retired_at, subject.retired_because) == ("", None, "")
    assert [row.step for row in Retirement.objects.order_by("pk")] == ["retired", "reopened"]
    assert "no longer decides" in Retirement.objects.latest("pk").why


def test_a_picture_brought_back_waits_for_the_answers_it_was_given(
    make_foil_subjects: Make, crowd: Iterator[Judge], say: Callable[..., Any]
):
    [subject] = make_foil_subjects(1)
    Subject.objects.update(wanted=5)
    for n in range(5):
        assert tally(subject)[-1] == "", n
        say(next(crowd), subject, "crater")
    assert tally(subject)[-1] == "candidate"


def test_who_is_set_aside_counts_for_nothing_until_cleared(
    make_foil_subjects: Make, crowd: Iterator[Judge], say: Callable[..., Any]
):
    [subject] = make_foil_subjects(1)
    judges = [next(crowd) for _ in range(3)]
    for judge in judges:
        say(judge, subject, "crater")
    before = tally(subject)
    for quarantined_at, expected in ((timezone.now(), (2, "")), (None, (3, "candidate"))):
        Judge.objects.filter(pk=judges[0].pk).update(quarantined_at=quarantined_at)
        with transaction.atomic():
            policy.settle(Subject.objects.select_for_update().get(pk=subject.pk))
        assert (tally(subject)[1], tally(subject)[-1]) == expected
    assert tally(subject) == before


def test_what_was_retired_otherwise_stays_so(
    make_foil_subjects: Make, crowd: Iterator[Judge], say: Callable[..., Any]
):
    [subject] = make_foil_subjects(1)
    Subject.objects.update(retired_at=timezone.now(), retired_because="held back by the threshold")
    say(next(crowd), subject, "nothing")
    subject.refresh_from_db()
    assert subject.retired_because == "held back by the threshold"
    assert not Retirement.objects.exists()


# -- Known pictures ----------------------------------------------------------------------------------


def test_known_pictures_never_retire_and_teach_of_their_judges(
    make_gold: Make, crowd: Iterator[Judge], say: Callable[..., Any]
):
    [crater], [blank] = make_gold(1), make_gold(1, is_crater=False)
    judges = [next(crowd) for _ in range(5)]
    for judge in judges:
        say(judge, crater.subject, "crater")
        say(judge, blank.subject, "crater")
    assert tally(crater.subject)[-1] == tally(blank.subject)[-1] == ""
    for judge in judges:
        judge.refresh_from_db()
        assert (judge.hits, judge.craters, judge.passes, judge.blanks) == (41, 41, 40, 41)


def test_a_changed_answer_teaches_in_place_of_the_old_one(
    make_gold: Make, make_judge: Callable[..., Judge], say: Callable[..., Any]
):
    [gold], ada = make_gold(1), make_judge("ada")
    seen = []
    for answer in ("nothing", "crater", "cannot_tell", "crater"):
        last = say(ada, gold.subject, answer)
        ada.refresh_from_db()
        seen.append((ada.hits, ada.craters, ada.n_answers))
    assert seen == [(0, 1, 1), (1, 1, 1), (0, 0, 1), (1, 1, 1)]
    with transaction.atomic():
        classifications.withdraw(last)
    ada.refresh_from_db()
    assert (ada.hits, ada.craters, ada.n_answers, ada.effort) == (0, 0, 0, 1)


@pytest.mark.parametrize(("x_px", "is_hit"), [(30.0, True), (45.9, True), (46.1, False), (64.0, False)])
def test_a_crater_is_found_where_it_is_clicked(
    make_gold: Make, make_judge: Callable[..., Judge], say: Callable[..., Any], x_px: float, is_hit: bool
):
    [gold], ada = make_gold(1), make_judge("ada")
    say(ada, gold.subject, "crater", payload={"marks": [{"x_px": x_px, "y_px": 20.0}]})
    ada.refresh_from_db()
    assert (ada.hits, ada.craters) == (int(is_hit), 1)


def test_the_reach_of_a_click_grows_with_the_crater(make_picture: Callable[..., Any], triage: Workflow):
    picture = make_picture(nm_per_px=50.0)
    subject = Subject.objects.create(workflow=triage, stratum="gold", picture=picture)
    places = [{"x_px": 10.0, "y_px": 20.0, "diameter_um": 2.0}]
    gold = Gold.objects.create(subject=subject, is_crater=True, origin="confirmed", places=places)
    for x_px, is_right in ((39.0, True), (41.0, False)):
        clicked = {"marks": [{"x_px": x_px, "y_px": 20.0}]}
        assert known.is_right(gold, "crater", clicked) is is_right


def test_an_answer_to_a_known_picture_costs_the_same_however_many_have_answered(
    make_gold: Make, crowd: Iterator[Judge], say: Callable[..., Any]
):
    [gold] = make_gold(1)
    rows = []
    for _ in range(9):
        judge = next(crowd)
        with CaptureQueriesContext(connection) as asked:
            say(judge, gold.subject, "crater")
        rows.append(len(asked))
    assert set(rows) == {rows[0]}
    gold.subject.refresh_from_db()
    assert gold.subject.n_answers == 9


# -- Invariants --------------------------------------------------------------------------------------

ANSWERS = st.sampled_from([answer.value for answer in policy.ANSWERS])
STEPS = st.lists(st.tuples(st.integers(0, 4), ANSWERS | st.just("back")), min_size=1, max_size=10)
SKILLS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=5, max_size=5)
usual = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def play(people: list[Participant], subject: Subject, steps: list[tuple[int, str]], say: Any) -> None:
    """Answers and withdrawals by several people, each step settled as it comes."""
    for who, answer in steps:
        if answer != "back":
            say(people[who], subject, answer)
            continue
        last = Classification.objects.filter(subject=subject, participant=people[who]).standing().first()
        if last is not None:
            with transaction.atomic():
                classifications.withdraw(last)


def test_not_the_last_digit_of_the_odds_depends_on_who_came_first():
    skills = [(3, 7), (10, 2), (0, 11), (8, 8), (5, 12), (12, 12)]
    judges = {n: Judge(hits=h, craters=12, passes=p, blanks=12) for n, (h, p) in enumerate(skills)}
    said = ["crater", "nothing", "nothing", "crater", "cannot_tell", "nothing"]
    rule = StoppingRule()
    ground = Ground(RuleVersion(number=1), rule, Rates(0.7, 0.8))
    found = {
        policy.tally_of(
            Subject(prior_log_odds=0.1),
            [Vote(place, who, who, said[who], {}) for place, who in enumerate(order)],
            judges,
            ground,
        )
        for order in permutations(range(6))
    }
    assert len(found) == 1


@usual
@given(steps=STEPS, skills=SKILLS, shuffle=st.randoms(use_true_random=False))
def test_the_order_of_people_changes_nothing(
    make_foil_subjects: Make, triage: Workflow, say: Callable[..., Any],
    steps: list[tuple[int, str]], skills: list[tuple[int, int]], shuffle: Any,
):  # fmt: skip
    """Each person's own steps in their order, those of different people in any."""
    people = [Participant.objects.create(pseudonym=str(uuid4())) for _ in skills]
    for person, (hits, passes) in zip(people, skills, strict=True):
        Judge.objects.create(
            workflow=triage, participant=person, hits=hits, craters=12, passes=passes, blanks=12
        )
    one, other = make_foil_subjects(2)
    play(people, one, steps, say)
    turns = [who for who, _answer in steps]
    shuffle.shuffle(turns)
    left = {who: iter([step for step in steps if step[0] == who]) for who in turns}
    play(people, other, [next(left[who]) for who in turns], say)
    assert tally(one) == tally(other)


@usual
@given(steps=STEPS)
def test_settling_again_changes_nothing_and_taking_all_back_undoes_all(
    make_foil_subjects: Make, triage: Workflow, say: Callable[..., Any], steps: list[tuple[int, str]]
):
    people = [Participant.objects.create(pseudonym=str(uuid4())) for _ in range(5)]
    for person in people:
        Judge.objects.create(workflow=triage, participant=person, **GOOD)
    [subject] = make_foil_subjects(1)
    begun = tally(subject)
    play(people, subject, steps, say)
    settled, n_steps = tally(subject), Retirement.objects.count()
    with transaction.atomic():
        policy.settle(Subject.objects.select_for_update().get(pk=subject.pk))
    assert (tally(subject), Retirement.objects.count()) == (settled, n_steps)
    play(people, subject, [(who, "back") for who in range(5)], say)
    assert tally(subject) == begun
    assert set(Judge.objects.filter(participant__in=people).values_list("n_answers", flat=True)) == {0}
