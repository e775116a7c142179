"""What people are shown: everything above the threshold, and a drawn sample of the rest."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from annotate.models import User
from annotate.services.participants import participant_of
from mlcore.consensus.answers.swap import log_odds
from mlcore.errors import InvalidInput
from review.models import Picture, Showing, Subject, Workflow
from review.services.foils import settings as triage_settings
from review.services.foils.settings import TriageSettings
from review.services.foils.stream import audit, stream, threshold

pytestmark = pytest.mark.django_db

Scored = Callable[..., list[Picture]]


@pytest.fixture
def scored(triage: Workflow) -> Scored:
    """Pictures with scores and without files: scored(0.2, 0.005, None, calibrated=True)."""

    def make(*scores: float | None, calibrated: bool = False) -> list[Picture]:
        first = Picture.objects.count()
        return [
            Picture.objects.create(
                campaign=triage.campaign,
                name=f"{at}.tif",
                width_px=64,
                height_px=48,
                sha256=f"{at:064x}",
                side="train",
                score_raw=score,
                score=score if calibrated else None,
            )
            for at, score in enumerate(scores, first)
        ]

    return make


def in_queue(workflow: Workflow, stratum: str = "queue") -> set[str]:
    return set(workflow.subjects.filter(stratum=stratum).values_list("picture__name", flat=True))


def everything(workflow: Workflow) -> list[tuple[object, ...]]:
    """All that fill can change."""
    rows = workflow.subjects.order_by("pk").values_list(
        "pk", "picture", "stratum", "audit", "prior_log_odds", "log_odds"
    )
    strata = workflow.audit_strata.values_list("pk", "low", "high", "n_pictures", "n_drawn", "drawn_at")
    return [*rows, *strata]


def test_what_reaches_the_threshold_goes_to_people(triage: Workflow, scored: Scored):
    scored(0.5, 0.01, 0.0099)
    triage_settings.change(workflow=triage, audit_size=0)
    assert stream.fill(workflow=triage) == 2
    assert in_queue(triage) == {"0.tif", "1.tif"}


def test_pictures_without_a_score_go_to_people_as_do_all_without_a_threshold(
    triage: Workflow, scored: Scored
):
    scored(None, 0.001)
    stream.fill(workflow=triage)
    assert in_queue(triage) == {"0.tif"}
    triage_settings.change(workflow=triage, threshold=None)
    stream.fill(workflow=triage)
    assert in_queue(triage) == {"0.tif", "1.tif"}
    assert not triage.audit_strata.exists()


def test_only_a_calibrated_score_is_believed(triage: Workflow, scored: Scored):
    raw, sure, certain = scored(0.3)[0], *scored(0.3, 1.0, calibrated=True)
    stream.fill(workflow=triage)
    priors = dict(triage.subjects.values_list("picture", "prior_log_odds"))
    assert priors[raw.pk] == pytest.approx(log_odds(TriageSettings().base_rate))
    assert priors[sure.pk] == pytest.approx(log_odds(0.3))
    assert priors[certain.pk] == pytest.approx(log_odds(1.0))


def test_a_new_score_moves_the_odds_and_leaves_the_evidence(triage: Workflow, scored: Scored):
    [picture] = scored(0.3, calibrated=True)
    stream.fill(workflow=triage)
    Subject.objects.update(log_odds=log_odds(0.3) + 1.5)
    Picture.objects.update(score=0.6)
    stream.fill(workflow=triage)
    subject = triage.subjects.get(picture=picture)
    assert subject.log_odds - subject.prior_log_odds == pytest.approx(1.5)
    assert subject.prior_log_odds == pytest.approx(log_odds(0.6))


def test_raising_the_threshold_keeps_what_somebody_was_shown(
    triage: Workflow, scored: Scored, make_user: Callable[..., User]
):
    seen, unseen, above = scored(0.02, 0.03, 0.5)
    triage_settings.change(workflow=triage, audit_size=0)
    stream.fill(workflow=triage)
    Showing.objects.create(
        subject=triage.subjects.get(picture=seen),
        participant=participant_of(make_user("ada")),
        expires_at=triage.created_at,
    )
    foreseen = threshold.preview(triage, 0.1, audit_size=0)
    assert (foreseen.n_to_people, foreseen.n_held_back) == (1, 2)
    assert (foreseen.n_leaving, foreseen.n_staying) == (1, 1)
    triage_settings.change(workflow=triage, threshold=0.1)
    stream.fill(workflow=triage)
    assert in_queue(triage) == {seen.name, above.name}
    assert not triage.subjects.filter(picture=unseen).exists()


def test_lowering_the_threshold_takes_audited_pictures_into_the_queue(triage: Workflow, scored: Scored):
    scored(*(0.005 for _ in range(5)))
    triage_settings.change(workflow=triage, audit_size=3)
    stream.fill(workflow=triage)
    assert len(in_queue(triage, "audit")) == 3
    triage_settings.change(workflow=triage, threshold=0.004)
    stream.fill(workflow=triage)
    assert len(in_queue(triage)) == 5
    assert not in_queue(triage, "audit")


def test_the_audit_is_drawn_by_strata_and_says_how_many_of_how_many(triage: Workflow, scored: Scored):
    scored(*(0.005 for _ in range(40)), *(0.0005 for _ in range(30)), *(0.00001 for _ in range(20)), 0.9)
    triage_settings.change(workflow=triage, audit_size=20)
    stream.fill(workflow=triage)
    design = [(s.low, s.high, s.n_pictures, s.n_drawn) for s in audit.design(triage)]
    assert design == [
        (pytest.approx(0.001), 0.01, 40, 12),
        (pytest.approx(0.0001), pytest.approx(0.001), 30, 5),
        (0.0, pytest.approx(0.0001), 20, 3),
    ]
    assert [s.subjects.count() for s in triage.audit_strata.all()] == [12, 5, 3]
    assert len(in_queue(triage, "audit")) == 20


def test_the_draw_can_be_done_again_and_a_larger_one_holds_it(triage: Workflow, scored: Scored):
    scored(*(0.005 for _ in range(40)))
    triage_settings.change(workflow=triage, audit_size=10)
    stream.fill(workflow=triage)
    drawn = in_queue(triage, "audit")
    triage.subjects.all().delete()
    stream.fill(workflow=triage)
    assert in_queue(triage, "audit") == drawn
    triage_settings.change(workflow=triage, audit_size=20)
    stream.fill(workflow=triage)
    assert drawn < in_queue(triage, "audit")
    triage_settings.change(workflow=triage, audit_seed=2)
    stream.fill(workflow=triage)
    assert in_queue(triage, "audit") != drawn


def test_new_pictures_below_the_threshold_count_in_their_stratum(triage: Workflow, scored: Scored):
    scored(*(0.005 for _ in range(10)))
    triage_settings.change(workflow=triage, audit_size=4)
    stream.fill(workflow=triage)
    scored(*(0.005 for _ in range(10)))
    stream.fill(workflow=triage)
    stratum = triage.audit_strata.get(number=0)
    assert (stratum.n_pictures, stratum.n_drawn, stratum.subjects.count()) == (20, 4, 4)


scores = st.lists(st.none() | st.floats(0, 1) | st.floats(0, 0.02), max_size=30)


@given(scores, st.none() | st.floats(0.001, 0.9), st.none() | st.floats(0.001, 0.9), st.integers(0, 12))
@hypothesis_settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_filling_twice_changes_nothing_and_forgets_nobody(
    triage: Workflow,
    scored: Scored,
    given_scores: list[float | None],
    first: float | None,
    second: float | None,
    size: int,
):
    Subject.objects.all().delete()
    Picture.objects.all().delete()
    scored(*given_scores)
    for value in (first, second):
        triage_settings.change(workflow=triage, threshold=value, audit_size=size)
        stream.fill(workflow=triage)
    once = everything(triage)
    assert stream.fill(workflow=triage) == 0
    assert everything(triage) == once
    below = [s for s in given_scores if second is not None and s is not None and s < second]
    assert triage.subjects.filter(stratum="queue").count() == len(given_scores) - len(below)
    assert triage.subjects.filter(stratum="audit").count() == min(size, len(below))
    assert sum(s.n_pictures for s in triage.audit_strata.all()) == len(below)


@given(st.lists(st.integers(0, 5000), min_size=3, max_size=3), st.integers(0, 6000))
def test_the_audit_has_the_size_asked_for_where_there_are_so_many(sizes: list[int], total: int):
    drawn = audit.plan(sizes, total)
    assert sum(drawn) == min(total, sum(sizes))
    assert all(0 <= n <= size for n, size in zip(drawn, sizes, strict=True))


def test_known_pictures_are_neither_queued_nor_audited(
    triage: Workflow, make_gold: Callable[..., list[object]]
):
    make_gold(2)
    Picture.objects.update(score_raw=0.001)
    assert stream.fill(workflow=triage) == 0
    assert sum(s.n_pictures for s in triage.audit_strata.all()) == 0


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, float("nan")])
def test_what_is_no_threshold_is_refused(triage: Workflow, value: float):
    with pytest.raises(InvalidInput, match="above 0 and below 1"):
        threshold.preview(triage, value, audit_size=0)


def test_each_change_of_the_threshold_is_remembered(triage: Workflow, lead: User):
    by = participant_of(lead)
    threshold.change(workflow=triage, threshold=0.02, by=by)
    threshold.change(workflow=triage, threshold=0.02, by=by, audit_size=5)
    threshold.change(workflow=triage, threshold=None, by=by)
    stored = Workflow.objects.get(pk=triage.pk).settings[threshold.CHANGES]
    assert [one["value"] for one in stored] == [0.02, None]


def test_the_histogram_counts_every_score_once(triage: Workflow, scored: Scored):
    assert threshold.histogram(triage) == []
    scored(0.0, 1e-8, 0.02, 0.02, 1.0, None)
    bars = threshold.histogram(triage)
    assert sum(bar.n for bar in bars) == 5
    assert (bars[0].n, bars[-1].n) == (2, 1)
    assert max(bars, key=lambda bar: bar.n).low < -1.5


@pytest.mark.django_db(transaction=True)
def test_a_picture_that_is_being_handed_out_stays(
    triage: Workflow, scored: Scored, make_user: Callable[..., User]
):
    """Its showing is not committed yet when the threshold is raised, so nobody else can see it."""
    scored(0.02, 0.03)
    triage_settings.change(workflow=triage, audit_size=0)
    stream.fill(workflow=triage)
    handed, other = triage.subjects.order_by("picture__score_raw")
    participant = participant_of(make_user("ada"))
    is_handed, is_filled = Event(), Event()

    def hand_out() -> None:
        try:
            with transaction.atomic():
                subject = Subject.objects.select_for_update(no_key=True).get(pk=handed.pk)
                Showing.objects.create(subject=subject, participant=participant, expires_at=triage.created_at)
                is_handed.set()
                assert is_filled.wait(30)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        handing_out = pool.submit(hand_out)
        try:
            assert is_handed.wait(30)
            triage_settings.change(workflow=triage, threshold=0.1)
            stream.fill(workflow=triage)
        finally:
            is_filled.set()
        handing_out.result()
    assert list(triage.subjects.values_list("pk", flat=True)) == [handed.pk]
    assert Showing.objects.get().subject == handed
    assert not Subject.objects.filter(pk=other.pk).exists()
