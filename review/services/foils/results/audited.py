"""How many craters the threshold holds back: what the audit has found, and how many at most there are.

What people send to reviewers counts as a crater until an expert says otherwise; what an expert has called
one counts whatever people said. A bad image counts as not looked at. So the bound is rather too high than
too low, as far as people see what is there.
"""

from dataclasses import dataclass

from django.db.models import BooleanField, Case, Count, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce

from mlcore.consensus.answers.stopping import Outcome
from mlcore.metrics.audit import Stratum, missed
from review.models import AuditStratum, Confirmation, Subject, Workflow

CONFIDENCE = 0.95

_Result = Confirmation.Result
_DECIDED = Q(result__in=(_Result.CRATER, _Result.LOOK_ALIKE, _Result.NOTHING))
_GOING = Q(outcome__in=(Outcome.CANDIDATE, Outcome.UNDECIDED))
_FOUND = Q(result=_Result.CRATER) | _GOING & (Q(result__isnull=True) | Q(result=_Result.UNCLEAR))
_SETTLED = _DECIDED | _GOING | Q(outcome=Outcome.NOTHING)


@dataclass(frozen=True)
class Row:
    """One stratum of scores, as the audit has it so far."""

    stratum: AuditStratum
    judged: int
    found: int
    upper: int


@dataclass(frozen=True)
class Audit:
    """All strata together.

    Attributes:
        rows: From the threshold down.
        estimate: Craters among all these pictures, found ones included; None while a stratum lacks a sample.
        standard_error: Of the estimate.
        upper: So many at most, with 95 % confidence.
    """

    rows: list[Row]
    estimate: float | None
    standard_error: float | None
    upper: int

    @property
    def n_pictures(self) -> int:
        return sum(row.stratum.n_pictures for row in self.rows)

    @property
    def n_drawn(self) -> int:
        return sum(row.stratum.n_drawn for row in self.rows)

    @property
    def n_judged(self) -> int:
        return sum(row.judged for row in self.rows)

    @property
    def n_found(self) -> int:
        return sum(row.found for row in self.rows)

    @property
    def missed(self) -> int:
        """Craters among the pictures that the audit has not shown to anybody, at most."""
        return self.upper - self.n_found


@dataclass(frozen=True)
class Sample:
    """One picture of the audit that is judged enough."""

    stratum: int
    score: float
    found: bool


def of(workflow: Workflow) -> Audit | None:
    """The audit as it stands; None where no threshold holds pictures back."""
    counts = _counts(workflow)
    strata = [
        (one, Stratum(max(one.n_pictures, counts.get(one.pk, (0, 0))[0]), *counts.get(one.pk, (0, 0))))
        for one in workflow.audit_strata.all()
    ]
    if not any(one.population for _stratum, one in strata):
        return None
    whole = missed([one for _stratum, one in strata], confidence=CONFIDENCE)
    rows = [
        Row(stratum, one.sampled, one.found, missed([one], confidence=CONFIDENCE).upper)
        for stratum, one in strata
    ]
    return Audit(rows, whole.estimate, whole.standard_error, whole.upper)


def samples(workflow: Workflow) -> list[Sample]:
    """What the bound rests on; a random sample of each part of a stratum, too."""
    score = Coalesce("picture__score_raw", "picture__score")
    found = Case(When(_FOUND, then=True), default=False, output_field=BooleanField())
    rows = _drawn(workflow).filter(_SETTLED).annotate(score=score, is_found=found)
    return [Sample(*row) for row in rows.values_list("audit", "score", "is_found") if row[1] is not None]


def _drawn(workflow: Workflow) -> QuerySet[Subject]:
    """The audit's subjects, each with what an expert said of it last."""
    newest = Confirmation.objects.filter(subject=OuterRef("pk")).order_by("-pk").values("result")[:1]
    drawn = Subject.objects.filter(workflow=workflow, audit__isnull=False)
    return drawn.annotate(result=Subquery(newest))


def _counts(workflow: Workflow) -> dict[int, tuple[int, int]]:
    """Of each stratum's sample, how many are settled, and how many of these show a crater."""
    rows = (
        _drawn(workflow)
        .values("audit")
        .annotate(judged=Count("pk", filter=_SETTLED), found=Count("pk", filter=_FOUND))
    )
    return {row["audit"]: (row["judged"], row["found"]) for row in rows}
