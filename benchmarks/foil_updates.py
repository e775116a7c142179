"""What one answer costs to record, among few answers and among many. Imported once Django is set up."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from uuid import uuid4

from django.db import connection
from django.utils import timezone

from annotate.models import Participant
from benchmarks.foil_fill import Filled
from review.models import Showing, Subject
from review.services import classifications

# After a change of databases the first ones open a connection and plan their statements.
UNTIMED = 5


@contextmanager
def copied() -> Iterator[str]:
    """A copy of the database as it is now, until the end of the block; yields its name."""
    here = str(connection.settings_dict["NAME"])
    copy = f"{here}_early"
    _elsewhere(f'CREATE DATABASE "{copy}" TEMPLATE "{here}" STRATEGY file_copy')
    try:
        yield copy
    finally:
        _elsewhere(f'DROP DATABASE "{copy}" WITH (FORCE)')


def times_ms(filled: Filled, copy: str, *, n: int, turns: int) -> tuple[list[float], list[float]]:
    """Milliseconds of answers by the person who has given most: in the copy, and in the database itself."""
    here, dice = str(connection.settings_dict["NAME"]), Random(8)
    found: tuple[list[float], list[float]] = ([], [])
    for _turn in range(turns):
        for name, times in zip((copy, here), found, strict=True):
            _use(name)
            answered = [_answer_ms(filled, dice) for _ in range(n + UNTIMED)]
            times += answered[UNTIMED:]
    _use(here)
    return found


def _answer_ms(filled: Filled, dice: Random) -> float:
    """One answer to a picture that they have not seen, of those that are not known."""
    person = Participant.objects.get(pk=filled.first[1])
    while True:
        number = dice.randrange(filled.n_gold, len(filled.images.kind))
        subject = Subject.objects.select_related("picture").get(pk=filled.first[0] + number)
        if not Showing.objects.filter(subject=subject, participant=person).exists():
            break
    now = timezone.now()
    Showing.objects.create(subject=subject, participant=person, expires_at=now, answered_at=now)
    begun = time.perf_counter()
    classifications.record(
        workflow=filled.workflow, subject=subject, participant=person, uid=uuid4(), answer="nothing"
    )
    return (time.perf_counter() - begun) * 1000


def _use(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name


def _elsewhere(statement: str) -> None:
    """From the server's own database: whatever is copied or dropped may have no connection."""
    here = str(connection.settings_dict["NAME"])
    _use("postgres")
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        _use(here)
