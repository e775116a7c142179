"""What workers say of themselves, and what becomes of those who say nothing any more."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.utils import timezone
from pytest_django import Settings

from review.models import Worker
from review.services import gpus, run_logs, workers
from review.services.workers import Identity

HERE = Identity(
    kind="worker", name="gpu@here", host="here", pid=7, queues=("gpu",), concurrency=1, versions={"a": "1"}
)


def silent_for(worker: Worker, **how_long: float) -> None:
    Worker.objects.filter(pk=worker.pk).update(seen_at=timezone.now() - timedelta(**how_long))


@pytest.mark.django_db
class TestRows:
    def test_it_works(self):
        worker = workers.register(HERE)
        task = {"task": "review.tasks.train_task", "argument": 3, "since": 1.5}
        card = {"name": "H200", "used_bytes": 1, "total_bytes": 2}
        assert workers.heartbeat(worker, busy=[task], gpus=[card])
        worker.refresh_from_db()
        assert (worker.busy, worker.gpus, worker.versions) == ([task], [card], {"a": "1"})
        assert list(Worker.objects.heard().serving("gpu")) == [worker]
        assert not Worker.objects.serving("default").exists()

    def test_who_ends_properly_is_looked_for_by_nobody(self):
        workers.sign_off(workers.register(HERE))
        assert not Worker.objects.exists()

    def test_who_says_nothing_is_no_longer_heard_of_and_still_shown(self):
        worker = workers.register(HERE)
        silent_for(worker, minutes=5)
        assert not Worker.objects.heard().exists()
        assert list(Worker.objects.all()) == [worker]

    def test_one_that_was_killed_goes_when_its_successor_lives(self):
        killed, successor = workers.register(HERE), workers.register(HERE)
        silent_for(killed, minutes=2)
        workers.heartbeat(successor, busy=[], gpus=[])
        assert list(Worker.objects.all()) == [successor]

    def test_two_of_one_name_that_both_live_both_stay(self):
        """Two machines may bear one host name."""
        first, second = workers.register(HERE), workers.register(HERE)
        for worker in (first, second, first):
            assert workers.heartbeat(worker, busy=[], gpus=[])

    def test_a_machine_that_is_gone_is_forgotten_after_a_day(self):
        gone = workers.register(Identity("worker", "gpu@gone", "gone", 1, ("gpu",)))
        here = workers.register(HERE)
        silent_for(gone, hours=23)
        workers.heartbeat(here, busy=[], gpus=[])
        assert Worker.objects.count() == 2
        silent_for(gone, hours=25)
        workers.heartbeat(here, busy=[], gpus=[])
        assert list(Worker.objects.all()) == [here]

    def test_one_whose_row_was_lost_is_told_to_register_again(self):
        """After a restore of the database, say."""
        worker = workers.register(HERE)
        Worker.objects.all().delete()
        assert not workers.heartbeat(worker, busy=[], gpus=[])


class Driver:
    """Two cards, as the driver's library tells of them."""

    class NVMLError(Exception):
        pass

    CARDS = (("GPU-aa11", 10, 80), ("GPU-bb22", 20, 140))

    def __init__(self, *, missing: bool = False, fallen: bool = False) -> None:
        self.missing, self.fallen, self.open = missing, fallen, 0

    def nvmlInit(self) -> None:
        if self.missing:
            raise self.NVMLError("Driver Not Loaded")
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.CARDS)

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:
        if self.fallen:
            raise self.NVMLError("GPU is lost")
        return number

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:
        return SimpleNamespace(used=self.CARDS[handle][1], total=self.CARDS[handle][2])

    def nvmlDeviceGetName(self, handle: int) -> str:
        return f"Card {handle}"

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return self.CARDS[handle][0]


class TestAccelerators:
    @pytest.fixture(autouse=True)
    def anything_may_be_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def test_they_are_named_with_their_memory(self, monkeypatch: pytest.MonkeyPatch):
        driver = Driver()
        monkeypatch.setattr("review.services.gpus.pynvml", driver)
        assert gpus.gpus() == [
            {"name": "Card 0", "used_bytes": 10, "total_bytes": 80},
            {"name": "Card 1", "used_bytes": 20, "total_bytes": 140},
        ]
        assert driver.open == 0

    @pytest.mark.parametrize(
        ("allowed", "names"),
        [("1", ["Card 1"]), ("GPU-aa", ["Card 0"]), ("1,0", ["Card 0", "Card 1"]), ("", [])],
    )
    def test_those_that_a_worker_may_not_use_are_not_its_own(
        self, monkeypatch: pytest.MonkeyPatch, allowed: str, names: list[str]
    ):
        monkeypatch.setattr("review.services.gpus.pynvml", Driver())
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
        assert [card["name"] for card in gpus.gpus()] == names

    def test_without_a_driver_there_is_none(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("review.services.gpus.pynvml", Driver(missing=True))
        assert gpus.gpus() == []

    def test_one_that_has_fallen_off_is_said_to_have(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("review.services.gpus.pynvml", Driver(fallen=True))
        (card,) = gpus.gpus()
        assert "GPU is lost" in card["name"]


class TestRunLogs:
    def test_a_log_that_has_grown_keeps_its_latest_half(self, tmp_path: Path, settings: Settings):
        settings.RUN_LOG_BYTES = 2_000
        log = tmp_path / "log.txt"
        log.write_text("".join(f"line {n:04d}\n" for n in range(1000)))
        run_logs.keep_small(log)
        first, *kept = log.read_text().splitlines()
        assert "RUN_LOG_BYTES" in first
        assert kept == [f"line {n:04d}" for n in range(1000 - len(kept), 1000)]
        assert log.stat().st_size < 2_000

    def test_who_appends_goes_on_behind_it(self, tmp_path: Path, settings: Settings):
        settings.RUN_LOG_BYTES = 100
        log = tmp_path / "log.txt"
        with log.open("a") as process:
            process.write("old\n" * 100)
            process.flush()
            run_logs.keep_small(log)
            process.write("new\n")
        assert b"\0" not in log.read_bytes()
        assert run_logs.tail(log)[-2:] == ["old", "new"]

    def test_a_small_one_and_none_are_left_alone(self, tmp_path: Path):
        log = tmp_path / "log.txt"
        run_logs.keep_small(log)
        assert run_logs.tail(log) == []
        log.write_text("one\n")
        run_logs.keep_small(log)
        assert log.read_text() == "one\n"
