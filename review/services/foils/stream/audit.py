"""The audit: a sample of the pictures below the threshold, from each stratum of scores, shown all the same.

Of each stratum those pictures are drawn whose hash with the seed is smallest. So anybody can do the draw
again, a larger sample holds the smaller one, and new pictures or another threshold change as little of the
sample as can be: what people have judged already goes on counting.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Count, Q, QuerySet

from review.models import AuditStratum, Workflow
from review.services.foils.pictures import IS_SURVEY
from review.services.foils.settings import TriageSettings

# (lower end as a share of the threshold, share of the sample), from the threshold down: what is missed lies
# most likely just below it.
STRATA = ((0.1, 0.6), (0.01, 0.25), (0.0, 0.15))


@dataclass(frozen=True)
class Part:
    """One stratum as planned: scores from low to below high, pictures in it, pictures to draw."""

    low: float
    high: float
    n_pictures: int
    n_drawn: int


def plan(sizes: Sequence[int], total: int) -> list[int]:
    """How many to draw of strata of these sizes: by the shares of STRATA, what one lacks from the others."""
    drawn = [min(size, round(total * share)) for size, (_low, share) in zip(sizes, STRATA, strict=True)]
    left = min(total, sum(sizes)) - sum(drawn)
    for at, size in enumerate(sizes):
        more = max(-drawn[at], min(size - drawn[at], left))
        drawn[at] += more
        left -= more
    return drawn


def parts(workflow: Workflow, threshold: float, total: int) -> list[Part]:
    """The strata that a threshold makes, with what would be drawn of each."""
    bounds = [threshold, *(threshold * share for share, _of in STRATA)]
    limits = [(low, high) for high, low in pairwise(bounds)]
    with connection.cursor() as cursor:
        sizes = [_size(cursor, workflow, low, high) for low, high in limits]
    drawn = plan(sizes, total)
    return [Part(*limit, *n) for limit, *n in zip(limits, sizes, drawn, strict=True)]


def draw(workflow: Workflow, settings: TriageSettings) -> None:
    """Draw the audit that the settings ask for; the caller holds the workflow's lock."""
    planned: list[Part] = []
    if settings.threshold:
        planned = parts(workflow, settings.threshold, settings.audit_size)
    for number, part in enumerate(planned):
        _keep(workflow, number, asdict(part) | {"seed": settings.audit_seed})
    given = {"workflow": workflow.pk, "campaign": workflow.campaign_id}
    with connection.cursor() as cursor:
        cursor.execute(_DRAW_TABLE)
        for stratum in AuditStratum.objects.filter(workflow=workflow, number__lt=len(planned)):
            bounds = {"stratum": stratum.pk, "low": stratum.low, "high": stratum.high}
            cursor.execute(_DRAW, given | bounds | {"n": stratum.n_drawn, "seed": str(stratum.seed)})
        cursor.execute(_FREE_SEEN, given)
        cursor.execute(_FREE_ABOVE, given | {"threshold": settings.threshold})
        drop_unseen(cursor, _NO_LONGER_DRAWN, given)
        cursor.execute(_BIND, given)
        cursor.execute("DROP TABLE drawn")
    AuditStratum.objects.filter(workflow=workflow, number__gte=len(planned)).delete()


def _keep(workflow: Workflow, number: int, values: dict[str, float]) -> None:
    """The design as it is now; what has not changed keeps its date."""
    if not AuditStratum.objects.filter(workflow=workflow, number=number, **values).exists():
        AuditStratum.objects.update_or_create(workflow=workflow, number=number, defaults=values)


def drop_unseen(cursor: CursorWrapper, which: str, given: dict[str, object]) -> None:
    """Take subjects out that nobody has been shown.

    1. Who hands out holds the subject's lock until the showing is committed: such subjects are passed over.
    2. One made after our first look and committed before our lock is seen by the second look only.

    Args:
        cursor: In a transaction.
        which: A condition on subjects `s` and their pictures `p`.
        given: What it names, and the workflow.
    """
    unseen = _UNSEEN.format(which=which)
    cursor.execute(
        f"CREATE TEMPORARY TABLE unseen ON COMMIT DROP AS {unseen} FOR UPDATE OF s SKIP LOCKED", given
    )
    cursor.execute(
        f"DELETE FROM review_subject WHERE id IN (SELECT id FROM unseen) AND id IN ({unseen})", given
    )
    cursor.execute("DROP TABLE unseen")


def design(workflow: Workflow) -> QuerySet[AuditStratum]:
    """The strata, each with n_settled and n_found: of those drawn, judged to the end, and sent to experts."""
    settled = ~Q(subjects__outcome="")
    return workflow.audit_strata.annotate(
        n_settled=Count("subjects", filter=settled),
        n_found=Count("subjects", filter=Q(subjects__outcome="candidate")),
    )


# A stratum's pictures: those with a score, without the known ones, which Tektite has put there.
_OF_STRATUM = f"""
FROM review_picture p
WHERE p.campaign_id = %(campaign)s AND {IS_SURVEY} AND coalesce(p.score_raw, p.score) >= %(low)s
    AND coalesce(p.score_raw, p.score) < %(high)s
    AND NOT EXISTS (SELECT 1 FROM review_subject s WHERE s.workflow_id = %(workflow)s AND s.picture_id = p.id
        AND s.stratum = 'gold')
"""

_DRAW_TABLE = "CREATE TEMPORARY TABLE drawn (picture_id bigint, stratum_id bigint) ON COMMIT DROP"

_DRAW = f"""
INSERT INTO drawn SELECT p.id, %(stratum)s {_OF_STRATUM}
ORDER BY md5(%(seed)s || '|' || p.sha256), p.id LIMIT %(n)s
"""

# Seen already and no longer drawn: it stays with its answers, but counts for no stratum.
_FREE_SEEN = """
UPDATE review_subject AS s SET audit_id = NULL
WHERE s.workflow_id = %(workflow)s AND s.audit_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM drawn d WHERE d.picture_id = s.picture_id)
"""

# Above the threshold by now: part of the queue like its neighbours.
_FREE_ABOVE = """
UPDATE review_subject AS s SET stratum = 'queue' FROM review_picture p
WHERE p.id = s.picture_id AND s.workflow_id = %(workflow)s AND s.stratum = 'audit'
    AND (%(threshold)s::float8 IS NULL OR coalesce(p.score_raw, p.score) IS NULL
        OR coalesce(p.score_raw, p.score) >= %(threshold)s)
"""

_UNSEEN = """
SELECT s.id FROM review_subject s JOIN review_picture p ON p.id = s.picture_id
WHERE s.workflow_id = %(workflow)s AND {which}
    AND NOT EXISTS (SELECT 1 FROM review_showing x WHERE x.subject_id = s.id)
    AND NOT EXISTS (SELECT 1 FROM review_classification x WHERE x.subject_id = s.id)
    AND NOT EXISTS (SELECT 1 FROM review_confirmation x WHERE x.subject_id = s.id)
    AND NOT EXISTS (SELECT 1 FROM review_gold x WHERE x.subject_id = s.id)
"""

_NO_LONGER_DRAWN = "s.stratum = 'audit' AND s.audit_id IS NULL"

# Priors are set for all subjects at once, after this.
_BIND = """
INSERT INTO review_subject (uid, workflow_id, picture_id, stratum, audit_id, priority, why, wanted, n_answers,
    retired_because, outcome, prior_log_odds, log_odds, n_votes, n_cannot_tell, n_practised, created_at)
SELECT gen_random_uuid(), %(workflow)s, d.picture_id, 'audit', d.stratum_id, 0, '', 1, 0,
    '', '', 0, 0, 0, 0, 0, now()
FROM drawn d
ON CONFLICT (workflow_id, picture_id) DO UPDATE SET audit_id = excluded.audit_id, stratum = 'audit'
    WHERE review_subject.stratum IN ('queue', 'audit')
        AND (review_subject.audit_id IS DISTINCT FROM excluded.audit_id OR review_subject.stratum <> 'audit')
"""


def _size(cursor: CursorWrapper, workflow: Workflow, low: float, high: float) -> int:
    given = {"workflow": workflow.pk, "campaign": workflow.campaign_id, "low": low, "high": high}
    cursor.execute(f"SELECT count(*) {_OF_STRATUM}", given)
    return int(cursor.fetchone()[0])
