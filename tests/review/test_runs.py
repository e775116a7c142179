"""The life of a run: rows are the truth, whatever queue and workers do."""

import re
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from annotate.models import Campaign
from annotate.services import liveness
from mlcore.errors import Conflict, InvalidInput
from review.models import Run, RunEvent, RunWindow, Worker
from review.services import reaper, runs, standing

pytestmark = pytest.mark.django_db

Make = Callable[..., Run]
AN_HOUR = timedelta(hours=1)


@pytest.fixture
def make_run(campaign: Campaign) -> Make:
    def make(verb: str = "train") -> Run:
        return runs.create(campaign=campaign, system="crater_detector", verb=verb, requested_by=None)

    return make


def log_of(run: Run) -> str:
    return " ".join(event.payload["message"] for event in run.events.order_by("pk"))


def age(run: Run, by: timedelta = AN_HOUR) -> None:
    """Let the run's clocks stand so much earlier."""
    then = timezone.now() - by
    Run.objects.filter(pk=run.pk).update(heartbeat_at=then, queued_at=then, enqueued_at=then)


def test_it_works_from_queued_to_finished(make_run: Make):
    run = make_run()
    assert (run.number, run.state, run.attempt) == (1, "queued", 0)
    claimed = runs.claim(run.pk, "worker-1")
    assert (claimed.state, claimed.attempt, claimed.worker) == ("running", 1, "worker-1")
    assert runs.heartbeat(claimed, progress=0.5, stage="Epoch 1", eta_s=60.0) == "running"
    assert runs.finish(claimed)
    run.refresh_from_db()
    assert (run.state, run.progress, run.stage) == ("finished", 1.0, "Finished")
    assert run.finished_at is not None


def test_numbers_count_within_the_campaign(make_run: Make):
    assert [make_run("predict").number for _ in range(3)] == [1, 2, 3]


def test_a_message_that_comes_twice_claims_once(make_run: Make):
    run = make_run()
    assert runs.claim(run.pk, "one") is not None
    assert runs.claim(run.pk, "two") is None


@pytest.mark.django_db(transaction=True)
def test_of_ten_workers_at_once_one_claims(make_run: Make):
    run, together, claims = make_run(), Barrier(10), []

    def claim(name: str) -> None:
        together.wait()
        claims.append(runs.claim(run.pk, name))
        connection.close()

    threads = [Thread(target=claim, args=(f"w{i}",)) for i in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(claim is not None for claim in claims) == 1


def test_one_training_at_a_time_in_the_database_too(make_run: Make):
    run = make_run()
    with pytest.raises(IntegrityError), transaction.atomic():
        make_run()
    make_run("predict")
    runs.cancel(run=run, by=None)
    assert make_run().number == 3


def test_cancelling_what_waits_ends_it_at_once(make_run: Make):
    run = runs.cancel(run=make_run(), by=None)
    assert run.state == "cancelled"
    assert runs.claim(run.pk, "late") is None
    assert "before it began" in log_of(run)


def test_cancelling_what_runs_is_seen_at_the_next_heartbeat(make_run: Make):
    claimed = runs.claim(make_run().pk, "w")
    assert runs.cancel(run=claimed, by=None).state == "cancelling"
    assert runs.heartbeat(claimed) == "cancelling"
    assert not runs.finish(claimed)
    assert runs.stopped(claimed)
    assert Run.objects.get().state == "cancelled"


def test_cancelling_twice_is_the_same_as_once(make_run: Make):
    run = runs.cancel(run=make_run(), by=None)
    assert runs.cancel(run=run, by=None).state == "cancelled"


def test_what_has_ended_cannot_be_cancelled(make_run: Make):
    claimed = runs.claim(make_run().pk, "w")
    runs.fail(claimed, "No.")
    with pytest.raises(Conflict, match="already ended"):
        runs.cancel(run=claimed, by=None)


def test_a_lost_worker_is_noticed_and_the_run_goes_on_as_the_next_attempt(make_run: Make):
    first = runs.claim(make_run().pk, "first")
    age(first)
    assert [run.pk for run in reaper.requeue()] == [first.pk]
    second = runs.claim(first.pk, "second")
    assert second.attempt == 2
    assert "has not been heard of" in log_of(second)
    # The first one wakes up: nothing it does is taken.
    assert runs.heartbeat(first) is None
    assert not runs.finish(first)
    assert not runs.fail(first, "too late")
    assert runs.heartbeat(second) == "running"


def test_attempts_that_get_no_further_are_counted_and_the_last_fails_with_a_sentence(make_run: Make):
    run = make_run()
    for attempt in range(1, runs.MAX_SETBACKS + 1):
        claimed = runs.claim(run.pk, "w")
        assert claimed.attempt == attempt
        age(claimed)
        again = [run.pk] if attempt < runs.MAX_SETBACKS else []
        assert [found.pk for found in reaper.requeue()] == again
    run.refresh_from_db()
    assert run.state == "failed"
    assert "attempt 5, and the last 5 got no further" in run.error


def test_an_unlucky_run_that_gets_further_each_time_is_not_given_up(make_run: Make):
    run = make_run()
    for attempt in range(1, 3 * runs.MAX_SETBACKS):
        claimed = runs.claim(run.pk, "w")
        runs.heartbeat(claimed, progress=attempt / 100)
        assert runs.lose(claimed, "The power failed.")
    # A step that is not worth a hundredth of the run is none.
    for _ in range(runs.MAX_SETBACKS - 1):
        claimed = runs.claim(run.pk, "w")
        runs.heartbeat(claimed, progress=0.145)
        again = runs.lose(claimed, "The power failed.")
    assert not again


def test_a_run_that_lives_is_left_alone(make_run: Make):
    runs.claim(make_run().pk, "w")
    assert reaper.requeue() == []


def test_what_was_to_be_cancelled_and_lost_its_worker_is_cancelled(make_run: Make):
    claimed = runs.claim(make_run().pk, "w")
    runs.cancel(run=claimed, by=None)
    age(claimed)
    assert reaper.requeue() == []
    assert Run.objects.get().state == "cancelled"


def test_a_lost_message_is_sent_again_at_growing_intervals(make_run: Make):
    run = make_run()
    assert reaper.requeue() == []
    minutes = [1, 2, 4, 8]
    for waited in minutes:
        now = timezone.now()
        Run.objects.filter(pk=run.pk).update(
            queued_at=now - timedelta(minutes=waited, seconds=1),
            enqueued_at=now - timedelta(minutes=waited / 2 if waited > 1 else 1, seconds=1),
        )
        assert [again.pk for again in reaper.requeue()] == [run.pk]
        assert reaper.requeue() == []
    # But never longer than two minutes, however long it has waited.
    now = timezone.now()
    Run.objects.filter(pk=run.pk).update(
        queued_at=now - timedelta(days=1), enqueued_at=now - timedelta(minutes=2, seconds=1)
    )
    assert [again.pk for again in reaper.requeue()] == [run.pk]


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_do_the_work_once(make_run: Make):
    age(make_run())
    together, found = Barrier(2), []

    def beat() -> None:
        together.wait()
        found.extend(reaper.requeue())
        connection.close()

    threads = [Thread(target=beat) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1


def test_a_page_tells_within_half_a_minute_that_the_worker_is_silent(make_run: Make):
    claimed = runs.claim(make_run().pk, "w")
    assert standing.trouble_of(claimed) == ""
    age(claimed, timedelta(seconds=27))
    assert re.search(r"not been heard of for (2[789]|[3-9]\d) seconds", standing.trouble_of(claimed))
    assert reaper.requeue() == []
    runs.heartbeat(claimed)
    assert standing.trouble_of(claimed) == ""
    runs.fail(claimed, "No.")
    age(claimed)
    assert standing.trouble_of(claimed) == ""


def test_a_page_tells_that_nobody_is_there_to_take_a_waiting_run(make_run: Make):
    run = make_run()
    worker = Worker.objects.create(name="default@a", host="a", pid=1, queues=["default"])
    assert "No worker for training and prediction is running" in standing.trouble_of(run)
    worker.queues = ["gpu"]
    worker.save()
    assert standing.trouble_of(run) == ""


def test_nobody_is_given_up_by_a_database_that_has_just_come_back(
    make_run: Make, monkeypatch: pytest.MonkeyPatch
):
    claimed = runs.claim(make_run().pk, "w")
    age(claimed)
    monkeypatch.setattr(liveness, "database_has_listened", lambda: False)
    assert reaper.requeue() == []
    monkeypatch.setattr(liveness, "database_has_listened", lambda: True)
    assert reaper.requeue() == [claimed]


def test_what_an_attempt_writes_that_was_given_up_is_not_taken(make_run: Make):
    first = runs.claim(make_run().pk, "first")
    told = RunEvent(run=first, attempt=1, kind="log", payload={"message": "too late"}, position=0)
    assert runs.lose(first, "Given up.")
    runs.report(first, [told])
    runs.claim(first.pk, "second")
    runs.report(first, [told])
    assert "too late" not in log_of(first)


def test_what_is_read_twice_is_kept_once(make_run: Make):
    claimed = runs.claim(make_run().pk, "w")
    for _ in range(2):
        runs.report(
            claimed,
            [
                RunEvent(run=claimed, attempt=1, kind="log", payload={"message": m}, source="1", position=i)
                for i, m in enumerate(("one", "two"))
            ],
        )
    assert log_of(claimed) == "one two"


def test_windows_of_a_lost_worker_are_free_again(make_run: Make):
    claimed = runs.claim(make_run("predict").pk, "w")
    for index, state in enumerate(("done", "claimed", "pending")):
        RunWindow.objects.create(run=claimed, index=index, window={}, state=state, claim=uuid4())
    age(claimed)
    reaper.requeue()
    assert list(claimed.windows.order_by("index").values_list("state", flat=True)) == [
        "done",
        "pending",
        "pending",
    ]


def test_a_refusal_ends_the_run_in_its_words(make_run: Make):
    claimed = runs.claim(make_run().pk, "w")
    with runs.guarded(claimed):
        raise InvalidInput("There is nothing to learn from.")
    run = Run.objects.get()
    assert (run.state, run.error) == ("failed", "There is nothing to learn from.")


def test_a_bug_ends_the_run_in_words_too(make_run: Make, caplog: pytest.LogCaptureFixture):
    claimed = runs.claim(make_run().pk, "w")
    with runs.guarded(claimed):
        raise OSError("No space left on device")
    assert "No space left on device" in Run.objects.get().error
    assert "Traceback" in caplog.text


def test_work_outside_a_subprocess_stops_when_asked(make_run: Make):
    claimed = runs.claim(make_run().pk, "w")
    runs.beat_or_stop(claimed, stage="Freezing")
    runs.cancel(run=claimed, by=None)
    with runs.guarded(claimed):
        runs.beat_or_stop(claimed, stage="Freezing")
    assert Run.objects.get().state == "cancelled"
