"""Quarantines: when somebody's answers were set aside, or counted again, by whom and why. Append-only."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models import Participant
from review.models.judge import Judge


class Quarantine(models.Model):
    """One decision; the answers themselves are kept in any case."""

    class Step(models.TextChoices):
        SET_ASIDE = "set_aside", _("Set aside")
        CLEARED = "cleared", _("Counted again")

    id = models.BigAutoField(primary_key=True)
    judge = models.ForeignKey(Judge, on_delete=models.CASCADE, related_name="quarantines")
    step = models.CharField(max_length=16, choices=Step)
    # mlcore.consensus.answers.suspicion.Reason, and Habits as they were; empty where a lead decided.
    reasons = models.JSONField(default=list)
    habits = models.JSONField(default=dict)
    why = models.CharField(max_length=300, blank=True)
    # A lead; nobody where the nightly look found it.
    by = models.ForeignKey(Participant, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.judge}: {self.step}"
