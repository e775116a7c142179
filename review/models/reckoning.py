"""Reckonings: what all answers together say, taken anew each night from the whole log."""

import uuid

from django.db import models

from review.models.subject import Subject
from review.models.workflow import Workflow


class Reckoning(models.Model):
    """One night's account of a triage."""

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="reckonings")
    # The log up to this classification is what it rests on.
    last_classification = models.BigIntegerField()
    n_answers = models.PositiveIntegerField()
    n_people = models.PositiveIntegerField()
    n_subjects = models.PositiveIntegerField()
    # SHA-256 of the input in a canonical order: the same log gives the same hash and the same numbers.
    sha256 = models.CharField(max_length=64)
    # Unknown weight, population rates, calibration, steps, reliability and its error, as mlcore gave them.
    findings = models.JSONField(default=dict)
    seconds = models.FloatField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.workflow}, {self.created_at:%Y-%m-%d}"


class Estimate(models.Model):
    """The published probability that a subject shows a crater, with its 90 % interval."""

    id = models.BigAutoField(primary_key=True)
    reckoning = models.ForeignKey(Reckoning, on_delete=models.CASCADE, related_name="estimates")
    subject = models.ForeignKey(Subject, on_delete=models.CASCADE, related_name="estimates")
    probability = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()
    n_votes = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reckoning", "subject"], name="estimate_once"),
        ]
        indexes = [models.Index(fields=["reckoning", "-probability"], name="estimate_by_probability")]

    def __str__(self) -> str:
        return f"{self.subject_id}: {self.probability:.3f}"
