"""Workers and beat, as they last said of themselves: for the operator's page and for /healthz."""

import uuid
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# Each writes its row at every heartbeat; on the database's clock, so hosts whose own are wrong agree.
HEARD_WITHIN = timedelta(seconds=4 * settings.HEARTBEAT_S)


class WorkerQuerySet(models.QuerySet["Worker"]):
    def heard(self) -> Self:
        """Those that were heard of lately."""
        return self.filter(seen_at__gte=Now() - HEARD_WITHIN)

    def serving(self, queue: str) -> Self:
        return self.filter(queues__contains=[queue])

    def beats(self) -> Self:
        return self.filter(kind=Worker.Kind.BEAT)


class Worker(models.Model):
    """One start of a worker (a process with its children) or of beat; gone when it has ended properly."""

    class Kind(models.TextChoices):
        WORKER = "worker", _("Worker")
        BEAT = "beat", _("Beat")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.WORKER)
    name = models.CharField(max_length=200, help_text=_("Celery's node name"))
    host = models.CharField(max_length=200)
    pid = models.PositiveIntegerField()
    queues = models.JSONField(default=list)
    concurrency = models.PositiveSmallIntegerField(default=0)
    # {"tektite", "python", "celery", "torch"}
    versions = models.JSONField(default=dict)
    # [{"name", "used_bytes", "total_bytes"}]; null where it serves no queue that uses one.
    gpus = models.JSONField(null=True, blank=True)
    # [{"task", "argument", "since"}]: what it works on at this moment; since is in seconds since 1970.
    busy = models.JSONField(default=list)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["-seen_at"], name="worker_seen")]

    def __str__(self) -> str:
        return self.name
