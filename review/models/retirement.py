"""Retirements: when a subject left the queue or came back, by which rule, and why. Append-only."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models import Participant
from review.models.rule_version import RuleVersion
from review.models.subject import Subject


class Retirement(models.Model):
    """One step of a subject out of the queue, or back into it."""

    class Step(models.TextChoices):
        RETIRED = "retired", _("Retired")
        REOPENED = "reopened", _("Opened again")

    id = models.BigAutoField(primary_key=True)
    subject = models.ForeignKey(Subject, on_delete=models.CASCADE, related_name="retirements")
    step = models.CharField(max_length=16, choices=Step)
    # mlcore.consensus.answers.stopping.Outcome; empty where the subject came back.
    outcome = models.CharField(max_length=16, blank=True)
    rule = models.ForeignKey(RuleVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    # {"log_odds", "votes", "cannot_tell", "practised", "score", "threshold"} at that moment; the last two are
    # the network's and the stream's.
    tally = models.JSONField(default=dict)
    why = models.CharField(max_length=300)
    # A lead; nobody where a rule did it.
    by = models.ForeignKey(Participant, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.subject_id} {self.step}: {self.why}"
