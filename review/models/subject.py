"""Subjects: single things shown to a judge."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from annotate.models import Feature, Participant
from review.models.workflow import Workflow


class Subject(models.Model):
    """A predicted feature on its cut-out, waiting for answers."""

    class Stratum(models.TextChoices):
        INSTRUCTIVE = "instructive", _("Instructive")
        RANDOM = "random", _("Random")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="subjects")
    feature = models.ForeignKey(Feature, on_delete=models.CASCADE, related_name="subjects")
    stratum = models.CharField(max_length=16, choices=Stratum, default=Stratum.INSTRUCTIVE)
    priority = models.FloatField(default=0.0)
    why = models.CharField(max_length=200, blank=True)
    wanted = models.PositiveSmallIntegerField(default=1, help_text=_("answers it needs"))
    n_answers = models.PositiveSmallIntegerField(default=0)
    retired_at = models.DateTimeField(null=True, blank=True)
    retired_because = models.CharField(max_length=200, blank=True)
    leased_to = models.ForeignKey(
        Participant, null=True, blank=True, on_delete=models.SET_NULL, related_name="leased_subjects"
    )
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "feature"], name="subject_once"),
        ]
        indexes = [
            models.Index(
                fields=["workflow", "-priority", "id"],
                condition=Q(retired_at__isnull=True),
                name="subject_queue",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.feature} in {self.workflow}"
