"""Confirmed craters: pictures whose latest confirmation says "crater".

Those on the test side, by the hash of their pixels, are the foil network's test set: no version is ever
trained on them, so they say how well it finds real craters. The others join its trainings
(services/foils/network/material.py), but for those of the audit.
"""

from django.db.models import OuterRef, QuerySet, Subquery

from annotate.models import Campaign
from review.models import Confirmation


def confirmed(campaign: Campaign) -> QuerySet[Confirmation]:
    """The latest confirmation of each picture that shows a crater by it, in the order of the pictures."""
    newest = (
        Confirmation.objects.filter(
            subject__picture=OuterRef("subject__picture"), subject__workflow__campaign=campaign
        )
        .order_by("-pk")
        .values("pk")[:1]
    )
    return (
        Confirmation.objects.filter(
            subject__workflow__campaign=campaign,
            subject__picture__isnull=False,
            pk=Subquery(newest),
            result=Confirmation.Result.CRATER,
        )
        .select_related("subject__picture", "by__user")
        .order_by("subject__picture")
    )
