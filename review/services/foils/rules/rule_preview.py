"""A stopping rule before it is set: what would retire now, what would open again, what it does to known ones.

The tallies are those that the subjects have; a rule with another idea of practice has the answers counted
anew where it decides.
"""

from dataclasses import dataclass

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from mlcore.consensus.answers import held_out
from mlcore.consensus.answers.stopping import Outcome, StoppingRule, outcomes
from mlcore.consensus.answers.swap import log_odds, probability
from mlcore.consensus.answers.votes import CRATER, NOTHING, Votes, record
from review.models import Gold, Subject, Workflow
from review.services.foils import settings
from review.services.foils.results import log
from review.services.foils.rules import rules

MOST_RISKY = 10
# Of the order in which votes on known subjects are asked for: the same rule shows the same numbers.
_SEED = 1

_OUTCOMES = [outcome.value for outcome in Outcome]

# Column "outcome": 0 of open subjects, else its place in _OUTCOMES, from 1. Where a lead has asked for more
# answers than there are, no rule retires the subject yet.
_JUDGED = """
SELECT id, log_odds, n_votes::int2, n_cannot_tell::int2, n_practised::int2,
    coalesce(array_position(%s::text[], outcome::text), 0)::int2
FROM review_subject
WHERE workflow_id = %s AND picture_id IS NOT NULL AND stratum <> 'gold' AND n_votes >= greatest(wanted, %s)
"""
# Standing answers to known subjects by those whose answers count; of several selves the first one's.
_KNOWN = """
SELECT DISTINCT ON (subject_id, person) subject_id, person, answer, is_crater, score, origin
FROM (
    SELECT DISTINCT ON (c.subject_id, c.participant_id) c.subject_id, c.id, c.answer,
        coalesce(p.merged_into_id, p.id) AS person, g.is_crater, g.origin, picture.score
    FROM review_gold g
    JOIN review_subject s ON s.id = g.subject_id
    JOIN review_picture picture ON picture.id = s.picture_id
    JOIN review_classification c ON c.subject_id = s.id AND c.workflow_id = s.workflow_id AND c.round = 0
    JOIN annotate_participant p ON p.id = c.participant_id
    WHERE s.workflow_id = %s AND NOT g.is_practice
    ORDER BY c.subject_id, c.participant_id, c.edit DESC
) AS latest
WHERE answer IN ('crater', 'nothing', 'cannot_tell') AND person NOT IN (
    SELECT participant_id FROM review_judge WHERE workflow_id = %s AND quarantined_at IS NOT NULL
)
ORDER BY subject_id, person, id
"""
_PRACTISED = """
SELECT c.subject_id, count(DISTINCT coalesce(p.merged_into_id, p.id))
FROM review_classification c
JOIN annotate_participant p ON p.id = c.participant_id
JOIN review_judge j ON j.workflow_id = c.workflow_id AND j.participant_id = coalesce(p.merged_into_id, p.id)
WHERE c.subject_id = ANY(%s) AND c.round = 0 AND c.answer IN ('crater', 'nothing', 'cannot_tell')
    AND j.quarantined_at IS NULL AND j.craters + j.blanks >= %s
    AND NOT EXISTS (
        SELECT 1 FROM review_classification later
        WHERE later.workflow_id = c.workflow_id AND later.subject_id = c.subject_id
            AND later.participant_id = c.participant_id AND later.round = 0 AND later.edit > c.edit
    )
GROUP BY c.subject_id
"""


@dataclass(frozen=True)
class Tallies:
    """Columns of many subjects; each of shape (n,)."""

    pk: NDArray[np.int64]
    log_odds: NDArray[np.float64]
    votes: NDArray[np.int64]
    cannot_tell: NDArray[np.int64]
    practised: NDArray[np.int64]
    outcome: NDArray[np.str_]

    def under(self, rule: StoppingRule) -> NDArray[np.str_]:
        """What would become of each."""
        return outcomes(
            rule,
            log_odds=self.log_odds,
            votes=self.votes,
            cannot_tell=self.cannot_tell,
            practised=self.practised,
        )


@dataclass(frozen=True)
class OfGold:
    """Known subjects of one origin under a rule, as if they were not known."""

    origin: str
    craters: int
    craters_dropped: int
    blanks: int
    blanks_sent_on: int
    too_few_answers: int


@dataclass(frozen=True)
class Risky:
    """A subject that the rule would drop though little is missing to keep it."""

    subject: Subject
    probability: float


@dataclass(frozen=True)
class Preview:
    """What a rule would do at this moment.

    Attributes:
        open: Subjects in the queue, the known ones left out.
        retires: Of these, by what they would become.
        opens_again: Retired ones that it would not have retired.
        becomes_other: Retired ones that it would have given another outcome.
        gold: Known subjects by origin.
        riskiest: Those it would drop with the highest probability of a crater, the highest first.
    """

    open: int
    retires: dict[Outcome, int]
    opens_again: int
    becomes_other: int
    gold: list[OfGold]
    riskiest: list[Risky]

    @property
    def n_retires(self) -> int:
        return sum(self.retires.values())

    @property
    def craters_dropped(self) -> int:
        return sum(row.craters_dropped for row in self.gold)


def preview(workflow: Workflow, rule: StoppingRule) -> Preview:
    """What the rule would do with the tallies as they are."""
    tallies = judged(workflow, rule)
    became, is_open = tallies.under(rule), tallies.outcome == ""
    queue = Subject.objects.filter(workflow=workflow, outcome="").exclude(stratum=Subject.Stratum.GOLD)
    return Preview(
        open=queue.count(),
        retires={outcome: int((is_open & (became == outcome.value)).sum()) for outcome in Outcome},
        # With too few answers for the rule a retired subject is not among those judged.
        opens_again=int((~is_open & (became == "")).sum()) + _retired_too_early(workflow, rule),
        becomes_other=int((~is_open & (became != "") & (became != tallies.outcome)).sum()),
        gold=_of_gold(workflow, rule),
        riskiest=_riskiest(tallies, is_open & (became == Outcome.NOTHING.value)),
    )


def judged(workflow: Workflow, rule: StoppingRule) -> Tallies:
    """Those with enough answers for the rule to say anything; the known ones left out."""
    found = log.rows(
        _JUDGED,
        [_OUTCOMES, workflow.pk, rule.min_votes],
        pk="int8",
        log_odds="float8",
        votes="int2",
        cannot_tell="int2",
        practised="int2",
        outcome="int2",
    )
    found["outcome"] = np.array(["", *_OUTCOMES])[found["outcome"]]
    tallies = Tallies(**found)
    counts_anew = rules.current(workflow).rule.practised_after != rule.practised_after
    return _practised_anew(tallies, rule) if counts_anew else tallies


def _practised_anew(tallies: Tallies, rule: StoppingRule) -> Tallies:
    """The same with its `practised` counted from the log where nothing but that decides."""
    everybody = _with_practised(tallies, tallies.votes)
    decides = np.flatnonzero(everybody.under(rule) != _with_practised(tallies, 0 * tallies.votes).under(rule))
    practised = tallies.votes.copy()
    with connection.cursor() as cursor:
        cursor.execute(_PRACTISED, [tallies.pk[decides].tolist(), rule.practised_after])
        found = dict(cursor.fetchall())
    practised[decides] = [found.get(pk, 0) for pk in tallies.pk[decides].tolist()]
    return _with_practised(tallies, practised)


def _with_practised(tallies: Tallies, practised: NDArray[np.int64]) -> Tallies:
    return Tallies(
        tallies.pk, tallies.log_odds, tallies.votes, tallies.cannot_tell, practised, tallies.outcome
    )


def _retired_too_early(workflow: Workflow, rule: StoppingRule) -> int:
    retired = Subject.objects.filter(workflow=workflow, n_votes__lt=rule.min_votes).exclude(outcome="")
    return retired.exclude(stratum=Subject.Stratum.GOLD).count()


def _of_gold(workflow: Workflow, rule: StoppingRule) -> list[OfGold]:
    """Each known subject asked about vote by vote until the rule has enough; see mlcore held_out.stop."""
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, [workflow.pk, workflow.pk])
        rows = cursor.fetchall()
    if not rows:
        return []
    subjects, people, answers, is_crater, scores, origins = zip(*rows, strict=True)
    key, first, subject = np.unique(np.array(subjects), return_index=True, return_inverse=True)
    who, person = np.unique(np.array(people), return_inverse=True)
    base = settings.of(workflow).base_rate
    priors = [log_odds(base if scores[at] is None else scores[at]) for at in first.tolist()]
    code = {"crater": CRATER, "nothing": NOTHING, "cannot_tell": 2}
    votes = Votes(
        subject=subject,
        person=person,
        answer=np.array([code[answer] for answer in answers]),
        n_people=len(who),
        key=key,
        prior_log_odds=np.array(priors),
        known=np.where(np.array(is_crater)[first], CRATER, NOTHING),
    )
    became = held_out.stop(votes, rule, record(votes), seed=_SEED).outcome
    origin = np.array(origins)[first]
    return [
        _origin_row(str(label), votes.known[origin == value] == CRATER, became[origin == value])
        for value, label in Gold.Origin.choices
        if (origin == value).any()
    ]


def _origin_row(label: str, is_crater: NDArray[np.bool_], became: NDArray[np.str_]) -> OfGold:
    sent_on = np.isin(became, [Outcome.CANDIDATE.value, Outcome.UNDECIDED.value])
    return OfGold(
        origin=label,
        craters=int(is_crater.sum()),
        craters_dropped=int((is_crater & (became == Outcome.NOTHING.value)).sum()),
        blanks=int((~is_crater).sum()),
        blanks_sent_on=int((~is_crater & sent_on).sum()),
        too_few_answers=int((became == "").sum()),
    )


def _riskiest(tallies: Tallies, goes: NDArray[np.bool_]) -> list[Risky]:
    at = np.flatnonzero(goes)
    at = at[np.argsort(-tallies.log_odds[at], kind="stable")][:MOST_RISKY]
    subjects = Subject.objects.select_related("picture").in_bulk(tallies.pk[at].tolist())
    pairs = zip(tallies.pk[at].tolist(), tallies.log_odds[at].tolist(), strict=True)
    return [Risky(subjects[pk], probability(odds)) for pk, odds in pairs]
