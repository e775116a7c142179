"""The threshold before it is set: what goes to people, what is held back; what it loses says tradeoff.py."""

from dataclasses import dataclass
from datetime import UTC, datetime
from math import log10

from django.db import connection, transaction
from django.utils.translation import gettext as _

from annotate.models import Participant
from mlcore.errors import InvalidInput
from review.models import Workflow
from review.services.foils import settings
from review.services.foils.pictures import IS_SURVEY
from review.services.foils.stream import audit, giving
from review.services.foils.stream.stream import RANK

# Scores of networks crowd at 0: each bar is half a factor of ten, the first holds all below.
LOWEST, HIGHEST, STEPS = -6.0, 0.0, 12
KEPT_CHANGES = 50
CHANGES = "threshold_changes"


@dataclass(frozen=True)
class Preview:
    """What a threshold would do."""

    threshold: float | None
    n_to_people: int
    n_held_back: int
    n_without_score: int
    n_coming: int
    n_leaving: int
    n_staying: int
    strata: list[audit.Part]

    @property
    def n_drawn(self) -> int:
        return sum(part.n_drawn for part in self.strata)

    @property
    def n_never_shown(self) -> int:
        return max(0, self.n_held_back - self.n_drawn - self.n_staying)


@dataclass(frozen=True)
class Bar:
    """One bar of the scores' histogram: scores from low to below high, as powers of ten."""

    low: float
    high: float
    n: int


def check(threshold: float | None) -> None:
    """Refuse what is no threshold."""
    if threshold is not None and not 0.0 < threshold < 1.0:
        raise InvalidInput(
            _("A threshold lies above 0 and below 1, not at %(value)s; leave it empty to show all pictures.")
            % {"value": f"{threshold:g}"},
            code="bad_threshold",
        )


_COUNTS = f"""
SELECT count(*) FILTER (WHERE goes), count(*) FILTER (WHERE NOT goes), count(*) FILTER (WHERE rank IS NULL),
    count(*) FILTER (WHERE goes AND s_id IS NULL),
    count(*) FILTER (WHERE NOT goes AND s_id IS NOT NULL AND NOT is_drawn AND NOT seen),
    count(*) FILTER (WHERE NOT goes AND s_id IS NOT NULL AND NOT is_drawn AND seen)
FROM (
    SELECT {RANK} AS rank, s.id AS s_id, s.audit_id IS NOT NULL AS is_drawn,
        (%(threshold)s::float8 IS NULL OR {RANK} IS NULL OR {RANK} >= %(threshold)s) AS goes,
        s.id IS NOT NULL AND (EXISTS (SELECT 1 FROM review_showing x WHERE x.subject_id = s.id)
            OR EXISTS (SELECT 1 FROM review_classification x WHERE x.subject_id = s.id)
            OR EXISTS (SELECT 1 FROM review_confirmation x WHERE x.subject_id = s.id)) AS seen
    FROM review_picture p LEFT JOIN review_subject s ON s.picture_id = p.id AND s.workflow_id = %(workflow)s
    WHERE p.campaign_id = %(campaign)s AND {IS_SURVEY} AND coalesce(s.stratum, '') <> 'gold'
) AS ranked
"""


def preview(workflow: Workflow, threshold: float | None, *, audit_size: int) -> Preview:
    """What `stream.fill` would do with this threshold.

    Raises:
        InvalidInput: It is none.
    """
    check(threshold)
    given = {"workflow": workflow.pk, "campaign": workflow.campaign_id, "threshold": threshold}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, given)
        counts = [int(n) for n in cursor.fetchone()]
    strata = audit.parts(workflow, threshold, audit_size) if threshold else []
    return Preview(threshold, *counts, strata=strata)


def histogram(workflow: Workflow) -> list[Bar]:
    """How the campaign's scores lie, on a scale of powers of ten; empty without scores."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT width_bucket(log(greatest({RANK}, 1e-9)), %s, %s, %s) AS bar, count(*) "
            f"FROM review_picture p WHERE p.campaign_id = %s AND {IS_SURVEY} AND {RANK} IS NOT NULL "
            "GROUP BY bar",
            [LOWEST, HIGHEST, STEPS, workflow.campaign_id],
        )
        counts = dict(cursor.fetchall())
    if not counts:
        return []
    width = (HIGHEST - LOWEST) / STEPS
    # Below the lowest edge is bar 0, and exactly 1 is one beyond the last: each joins its neighbour.
    counts[1] = counts.get(1, 0) + counts.pop(0, 0)
    counts[STEPS] = counts.get(STEPS, 0) + counts.pop(STEPS + 1, 0)
    return [
        Bar(LOWEST + width * (at - 1), LOWEST + width * at, counts.get(at, 0)) for at in range(1, STEPS + 1)
    ]


def place_of(score: float) -> float:
    """Where a score lies on the histogram's scale: 0 its left end, 1 its right one."""
    return min(1.0, max(0.0, (log10(max(score, 1e-9)) - LOWEST) / (HIGHEST - LOWEST)))


@transaction.atomic
def change(
    *, workflow: Workflow, threshold: float | None, by: Participant, **others: float
) -> settings.TriageSettings:
    """Set the threshold and what belongs to it, and remember who did; `stream.fill` then does the rest."""
    check(threshold)
    before, was_chosen = settings.of(workflow), is_chosen(workflow)
    after = settings.change(workflow=workflow, threshold=threshold, **others)
    if after.threshold != before.threshold or not was_chosen:
        one = {
            "value": threshold,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "by": str(by),
            "scores_of": _scores_of(workflow),
        }
        workflow.settings[CHANGES] = [*workflow.settings.get(CHANGES, []), one][-KEPT_CHANGES:]
        workflow.save(update_fields=["settings"])
    return after


def is_chosen(workflow: Workflow) -> bool:
    """Whether somebody has let the threshold stand for scores of the version that gave those of now."""
    changes = workflow.settings.get(CHANGES, [])
    return bool(changes) and changes[-1].get("scores_of", "") == _scores_of(workflow)


def _scores_of(workflow: Workflow) -> str:
    """Whose scores stand: a version of our network by its uid; "" a file's, or nobody's."""
    version = giving.version_of(giving.standing(workflow.campaign))
    return str(version.uid) if version else ""
