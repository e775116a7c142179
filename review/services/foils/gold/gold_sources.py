"""Pictures of a microscope that known ones are made of.

Craters and pits go into pictures that nobody suspects of a crater, those first that retired as nothing,
turned upside down: nobody meets the same ground twice. Blanks are such pictures without anything put
in, and only those that many people or an expert found empty: what is merely scored low may hold a crater.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import MD5, Concat
from django.utils.translation import gettext as _

from mlcore.consensus.answers.stopping import Outcome
from mlcore.errors import InvalidInput
from mlcore.formats.pictures import Grey
from mlcore.simulate import foil_gold
from mlcore.simulate.foils import Crater, LookAlike
from review.models import Confirmation, Gold, Picture, Subject, Workflow
from review.services.foils.gold import gold
from review.services.foils.gold.gold import Kind, Place

# A background that cannot be used costs its turn; after so many in a row something else is wrong.
_TRIES = 5
# More than one order asks for.
_MOST = 10_000


@dataclass(frozen=True)
class Made:
    """One picture, with what is known of it."""

    frames: list[Grey]
    like: Picture
    places: list[Place]
    made_by: dict[str, Any]
    synthetic: bool


class Sources:
    """Pictures to put things into, none twice: those known to be empty first, then those scored lowest."""

    def __init__(self, workflow: Workflow, seed: int) -> None:
        shuffled = MD5(Concat(Value(f"{seed}|"), "sha256"))
        empty = certain(workflow).order_by(shuffled)
        rest = unused(workflow).filter(pk__in=_unwanted(workflow)).exclude(pk__in=certain(workflow))
        unscored = rest.filter(score_raw=None).order_by(shuffled)
        scored = rest.exclude(score_raw=None).order_by("score_raw", "pk")
        self._certain = self._walk(empty)
        self._any = chain(self._certain, self._walk(scored), self._walk(unscored))

    def next(self, kind: Kind) -> Picture:
        source = next(self._certain if kind == Kind.BLANK else self._any, None)
        if source is None:
            raise InvalidInput(
                _(
                    "No more pictures are left to make known ones of: each serves once, and none that may "
                    "hold a crater."
                )
            )
        return source

    @staticmethod
    def _walk(found: QuerySet[Picture]) -> Iterator[Picture]:
        for pk in list(found.values_list("pk", flat=True)[:_MOST]):
            yield Picture.objects.get(pk=pk)


def draw(sources: Sources, kind: Kind, seed: int, *, smallest_um: float) -> Made:
    """A known picture made of the next of the sources that can be used.

    Raises:
        InvalidInput: None is left, or one after the other cannot be used.
    """
    last = InvalidInput("")
    for _attempt in range(_TRIES):
        source = sources.next(kind)
        try:
            return _made_of(source, kind, seed, smallest_um)
        except InvalidInput as error:
            last = error
    raise last


def _made_of(source: Picture, kind: Kind, seed: int, smallest_um: float) -> Made:
    made_by: dict[str, Any] = {"seed": seed, "background": str(source.uid)}
    frames = gold.upside_down(gold.frames_of(source))
    if kind == Kind.BLANK:
        return Made(frames, source, [], {"how": "blank", **made_by}, source.synthetic)
    um_per_px = (source.nm_per_px or 1000.0 * foil_gold.USUAL_UM_PER_PX) / 1000.0
    draw_thing = foil_gold.draw_crater if kind == Kind.CRATER else foil_gold.draw_pit
    smallest_um = max(smallest_um, foil_gold.SMALLEST_UM)
    thing = draw_thing(frames[0].shape, um_per_px, seed, smallest_um=smallest_um)
    pasted = foil_gold.paste(frames, thing, um_per_px=um_per_px, seed=seed)
    family = thing.family if isinstance(thing, Crater) else thing.kind
    made_by |= {"how": "pasted", "family": str(family), "um_per_px": um_per_px}
    return Made(pasted, source, [place_of(thing)], made_by, synthetic=True)


def place_of(thing: Crater | LookAlike) -> Place:
    return {
        "x_px": round(thing.x_px, 1),
        "y_px": round(thing.y_px, 1),
        "diameter_um": round(thing.diameter_um, 3),
    }


def unused(workflow: Workflow) -> QuerySet[Picture]:
    """The survey's pictures, without known ones and those that known ones were made of."""
    used = Gold.objects.filter(subject__workflow=workflow, made_by__has_key="background").values_list(
        "made_by__background", flat=True
    )
    known = Subject.objects.filter(workflow=workflow, picture=OuterRef("pk"), stratum=Subject.Stratum.GOLD)
    survey = Picture.objects.survey().filter(campaign=workflow.campaign)
    return survey.filter(~Exists(known)).exclude(uid__in=list(used))


def certain(workflow: Workflow) -> QuerySet[Picture]:
    """Of these, those that people or an expert found empty."""
    empty = Subject.objects.filter(workflow=workflow, picture=OuterRef("pk"), outcome=Outcome.NOTHING)
    latest = (
        Confirmation.objects.filter(subject__workflow=workflow, subject__picture=OuterRef("pk"))
        .order_by("-pk")
        .values("result")[:1]
    )
    return (
        unused(workflow)
        .annotate(found=Subquery(latest))
        .filter(Q(found=Confirmation.Result.NOTHING) | Q(Exists(empty), found__isnull=True))
    )


def _unwanted(workflow: Workflow) -> QuerySet[Picture]:
    """Pictures that are not, and were not, about to be found a crater in."""
    suspected = Subject.objects.filter(
        workflow=workflow, picture=OuterRef("pk"), outcome__in=(Outcome.CANDIDATE, Outcome.UNDECIDED)
    )
    looked_at = Confirmation.objects.filter(subject__workflow=workflow, subject__picture=OuterRef("pk"))
    survey = Picture.objects.survey().filter(campaign=workflow.campaign)
    return survey.filter(~Exists(suspected), ~Exists(looked_at)).values("pk")
