"""Pictures on their way in: an upload or a folder, read by a worker, reported file by file.

    listing ──▶ uploaded ──confirm──▶ queued ──claim──▶ reading ──▶ done
                   ▲                    ▲ ▲               │  └──▶ failed ──go on──▶ queued
                   └── mend the pattern ┘ └─lose, slice───┘

The row is the truth, and every step is a compare-and-set on (state, attempt).
"""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotate.models import Campaign, Participant
from review.models.picture import Picture


class PictureImport(models.Model):
    """One batch of files for a campaign, how their names are read, and what became of each."""

    class State(models.TextChoices):
        LISTING = "listing", _("Being looked through")
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
    # Only a table, for pictures that are there already.
    is_correction = models.BooleanField(default=False)
    pages = models.CharField(max_length=16, choices=Pages, default=Pages.FOCUS)
    nm_per_px = models.FloatField(null=True, blank=True)
    synthetic = models.BooleanField(default=False)
    # What its pictures are for.
    purpose = models.CharField(max_length=16, choices=Picture.Purpose, default=Picture.Purpose.SURVEY)

    state = models.CharField(max_length=16, choices=State, default=State.LISTING)
    attempt = models.PositiveIntegerField(default=0)
    enqueued_at = models.DateTimeField(default=timezone.now)
    # Who reads or looks through; empty while it waits for somebody.
    worker = models.CharField(max_length=100, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    # Files but what lies beside images; pictures that are new or were there; files refused.
    n_files = models.PositiveIntegerField(null=True, blank=True)
    n_beside = models.PositiveIntegerField(default=0)
    n_read = models.PositiveIntegerField(default=0)
    n_pictures = models.PositiveIntegerField(default=0)
    n_known_already = models.PositiveIntegerField(default=0)
    # Of these, the ones that are for something else; they stay so.
    n_other_purpose = models.PositiveIntegerField(default=0)
    n_refused = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["state", "id"], name="picture_import_by_state")]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.state})"


class IncomingFile(models.Model):
    """A file of a batch until all of it is read: what a table says of it, and what became of it."""

    class Result(models.TextChoices):
        WAITING = "", _("Waits")
        TAKEN = "taken", _("Taken in")
        REFUSED = "refused", _("Refused")

    id = models.BigAutoField(primary_key=True)
    batch = models.ForeignKey(PictureImport, on_delete=models.CASCADE, related_name="incoming")
    # Below the batch's folder, with /.
    name = models.CharField(max_length=300)
    # Files of one place are one picture; in the order of their focus.
    place = models.CharField(max_length=300)
    focus = models.PositiveIntegerField(default=0)
    foil = models.CharField(max_length=100, blank=True)
    x_um = models.FloatField(null=True, blank=True)
    y_um = models.FloatField(null=True, blank=True)
    nm_per_px = models.FloatField(null=True, blank=True)
    has_row = models.BooleanField(default=False)
    result = models.CharField(max_length=16, choices=Result, blank=True, default=Result.WAITING)
    # How often its reading was begun: at some files workers die.
    tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "name"], name="incoming_file_once"),
        ]
        indexes = [
            models.Index(
                fields=["batch", "place", "focus", "id"], condition=Q(result=""), name="incoming_file_waits"
            ),
        ]

    def __str__(self) -> str:
        return self.name


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
