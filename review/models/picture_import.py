"""Pictures on their way in: an upload or a folder, read by a worker, reported file by file."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models import Campaign, Participant


class PictureImport(models.Model):
    """One batch of files for a campaign, how their names are read, and what became of each."""

    class State(models.TextChoices):
        UPLOADED = "uploaded", _("Waits for your confirmation")
        QUEUED = "queued", _("Waits for a worker")
        READING = "reading", _("Being read")
        DONE = "done", _("Read")
        FAILED = "failed", _("Failed")

    class Pages(models.TextChoices):
        FOCUS = "focus", _("One place at several depths of focus")
        PICTURES = "pictures", _("A picture of its own each")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="picture_imports")
    requested_by = models.ForeignKey(Participant, null=True, on_delete=models.SET_NULL, related_name="+")
    # What it is called on the page, and where it lies until it is read: our own folder, or a server's one.
    file_name = models.CharField(max_length=300)
    path = models.CharField(max_length=1000)
    is_ours = models.BooleanField(default=True)
    # How file names are read, e.g. "{foil}_{x_um}_{y_um}.tif", and a table that says more or otherwise.
    pattern = models.CharField(max_length=300, blank=True)
    table = models.JSONField(default=dict)
    pages = models.CharField(max_length=16, choices=Pages, default=Pages.FOCUS)
    nm_per_px = models.FloatField(null=True, blank=True)
    synthetic = models.BooleanField(default=False)

    state = models.CharField(max_length=16, choices=State, default=State.UPLOADED)
    attempt = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=100, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    n_files = models.PositiveIntegerField(null=True, blank=True)
    n_read = models.PositiveIntegerField(default=0)
    n_pictures = models.PositiveIntegerField(default=0)
    n_known_already = models.PositiveIntegerField(default=0)
    n_refused = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["state", "id"], name="picture_import_by_state")]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.state})"


class RefusedFile(models.Model):
    """A file of a batch that could not be taken in, and why."""

    id = models.BigAutoField(primary_key=True)
    batch = models.ForeignKey(PictureImport, on_delete=models.CASCADE, related_name="refused")
    name = models.CharField(max_length=500)
    reason = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "name"], name="refused_file_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"
