"""Which pictures people see: all at or above the threshold, and a drawn sample of those below it.

Pictures without a score, and all of them where there is no threshold, go to people. `fill` brings the queue
into line with scores and threshold in a few statements over all pictures, and changes nothing the second
time. What somebody has been shown stays in the queue whatever the threshold becomes.
"""

from math import log

from django.db import connection, transaction

from mlcore.consensus.answers.swap import MAX_PRIOR
from review.models import Errand, Workflow
from review.services.foils import settings
from review.services.foils.errands import Progress
from review.services.foils.pictures import IS_SURVEY
from review.services.foils.stream import audit

# What ranks a picture: what the network said, so that a new calibration moves nothing over the threshold.
RANK = "coalesce(p.score_raw, p.score)"

# What is believed before any answer; a score of 0 or 1 is held to the furthest prior.
_PRIOR = """CASE WHEN p.score IS NULL THEN %(base)s::float8
    WHEN p.score <= 0 THEN -%(most)s::float8 WHEN p.score >= 1 THEN %(most)s::float8
    ELSE greatest(-%(most)s::float8, least(%(most)s::float8, ln(p.score / (1 - p.score)))) END"""

_ADD = f"""
INSERT INTO review_subject (uid, workflow_id, picture_id, stratum, priority, why, wanted, n_answers,
    retired_because, outcome, prior_log_odds, log_odds, n_votes, n_cannot_tell, n_practised, created_at)
SELECT gen_random_uuid(), %(workflow)s, p.id, 'queue', 0, '', 1, 0,
    '', '', prior.odds, prior.odds, 0, 0, 0, now()
FROM review_picture p, LATERAL (SELECT {_PRIOR} AS odds) AS prior
WHERE p.campaign_id = %(campaign)s AND {IS_SURVEY}
    AND (%(threshold)s::float8 IS NULL OR {RANK} IS NULL OR {RANK} >= %(threshold)s)
    AND NOT EXISTS (SELECT 1 FROM review_subject s WHERE s.workflow_id = %(workflow)s AND s.picture_id = p.id)
ON CONFLICT (workflow_id, picture_id) DO NOTHING
"""

# Of the queue, and held back by the threshold now.
_HELD_BACK = f"s.stratum = 'queue' AND s.audit_id IS NULL AND {RANK} < %(threshold)s"

_NEW_PRIORS = f"""
UPDATE review_subject AS s SET log_odds = s.log_odds + prior.odds - s.prior_log_odds,
    prior_log_odds = prior.odds
FROM review_picture p, LATERAL (SELECT {_PRIOR} AS odds) AS prior
WHERE p.id = s.picture_id AND s.workflow_id = %(workflow)s AND s.stratum <> 'gold'
    AND abs(prior.odds - s.prior_log_odds) > 1e-9
"""


@transaction.atomic
def fill(*, workflow: Workflow) -> int:
    """Bring the queue and the audit into line with pictures, scores and threshold; how many came in.

    Whatever retired by its odds is looked at again by the nightly account, not here.
    """
    # One at a time: two imports that end together must not both draw the audit.
    workflow = Workflow.objects.select_for_update(no_key=True).get(pk=workflow.pk)
    wanted = settings.of(workflow)
    given = {
        "workflow": workflow.pk,
        "campaign": workflow.campaign_id,
        "threshold": wanted.threshold,
        "base": log(wanted.base_rate / (1.0 - wanted.base_rate)),
        "most": MAX_PRIOR,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ADD, given)
        n_new = cursor.rowcount
        if wanted.threshold is not None:
            audit.drop_unseen(cursor, _HELD_BACK, given)
        audit.draw(workflow, wanted)
        cursor.execute(_NEW_PRIORS, given)
    return n_new


def work(errand: Errand, tell: Progress) -> dict[str, object]:
    """The errand of filling; one statement after the other, without steps to tell."""
    return {"new": fill(workflow=errand.workflow)}
