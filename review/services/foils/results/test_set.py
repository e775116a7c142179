"""Confirmed craters: a test set apart from everything that anybody learns from.

Pictures whose latest confirmation says "crater". Whoever freezes pictures to train on leaves them out,
whatever side their pixels' hash gives them: they say how well people and networks find real craters.
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
