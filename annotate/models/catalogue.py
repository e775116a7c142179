"""Catalogues: named, versioned sets of features with one origin."""

import uuid

from django.contrib.gis.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models.campaign import Campaign
from annotate.models.catalogue_import import CatalogueImport
from annotate.models.mark import Mark
from annotate.models.person import Participant
from annotate.models.tile import Tile


class Catalogue(models.Model):
    """A set of features: imported, settled from marks, predicted, or reviewed."""

    class Origin(models.TextChoices):
        IMPORTED = "imported", _("Imported")
        CONSENSUS = "consensus", _("Consensus")
        PREDICTED = "predicted", _("Predicted")
        REVIEWED = "reviewed", _("Reviewed")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    version = models.PositiveIntegerField(default=1)
    body = models.CharField(max_length=32)
    origin = models.CharField(max_length=16, choices=Origin)
    campaign = models.ForeignKey(
        Campaign, null=True, blank=True, on_delete=models.CASCADE, related_name="catalogues"
    )
    source = models.CharField(max_length=300, blank=True, help_text=_("who measured it; shown with it"))
    report = models.JSONField(
        default=dict, help_text=_("of the import: counts and rejected rows with reasons")
    )
    file_sha256 = models.CharField(
        max_length=64, blank=True, db_index=True, help_text=_("of the file it was imported from")
    )
    source_import = models.ForeignKey(
        CatalogueImport, null=True, blank=True, on_delete=models.SET_NULL, related_name="catalogues"
    )
    synthetic = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        Participant, null=True, blank=True, on_delete=models.SET_NULL, related_name="catalogues"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["body", "name", "version"], name="catalogue_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


class Feature(models.Model):
    """One crater of a catalogue, with where it came from."""

    class Status(models.TextChoices):
        CANDIDATE = "candidate", _("Candidate")
        CONFIRMED = "confirmed", _("Confirmed")
        REJECTED = "rejected", _("Rejected")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    catalogue = models.ForeignKey(Catalogue, on_delete=models.CASCADE, related_name="features")
    kind = models.CharField(max_length=16, choices=Campaign.Kind, default=Campaign.Kind.CRATER)
    name = models.CharField(max_length=200, blank=True)
    lon = models.FloatField()
    lat = models.FloatField()
    diameter_m = models.FloatField()
    geom = models.MultiPolygonField(srid=900001)
    status = models.CharField(max_length=16, choices=Status, default=Status.CANDIDATE)
    score = models.FloatField(null=True, blank=True, help_text=_("probability that it exists, 0 to 1"))
    uncertainty = models.FloatField(null=True, blank=True, help_text=_("standard deviation of the score"))
    center_sd_m = models.FloatField(null=True, blank=True)
    diameter_sd_m = models.FloatField(null=True, blank=True)
    n_marks = models.PositiveSmallIntegerField(null=True, blank=True)
    n_visits = models.PositiveSmallIntegerField(null=True, blank=True)
    tile = models.ForeignKey(Tile, null=True, blank=True, on_delete=models.CASCADE, related_name="features")
    marks = models.ManyToManyField(Mark, related_name="features", blank=True)
    # The settled or imported crater that this one was found to be.
    same_as = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="matched_by"
    )
    provenance = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["catalogue", "-diameter_m"], name="feature_largest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.diameter_m:.0f} m at {self.lon:.4f}°, {self.lat:.4f}°"
