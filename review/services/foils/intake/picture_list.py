"""A campaign's pictures as its leads look through them: found by name or foil, a page at a time."""

import contextlib
from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from redis.exceptions import RedisError

from annotate.models import Campaign
from review.models import Picture, Subject

PER_PAGE = 60
KEPT_S = 60


@dataclass(frozen=True)
class Page:
    """Pictures, the newest first, and where the pages beside it begin."""

    pictures: list[Picture]
    older: int | None
    newer: int | None


def brought(campaign: Campaign) -> QuerySet[Picture]:
    """All pictures but those whose answer is known, which have a page of their own."""
    known = Subject.objects.filter(picture=OuterRef("pk"), stratum=Subject.Stratum.GOLD)
    return campaign.pictures.filter(~Exists(known))


@dataclass(frozen=True)
class Search:
    """Which pictures are looked for.

    Attributes:
        words: In a name or foil; all where empty.
        foil: Exactly; all where empty.
        purpose: Of Picture.Purpose; all where empty.
    """

    words: str = ""
    foil: str = ""
    purpose: str = ""

    def __bool__(self) -> bool:
        return bool(self.words or self.foil or self.purpose)

    def of(self, campaign: Campaign) -> QuerySet[Picture]:
        """All that it finds."""
        found = brought(campaign)
        if self.words:
            found = found.filter(Q(name__icontains=self.words) | Q(foil__icontains=self.words))
        if self.foil:
            found = found.filter(foil=self.foil)
        return found.filter(purpose=self.purpose) if self.purpose else found


def page_of(
    campaign: Campaign, search: Search, *, before: int | None = None, after: int | None = None
) -> Page:
    """A page by key, so that the thousandth costs what the first does.

    Args:
        campaign: Whose pictures.
        search: Which of them.
        before: Pictures that came before that of this key.
        after: Those that came after it.
    """
    found = search.of(campaign).annotate(n_frames=Count("frames"))
    if after is not None:
        pictures = list(reversed(found.filter(pk__gt=after).order_by("pk")[: PER_PAGE + 1]))
        has_newer, pictures = len(pictures) > PER_PAGE, pictures[-PER_PAGE:]
        has_older = True
    else:
        if before is not None:
            found = found.filter(pk__lt=before)
        pictures = list(found.order_by("-pk")[: PER_PAGE + 1])
        has_older, pictures = len(pictures) > PER_PAGE, pictures[:PER_PAGE]
        has_newer = before is not None
    return Page(
        pictures,
        older=pictures[-1].pk if pictures and has_older else None,
        newer=pictures[0].pk if pictures and has_newer else None,
    )


def figures(campaign: Campaign) -> dict[str, int]:
    """How many there are, and of how many what is known; as of a minute ago where none has come since.

    Counting hundreds of thousands takes a second, and whoever turns pages would wait for it each time.
    """
    key = _key(campaign)
    with contextlib.suppress(RedisError):
        if kept := cache.get(key):
            return kept
    found = _counted(campaign)
    with contextlib.suppress(RedisError):
        cache.set(key, found, timeout=KEPT_S)
    return found


def forget_figures(campaign: Campaign) -> None:
    """Have them counted anew: pictures are for something else now."""
    with contextlib.suppress(RedisError):
        cache.delete(_key(campaign))


def _key(campaign: Campaign) -> str:
    newest = campaign.pictures.order_by("-pk").values_list("pk", flat=True).first()
    return f"foil-figures:{campaign.uid}:{newest}"


def _counted(campaign: Campaign) -> dict[str, int]:
    return brought(campaign).aggregate(
        all=Count("pk"),
        reference=Count("pk", filter=Q(purpose=Picture.Purpose.REFERENCE)),
        blank=Count("pk", filter=Q(purpose=Picture.Purpose.BLANK)),
        foils=Count("foil", distinct=True, filter=~Q(foil="")),
        placed=Count("pk", filter=Q(x_um__isnull=False, y_um__isnull=False)),
        scaled=Count("pk", filter=Q(nm_per_px__isnull=False)),
    )
