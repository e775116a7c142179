"""What verdicts have taught and would teach: counts for the pages beside the buttons. Reads only."""

from dataclasses import dataclass

from annotate.models import Campaign
from review.models import ModelVersion, Verdict

SYSTEM = "crater_detector"


@dataclass(frozen=True)
class Lessons:
    """Verdicts that the current version has not been trained on."""

    version: ModelVersion | None
    confirmed: int
    rejected: int

    @property
    def new(self) -> int:
        return self.confirmed + self.rejected


def since_current(campaign: Campaign) -> Lessons:
    """Verdicts settled after the current version's labels were frozen; all of them where there is none."""
    version = (
        ModelVersion.objects.filter(campaign=campaign, system=SYSTEM, is_current=True)
        .select_related("run__dataset")
        .first()
    )
    verdicts = Verdict.objects.filter(subject__workflow__campaign=campaign)
    if version is not None and version.run.dataset is not None:
        verdicts = verdicts.filter(settled_at__gt=version.run.dataset.created_at)
    return Lessons(
        version=version,
        confirmed=verdicts.filter(answer=Verdict.Answer.CONFIRMED).count(),
        rejected=verdicts.filter(answer=Verdict.Answer.REJECTED).count(),
    )
