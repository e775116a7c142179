"""The nightly reckoning: what all answers say together, and what that says of the craters that are missed.

What is published is a function of the log up to one classification, of what is known and believed of its
subjects, of who is set aside and of the rule; `check` works it out again and compares.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from annotate.models import Participant
from annotate.services.locks import exclusive
from mlcore.consensus.answers.published import CONFIDENCE, DRAWS, Published, publish
from mlcore.consensus.answers.votes import order, record
from mlcore.errors import Conflict
from review.models import Classification, Errand, Estimate, Judge, Reckoning, Workflow
from review.services.foils import errands
from review.services.foils.gold import gold_watch
from review.services.foils.judging import selves
from review.services.foils.people import suspects
from review.services.foils.results import figures, log, statistics, weighing
from review.services.foils.rules import rules
from review.services.foils.stream import score_calibration, stream

Progress = Callable[[int, int], None]

# Of older ones the findings are kept, and not the estimate of each subject.
KEPT_ESTIMATES = 2
# Probabilities that differ by less are the same, worked out by another processor.
SAME = 1e-9


@dataclass(frozen=True)
class Checked:
    """A published reckoning worked out again.

    Attributes:
        reckoning: Which.
        same_input: Whether its log, with what is known now, is the one it was made of.
        n_estimates: Published estimates.
        n_differ: Of them, other than now, or missing on one side.
        largest: Difference of a probability or of an end of an interval.
    """

    reckoning: Reckoning
    same_input: bool
    n_estimates: int
    n_differ: int
    largest: float

    @property
    def holds(self) -> bool:
        return self.same_input and self.n_differ == 0


def newest(workflow: Workflow) -> Reckoning | None:
    """What is published now; None before the first night."""
    return Reckoning.objects.filter(workflow=workflow).order_by("-pk").first()


def ask_nightly() -> list[Errand]:
    """Errands for all triages with answers; what is under way already is not asked again."""
    answered = Classification.objects.filter(workflow=OuterRef("pk"))
    asked = Workflow.objects.filter(Exists(answered), policy=Workflow.Policy.TRIAGE)
    found = [
        errands.ask(workflow=workflow, kind=Errand.Kind.RECKON, question={"even_if_same": False}, by=None)
        for workflow in asked.order_by("pk")
    ]
    return [errand for errand, is_new in found if is_new]


def ask(workflow: Workflow, by: Participant) -> tuple[Errand, bool]:
    """An errand that reckons now, and whether it is new."""
    return errands.ask(workflow=workflow, kind=Errand.Kind.RECKON, question={"even_if_same": True}, by=by)


def work(errand: Errand, tell: Progress) -> dict[str, object]:
    """A night's work, as an errand.

    The question is {"even_if_same": bool}: whether to publish anew what would be the same.
    """
    made = night(errand.workflow, tell, even_if_same=errand.question["even_if_same"])
    return {"reckoning": str(made.uid)}


def night(
    workflow: Workflow, tell: Progress = lambda n_done, n_all: None, *, even_if_same: bool = True
) -> Reckoning:
    """Set suspects and worn pictures aside, take scores and log anew, draw the figures; see reckon."""
    suspects.look_through(workflow)
    gold_watch.rotate(workflow)
    score_calibration.refresh(workflow.campaign)
    stream.fill(workflow=workflow)
    made = reckon(workflow, tell, even_if_same=even_if_same)
    figures.draw(made)
    return made


def reckon(
    workflow: Workflow, tell: Progress = lambda n_done, n_all: None, *, even_if_same: bool = True
) -> Reckoning:
    """Publish what the log says now, and weigh every picture anew by it.

    Args:
        workflow: A triage.
        tell: Is told how many of the pictures that change their outcome are done.
        even_if_same: Without, what stands is kept where the same input was reckoned last.

    Raises:
        Conflict: It is being done at this moment.
    """
    with exclusive(f"reckon {workflow.pk}") as is_mine:
        if not is_mine:
            raise Conflict(_("This triage is being reckoned at this moment; wait until that has ended."))
        began = perf_counter()
        everybody = log.read(workflow, until=log.end(workflow))
        recount(workflow, everybody)
        reckoning = _publish(workflow, everybody, began, even_if_same)
        weighing.weigh_again(workflow, tell, everybody)
        return reckoning


def check(reckoning: Reckoning) -> Checked:
    """Work the reckoning's numbers out again from the log as it was."""
    workflow = reckoning.workflow
    everybody = log.read(workflow, until=reckoning.last_classification)
    counted = everybody.without(reckoning.findings["set_aside"])
    version = workflow.rules.get(number=reckoning.findings["rule"])
    now = publish(counted.votes, version.rule)
    stored = log.rows(
        "SELECT subject_id, probability, low, high FROM review_estimate WHERE reckoning_id = %s "
        "ORDER BY subject_id",
        [reckoning.pk],
        subject="int8",
        probability="float8",
        low="float8",
        high="float8",
    )
    told = ~np.isnan(now.probability)
    common, here, there = np.intersect1d(counted.votes.key[told], stored["subject"], return_indices=True)
    differences = np.zeros(len(common))
    for name in ("probability", "low", "high"):
        found = np.abs(getattr(now, name)[told][here] - stored[name][there])
        differences = np.maximum(differences, found)
    n_alone = int(told.sum()) + len(stored["subject"]) - 2 * len(common)
    return Checked(
        reckoning=reckoning,
        same_input=now.sha256 == reckoning.sha256,
        n_estimates=len(stored["subject"]),
        n_differ=int((differences > SAME).sum()) + n_alone,
        largest=float(differences.max(initial=0.0)),
    )


def recount(workflow: Workflow, everybody: log.Log) -> int:
    """Put right the judges' counts that are not those of the log; how many were not.

    Who has answered since the log was read is among those that are looked at, and comes out unchanged.
    """
    counts = np.stack(record(everybody.votes).columns, axis=1).tolist()
    of_log = dict(zip(everybody.people.tolist(), counts, strict=True))
    kept = Judge.objects.filter(workflow=workflow, participant__merged_into__isnull=True)
    columns = ("pk", "participant_id", "hits", "craters", "passes", "blanks")
    doubtful = [
        pk
        for pk, participant, *stands in kept.values_list(*columns)
        if stands != of_log.get(participant, [0, 0, 0, 0])
    ]
    return sum(_recount_one(pk) for pk in doubtful)


def _recount_one(judge_pk: int) -> bool:
    """Under the row lock that every answer to a known subject takes, so that none comes in between."""
    with transaction.atomic():
        locked = Judge.objects.select_for_update(of=("self",), no_key=True)
        judge = locked.select_related("participant").get(pk=judge_pk)
        stood = _counts(judge)
        earlier = judge.participant.earlier_selves.order_by("pk")
        selves.recount(judge, selves.Person(judge.participant, (judge.participant, *earlier)))
        return _counts(judge) != stood


def _counts(judge: Judge) -> list[int]:
    return [judge.hits, judge.craters, judge.passes, judge.blanks]


def _publish(workflow: Workflow, everybody: log.Log, began: float, even_if_same: bool) -> Reckoning:
    left_out = log.set_aside(workflow)
    counted = everybody.without(left_out)
    version, stands = rules.current(workflow), newest(workflow)
    if stands and not even_if_same and stands.sha256 == order(counted.votes, version.rule).sha256:
        return stands
    found = publish(counted.votes, version.rule)
    findings = _findings(found) | statistics.findings(workflow, counted, found)
    findings |= {"rule": version.number, "set_aside": left_out}
    with transaction.atomic():
        reckoning = Reckoning.objects.create(
            workflow=workflow,
            last_classification=counted.until,
            n_answers=len(counted.votes.subject),
            n_people=len(counted.people),
            n_subjects=len(counted.votes.key),
            sha256=found.sha256,
            findings=findings,
            seconds=perf_counter() - began,
        )
        _write_estimates(reckoning, counted.votes.key, found)
        all_ = Reckoning.objects.filter(workflow=workflow).order_by("-pk").values_list("pk", flat=True)
        Estimate.objects.filter(reckoning__in=list(all_[KEPT_ESTIMATES:])).delete()
    return reckoning


def _findings(found: Published) -> dict[str, object]:
    population, calibration = found.people.population, found.calibration
    return {
        "population": {"sensitivity": population.sensitivity, "specificity": population.specificity},
        "unknown_weight": found.unknown_weight,
        "calibration": calibration and {"intercept": calibration.intercept, "slope": calibration.slope},
        "steps": found.steps,
        "has_converged": found.has_converged,
        "draws": DRAWS,
        "confidence": CONFIDENCE,
    }


def _write_estimates(reckoning: Reckoning, key: NDArray[np.int64], found: Published) -> None:
    told = ~np.isnan(found.probability)
    columns = (key, found.probability, found.low, found.high, found.n_votes)
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY review_estimate (reckoning_id, subject_id, probability, low, high, n_votes) FROM STDIN"
        ) as copy,
    ):
        for row in zip(*(column[told].tolist() for column in columns), strict=True):
            copy.write_row((reckoning.pk, *row))
