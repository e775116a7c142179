"""What each threshold would remove and what it would lose, before one is chosen.

Removed: pictures that nobody would see. Lost: known craters among them, by origin (known_scores.py), and, up
to the threshold that the audit was drawn for, all craters among them as far as the audit tells.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import accumulate
from statistics import median

from django.db import connection
from django.utils.translation import gettext as _

from mlcore.metrics.audit import Stratum, missed
from review.models import AuditStratum, Classification, Workflow
from review.services.foils.pictures import IS_SURVEY
from review.services.foils.results import audited
from review.services.foils.rules import rules
from review.services.foils.stream.known_scores import Group, Share, groups
from review.services.foils.stream.stream import RANK

# Steps of a slider: even on a scale of odds, and round.
_DIGITS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
_LOW = [digit * 10.0**power for power in range(-6, 0) for digit in _DIGITS if digit * 10.0**power <= 0.5]
_HIGH = [0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998, 0.999, 0.9999]
GRID = tuple(float(f"{value:.2g}") for value in _LOW) + tuple(_HIGH)

# What is suggested: craters kept, of so many at least, and what the published survey gave to its volunteers.
KEPT, LEAST_TO_KEEP = 0.98, 20
MOST_FOR_PEOPLE = 15_000
SHARE_FOR_PEOPLE = 0.04
# So many finished pictures tell how many answers one takes, so many answers how fast they come.
ENOUGH_FINISHED, ENOUGH_ANSWERS, LATEST_ANSWERS = 30, 50, 2000


@dataclass(frozen=True)
class Pace:
    """How people work here.

    Attributes:
        answers_each: To a picture until it is finished.
        is_by_rule: Too few pictures are finished: it is the fewest that the rule asks for.
        seconds_each: Median time of an answer; None where too few were given.
        per_day: Answers a day, of late; None likewise.
    """

    answers_each: float
    is_by_rule: bool
    seconds_each: float | None
    per_day: float | None


@dataclass(frozen=True)
class Bound:
    """What the audit says of the craters among pictures that are held back.

    Attributes:
        below: It speaks of scores below this: of the threshold, or of the lower one that it was drawn for.
        upper: So many at most (95 %).
        n_judged: Pictures on which that rests.
    """

    below: float
    upper: int
    n_judged: int


@dataclass(frozen=True)
class Point:
    """One threshold.

    Attributes:
        threshold: Scores below it are held back.
        removed: Pictures held back, of all that have a score or not; the known ones left out.
        n_people: Pictures that go to people.
        n_open: Of these, not judged enough yet.
        known: Of each group of known pictures, how many are held back.
        audited: What the audit says; None without one.
    """

    threshold: float
    removed: Share
    n_people: int
    n_open: int
    known: list[Share]
    audited: Bound | None


@dataclass(frozen=True)
class Suggestion:
    """A threshold with what speaks for it, in words."""

    threshold: float
    why: str


@dataclass(frozen=True)
class Tradeoff:
    """All thresholds of the grid and those asked for, the lowest first."""

    points: list[Point]
    groups: list[Group]
    pace: Pace
    suggestions: list[Suggestion] = field(default_factory=list)

    def at(self, threshold: float) -> Point:
        """The point of a threshold, or the one next below it."""
        place = bisect_left([point.threshold for point in self.points], threshold * (1 + 1e-12))
        exact = place < len(self.points) and self.points[place].threshold == threshold
        return self.points[place if exact else max(0, place - 1)]

    def answers_needed(self, point: Point) -> int:
        """By people, until every picture that goes to them is finished."""
        return round(point.n_open * self.pace.answers_each)


def of(workflow: Workflow, *asked: float | None) -> Tradeoff | None:
    """What thresholds would do; None while no picture has a score.

    Args:
        workflow: The triage.
        asked: Thresholds to be exact about besides the grid's; None is passed over.
    """
    known = groups(workflow)
    strata = list(workflow.audit_strata.order_by("number"))
    wanted = sorted({*GRID, *(value for value in asked if value)})
    edges = sorted({*wanted, *(end for one in strata for end in (one.low, one.high) if end > 0)})
    counts = _counts(workflow, edges)
    if counts.n_scored == 0:
        return None
    judged = _Audit(strata, audited.samples(workflow), counts) if strata else None
    points = [_point(threshold, counts, known, judged) for threshold in wanted]
    return Tradeoff(points, known, _pace(workflow, counts), _suggestions(known, counts))


@dataclass(frozen=True)
class _Counts:
    """Pictures by score, cumulated over edges: below the first, below the second, …, and all."""

    edges: list[float]
    below: list[int]
    finished_below: list[int]
    n_all: int
    n_scored: int
    n_finished: int
    n_answers: int

    def under(self, threshold: float) -> tuple[int, int]:
        """Pictures below one of the edges, and how many of these are finished."""
        if threshold <= 0:
            return 0, 0
        at = bisect_left(self.edges, threshold)
        return self.below[at], self.finished_below[at]


_BY_SCORE = f"""
SELECT CASE WHEN {RANK} IS NULL THEN -1 ELSE width_bucket({RANK}, %(edges)s::float8[]) END AS bucket,
    count(*), count(s.retired_at), coalesce(sum(s.n_votes) FILTER (WHERE s.retired_at IS NOT NULL), 0)
FROM review_picture p LEFT JOIN review_subject s ON s.picture_id = p.id AND s.workflow_id = %(workflow)s
WHERE p.campaign_id = %(campaign)s AND {IS_SURVEY} AND coalesce(s.stratum, '') <> 'gold'
GROUP BY bucket
"""


def _counts(workflow: Workflow, edges: list[float]) -> _Counts:
    given = {"edges": edges, "workflow": workflow.pk, "campaign": workflow.campaign_id}
    with connection.cursor() as cursor:
        cursor.execute(_BY_SCORE, given)
        rows = {bucket: (n, finished, int(votes)) for bucket, n, finished, votes in cursor.fetchall()}
    # Bucket i holds what is below edge i and at or above the one before it; the last, what is above all.
    by_edge = [rows.get(at, (0, 0, 0)) for at in range(len(edges))]
    n_all = sum(n for n, _finished, _votes in rows.values())
    return _Counts(
        edges,
        list(accumulate(n for n, _finished, _votes in by_edge)),
        list(accumulate(finished for _n, finished, _votes in by_edge)),
        n_all,
        n_all - rows.get(-1, (0, 0, 0))[0],
        sum(finished for _n, finished, _votes in rows.values()),
        sum(votes for _n, _finished, votes in rows.values()),
    )


class _Audit:
    """What the audit says of the pictures below any threshold up to its own."""

    def __init__(self, strata: list[AuditStratum], samples: list[audited.Sample], counts: _Counts) -> None:
        self._strata, self._counts = strata, counts
        self._drawn_for = max(stratum.high for stratum in strata)
        self._samples = {stratum.pk: [] for stratum in strata}
        for sample in samples:
            self._samples[sample.stratum].append(sample)

    def below(self, threshold: float) -> Bound:
        """Craters at most below a threshold, or below its own where that is lower."""
        reach = min(threshold, self._drawn_for)
        parts = [self._part(stratum, reach) for stratum in self._strata if stratum.low < reach]
        bound = missed(parts, confidence=audited.CONFIDENCE)
        return Bound(reach, bound.upper, sum(part.sampled for part in parts))

    def _part(self, stratum: AuditStratum, threshold: float) -> Stratum:
        high = min(stratum.high, threshold)
        judged = [one for one in self._samples[stratum.pk] if stratum.low <= one.score < high]
        population = self._counts.under(high)[0] - self._counts.under(stratum.low)[0]
        return Stratum(max(population, len(judged)), len(judged), sum(one.found for one in judged))


def _point(threshold: float, counts: _Counts, known: list[Group], judged: _Audit | None) -> Point:
    n_below, n_finished_below = counts.under(threshold)
    n_people = counts.n_all - n_below
    return Point(
        threshold=threshold,
        removed=Share(n_below, counts.n_all),
        n_people=n_people,
        n_open=max(0, n_people - (counts.n_finished - n_finished_below)),
        known=[group.below(threshold) for group in known],
        audited=judged.below(threshold) if judged else None,
    )


def _pace(workflow: Workflow, counts: _Counts) -> Pace:
    is_by_rule = counts.n_finished < ENOUGH_FINISHED
    fewest = rules.current(workflow).rule.min_votes
    each = float(fewest) if is_by_rule else counts.n_answers / counts.n_finished
    latest = Classification.objects.filter(workflow=workflow, edit=0).order_by("-pk")
    rows = list(latest.values_list("duration_ms", "created_at")[:LATEST_ANSWERS])
    if len(rows) < ENOUGH_ANSWERS:
        return Pace(each, is_by_rule, None, None)
    times = [duration for duration, _at in rows if duration]
    # Of a burst of answers nobody can tell what a day brings: a day is the least that counts.
    days = max(1.0, (rows[0][1] - rows[-1][1]).total_seconds() / 86_400)
    return Pace(each, is_by_rule, median(times) / 1000 if times else None, len(rows) / days)


def _suggestions(known: list[Group], counts: _Counts) -> list[Suggestion]:
    """Thresholds to begin with; each says what it goes by, so none stands for the others."""
    found = [
        Suggestion(threshold, group.kept_by % round(100 * KEPT))
        for group in known
        if group.kept_by and group.below(1.0).n >= LEAST_TO_KEEP and (threshold := _highest_that_keeps(group))
    ]
    if fewest := _fewest_for_people(counts):
        found.append(fewest)
    return found


def _highest_that_keeps(group: Group) -> float | None:
    kept = [value for value in GRID if group.below(value).share <= 1.0 - KEPT + 1e-12]
    return max(kept, default=None)


def _fewest_for_people(counts: _Counts) -> Suggestion | None:
    """So few go to people as in the published survey, or the same share of a smaller one."""
    most = min(MOST_FOR_PEOPLE, max(1, round(SHARE_FOR_PEOPLE * counts.n_all)))
    # What has no score goes to people whatever the threshold.
    if counts.n_all - counts.n_scored >= most:
        return None
    few = (value for value in GRID if counts.n_all - counts.under(value)[0] <= most)
    threshold = next(few, None)
    if threshold is None:
        return None
    return Suggestion(threshold, _("gives people %s pictures at most") % f"{most:,}")
