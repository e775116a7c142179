"""Answers set aside and counted again: found each night by how people answer, decided in the end by leads.

Nothing is deleted: whoever is set aside goes on and notices nothing, and their answers weigh nothing until
a lead says otherwise. What a lead has let count is not held against anybody again; new answers are.
"""

from dataclasses import asdict

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Participant
from mlcore.consensus.answers.suspicion import Habits, Reason, suspects
from mlcore.errors import Conflict, InvalidInput
from review.models import Classification, Errand, Judge, Quarantine, Subject, Workflow
from review.services.foils.errands import Progress
from review.services.foils.rules import retiring

# Clicks count as being at one place within such a share of the picture's width and height.
_CELL = 0.04

# Standing answers, of several selves the first one's; without the test of the tutorial.
_SAID = """
WITH latest AS (
    SELECT DISTINCT ON (c.subject_id, c.participant_id) c.id, c.subject_id, c.answer, c.payload,
        c.duration_ms, c.created_at, coalesce(p.merged_into_id, p.id) AS person
    FROM review_classification c JOIN annotate_participant p ON p.id = c.participant_id
    WHERE c.workflow_id = %(workflow)s AND c.round = 0
    ORDER BY c.subject_id, c.participant_id, c.edit DESC
), said AS (
    SELECT DISTINCT ON (l.subject_id, l.person) l.*, g.is_crater
    FROM latest l LEFT JOIN review_gold g ON g.subject_id = l.subject_id
    WHERE l.answer IN ('crater', 'nothing', 'cannot_tell') AND NOT coalesce(g.is_practice, false)
    ORDER BY l.subject_id, l.person, l.id
)"""
# What a judge gave before a lead let it count is left out of their own habits, not of what others say.
_HABITS = f"""{_SAID}, beside AS (
    SELECT said.*,
        count(*) FILTER (WHERE answer = 'crater') OVER w - (answer = 'crater')::int AS others_crater,
        count(*) FILTER (WHERE answer = 'nothing') OVER w - (answer = 'nothing')::int AS others_nothing
    FROM said WINDOW w AS (PARTITION BY subject_id)
)
SELECT j.id,
    count(*) FILTER (WHERE answer <> 'cannot_tell'),
    count(*) FILTER (WHERE answer = 'crater'),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms),
    count(*) FILTER (WHERE answer <> 'cannot_tell' AND is_crater IS NOT NULL),
    count(*) FILTER (WHERE is_crater IS NOT NULL
        AND answer = CASE WHEN is_crater THEN 'crater' ELSE 'nothing' END),
    count(*) FILTER (WHERE answer <> 'cannot_tell' AND is_crater IS NULL AND others_crater <> others_nothing),
    count(*) FILTER (WHERE is_crater IS NULL AND others_crater <> others_nothing
        AND answer = CASE WHEN others_crater > others_nothing THEN 'crater' ELSE 'nothing' END)
FROM beside JOIN review_judge j ON j.workflow_id = %(workflow)s AND j.participant_id = beside.person
WHERE beside.created_at > coalesce(j.cleared_at, '-infinity')
GROUP BY j.id
"""
_MARKS = f"""{_SAID}, placed AS (
    SELECT j.id AS judge, count(*) AS n
    FROM said JOIN review_judge j ON j.workflow_id = %(workflow)s AND j.participant_id = said.person
    JOIN review_subject s ON s.id = said.subject_id
    JOIN review_picture picture ON picture.id = s.picture_id
    CROSS JOIN LATERAL jsonb_to_recordset(said.payload -> 'marks') AS mark(x_px float8, y_px float8)
    WHERE said.answer = 'crater' AND said.created_at > coalesce(j.cleared_at, '-infinity')
    GROUP BY j.id, floor(mark.x_px / picture.width_px / %(cell)s),
        floor(mark.y_px / picture.height_px / %(cell)s)
)
SELECT judge, sum(n), max(n) FROM placed GROUP BY judge
"""


def habits(workflow: Workflow) -> dict[int, Habits]:
    """How each judge answers, by the judge's primary key: two passes of the database over the log."""
    given = {"workflow": workflow.pk, "cell": _CELL}
    with connection.cursor() as cursor:
        cursor.execute(_MARKS, given)
        marks = {judge: (int(n), int(most)) for judge, n, most in cursor.fetchall()}
        cursor.execute(_HABITS, given)
        return {
            judge: Habits(
                answers,
                called,
                Habits.median_ms if median_ms is None else float(median_ms),
                *counts,
                *marks.get(judge, (0, 0)),
            )
            for judge, answers, called, median_ms, *counts in cursor.fetchall()
        }


def look_through(workflow: Workflow) -> list[Judge]:
    """Set aside whoever answers in a way that needs looking at; the new ones.

    What they had answered is to be weighed again afterwards.
    """
    found = habits(workflow)
    new = []
    for pk, reasons in sorted(suspects(found).items()):
        with transaction.atomic():
            judge = Judge.objects.select_for_update(no_key=True).get(pk=pk)
            if judge.quarantined_at is None:
                _set_aside(judge, reasons=reasons, seen=found[pk])
                new.append(judge)
    return new


@transaction.atomic
def set_aside(*, judge: Judge, why: str, by: Participant) -> Judge:
    """Let somebody's answers weigh nothing from now on, on a lead's word.

    Raises:
        InvalidInput: No reason is given.
        Conflict: They are set aside already.
    """
    _check(why)
    judge = Judge.objects.select_for_update(no_key=True).get(pk=judge.pk)
    if judge.quarantined_at is not None:
        raise Conflict(
            _("The answers of %(name)s are set aside already.") % {"name": judge.participant.pseudonym}
        )
    _set_aside(judge, why=why, by=by)
    return judge


@transaction.atomic
def count_again(*, judge: Judge, why: str, by: Participant) -> Judge:
    """Let somebody's answers weigh again; what they gave until now is not held against them any more.

    Raises:
        InvalidInput: No reason is given.
        Conflict: They count already.
    """
    _check(why)
    judge = Judge.objects.select_for_update(no_key=True).get(pk=judge.pk)
    if judge.quarantined_at is None:
        raise Conflict(_("The answers of %(name)s count already.") % {"name": judge.participant.pseudonym})
    judge.quarantined_at, judge.quarantine_reasons, judge.cleared_at = None, [], timezone.now()
    judge.save(update_fields=["quarantined_at", "quarantine_reasons", "cleared_at"])
    Quarantine.objects.create(judge=judge, step=Quarantine.Step.CLEARED, why=why.strip()[:300], by=by)
    return judge


def weigh_again(errand: Errand, tell: Progress) -> dict[str, object]:
    """Settle anew whatever a judge has answered; the question is {"judge": its primary key, …}."""
    judge = Judge.objects.select_related("participant").get(pk=errand.question["judge"])
    selves = [judge.participant_id, *judge.participant.earlier_selves.values_list("pk", flat=True)]
    answered = Classification.objects.filter(workflow=errand.workflow, participant__in=selves, round=0)
    subjects = Subject.objects.filter(pk__in=answered.values("subject")).exclude(stratum=Subject.Stratum.GOLD)
    return retiring.settle_all(errand.workflow, sorted(subjects.values_list("pk", flat=True)), tell)


def _set_aside(
    judge: Judge,
    *,
    reasons: list[Reason] | None = None,
    seen: Habits | None = None,
    why: str = "",
    by: Participant | None = None,
) -> None:
    """The caller holds the judge's lock."""
    names = [reason.value for reason in reasons or []]
    judge.quarantined_at, judge.quarantine_reasons = timezone.now(), names
    judge.save(update_fields=["quarantined_at", "quarantine_reasons"])
    Quarantine.objects.create(
        judge=judge,
        step=Quarantine.Step.SET_ASIDE,
        reasons=names,
        habits=asdict(seen) if seen else {},
        why=why.strip()[:300],
        by=by,
    )


def _check(why: str) -> None:
    if not why.strip():
        raise InvalidInput(_("Say why: the reason stands in the trail for those who come after you."))
