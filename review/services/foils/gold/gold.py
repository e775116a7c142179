"""Known pictures: what kinds there are, where they come from, and when they are shown no more.

What somebody has judged stays as it was: a picture that becomes known by a confirmation or a lead's word is
copied upside down, and the copy is the known one. So the votes that made it a candidate never count as
answers to a known picture, and no stratum loses it. Upside down, because lines of the scan keep their
direction, and nobody recognises it.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate.models import Participant
from annotate.services.storage import file_of
from mlcore.errors import InvalidInput
from mlcore.formats.pictures import Grey, read_pictures
from review.models import Classification, Confirmation, Gold, Picture, Showing, Subject, Workflow
from review.services.foils import pictures, spots
from review.services.foils.words import PURPOSES

Place = dict[str, float | None]


class Kind(StrEnum):
    """What a known picture shows."""

    CRATER = "crater"
    LOOK_ALIKE = "look_alike"
    BLANK = "blank"


KINDS = {
    Kind.CRATER: gettext_lazy("Crater"),
    Kind.LOOK_ALIKE: gettext_lazy("Look-alike"),
    Kind.BLANK: gettext_lazy("Nothing"),
}


# In lists, where the whole sentence of an origin is too much.
ORIGINS = {
    Gold.Origin.SYNTHETIC: gettext_lazy("made by Tektite"),
    Gold.Origin.CONFIRMED: gettext_lazy("settled at the microscope"),
    Gold.Origin.LOOK_ALIKE: gettext_lazy("rejected by an expert, or a simulated pit"),
    Gold.Origin.EXPERT: gettext_lazy("a lead’s word"),
}


def origin_of(gold: Gold) -> str:
    """Where it is from, in few words."""
    if gold.origin == Gold.Origin.LOOK_ALIKE:
        is_made = gold.made_by.get("how") in ("pasted", "scene")
        return _("a simulated pit") if is_made else _("rejected by an expert")
    return str(ORIGINS[Gold.Origin(gold.origin)])


def kind_of(gold: Gold) -> Kind:
    if gold.is_crater:
        return Kind.CRATER
    return Kind.LOOK_ALIKE if gold.places or gold.origin == Gold.Origin.LOOK_ALIKE else Kind.BLANK


def frames_of(picture: Picture) -> list[Grey]:
    """The picture's pixels as they came, frame by frame.

    Raises:
        InvalidInput: A file is damaged or gone.
    """
    found = []
    for frame in picture.frames.order_by("number"):
        path = file_of(frame.path)
        if not path.exists():
            raise InvalidInput(
                _("The pixels of “%(name)s” are no longer on the disk.") % {"name": picture.name}
            )
        found.append(next(iter(read_pictures(path, name=picture.name))).pixels)
    if not found:
        raise InvalidInput(_("“%(name)s” has no images.") % {"name": picture.name})
    return found


@transaction.atomic
def add(
    *,
    workflow: Workflow,
    frames: Sequence[Grey],
    like: Picture,
    is_crater: bool,
    origin: Gold.Origin,
    places: list[Place],
    made_by: dict[str, Any],
    synthetic: bool,
    is_practice: bool = False,
    with_feedback: bool = False,
    by: Participant | None = None,
) -> Gold:
    """Keep frames as a known picture, at once with its subject: no queue ever takes it for another."""
    picture, is_new_picture = pictures.add_picture(
        campaign=workflow.campaign,
        name="known",
        frames=frames,
        where=pictures.Where(foil=like.foil, nm_per_px=like.nm_per_px),
        synthetic=synthetic,
    )
    _refuse_unsearched(picture)
    if is_new_picture:
        picture.name = f"known-{picture.sha256[:12]}.png"
        picture.save(update_fields=["name"])
    subject, is_new = Subject.objects.get_or_create(
        workflow=workflow, picture=picture, defaults={"stratum": Subject.Stratum.GOLD}
    )
    if not is_new and subject.stratum != Subject.Stratum.GOLD:
        raise InvalidInput(
            _("“%(name)s” is in the queue with the same pixels and cannot be a known picture too.")
            % {"name": picture.name}
        )
    known = {
        "origin": origin,
        "is_crater": is_crater,
        "places": places,
        "made_by": made_by,
        "is_practice": is_practice,
        "with_feedback": with_feedback,
        "withdrawn_at": None,
    }
    gold, _made = Gold.objects.update_or_create(
        subject=subject, defaults=known, create_defaults={**known, "added_by": by}
    )
    return gold


def upside_down(frames: Sequence[Grey]) -> list[Grey]:
    return [frame[::-1] for frame in frames]


def places_upside_down(places: Sequence[Place], height_px: int) -> list[Place]:
    return [{**place, "y_px": height_px - float(place["y_px"] or 0.0)} for place in places]


def from_confirmation(confirmation: Confirmation) -> Gold | None:
    """What an expert found becomes known: crater, look-alike or nothing; "unclear" makes nothing known.

    The latest result of a subject counts: an earlier known copy of it is corrected, or withdrawn.
    """
    subject = confirmation.subject
    if subject.confirmations.filter(pk__gt=confirmation.pk).exists() or subject.picture is None:
        return None
    result = Confirmation.Result
    if confirmation.result == result.UNCLEAR:
        for known in Gold.objects.filter(
            subject__workflow=subject.workflow, made_by__copy_of=str(subject.picture.uid), withdrawn_at=None
        ):
            withdraw(known)
        return None
    is_look_alike = confirmation.result == result.LOOK_ALIKE
    return _known_copy(
        subject.workflow,
        subject.picture,
        is_crater=confirmation.result == result.CRATER,
        origin=Gold.Origin.LOOK_ALIKE if is_look_alike else Gold.Origin.CONFIRMED,
        places=confirmation.places if confirmation.result != result.NOTHING else [],
        made_by={"how": "confirmation", "confirmation": str(confirmation.uid)},
        by=confirmation.by,
    )


def by_hand(
    *,
    workflow: Workflow,
    picture: Picture,
    kind: str,
    places: Sequence[Place],
    by: Participant,
    is_practice: bool = False,
) -> Gold:
    """A lead's word on a picture of the campaign.

    Raises:
        InvalidInput: Places are missing, too many or outside the picture, it is a known one already, or it
            is none of the survey's.
    """
    kind = Kind(kind)
    _refuse_unsearched(picture)
    if Gold.objects.filter(subject__workflow=workflow, subject__picture=picture).exists():
        raise InvalidInput(_("“%(name)s” is a known picture already.") % {"name": picture.name})
    return _known_copy(
        workflow,
        picture,
        is_crater=kind == Kind.CRATER,
        origin=Gold.Origin.LOOK_ALIKE if kind == Kind.LOOK_ALIKE else Gold.Origin.EXPERT,
        places=check_places(picture, kind, places),
        made_by={"how": "hand"},
        by=by,
        is_practice=is_practice,
    )


def check_places(picture: Picture, kind: Kind, places: Sequence[Place]) -> list[Place]:
    """The places as they are kept; refused where they do not fit the picture or the kind."""
    if kind == Kind.BLANK:
        return []
    if not 1 <= len(places) <= spots.MOST:
        raise InvalidInput(
            _("Say where it is: 1 to %(most)d places, not %(n)d.") % {"most": spots.MOST, "n": len(places)}
        )
    found = [spots.Spot(**place) for place in places]
    for spot in found:
        spots.check(spot, picture)
    return [spot.to_json() for spot in found]


def withdraw(gold: Gold) -> None:
    """Show it to nobody any more; the answers to it still count."""
    Gold.objects.filter(pk=gold.pk, withdrawn_at=None).update(withdrawn_at=timezone.now())


def restore(gold: Gold) -> None:
    """Show it again."""
    Gold.objects.filter(pk=gold.pk).update(withdrawn_at=None)


def _known_copy(
    workflow: Workflow,
    picture: Picture,
    *,
    is_crater: bool,
    origin: Gold.Origin,
    places: Sequence[Place],
    made_by: dict[str, Any],
    by: Participant,
    is_practice: bool = False,
) -> Gold:
    """The picture as a known one: itself where nobody has been shown it, else a copy upside down."""
    with transaction.atomic():
        subject = (
            Subject.objects.select_for_update(of=("self",))
            .filter(workflow=workflow, picture=picture, audit=None, gold__isnull=True)
            .first()
        )
        if subject is not None and not _is_touched(subject):
            subject.stratum = Subject.Stratum.GOLD
            subject.save(update_fields=["stratum"])
            return Gold.objects.create(
                subject=subject,
                origin=origin,
                is_crater=is_crater,
                places=list(places),
                made_by=made_by,
                is_practice=is_practice,
                added_by=by,
            )
    return add(
        workflow=workflow,
        frames=upside_down(frames_of(picture)),
        like=picture,
        is_crater=is_crater,
        origin=origin,
        places=places_upside_down(places, picture.height_px),
        made_by={**made_by, "copy_of": str(picture.uid)},
        synthetic=picture.synthetic,
        is_practice=is_practice,
        by=by,
    )


def _refuse_unsearched(picture: Picture) -> None:
    """Nobody is asked about pictures that teach the network, not even as known ones."""
    if picture.purpose != Picture.Purpose.SURVEY:
        raise InvalidInput(
            _(
                "“%(name)s” was brought in to teach the network (%(purpose)s) and cannot be a known picture. "
                "Choose a picture of the survey."
            )
            % {"name": picture.name, "purpose": PURPOSES[Picture.Purpose(picture.purpose)]},
            code="not_of_the_survey",
        )


def _is_touched(subject: Subject) -> bool:
    """Whether somebody has been shown it, judged it or looked at it with a microscope."""
    return (
        Showing.objects.filter(subject=subject).exists()
        or Classification.objects.filter(subject=subject).exists()
        or Confirmation.objects.filter(subject=subject).exists()
        or subject.retirements.exists()
    )
