"""Errands: done once whoever tries, told by their row, and taken up again when a worker is lost."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import User
from annotate.services import liveness
from mlcore.errors import InvalidInput
from review.models import Errand, Workflow
from review.services.foils import errands
from review.services.foils.errands import Progress

REPLAY = Errand.Kind.REPLAY


def asked(triage: Workflow, **question: object) -> Errand:
    return errands.ask(workflow=triage, kind=REPLAY, question=question, by=None)[0]


def do(errand: Errand, work: errands.Work) -> Errand:
    errands.execute(errand.pk, {REPLAY: work})
    errand.refresh_from_db()
    return errand


def test_what_is_found_is_kept_and_progress_is_told(triage: Workflow) -> None:
    seen = []

    def work(errand: Errand, tell: Progress) -> dict[str, object]:
        tell(3, 9)
        row = Errand.objects.get(pk=errand.pk)
        seen.append((row.state, row.n_done, row.n_all))
        return {"answer": errand.question["number"] * 2}

    errand = do(asked(triage, number=21), work)
    assert (errand.state, errand.findings) == (Errand.State.DONE, {"answer": 42})
    assert seen == [(Errand.State.WORKING, 3, 9)]
    assert errand.ended_at is not None


def test_what_is_under_way_is_not_asked_twice(triage: Workflow) -> None:
    first, is_new = errands.ask(workflow=triage, kind=REPLAY, question={"a": 1}, by=None)
    again, is_new_again = errands.ask(workflow=triage, kind=REPLAY, question={"a": 1}, by=None)
    other, _ = errands.ask(workflow=triage, kind=REPLAY, question={"a": 2}, by=None)
    assert is_new and not is_new_again
    assert first == again != other
    do(first, lambda errand, tell: {})
    assert errands.ask(workflow=triage, kind=REPLAY, question={"a": 1}, by=None)[1]


def test_one_that_somebody_does_is_done_by_nobody_else(triage: Workflow) -> None:
    errand = asked(triage)
    again = []

    def work(errand: Errand, tell: Progress) -> dict[str, object]:
        errands.execute(errand.pk, {REPLAY: lambda errand, tell: again.append(1) or {}})
        return {}

    assert do(errand, work).state == Errand.State.DONE
    assert not again


def test_a_refusal_is_its_error_in_words(triage: Workflow) -> None:
    def work(errand: Errand, tell: Progress) -> dict[str, object]:
        raise InvalidInput("The log is too long.")

    errand = do(asked(triage), work)
    assert (errand.state, errand.error) == (Errand.State.FAILED, "The log is too long.")


def test_a_fault_of_our_own_is_told_and_not_hidden(triage: Workflow) -> None:
    errand = asked(triage)

    def work(errand: Errand, tell: Progress) -> dict[str, object]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        do(errand, work)
    errand.refresh_from_db()
    assert errand.state == Errand.State.FAILED
    assert "server's log" in errand.error


def test_who_was_given_up_for_lost_changes_nothing_any_more(triage: Workflow) -> None:
    def work(errand: Errand, tell: Progress) -> dict[str, object]:
        Errand.objects.filter(pk=errand.pk).update(attempt=errand.attempt + 1)
        tell(1, 2)
        raise AssertionError("it went on")

    errand = do(asked(triage), work)
    assert (errand.state, errand.n_all) == (Errand.State.WORKING, None)


def test_a_lost_message_and_a_lost_worker_are_sent_again(triage: Workflow) -> None:
    waiting, at_work, fresh = asked(triage, n=1), asked(triage, n=2), asked(triage, n=3)
    long_ago = timezone.now() - timedelta(minutes=5)
    Errand.objects.filter(pk__in=[waiting.pk, at_work.pk]).update(enqueued_at=long_ago)
    Errand.objects.filter(pk=at_work.pk).update(
        state=Errand.State.WORKING, attempt=1, heartbeat_at=timezone.now() - 2 * liveness.LOST_AFTER
    )
    assert {errand.pk for errand in errands.requeue()} == {waiting.pk, at_work.pk}
    assert errands.requeue() == []
    fresh.refresh_from_db()
    assert fresh.state == Errand.State.QUEUED


def test_one_whose_worker_is_lost_again_and_again_fails_in_words(triage: Workflow) -> None:
    errand = asked(triage)
    Errand.objects.filter(pk=errand.pk).update(
        state=Errand.State.WORKING,
        attempt=errands.MOST_ATTEMPTS,
        heartbeat_at=timezone.now() - 2 * liveness.LOST_AFTER,
    )
    assert errands.requeue() == []
    errand.refresh_from_db()
    assert errand.state == Errand.State.FAILED
    assert "lost 5 times" in errand.error


def test_the_page_asks_until_it_has_ended(
    triage: Workflow, lead: User, client_of: Callable[[User | None], Client]
) -> None:
    errand = asked(triage)
    url = reverse("review:foil_errand", args=[errand.uid])
    under_way = client_of(lead).get(url)
    assert 'hx-trigger="every 2s"' in under_way.content.decode()
    assert "HX-Refresh" not in under_way
    do(errand, lambda errand, tell: {})
    assert client_of(lead).get(url)["HX-Refresh"] == "true"
