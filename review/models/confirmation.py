"""Confirmations: what an expert found at the microscope. Append-only; the latest of a subject counts."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models import Participant
from review.models.subject import Subject


class Confirmation(models.Model):
    """One expert's result on one subject by one method."""

    class Method(models.TextChoices):
        SEM = "sem", _("SEM: a second look at higher magnification")
        FIB_TEM = "fib_tem", _("FIB/TEM: a section cut and looked through")
        OTHER = "other", _("Another method, named in the note")

    class Result(models.TextChoices):
        CRATER = "crater", _("Impact crater")
        LOOK_ALIKE = "look_alike", _("No crater, though it looks like one")
        NOTHING = "nothing", _("Nothing there")
        UNCLEAR = "unclear", _("Cannot be decided")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True)
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="confirmations")
    by = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="confirmations")
    method = models.CharField(max_length=16, choices=Method)
    result = models.CharField(max_length=16, choices=Result)
    # [{"x_px", "y_px", "diameter_um"}]
    places = models.JSONField(default=list)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.subject_id}: {self.result} by {self.method}"
