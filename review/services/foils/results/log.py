"""The log of a triage as arrays: the answers that count, each person once, up to a place in the log.

Millions of answers are read as PostgreSQL keeps them and never become objects of Python one by one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import sleep

import numpy as np
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from numpy.typing import NDArray
from psycopg.errors import LockNotAvailable

from mlcore.consensus.answers.dawid_skene import UNKNOWN
from mlcore.consensus.answers.swap import log_odds
from mlcore.consensus.answers.votes import CRATER, NOTHING, Votes
from mlcore.errors import Conflict
from review.models import Classification, Gold, Judge, Workflow
from review.services.foils import settings
from review.services.foils.gold.known import is_right

Ints = NDArray[np.int64]
Columns = dict[str, NDArray[np.int64] | NDArray[np.float64]]

_HEAD_BYTES = len(b"PGCOPY\n\xff\r\n\0") + 8
_TAIL_BYTES = 2
_TRIES, _BETWEEN_TRIES_S = 4, 5.0
# Longer than deadlock_timeout, after which PostgreSQL's own vacuum gives way.
_WAIT = "3s"
_CHUNK_BYTES = 8_000_000
_BINARY = {"int8": ">i8", "int2": ">i2", "float8": ">f8"}

# Of each person and subject the answers that stand, numbered as mlcore.consensus.answers.votes does. A later
# round is a silent retest.
_STANDING = """
    SELECT latest.subject_id, coalesce(p.merged_into_id, p.id),
        CASE answer WHEN 'crater' THEN 0 WHEN 'nothing' THEN 1 ELSE 2 END::int2, latest.id
    FROM (
        SELECT DISTINCT ON (c.subject_id, c.participant_id) c.subject_id, c.participant_id, c.answer, c.id
        FROM review_classification c
        WHERE c.workflow_id = %s AND c.round = 0 AND c.id <= %s
        ORDER BY c.subject_id, c.participant_id, c.edit DESC
    ) AS latest
    JOIN annotate_participant p ON p.id = latest.participant_id
    WHERE answer IN ('crater', 'nothing', 'cannot_tell')
"""
# Known subjects are taken as if they came from the queue: with the prior that their score would give them.
_SUBJECTS = """
    SELECT s.id, s.prior_log_odds, coalesce(picture.score, -1),
        (CASE WHEN g.subject_id IS NULL THEN -1 WHEN g.is_crater THEN 0 ELSE 1 END)::int2
    FROM review_subject s
    JOIN review_picture picture ON picture.id = s.picture_id
    LEFT JOIN review_gold g ON g.subject_id = s.id AND s.stratum = 'gold'
    WHERE s.workflow_id = %s AND NOT coalesce(g.is_practice, false)
    ORDER BY s.id
"""


@dataclass(frozen=True)
class Log:
    """Everything that a reckoning rests on, and nothing else.

    Attributes:
        votes: The answers that count; `key` holds the subjects' primary keys.
        people: Shape (people,): participants' primary keys, ascending; of several selves the one they
            became.
        until: The last classification that was looked at.
    """

    votes: Votes
    people: Ints
    until: int

    def without(self, participants: Iterable[int]) -> "Log":
        """The same log as if some people had never answered."""
        left_out = np.isin(self.people, np.array(sorted(participants), np.int64))
        keep = ~left_out[self.votes.person]
        return _log(
            {
                "subject": self.votes.key[self.votes.subject[keep]],
                "person": self.people[self.votes.person[keep]],
                "answer": self.votes.answer[keep],
            },
            {"id": self.votes.key, "prior": self.votes.prior_log_odds, "known": self.votes.known},
            self.until,
        )


def end(workflow: Workflow) -> int:
    """The newest classification up to which the log is complete; 0 where there is none.

    Numbers are drawn before rows are committed, so one below the greatest that is seen may still arrive.
    Whoever is writing now is waited for, and for that moment nobody begins.

    Raises:
        Conflict: Somebody has been writing for too long.
    """
    for left in reversed(range(_TRIES)):
        try:
            return _end(workflow)
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
            if not left:
                raise Conflict(
                    _(
                        "Answers are being written by something that takes long; reckon again once it "
                        "has ended."
                    )
                ) from error
            sleep(_BETWEEN_TRIES_S)
    raise AssertionError("The last try returns or raises.")


@transaction.atomic
def _end(workflow: Workflow) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [_WAIT])
        cursor.execute("LOCK TABLE review_classification IN SHARE MODE")
        cursor.execute(
            "SELECT coalesce(max(id), 0) FROM review_classification WHERE workflow_id = %s", [workflow.pk]
        )
        (last,) = cursor.fetchone()
    return int(last)


def set_aside(workflow: Workflow) -> list[int]:
    """Participants whose answers count for nothing at present, ascending."""
    quarantined = Judge.objects.filter(workflow=workflow, quarantined_at__isnull=False)
    people = quarantined.values_list(Coalesce("participant__merged_into", "participant"), flat=True)
    return sorted(set(people))


def read(workflow: Workflow, *, until: int) -> Log:
    """The standing answers up to a classification, whoever gave them.

    Of what several selves of one person said of one subject the first answer counts. Who calls a crater at
    a known one and clicks elsewhere has not seen it. Subjects that nobody has answered are left out, and so
    are those of the practice, which are shown to teach.
    """
    said = rows(_STANDING, [workflow.pk, until], subject="int8", person="int8", answer="int2", id="int8")
    subjects = _subjects(workflow)
    keep = np.isin(said["subject"], subjects["id"]) & _is_first(said)
    said = {name: column[keep] for name, column in said.items()}
    elsewhere = np.isin(said["id"], _clicked_elsewhere(workflow, until))
    said["answer"][elsewhere & (said["answer"] == CRATER)] = NOTHING
    return _log(said, subjects, until)


def rows(statement: str, given: Sequence[object], **columns: str) -> Columns:
    """What a SELECT finds, column by column: columns are named with their types, and hold no nulls."""
    fields = [("n_fields", ">i2")]
    for name, kind in columns.items():
        fields += [(f"{name} bytes", ">i4"), (name, _BINARY[kind])]
    row = np.dtype(fields)
    parts: dict[str, list[NDArray]] = {name: [] for name in columns}
    waiting, is_begun = bytearray(), False

    def take(n_bytes: int) -> None:
        found = np.frombuffer(bytes(waiting[:n_bytes]), row)
        for name, kind in columns.items():
            parts[name].append(found[name].astype(np.float64 if kind == "float8" else np.int64))
        del waiting[:n_bytes]

    with connection.cursor() as cursor:
        # A COPY takes no parameters of its own.
        copy_out = cursor.mogrify(f"COPY ({statement}) TO STDOUT (FORMAT BINARY)", given)
        with cursor.copy(copy_out) as copy:
            for block in copy:
                waiting += block
                if not is_begun:
                    del waiting[:_HEAD_BYTES]
                    is_begun = True
                if len(waiting) >= _CHUNK_BYTES:
                    take(len(waiting) // row.itemsize * row.itemsize)
    take(len(waiting) - _TAIL_BYTES)
    return {name: np.concatenate(found) for name, found in parts.items()}


def _subjects(workflow: Workflow) -> Columns:
    """All that may be judged, by primary key: what is believed before any answer, and what is known."""
    found = rows(_SUBJECTS, [workflow.pk], id="int8", prior="float8", score="float8", known="int2")
    base = log_odds(settings.of(workflow).base_rate)
    for at in np.flatnonzero(found["known"] != UNKNOWN).tolist():
        score = float(found["score"][at])
        found["prior"][at] = base if score < 0.0 else log_odds(score)
    return found


def _log(said: Columns, subjects: Columns, until: int) -> Log:
    """Number subjects and people without gaps."""
    key, subject = np.unique(said["subject"], return_inverse=True)
    people, person = np.unique(said["person"], return_inverse=True)
    at = np.searchsorted(subjects["id"], key)
    votes = Votes(
        subject=subject,
        person=person,
        answer=said["answer"],
        n_people=len(people),
        key=key,
        prior_log_odds=subjects["prior"][at],
        known=subjects["known"][at],
    )
    return Log(votes, people, until)


def _is_first(said: Columns) -> NDArray[np.bool_]:
    """Of the rows of one person on one subject, the earliest."""
    order = np.lexsort((said["id"], said["person"], said["subject"]))
    again = (np.diff(said["subject"][order]) == 0) & (np.diff(said["person"][order]) == 0)
    first = np.ones(len(order), bool)
    first[order[1:]] = ~again
    return first


def _clicked_elsewhere(workflow: Workflow, until: int) -> Ints:
    """Calls of known craters that point at something else."""
    craters = Gold.objects.filter(subject__workflow=workflow, is_crater=True)
    golds = {gold.pk: gold for gold in craters.select_related("subject__picture")}
    calls = Classification.objects.filter(
        workflow=workflow,
        subject__gold__is_crater=True,
        answer=Classification.Answer.CRATER,
        round=0,
        pk__lte=until,
    ).values_list("pk", "subject_id", "payload")
    return np.array(
        [
            pk
            for pk, subject, payload in calls.iterator(chunk_size=10_000)
            if not is_right(golds[subject], Classification.Answer.CRATER, payload)
        ],
        np.int64,
    )
