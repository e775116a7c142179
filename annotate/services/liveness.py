"""When a worker counts as gone, and how a living one says that it lives.

Whoever works on a row beats every HEARTBEAT_S, also while it loads or is in one long step. A page says after
SILENT_AFTER, two missed beats, that the worker has not been heard of: worked out when the page is read, so it
is true whatever else is down. After LOST_AFTER, four missed beats, somebody else may go on with the row. That
is late enough for a busy machine to catch up: giving up a living worker wastes what it does.

All of it is on the database's clock, so hosts whose own clocks are wrong agree. And the database itself may
have been away:

1. PostgreSQL is down for two minutes; nobody can beat.
2. It is back, and every heartbeat in it is two minutes old.
3. Until it has been up for LOST_AFTER nobody is given up, and by then those who live have beaten.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)

HEARTBEAT_S = settings.HEARTBEAT_S
SILENT_AFTER = timedelta(seconds=2.5 * HEARTBEAT_S)
LOST_AFTER = timedelta(seconds=4 * HEARTBEAT_S)
# How long work goes on by itself while the database is away, and the longest pause between two attempts.
PATIENCE_S = 600.0
LONGEST_PAUSE_S = 5.0


def unheard(field: str, after: timedelta = LOST_AFTER) -> Q:
    """Rows whose heartbeat in `field` is older, or that have none."""
    return Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__lte": Now() - after})


def database_has_listened() -> bool:
    """Whether the database has been up for so long that silence means something."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() - pg_postmaster_start_time() > %s", [LOST_AFTER])
        return bool(cursor.fetchone()[0])


@contextmanager
def beating(beat: Callable[[], object]) -> Iterator[None]:
    """Beat from a thread of its own while the block runs, for work that cannot stop to say that it lives."""
    over = Event()

    def keep_on() -> None:
        try:
            while not over.wait(HEARTBEAT_S):
                _beat_once(beat)
        finally:
            connection.close()

    thread = Thread(target=keep_on, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _beat_once(beat: Callable[[], object]) -> None:
    """One beat; without the database, or where its row is locked for long, the next one has to do."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '5s'")
            beat()
    except (DatabaseError, InterfaceError) as error:
        log.warning("A heartbeat was missed: %s", error)
        connection.close()


def seldom(act: Callable[[], object], every_s: float = 1.0) -> Callable[[], None]:
    """Something that may be asked for at every step of quick work, and is done once in a while."""
    done_at = float("-inf")

    def ask() -> None:
        nonlocal done_at
        if (now := time.monotonic()) - done_at >= every_s:
            done_at = now
            act()

    return ask


def patiently(act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do something that may be done twice, again and again while the database is away.

    Raises:
        OperationalError, InterfaceError: It has been away for PATIENCE_S, or a transaction was open.
    """
    until, pause = time.monotonic() + PATIENCE_S, 0.25
    while True:
        try:
            return act(*args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            if connection.in_atomic_block or time.monotonic() >= until:
                raise
            log.warning("The database does not answer, trying again: %s", error)
            connection.close()
        time.sleep(pause)
        pause = min(LONGEST_PAUSE_S, pause * 2)
