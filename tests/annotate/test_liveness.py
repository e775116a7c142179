"""How those who work say that they live, and what they do while the database is away."""

from threading import Event

import pytest
from django.db import InterfaceError, OperationalError, connection, transaction

from annotate.services import liveness
from annotate.services.liveness import beating, patiently, seldom


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(liveness, "LONGEST_PAUSE_S", 0.01)


@pytest.mark.django_db(transaction=True)
class TestBeating:
    def test_it_works_beside_work_that_says_nothing(self) -> None:
        beaten = Event()
        with beating(beaten.set):
            assert beaten.wait(20)

    def test_a_beat_that_fails_is_followed_by_others(self) -> None:
        beats, enough = [], Event()

        def beat() -> None:
            beats.append(1)
            if len(beats) == 1:
                raise OperationalError("the server closed the connection")
            enough.set()

        with beating(beat):
            assert enough.wait(20)

    def test_it_ends_with_the_work_also_where_that_fails(self) -> None:
        beats = []
        with pytest.raises(ZeroDivisionError), beating(lambda: beats.append(1)):
            raise ZeroDivisionError
        seen = len(beats)
        assert not Event().wait(0.1)
        assert len(beats) == seen


@pytest.mark.django_db(transaction=True)
class TestPatience:
    @pytest.mark.parametrize("error", [OperationalError, InterfaceError])
    def test_it_works_what_fails_is_done_again(self, error: type[Exception]) -> None:
        tries = []

        def act(answer: str) -> str:
            tries.append(1)
            if len(tries) < 3:
                raise error("away")
            return answer

        assert patiently(act, "done") == "done"
        assert len(tries) == 3

    def test_a_connection_that_was_cut_is_made_anew(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            before = cursor.fetchone()[0]
        tries = []

        def act() -> int:
            with connection.cursor() as cursor:
                if not tries:
                    tries.append(1)
                    cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
                cursor.execute("SELECT pg_backend_pid()")
                return cursor.fetchone()[0]

        assert patiently(act) != before

    def test_after_the_patience_it_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(liveness, "PATIENCE_S", 0.05)
        with pytest.raises(OperationalError, match="away"):
            patiently(lambda: (_ for _ in ()).throw(OperationalError("away")))

    def test_within_a_transaction_nothing_is_done_twice(self) -> None:
        tries = []

        def act() -> None:
            tries.append(1)
            raise OperationalError("away")

        with pytest.raises(OperationalError), transaction.atomic():
            patiently(act)
        assert len(tries) == 1

    def test_other_errors_are_not_waited_for(self) -> None:
        with pytest.raises(ZeroDivisionError):
            patiently(lambda: 1 / 0)


def test_what_is_asked_for_often_is_done_once_in_a_while() -> None:
    done = []
    ask = seldom(lambda: done.append(1), every_s=3600.0)
    for _ in range(100):
        ask()
    assert len(done) == 1
    always = seldom(lambda: done.append(2), every_s=0.0)
    for _ in range(3):
        always()
    assert done == [1, 2, 2, 2]


@pytest.mark.django_db
def test_whether_the_database_has_listened_is_asked_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "LOST_AFTER", liveness.LOST_AFTER * 0)
    assert liveness.database_has_listened()
    monkeypatch.setattr(liveness, "LOST_AFTER", liveness.SILENT_AFTER * 10_000_000)
    assert not liveness.database_has_listened()
