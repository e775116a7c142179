"""Model versions: what training runs left, with their cards."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from annotate.models import Campaign, Participant
from review.models.run import Run


class ModelVersion(models.Model):
    """An artifact folder below MEDIA_ROOT; at most one is current per campaign and system."""

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="model_versions")
    system = models.CharField(max_length=32)
    number = models.PositiveIntegerField(help_text=_("1-based within campaign and system"))
    run = models.OneToOneField(Run, on_delete=models.PROTECT, related_name="trained_version")
    path = models.CharField(max_length=300)
    card = models.JSONField(default=dict)
    is_current = models.BooleanField(default=False)
    promoted_by = models.ForeignKey(
        Participant, null=True, blank=True, on_delete=models.SET_NULL, related_name="promotions"
    )
    promoted_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "system", "number"], name="model_version_once"),
            models.UniqueConstraint(
                fields=["campaign", "system"], condition=Q(is_current=True), name="model_version_current_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.system} v{self.number} of {self.campaign}"
