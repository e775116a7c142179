"""The audit's design: of what the threshold holds back, how many pictures were drawn from which scores."""

from django.db import models

from review.models.workflow import Workflow


class AuditStratum(models.Model):
    """Pictures scored between two limits, and the sample of them that people are shown all the same."""

    id = models.BigAutoField(primary_key=True)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="audit_strata")
    # The stratum next below the threshold is 0.
    number = models.PositiveSmallIntegerField()
    # Of the score as the network said it: from low, included, to high, excluded.
    low = models.FloatField()
    high = models.FloatField()
    n_pictures = models.PositiveIntegerField()
    n_drawn = models.PositiveIntegerField()
    # The sample is those of the smallest hashes of this and their pixels: it can be drawn again.
    seed = models.BigIntegerField()
    drawn_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="audit_stratum_once"),
        ]

    def __str__(self) -> str:
        return f"{self.workflow}: {self.n_drawn} of {self.n_pictures} from {self.low:g} to {self.high:g}"
