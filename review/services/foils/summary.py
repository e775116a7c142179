"""A triage in numbers that anyone may read: none of them tells which picture is known."""

from dataclasses import dataclass

from django.db.models import Count, Q, Sum

from annotate.models import Campaign
from mlcore.consensus.answers.stopping import Outcome
from review.models import Judge, Subject, Workflow
from review.services.foils.rules import rules


@dataclass(frozen=True)
class Summary:
    """What there is to judge and what has come of it, without the subjects whose answer is known."""

    pictures: int
    to_judge: int
    judged: int
    retired: dict[Outcome, int]
    answers: int
    people: int

    @property
    def n_retired(self) -> int:
        return sum(self.retired.values())

    @property
    def open(self) -> int:
        return self.to_judge - self.n_retired


def of(campaign: Campaign) -> Summary:
    """The numbers of now: one pass over the subjects."""
    workflow = rules.workflow_of(campaign)
    by_outcome = {
        row["outcome"]: row
        for row in Subject.objects.filter(workflow=workflow)
        .exclude(stratum=Subject.Stratum.GOLD)
        .values("outcome")
        .annotate(n=Count("pk"), judged=Count("pk", filter=Q(n_votes__gt=0)))
    }
    return Summary(
        pictures=campaign.pictures.survey().exclude(subjects__stratum=Subject.Stratum.GOLD).count(),
        to_judge=sum(row["n"] for row in by_outcome.values()),
        judged=sum(row["judged"] for row in by_outcome.values()),
        retired={outcome: by_outcome.get(outcome, {"n": 0})["n"] for outcome in Outcome},
        **_people(workflow),
    )


def _people(workflow: Workflow) -> dict[str, int]:
    """Who has answered, each once however many selves they have, and how often."""
    who = Judge.objects.filter(workflow=workflow, n_answers__gt=0)
    return who.aggregate(
        answers=Sum("n_answers", default=0),
        people=Count("pk", filter=Q(participant__merged_into__isnull=True)),
    )
