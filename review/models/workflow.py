"""Workflows: streams of subjects with a question and a policy."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models import Campaign


class Workflow(models.Model):
    """Who is asked what about which subjects, and how the answers are put together."""

    class Policy(models.TextChoices):
        CANDIDATES = "candidates", _("Candidates: accept, edit or reject what a model proposes")
        TRIAGE = "triage", _("Triage: find craters in pictures of foils")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="workflows")
    policy = models.CharField(max_length=16, choices=Policy)
    question = models.CharField(max_length=300)
    # The policy's own settings, e.g. {"random_share": 0.1, "wanted": 1}.
    settings = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "policy"], name="workflow_once"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}: {self.policy}"
