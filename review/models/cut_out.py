"""Cut-outs: craters that an expert cut from pictures, to be pasted on blank foil for training."""

import uuid

from django.db import models
from django.db.models import F, Q

from annotate.models import Participant
from review.models.picture import Picture


class CutOut(models.Model):
    """One crater along a polygon. Never changed: whoever mends one withdraws it and cuts anew."""

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    picture = models.ForeignKey(Picture, on_delete=models.PROTECT, related_name="cut_outs")
    # Of the frame that was cut.
    frame = models.PositiveSmallIntegerField(default=0)
    # [[x_px, y_px], …] in the frame's pixels, open, as it was drawn.
    polygon = models.JSONField()
    # Of the circle of the polygon's area.
    diameter_px = models.FloatField()
    by = models.ForeignKey(
        Participant, null=True, blank=True, on_delete=models.SET_NULL, related_name="cut_outs"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_by = models.ForeignKey(
        Participant, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(diameter_px__gt=0), name="cut_out_has_a_size"),
        ]
        indexes = [
            models.Index(F("picture"), condition=Q(withdrawn_at__isnull=True), name="cut_out_standing"),
        ]

    def __str__(self) -> str:
        return f"{self.diameter_px:.0f} px of {self.picture}"
