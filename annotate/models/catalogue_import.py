"""Crater lists on their way in: looked through first, imported when their owner says so."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotate.models.campaign import Campaign
from annotate.models.person import Participant


class CatalogueImportQuerySet(models.QuerySet["CatalogueImport"]):
    def waiting(self) -> "CatalogueImportQuerySet":
        """Whose file still waits on the disk."""
        return self.exclude(state=CatalogueImport.State.DONE)

    def at_work(self) -> "CatalogueImportQuerySet":
        """A worker should be at them."""
        return self.filter(state__in=(CatalogueImport.State.READING, CatalogueImport.State.IMPORTING))

    def expired(self) -> "CatalogueImportQuerySet":
        """Neither imported nor touched in time, or with nothing left of what was imported."""
        is_left = models.Q(state=CatalogueImport.State.DONE, catalogues__isnull=False)
        at_work = (CatalogueImport.State.READING, CatalogueImport.State.IMPORTING)
        return self.filter(expires_at__lt=timezone.now()).exclude(is_left).exclude(state__in=at_work)


class CatalogueImport(models.Model):
    """A crater list that somebody uploaded: its file, how it was understood, and what became of it."""

    class State(models.TextChoices):
        READING = "reading", _("Being looked through")
        READY = "ready", _("Looked through")
        IMPORTING = "importing", _("Being imported")
        DONE = "done", _("Imported")
        FAILED = "failed", _("Failed")

    class BadRows(models.TextChoices):
        SKIP = "skip", _("Leave bad rows out")
        STOP = "stop", _("All rows or nothing")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="catalogue_imports")
    file_name = models.CharField(max_length=200, help_text=_("as it was called; never a path of ours"))
    size_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    body = models.CharField(max_length=32)
    campaign = models.ForeignKey(
        Campaign, null=True, blank=True, on_delete=models.CASCADE, related_name="catalogue_imports"
    )
    longitude = models.CharField(max_length=16, default="detect")
    on_bad_rows = models.CharField(max_length=8, choices=BadRows, default=BadRows.SKIP)
    state = models.CharField(max_length=16, choices=State, default=State.READING)
    report = models.JSONField(default=dict)
    # Places for the plot: [lon, lat, diameter_m], largest first.
    places = models.JSONField(default=list)
    n_in_region = models.PositiveIntegerField(null=True, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    objects = CatalogueImportQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["state", "touched_at"], name="catalogue_import_by_state")]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.state})"
