"""Verdicts: settled answers with their rule and evidence."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotate.models import Feature
from review.models.subject import Subject


class Verdict(models.Model):
    """What the answers to a subject came to. Recomputable from the classifications."""

    class Answer(models.TextChoices):
        CONFIRMED = "confirmed", _("Confirmed")
        REJECTED = "rejected", _("Rejected")
        UNSURE = "unsure", _("Unsure")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    subject = models.OneToOneField(Subject, on_delete=models.CASCADE, related_name="verdict")
    answer = models.CharField(max_length=16, choices=Answer)
    reason = models.CharField(max_length=40, blank=True)
    rule = models.CharField(max_length=200)
    # The uids of the classifications that it rests on.
    evidence = models.JSONField(default=list)
    # The entry of the reviewed catalogue that it made, where confirmed.
    feature = models.OneToOneField(
        Feature, null=True, blank=True, on_delete=models.SET_NULL, related_name="verdict"
    )
    settled_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.answer}: {self.subject}"
