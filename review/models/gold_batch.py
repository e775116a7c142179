"""Batches of known pictures: how many of which kind Tektite makes, and how far it is."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models import Participant
from review.models.workflow import Workflow


class GoldBatch(models.Model):
    """One order for known pictures; the same seed over the same pictures gives the same ones."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Waits for a worker")
        MAKING = "making", _("Being made")
        DONE = "done", _("Made")
        FAILED = "failed", _("Failed")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="gold_batches")
    requested_by = models.ForeignKey(Participant, null=True, on_delete=models.SET_NULL, related_name="+")
    # review.services.foils.gold_batches.Order as JSON: how many of each kind, and the seed.
    order = models.JSONField(default=dict)
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    n_wanted = models.PositiveIntegerField()
    # Numbers of the order that have been tried, and pictures that came of them.
    n_tried = models.PositiveIntegerField(default=0)
    n_made = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["state", "touched_at"], name="gold_batch_by_state")]

    def __str__(self) -> str:
        return f"{self.n_made} of {self.n_wanted} known pictures ({self.state})"
