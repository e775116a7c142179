"""Answers to known pictures: whether they are right, what they teach, what the giver is told."""

from dataclasses import dataclass
from math import hypot
from typing import Any, TypedDict

from django.utils.translation import gettext as _

from review.models import Classification, Gold

Answer = Classification.Answer
Point = dict[str, float]

# A click counts for a crater within its radius and a half, and always within so many pixels or this share of
# the picture: a thumb is no needle.
REACH_RADII = 1.5
LEAST_REACH_PX = 16.0
LEAST_REACH_SHARE = 0.03


class FeedbackOut(TypedDict):
    is_crater: bool
    was_right: bool
    places: list[dict[str, float | None]]
    text: str


@dataclass(frozen=True)
class Counts:
    """What one answer adds to a judge's skill; see mlcore.consensus.answers.skill.Skill."""

    hits: int = 0
    craters: int = 0
    passes: int = 0
    blanks: int = 0

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(
            self.hits - other.hits,
            self.craters - other.craters,
            self.passes - other.passes,
            self.blanks - other.blanks,
        )

    def __add__(self, other: "Counts") -> "Counts":
        return self - (Counts() - other)


def is_right(gold: Gold, answer: str, payload: dict[str, Any]) -> bool:
    """Whether a crater was called and clicked where it is, or a picture without one called nothing.

    The gold's picture must be at hand (subject__picture).
    """
    if not gold.is_crater:
        return answer == Answer.NOTHING
    return answer == Answer.CRATER and (not gold.places or _is_clicked(gold, payload.get("marks", [])))


def counts_of(gold: Gold, answer: str | None, payload: dict[str, Any]) -> Counts:
    """What the answer teaches; nothing where there is none, where it says "cannot tell", and in the test."""
    if answer not in (Answer.CRATER, Answer.NOTHING) or gold.is_practice:
        return Counts()
    right = int(is_right(gold, answer, payload))
    return Counts(hits=right, craters=1) if gold.is_crater else Counts(passes=right, blanks=1)


def feedback(gold: Gold, answer: str, payload: dict[str, Any]) -> FeedbackOut:
    """What the giver of the answer is told."""
    was_right = is_right(gold, answer, payload)
    return {
        "is_crater": gold.is_crater,
        "was_right": was_right,
        "places": [
            {"x_px": place["x_px"], "y_px": place["y_px"], "diameter_um": place.get("diameter_um")}
            for place in gold.places
        ],
        "text": f"{_reaction(gold, answer, was_right)} {_what_it_is(gold)}",
    }


def _is_clicked(gold: Gold, marks: list[Point]) -> bool:
    picture = gold.subject.picture
    least = max(LEAST_REACH_PX, LEAST_REACH_SHARE * max(picture.width_px, picture.height_px))
    for place in gold.places:
        diameter_um = place.get("diameter_um")
        radius_px = 0.0
        if diameter_um and picture.nm_per_px:
            radius_px = 500.0 * diameter_um / picture.nm_per_px
        reach = max(least, REACH_RADII * radius_px)
        if any(hypot(mark["x_px"] - place["x_px"], mark["y_px"] - place["y_px"]) <= reach for mark in marks):
            return True
    return False


def _reaction(gold: Gold, answer: str, was_right: bool) -> str:
    if was_right:
        return _("Right.")
    if answer == Answer.CANNOT_TELL:
        return _("“Cannot tell” never counts against you.")
    if not gold.is_crater:
        return _("Not a crater, this time.")
    return _("There is a crater, elsewhere.") if answer == Answer.CRATER else _("There is a crater here.")


def _what_it_is(gold: Gold) -> str:
    match gold.origin, gold.is_crater:
        case Gold.Origin.SYNTHETIC, True:
            return _("It is synthetic: Tektite put it there to learn how well craters are seen.")
        case Gold.Origin.SYNTHETIC, False:
            return _("There is no crater in it.")
        case Gold.Origin.CONFIRMED, True:
            return _("It was confirmed at the microscope.")
        case Gold.Origin.LOOK_ALIKE, False if gold.made_by.get("how") in ("pasted", "scene"):
            return _("It looks like a crater, and is a pit that Tektite put there.")
        case Gold.Origin.LOOK_ALIKE, False:
            return _("It looks like a crater, and an expert found that it is none.")
        case _, True:
            return _("An expert says so.")
    return _("An expert found no crater here.")
