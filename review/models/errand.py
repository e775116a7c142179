"""Errands: what a lead asked to be done or worked out of a triage, that takes longer than a page."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotate.models import Participant
from review.models.workflow import Workflow


class Errand(models.Model):
    """One question with its progress and, in the end, what was found. Doing it twice is doing it once."""

    class Kind(models.TextChoices):
        APPLY_RULE = "apply_rule", _("Pictures retire by a new rule")
        WEIGH_AGAIN = "weigh_again", _("Pictures are weighed again")
        REOPEN = "reopen", _("Retired pictures come back")
        REPLAY = "replay", _("A rule is replayed on the log")
        SIMULATION = "simulation", _("A rule is simulated")
        READ_SCORES = "read_scores", _("A file of scores is read")
        FILL = "fill", _("Pictures come into the queue and leave it")
        MAKE_GOLD = "make_gold", _("Known pictures are made")
        RECKON = "reckon", _("All answers are reckoned together")

    class State(models.TextChoices):
        QUEUED = "queued", _("Waits for a worker")
        WORKING = "working", _("Under way")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="errands")
    kind = models.CharField(max_length=16, choices=Kind)
    # What is asked, e.g. {"rule": 3, "opens_again": true}, and what came of it: as the kind's service says.
    question = models.JSONField(default=dict)
    findings = models.JSONField(default=dict)
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    error = models.TextField(blank=True)
    attempt = models.PositiveIntegerField(default=0)
    n_done = models.PositiveIntegerField(default=0)
    n_all = models.PositiveIntegerField(null=True, blank=True)
    asked_by = models.ForeignKey(
        Participant, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    # When it was last handed to the queue, and when its worker last said that it lives.
    enqueued_at = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["workflow", "kind", "-id"], name="errand_latest_first"),
            models.Index(
                fields=["id"], condition=models.Q(state__in=("queued", "working")), name="errand_under_way"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.workflow} ({self.state})"

    @property
    def is_under_way(self) -> bool:
        return self.state in (self.State.QUEUED, self.State.WORKING)
