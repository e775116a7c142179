"""Scores: what a network says of each picture, and what became of the file's rows."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models import Campaign, Participant
from review.models.run import Run


class ScoreImport(models.Model):
    """Scores for a campaign's pictures from one source: a file, or a run of our own network."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Waits for a worker")
        READING = "reading", _("Being read")
        DONE = "done", _("Read")
        FAILED = "failed", _("Failed")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="score_imports")
    requested_by = models.ForeignKey(Participant, null=True, on_delete=models.SET_NULL, related_name="+")
    # Of a file, its name; of a network of ours, the run that scored.
    file_name = models.CharField(max_length=300, blank=True)
    run = models.OneToOneField(
        Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="score_import"
    )
    # Relative to MEDIA_ROOT until it is read; empty afterwards.
    path = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64)
    # Whether the file says probabilities of a crater, or whatever the network's last layer gives.
    is_calibrated = models.BooleanField(default=False)
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    # review.services.foils.stream.scores.Report as JSON.
    report = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["state", "touched_at"], name="score_import_by_state")]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.state})"
