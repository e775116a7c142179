"""Confirmed craters: a test set apart from everything that anybody learns from.

Pictures whose latest confirmation says "crater". Whoever freezes pictures to train on leaves them out,
whatever side their pixels' hash gives them: they say how well people and networks find real craters.
"""

from collections.abc import Iterator

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


def rows(campaign: Campaign) -> Iterator[dict[str, object]]:
    """One row for each confirmed crater, with where it lies in its picture and on its foil."""
    for one in confirmed(campaign).iterator(chunk_size=1000):
        picture = one.subject.picture
        for number, place in enumerate(one.places, 1):
            yield {
                "picture_uid": picture.uid,
                "picture": picture.name,
                "picture_sha256": picture.sha256,
                "synthetic": picture.synthetic,
                "foil": picture.foil,
                "x_um": picture.x_um,
                "y_um": picture.y_um,
                "nm_per_px": picture.nm_per_px,
                "score": picture.score,
                "crater": number,
                "crater_x_px": place["x_px"],
                "crater_y_px": place["y_px"],
                "crater_diameter_um": place.get("diameter_um"),
                "method": one.method,
                "confirmed_at": one.created_at.isoformat(timespec="seconds"),
                "confirmed_by": str(one.by),
                "note": one.note,
            }
