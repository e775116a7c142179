"""Classifications: one participant's one answer to one subject in one round. Append-only."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models import Participant
from review.models.subject import Subject
from review.models.workflow import Workflow


class Classification(models.Model):
    """An answer; an undo or a correction appends edit + 1 and the highest edit counts."""

    class Answer(models.TextChoices):
        ACCEPT = "accept", _("Crater, as drawn")
        EDIT = "edit", _("Crater, rim corrected")
        REJECT = "reject", _("Not a crater")
        UNSURE = "unsure", _("Unsure")
        SKIP = "skip", _("Skipped")
        WITHDRAWN = "withdrawn", _("Taken back")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(unique=True)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="classifications")
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="classifications")
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="classifications")
    round = models.PositiveSmallIntegerField(default=0)
    edit = models.PositiveSmallIntegerField(default=0)
    answer = models.CharField(max_length=16, choices=Answer)
    reason = models.CharField(max_length=40, blank=True)
    # For `edit`: {"lon", "lat", "diameter_m"}.
    payload = models.JSONField(default=dict)
    feedback_shown = models.BooleanField(default=False)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workflow", "subject", "participant", "round", "edit"], name="classification_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.participant}: {self.answer} on subject {self.subject_id}"
