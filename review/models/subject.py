"""Subjects: single things shown to a judge."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Random
from django.utils.translation import gettext_lazy as _

from annotate.models import Feature, Participant
from review.models.picture import Picture
from review.models.workflow import Workflow


class Subject(models.Model):
    """A predicted feature on its cut-out, or a picture of a foil, waiting for answers."""

    class Stratum(models.TextChoices):
        INSTRUCTIVE = "instructive", _("Instructive")
        RANDOM = "random", _("Random")
        # Of pictures: what the network's threshold leaves, a sample of what it holds back, and known answers.
        QUEUE = "queue", _("Above the threshold")
        AUDIT = "audit", _("Audit of what the threshold holds back")
        GOLD = "gold", _("Known")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="subjects")
    feature = models.ForeignKey(
        Feature, null=True, blank=True, on_delete=models.CASCADE, related_name="subjects"
    )
    picture = models.ForeignKey(
        Picture, null=True, blank=True, on_delete=models.PROTECT, related_name="subjects"
    )
    stratum = models.CharField(max_length=16, choices=Stratum, default=Stratum.INSTRUCTIVE)
    # Of which stratum's sample it is, where the audit has drawn it.
    audit = models.ForeignKey(
        "review.AuditStratum", null=True, blank=True, on_delete=models.SET_NULL, related_name="subjects"
    )
    priority = models.FloatField(default=0.0)
    why = models.CharField(max_length=200, blank=True)
    wanted = models.PositiveSmallIntegerField(default=1, help_text=_("answers it needs"))
    n_answers = models.PositiveSmallIntegerField(default=0)
    retired_at = models.DateTimeField(null=True, blank=True)
    retired_because = models.CharField(max_length=200, blank=True)
    # What becomes of a picture (mlcore.consensus.answers.stopping.Outcome), and by which rule.
    outcome = models.CharField(max_length=16, blank=True, default="")
    rule = models.ForeignKey(
        "review.RuleVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    # Of a picture: what is believed before any answer, and with the standing ones, as natural log-odds.
    prior_log_odds = models.FloatField(default=0.0)
    log_odds = models.FloatField(default=0.0)
    n_votes = models.PositiveSmallIntegerField(default=0)
    n_cannot_tell = models.PositiveSmallIntegerField(default=0)
    n_practised = models.PositiveSmallIntegerField(default=0)
    # In [0, 1): who looks for a picture begins at a random place and need not pass all they have seen.
    place = models.FloatField(db_default=Random())
    leased_to = models.ForeignKey(
        Participant, null=True, blank=True, on_delete=models.SET_NULL, related_name="leased_subjects"
    )
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "feature"], name="subject_once"),
            models.UniqueConstraint(fields=["workflow", "picture"], name="subject_picture_once"),
            models.CheckConstraint(
                condition=Q(feature__isnull=False, picture__isnull=True)
                | Q(feature__isnull=True, picture__isnull=False),
                name="subject_is_one_thing",
            ),
        ]
        indexes = [
            models.Index(
                fields=["workflow", "-priority", "id"],
                condition=Q(retired_at__isnull=True),
                name="subject_queue",
            ),
            models.Index(
                fields=["workflow", "stratum", "place"],
                condition=Q(retired_at__isnull=True, picture__isnull=False),
                name="subject_by_place",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.feature or self.picture} in {self.workflow}"
