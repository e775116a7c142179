"""Showings: one subject before one participant, under a name that says nothing of the subject."""

import uuid

from django.db import models

from annotate.models import Participant
from review.models.subject import Subject


class Showing(models.Model):
    """The only way to a foil image for judges: gold and the rest look the same from here."""

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    subject = models.ForeignKey(Subject, on_delete=models.CASCADE, related_name="showings")
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="showings")
    round = models.PositiveSmallIntegerField(default=0)
    with_feedback = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    # Until then the subject is kept for them; an answer after it is taken all the same.
    expires_at = models.DateTimeField()
    # A keyed hash of the network they came from, for so long as the key lives; never an address.
    network = models.CharField(max_length=16, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subject", "participant", "round"], name="showing_once"),
        ]
        indexes = [
            models.Index(
                fields=["participant", "id"],
                condition=models.Q(answered_at__isnull=True),
                name="showing_open_by_participant",
            ),
            # Who holds a subject now: each hand-out asks it of some hundred subjects.
            models.Index(
                fields=["subject"],
                condition=models.Q(answered_at__isnull=True),
                name="showing_open_by_subject",
            ),
        ]

    def __str__(self) -> str:
        return f"subject {self.subject_id} before {self.participant}"
