"""Gold: subjects whose answer is known, mixed among the others to learn who sees what."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models import Participant
from review.models.subject import Subject


class Gold(models.Model):
    """What is known of a subject, and from where."""

    class Origin(models.TextChoices):
        SYNTHETIC = "synthetic", _("Synthetic: a simulated crater, or none, put there by Tektite")
        CONFIRMED = "confirmed", _("Confirmed: settled at the microscope")
        LOOK_ALIKE = "look_alike", _("Look-alike: rejected by an expert, or a simulated pit")
        EXPERT = "expert", _("Expert: a lead's word, without a second look at the microscope")

    subject = models.OneToOneField(Subject, on_delete=models.CASCADE, primary_key=True, related_name="gold")
    origin = models.CharField(max_length=16, choices=Origin)
    is_crater = models.BooleanField()
    # [{"x_px", "y_px", "diameter_um"}]: of each crater, or of what looks like one.
    places = models.JSONField(default=list)
    # How it was made: simulator's hash, seed, family, background.
    made_by = models.JSONField(default=dict)
    # Shown in the test of the tutorial, and never afterwards.
    is_practice = models.BooleanField(default=False)
    with_feedback = models.BooleanField(default=False)
    added_by = models.ForeignKey(
        Participant, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    # No longer shown, because too many have seen it or a lead took it out; its answers still count.
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.subject}: {self.origin}, {'crater' if self.is_crater else 'none'}"
