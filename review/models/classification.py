"""Classifications: one participant's one answer to one subject in one round. Append-only."""

from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from annotate.models import Participant
from review.models.subject import Subject
from review.models.workflow import Workflow


class ClassificationQuerySet(models.QuerySet["Classification"]):
    def standing(self) -> Self:
        """The answers that count: of each person, subject and round the highest edit, unless taken back."""
        later = Classification.objects.filter(
            workflow=OuterRef("workflow"),
            subject=OuterRef("subject"),
            participant=OuterRef("participant"),
            round=OuterRef("round"),
            edit__gt=OuterRef("edit"),
        )
        return self.exclude(answer=Classification.Answer.WITHDRAWN).filter(~Exists(later))


class Classification(models.Model):
    """An answer; an undo or a correction appends edit + 1 and the highest edit counts."""

    class Answer(models.TextChoices):
        ACCEPT = "accept", _("Crater, as drawn")
        EDIT = "edit", _("Crater, rim corrected")
        REJECT = "reject", _("Not a crater")
        UNSURE = "unsure", _("Unsure")
        # Of a picture.
        CRATER = "crater", _("Crater")
        NOTHING = "nothing", _("Nothing")
        CANNOT_TELL = "cannot_tell", _("Cannot tell")
        SKIP = "skip", _("Skipped")
        WITHDRAWN = "withdrawn", _("Taken back")

    class RejectReason(models.TextChoices):
        RIDGE = "ridge", _("Ridge or scarp")
        OVERLAP = "overlap", _("Part of another crater")
        DEPRESSION = "depression", _("Depression without a rim")
        SECONDARY_CHAIN = "secondary_chain", _("Chain of secondaries")
        SEAM = "seam", _("Seam of the mosaic")
        SHADOW = "shadow", _("Shadow")
        OTHER = "other", _("Something else")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(unique=True)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="classifications")
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="classifications")
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="classifications")
    round = models.PositiveSmallIntegerField(default=0)
    edit = models.PositiveSmallIntegerField(default=0)
    answer = models.CharField(max_length=16, choices=Answer)
    reason = models.CharField(max_length=40, blank=True)
    # For `edit`: {"lon", "lat", "diameter_m"}; for `crater`: {"marks": [{"x_px", "y_px"}]}.
    payload = models.JSONField(default=dict)
    # What they were when they answered, so that later changes of roles do not change verdicts.
    as_reviewer = models.BooleanField(default=False)
    feedback_shown = models.BooleanField(default=False)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ClassificationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workflow", "subject", "participant", "round", "edit"], name="classification_once"
            ),
        ]
        indexes = [
            models.Index(fields=["workflow", "participant", "-id"], name="classification_latest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.participant}: {self.answer} on subject {self.subject_id}"
