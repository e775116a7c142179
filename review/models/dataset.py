"""Datasets: frozen, hashed folders of samples that runs were trained on."""

import uuid

from django.db import models

from annotate.models import Campaign, Participant


class Dataset(models.Model):
    """A folder datasets/<uid>/ below MEDIA_ROOT; the same labels freeze to the same hash."""

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="datasets")
    system = models.CharField(max_length=32)
    sha256 = models.CharField(max_length=64)
    path = models.CharField(max_length=300)
    # mlcore.dataset.Manifest's counts: tiles, craters, negatives, per side.
    counts = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        Participant, null=True, blank=True, on_delete=models.SET_NULL, related_name="datasets"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "system", "sha256"], name="dataset_once"),
        ]

    def __str__(self) -> str:
        return f"{self.system} {self.sha256[:8]} of {self.campaign}"
