"""Stopping rules as leads set them: each stands from its start until the next one's, and is never changed."""

import uuid

from django.db import models

from annotate.models import Participant
from mlcore.consensus.answers.stopping import StoppingRule
from review.models.workflow import Workflow


class RuleVersion(models.Model):
    """One edition of a workflow's stopping rule."""

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="rules")
    number = models.PositiveIntegerField()
    # mlcore.consensus.answers.stopping.StoppingRule as JSON.
    settings = models.JSONField(default=dict)
    why = models.CharField(max_length=300, blank=True)
    set_by = models.ForeignKey(
        Participant, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    starts_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="rule_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.workflow}, rule {self.number}"

    @property
    def rule(self) -> StoppingRule:
        return StoppingRule.from_json(self.settings)
