"""Runs: training and prediction jobs. These rows are the truth, not the queue."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotate.models import Basemap, Campaign, Catalogue, Participant
from review.models.dataset import Dataset


class RunQuerySet(models.QuerySet["Run"]):
    def active(self) -> Self:
        return self.filter(state__in=Run.ACTIVE)


class Run(models.Model):
    """One job. A worker claims it by compare-and-set on (state, attempt) and keeps its heartbeat."""

    class Verb(models.TextChoices):
        TRAIN = "train", _("Training")
        PREDICT = "predict", _("Prediction")

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        CANCELLING = "cancelling", _("Cancelling")
        CANCELLED = "cancelled", _("Cancelled")
        FINISHED = "finished", _("Finished")
        FAILED = "failed", _("Failed")

    ACTIVE = (State.QUEUED, State.RUNNING, State.CANCELLING)

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="runs")
    number = models.PositiveIntegerField(help_text=_("1-based within the campaign"))
    system = models.CharField(max_length=32)
    verb = models.CharField(max_length=16, choices=Verb)
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    # Attempts lost in a row that got no further than `reached`, the most progress of those before.
    setbacks = models.PositiveSmallIntegerField(default=0)
    reached = models.FloatField(default=0.0)
    worker = models.CharField(max_length=200, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    progress = models.FloatField(default=0.0, help_text=_("0 to 1"))
    stage = models.CharField(max_length=200, blank=True, help_text=_("what it is doing, in words"))
    eta_s = models.FloatField(null=True, blank=True)
    error = models.TextField(blank=True)
    config = models.JSONField(default=dict, help_text=_("preset and overrides"))
    # Training reads a dataset; prediction reads a basemap with a model version and leaves a catalogue.
    dataset = models.ForeignKey(Dataset, null=True, blank=True, on_delete=models.PROTECT, related_name="runs")
    model_version = models.ForeignKey(
        "review.ModelVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="prediction_runs"
    )
    basemap = models.ForeignKey(Basemap, null=True, blank=True, on_delete=models.PROTECT, related_name="runs")
    catalogue = models.OneToOneField(
        Catalogue, null=True, blank=True, on_delete=models.SET_NULL, related_name="run"
    )
    requested_by = models.ForeignKey(
        Participant, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    # When it last began to wait, and when it was last handed to the queue; see services/runs.py.
    queued_at = models.DateTimeField(default=timezone.now)
    enqueued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="run_number_once"),
            models.UniqueConstraint(
                fields=["campaign", "system"],
                condition=Q(verb="train", state__in=("queued", "running", "cancelling")),
                name="run_one_training_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"Run {self.number} of {self.campaign}"


class RunEvent(models.Model):
    """One line of a run's log, or one point of its curves. Append-only."""

    class Kind(models.TextChoices):
        LOG = "log", _("Log")
        METRIC = "metric", _("Metric")

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    attempt = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=16, choices=Kind)
    # LOG: {"message"}; METRIC: {"name", "step", "value"}.
    payload = models.JSONField()
    # Where a learning process wrote it, folder and byte: reading a file twice adds nothing. Null: from here.
    source = models.CharField(max_length=100, blank=True)
    position = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "attempt", "source", "position"],
                condition=Q(position__isnull=False),
                name="run_event_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.payload}"


class RunWindow(models.Model):
    """A block of a prediction run at one pyramid level, claimed by SKIP LOCKED, done once."""

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        CLAIMED = "claimed", _("Claimed")
        DONE = "done", _("Done")

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="windows")
    index = models.PositiveIntegerField()
    # mlcore.api.Window: {"factor", "x_px", "y_px", "width_px", "height_px"} on the decimated raster.
    window = models.JSONField()
    state = models.CharField(max_length=16, choices=State, default=State.PENDING)
    # Whoever claims windows draws a new `claim` and keeps claimed_at young; only that claim may write them.
    claim = models.UUIDField(null=True, blank=True)
    claimed_by = models.CharField(max_length=200, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    setbacks = models.PositiveSmallIntegerField(
        default=0, help_text=_("how often its searcher was lost while at this window")
    )
    done_at = models.DateTimeField(null=True, blank=True)
    # mlcore.api.Detection dicts in lon, lat and metres.
    detections = models.JSONField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "index"], name="run_window_once"),
        ]
        indexes = [
            models.Index(fields=["run", "index"], condition=~Q(state="done"), name="run_window_open"),
        ]

    def __str__(self) -> str:
        return f"Window {self.index} of {self.run}"
