"""What there is to cut craters out of, and what has been cut."""

from dataclasses import dataclass

from django.db.models import Avg, Count, Exists, Max, Min, OuterRef, Q, QuerySet

from annotate.models import Campaign
from review.models import CutOut, Picture, Subject
from review.services.foils.results import test_set

PER_PAGE = 96
# Pictures not cut yet go when they are cut, so their first page is all that is needed.
PICTURES_SHOWN = 48
WITHDRAWN_SHOWN = 200


@dataclass(frozen=True)
class Waiting:
    """Pictures that nothing is cut out of: some of them, and how many there are."""

    pictures: list[Picture]
    n: int

    @property
    def n_more(self) -> int:
        return self.n - len(self.pictures)


def references_uncut(campaign: Campaign) -> Waiting:
    """Reference pictures, in the order in which they came."""
    return _waiting(campaign.pictures.reference())


def confirmed_uncut(campaign: Campaign) -> Waiting:
    """Pictures of the survey with a confirmed crater of which the network may learn."""
    confirmed = test_set.confirmed(campaign).values("subject__picture")
    audited = Subject.objects.filter(picture=OuterRef("pk"), audit__isnull=False)
    mine = campaign.pictures.survey().filter(pk__in=confirmed).exclude(side=Picture.Side.TEST)
    return _waiting(mine.filter(~Exists(audited)))


def _waiting(pictures: QuerySet[Picture]) -> Waiting:
    standing = CutOut.objects.filter(picture=OuterRef("pk"), withdrawn_at__isnull=True)
    uncut = pictures.filter(~Exists(standing)).order_by("pk")
    return Waiting(list(uncut[:PICTURES_SHOWN]), uncut.count())


def of(campaign: Campaign) -> QuerySet[CutOut]:
    """All of a campaign's, with what lists tell of them."""
    return CutOut.objects.filter(picture__campaign=campaign).select_related(
        "picture", "by__user", "withdrawn_by__user"
    )


def standing(campaign: Campaign, *, before: int | None = None) -> tuple[list[CutOut], int | None]:
    """Those that teach, the newest first, and where the next page begins (None at the end)."""
    found = of(campaign).filter(withdrawn_at__isnull=True).order_by("-pk")
    if before is not None:
        found = found.filter(pk__lt=before)
    page = list(found[: PER_PAGE + 1])
    return page[:PER_PAGE], page[PER_PAGE - 1].pk if len(page) > PER_PAGE else None


def withdrawn(campaign: Campaign) -> list[CutOut]:
    """Those that teach nothing any more, the latest first."""
    return list(of(campaign).filter(withdrawn_at__isnull=False).order_by("-withdrawn_at")[:WITHDRAWN_SHOWN])


def figures(campaign: Campaign) -> dict[str, float | None]:
    """How many there are, of how many pictures and how large."""
    return (
        of(campaign)
        .filter(withdrawn_at__isnull=True)
        .aggregate(
            n=Count("pk"),
            pictures=Count("picture", distinct=True),
            smallest_px=Min("diameter_px"),
            mean_px=Avg("diameter_px"),
            largest_px=Max("diameter_px"),
            n_confirmed=Count("pk", filter=Q(picture__purpose=Picture.Purpose.SURVEY)),
        )
    )
