"""What one participant has judged, what waits for them, and what machines are at. Reads only."""

from dataclasses import dataclass

from annotate.models import Campaign, Participant
from review.models import Classification, Run, Verdict, Workflow
from review.services.queue import open_to

_SAYS = {
    Classification.Answer.ACCEPT: Verdict.Answer.CONFIRMED,
    Classification.Answer.EDIT: Verdict.Answer.CONFIRMED,
    Classification.Answer.REJECT: Verdict.Answer.REJECTED,
}


@dataclass
class AnswerRecord:
    """A participant's answers in one campaign and how the verdicts turned out."""

    campaign: Campaign
    given: int = 0
    upheld: int = 0
    overruled: int = 0
    unsure: int = 0

    @property
    def waiting(self) -> int:
        """Answers whose subject has no verdict yet."""
        return self.given - self.upheld - self.overruled - self.unsure


def answers_of(participant: Participant) -> list[AnswerRecord]:
    """One record for each campaign in which the participant has judged, latest first."""
    latest = (
        Classification.objects.filter(
            participant=participant, round=0, workflow__policy=Workflow.Policy.CANDIDATES
        )
        .order_by("workflow", "subject", "-edit")
        .distinct("workflow", "subject")
        .select_related("workflow__campaign", "subject__verdict")
    )
    records: dict[int, AnswerRecord] = {}
    for answer in latest:
        if answer.answer in (Classification.Answer.SKIP, Classification.Answer.WITHDRAWN):
            continue
        campaign = answer.workflow.campaign
        record = records.setdefault(campaign.pk, AnswerRecord(campaign))
        record.given += 1
        said = _SAYS.get(Classification.Answer(answer.answer))
        verdict = getattr(answer.subject, "verdict", None)
        if said is None:
            record.unsure += 1
        elif verdict is not None:
            record.upheld += verdict.answer == said
            record.overruled += verdict.answer != said
    return sorted(records.values(), key=lambda record: -record.campaign.pk)


def waiting_in(campaign: Campaign, participant: Participant) -> int:
    """Subjects of the campaign that the participant could judge now."""
    return sum(
        open_to(workflow, participant).count() for workflow in Workflow.objects.filter(campaign=campaign)
    )


def active_runs(campaigns: list[Campaign]) -> list[Run]:
    """Runs that are queued or at work in these campaigns, latest first."""
    return list(
        Run.objects.active().filter(campaign__in=campaigns).select_related("campaign").order_by("-pk")
    )
