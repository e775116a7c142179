"""Judges: what a participant is to one triage: consent, practice, skill, effort, quarantine."""

from django.db import models

from annotate.models import Participant
from mlcore.consensus.answers.skill import Rates, Skill
from review.models.workflow import Workflow


class Judge(models.Model):
    """One participant in one workflow; the counts can be taken anew from the classifications at any time."""

    id = models.BigAutoField(primary_key=True)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="judges")
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="judgeships")
    # Which edition of the consent text they agreed to, and when.
    consent = models.CharField(max_length=64, blank=True)
    consented_at = models.DateTimeField(null=True, blank=True)
    passed_practice_at = models.DateTimeField(null=True, blank=True)
    # Answers to known subjects, as mlcore.consensus.answers.skill.Skill counts them.
    hits = models.PositiveIntegerField(default=0)
    craters = models.PositiveIntegerField(default=0)
    passes = models.PositiveIntegerField(default=0)
    blanks = models.PositiveIntegerField(default=0)
    n_answers = models.PositiveIntegerField(default=0)
    # Subjects first judged on the day of the latest.
    today = models.DateField(null=True, blank=True)
    n_today = models.PositiveIntegerField(default=0)
    # Of the known subjects whose answer they were told at once: all but "cannot tell", and the right ones.
    known_of = models.PositiveIntegerField(default=0)
    known_right = models.PositiveIntegerField(default=0)
    # Never falls: what was done is not undone by a mistake.
    effort = models.PositiveIntegerField(default=0)
    quarantined_at = models.DateTimeField(null=True, blank=True)
    quarantine_reasons = models.JSONField(default=list)
    # A lead has looked and let the answers count: not set aside again for what they had done until then.
    cleared_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "participant"], name="judge_once"),
        ]

    def __str__(self) -> str:
        return f"{self.participant} in {self.workflow}"

    def skill(self, population: Rates) -> Skill:
        """What the known subjects say of this person, beginning from what people can do on average."""
        return Skill(self.hits, self.craters, self.passes, self.blanks, prior=population)
