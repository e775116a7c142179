"""The log of a triage judged again by another rule, beside what became of its pictures."""

from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from annotate.models import Participant
from mlcore.consensus.answers.dawid_skene import UNKNOWN
from mlcore.consensus.answers.replay import WITHDRAWN, Log, Night, Replayed, replay
from mlcore.consensus.answers.stopping import Outcome, StoppingRule
from mlcore.consensus.answers.swap import log_odds
from mlcore.consensus.answers.votes import CANNOT_TELL, CRATER, NOTHING
from mlcore.errors import InvalidInput
from review.models import Classification, Confirmation, Errand, Gold, Judge, Reckoning, Subject, Workflow
from review.services.foils import settings
from review.services.foils.errands import Progress
from review.services.foils.gold.known import is_right
from review.services.foils.ground import rates_from

Ints = NDArray[np.int64]

# Memory: about 300 bytes for each answer.
MOST_ANSWERS = 10_000_000
_CODES = {"crater": CRATER, "nothing": NOTHING, "cannot_tell": CANNOT_TELL, "withdrawn": WITHDRAWN}
_ROWS = """
SELECT c.id, c.subject_id, coalesce(p.merged_into_id, p.id), c.participant_id, c.answer
FROM review_classification c
JOIN annotate_participant p ON p.id = c.participant_id
JOIN review_subject s ON s.id = c.subject_id AND s.picture_id IS NOT NULL
LEFT JOIN review_gold g ON g.subject_id = c.subject_id
WHERE c.workflow_id = %s AND c.round = 0 AND NOT coalesce(g.is_practice, false)
    AND c.answer IN ('crater', 'nothing', 'cannot_tell', 'withdrawn')
ORDER BY c.id
"""


def replay_rule(errand: Errand, tell: Progress) -> dict[str, object]:
    """What the rule would have made of the answers as they came; the question is {"settings": of the rule}.

    Raises:
        InvalidInput: The settings are none, or the log is longer than can be held.
    """
    rule = StoppingRule.from_json(errand.question["settings"])
    tell(0, 3)
    pks, log, nights = _read(errand.workflow)
    tell(1, 3)
    found = replay(log, rule, nights=nights)
    tell(2, 3)
    return {
        "answers": len(log.subject),
        "nights": len(nights),
        "set_aside": int((~log.counts).sum()),
        **_beside_what_happened(errand.workflow, pks, log, found),
        **_of_known(log, found),
    }


def _read(workflow: Workflow) -> tuple[Ints, Log, list[Night]]:
    """The subjects' primary keys in the log's order of subjects, the log, and the reckonings in it."""
    rows = _rows(workflow)
    ids, subject, person, participant, answer = (np.array(column) for column in rows)
    keep = _first_selves(subject, person, participant)
    ids, subject, person, answer = ids[keep], subject[keep], person[keep], answer[keep]
    pks, subject = np.unique(subject, return_inverse=True)
    people, person = np.unique(person, return_inverse=True)
    priors, known = _subjects(workflow, pks)
    set_aside = Judge.objects.filter(workflow=workflow, quarantined_at__isnull=False)
    log = Log(
        subject=subject,
        person=person,
        answer=answer,
        prior_log_odds=priors,
        known=known,
        is_right=np.isin(ids, _right_answers(workflow)),
        counts=~np.isin(people, list(set_aside.values_list("participant_id", flat=True))),
    )
    return pks, log, _nights(workflow, ids)


def _rows(workflow: Workflow) -> list[list[int]]:
    """Columns: classification, subject, person, which self of theirs, code of the answer."""
    columns: list[list[int]] = [[], [], [], [], []]
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, [workflow.pk])
        while rows := cursor.fetchmany(50_000):
            if len(columns[0]) > MOST_ANSWERS:
                raise InvalidInput(f"A log of more than {MOST_ANSWERS:,} answers cannot be replayed at once.")
            *others, answers = zip(*rows, strict=True)
            for column, values in zip(columns, (*others, map(_CODES.__getitem__, answers)), strict=True):
                column.extend(values)
    return columns


def _first_selves(subject: Ints, person: Ints, participant: Ints) -> NDArray[np.bool_]:
    """Whether a row is by the self of its person that answered the subject first."""
    keep = np.ones(len(subject), dtype=bool)
    selves = Participant.objects.filter(merged_into__isnull=False).values_list("merged_into", flat=True)
    first: dict[tuple[int, int], int] = {}
    for at in np.flatnonzero(np.isin(person, list(selves))).tolist():
        pair = int(subject[at]), int(person[at])
        keep[at] = first.setdefault(pair, int(participant[at])) == participant[at]
    return keep


def _subjects(workflow: Workflow, pks: Ints) -> tuple[NDArray[np.float64], Ints]:
    """Priors and what is known. A known picture has the prior that it would have if it were not known."""
    base = log_odds(settings.of(workflow).base_rate)
    priors = dict(Subject.objects.filter(workflow=workflow).values_list("pk", "prior_log_odds"))
    known = {}
    gold = Gold.objects.filter(subject__workflow=workflow)
    for pk, is_crater, score in gold.values_list("pk", "is_crater", "subject__picture__score"):
        known[pk] = CRATER if is_crater else NOTHING
        priors[pk] = base if score is None else log_odds(score)
    return (
        np.array([priors[pk] for pk in pks.tolist()], dtype=float),
        np.array([known.get(pk, UNKNOWN) for pk in pks.tolist()], dtype=np.int64),
    )


def _right_answers(workflow: Workflow) -> list[int]:
    """Classifications of known pictures that are right."""
    gold = {
        one.pk: one
        for one in Gold.objects.filter(subject__workflow=workflow).select_related("subject__picture")
    }
    answers = Classification.objects.filter(workflow=workflow, subject__in=list(gold), round=0)
    rows = answers.values_list("pk", "subject", "answer", "payload").iterator(chunk_size=20_000)
    return [pk for pk, subject, answer, payload in rows if is_right(gold[subject], answer, payload)]


def _nights(workflow: Workflow, ids: Ints) -> list[Night]:
    rows = Reckoning.objects.filter(workflow=workflow).order_by("last_classification", "pk")
    return [
        Night(int(np.searchsorted(ids, last, side="right")), rates_from(population))
        for last, population in rows.values_list("last_classification", "findings__population")
    ]


def _beside_what_happened(workflow: Workflow, pks: Ints, log: Log, found: Replayed) -> dict[str, Any]:
    """Ordinary subjects: their outcomes and votes now and by the replay."""
    now = {
        pk: (outcome, votes)
        for pk, outcome, votes in Subject.objects.filter(workflow=workflow).values_list(
            "pk", "outcome", "n_votes"
        )
    }
    ordinary = log.known == UNKNOWN
    happened = np.array([now[pk][0] for pk in pks.tolist()], dtype="<U16")[ordinary]
    votes = np.array([now[pk][1] for pk in pks.tolist()], dtype=np.int64)[ordinary]
    replayed, used = found.outcome[ordinary], found.votes[ordinary]
    both = (happened != "") & (replayed != "")
    was, is_now = happened == Outcome.CANDIDATE.value, replayed == Outcome.CANDIDATE.value
    confirmed = np.isin(pks[ordinary], _confirmed(workflow))
    return {
        "subjects": int(ordinary.sum()),
        "outcomes": {
            name: [int((happened == name).sum()), int((replayed == name).sum())]
            for name in [*(outcome.value for outcome in Outcome), ""]
        },
        "retired_in_both": int(both.sum()),
        "votes": [int(votes[both].sum()), int(used[both].sum())],
        "candidates_gained": int((is_now & ~was).sum()),
        "candidates_lost": int((was & ~is_now).sum()),
        "confirmed": int(confirmed.sum()),
        "confirmed_dropped": int((confirmed & (replayed == Outcome.NOTHING.value)).sum()),
    }


def _confirmed(workflow: Workflow) -> list[int]:
    """Subjects whose latest confirmation says crater."""
    latest = Confirmation.objects.filter(subject__workflow=workflow).order_by("pk")
    results = dict(latest.values_list("subject", "result"))
    return [subject for subject, result in results.items() if result == Confirmation.Result.CRATER]


def _of_known(log: Log, found: Replayed) -> dict[str, int]:
    """Known pictures, judged as if they were not known."""
    is_crater, is_blank = log.known == CRATER, log.known == NOTHING
    sent_on = np.isin(found.outcome, [Outcome.CANDIDATE.value, Outcome.UNDECIDED.value])
    return {
        "known_craters": int(is_crater.sum()),
        "known_craters_dropped": int((is_crater & (found.outcome == Outcome.NOTHING.value)).sum()),
        "known_blanks": int(is_blank.sum()),
        "known_blanks_sent_on": int((is_blank & sent_on).sum()),
    }
