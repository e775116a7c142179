"""All pictures weighed anew: by what is known of their judges now, under the rule that stands.

An answer changes the odds of its own subject at once. What it teaches about its giver reaches the other
subjects they have judged here: open ones get their odds, and who would have another outcome gets it. A
picture that stays retired keeps the odds with which it retired.
"""

from collections.abc import Callable

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

from mlcore.consensus.answers.skill import Answer, Skill
from mlcore.consensus.answers.stopping import Outcome, StoppingRule, outcomes
from mlcore.consensus.answers.swap import evidence
from mlcore.consensus.answers.votes import CANNOT_TELL
from review.models import Judge, Workflow
from review.services.foils.ground import Ground, ground_of
from review.services.foils.results import log
from review.services.foils.rules import retiring

Progress = Callable[[int, int], None]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SAID = (Answer.CRATER, Answer.NOTHING, Answer.CANNOT_TELL)
_OUTCOMES = [outcome.value for outcome in Outcome]
_NOTICEABLE = 1e-9

# Column "outcome": 0 of open subjects, else its place in _OUTCOMES, from 1.
_TALLIES = """
    SELECT s.id, s.log_odds, s.n_votes::int2, s.n_cannot_tell::int2, s.n_practised::int2, s.wanted::int2,
        coalesce(array_position(%s::text[], s.outcome::text), 0)::int2, s.prior_log_odds,
        coalesce(s.rule_id, 0)
    FROM review_subject s
    WHERE s.workflow_id = %s AND s.picture_id IS NOT NULL AND s.stratum <> 'gold' AND s.n_answers > 0
    ORDER BY s.id
"""
# An answer that came in between has changed the odds, and with them it was weighed anew already.
_UPDATE = """
    UPDATE review_subject s SET log_odds = w.log_odds, n_practised = w.n_practised
    FROM weighed w
    WHERE s.id = w.id AND s.log_odds = w.was AND s.n_votes = w.n_votes AND s.outcome = ''
"""


def weigh_again(workflow: Workflow, tell: Progress, read: log.Log | None = None) -> dict[str, object]:
    """Take the tallies of all subjects anew; doing it twice changes nothing the second time.

    Args:
        workflow: Of the subjects.
        tell: Is told how many of the subjects that change their outcome are done.
        read: The log, if it has just been read.

    Returns:
        How many subjects got other odds only, how many were settled one by one, and what these became.
    """
    answers = read or log.read(workflow, until=log.end(workflow))
    ground = ground_of(workflow)
    stand = _standing(workflow)
    fresh = _fresh(workflow, ground, answers, stand)
    names = np.array(["", *_OUTCOMES])
    became = _under(ground.rule, fresh, stand)
    # What an earlier rule retired stays so as long as that rule does; see triage.settle.
    for version in workflow.rules.exclude(pk=ground.version.pk):
        its = np.flatnonzero(stand["rule"] == version.pk)
        own = _under(version.rule, fresh, stand)[its] if len(its) else its
        became[its] = np.where(own == names[stand["outcome"][its]], own, became[its])
    moves = became != names[stand["outcome"]]
    for name in ("n_votes", "n_cannot_tell"):
        # An answer was given or taken back since the log was read, or somebody was set aside.
        moves |= fresh[name] != stand[name]
    other = np.abs(fresh["log_odds"] - stand["log_odds"]) > _NOTICEABLE
    other |= fresh["n_practised"] != stand["n_practised"]
    n_odds = _write(stand, fresh, other & ~moves & (stand["outcome"] == 0))
    settled = retiring.settle_all(workflow, stand["id"][moves].tolist(), tell)
    return {"other_odds": n_odds, **settled}


def _under(rule: StoppingRule, fresh: log.Columns, stand: log.Columns) -> NDArray[np.str_]:
    """What would become of each by a rule; nothing before it has the answers that a lead wants of it."""
    became = outcomes(
        rule,
        log_odds=fresh["log_odds"],
        votes=fresh["n_votes"],
        cannot_tell=fresh["n_cannot_tell"],
        practised=fresh["n_practised"],
    )
    return np.where(fresh["n_votes"] >= stand["wanted"], became, "")


def _standing(workflow: Workflow) -> log.Columns:
    """The tallies as they are."""
    return log.rows(
        _TALLIES,
        [_OUTCOMES, workflow.pk],
        id="int8",
        log_odds="float8",
        n_votes="int2",
        n_cannot_tell="int2",
        n_practised="int2",
        wanted="int2",
        outcome="int2",
        prior="float8",
        rule="int8",
    )


def _fresh(workflow: Workflow, ground: Ground, answers: log.Log, stand: log.Columns) -> log.Columns:
    """The tallies as they would be taken now, of the same subjects; see triage.tally_of."""
    says, counts, practised = _judges(workflow, ground, answers.people)
    votes = answers.votes
    at = np.searchsorted(stand["id"], votes.key)
    at = np.where(np.isin(votes.key, stand["id"]), at, -1)[votes.subject]
    keep = (at >= 0) & counts[votes.person]
    at, person, answer = at[keep], votes.person[keep], votes.answer[keep]
    n = len(stand["id"])

    def sum_of(weights: Floats) -> Ints:
        return np.bincount(at, weights, minlength=n).astype(np.int64)

    return {
        "log_odds": stand["prior"] + np.bincount(at, says[person, answer], minlength=n),
        "n_votes": np.bincount(at, minlength=n),
        "n_cannot_tell": sum_of((answer == CANNOT_TELL).astype(float)),
        "n_practised": sum_of(practised[person].astype(float)),
    }


def _judges(
    workflow: Workflow, ground: Ground, people: Ints
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Of each person: what their answers say, whether these count, and whether they have practice."""
    judges = {judge.participant_id: judge for judge in Judge.objects.filter(workflow=workflow)}
    newcomer = Skill(prior=ground.population)
    skills = [judges[pk].skill(ground.population) if pk in judges else newcomer for pk in people.tolist()]
    counts = [pk not in judges or judges[pk].quarantined_at is None for pk in people.tolist()]
    says = np.array([[evidence(skill, answer) for answer in _SAID] for skill in skills]).reshape(-1, 3)
    practised = [skill.known_answers >= ground.rule.practised_after for skill in skills]
    return says, np.array(counts, bool), np.array(practised, bool)


@transaction.atomic
def _write(stand: log.Columns, fresh: log.Columns, which: NDArray[np.bool_]) -> int:
    """Other odds, in one statement, for subjects that nobody has answered meanwhile."""
    columns = (stand["id"], fresh["log_odds"], fresh["n_practised"], stand["log_odds"], stand["n_votes"])
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS weighed "
            "(id bigint, log_odds float8, n_practised int, was float8, n_votes int) ON COMMIT DROP"
        )
        cursor.execute("TRUNCATE weighed")
        with cursor.copy("COPY weighed FROM STDIN") as copy:
            for row in zip(*(column[which].tolist() for column in columns), strict=True):
                copy.write_row(row)
        cursor.execute(_UPDATE)
        return int(cursor.rowcount)
