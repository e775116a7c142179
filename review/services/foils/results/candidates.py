"""Candidates: pictures as scientists look them through, the most probable craters first.

Their probabilities are those of the newest reckoning. Known pictures are not among them, but for those that
an expert has looked at: these were candidates before they became known.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from annotate.models import Participant
from mlcore.consensus.answers.stopping import Outcome
from mlcore.consensus.places import Click, Place, places
from mlcore.errors import InvalidInput
from review.models import Classification, Confirmation, Estimate, Judge, Picture, Reckoning, Subject, Workflow
from review.services.foils.gold.known import LEAST_REACH_PX, LEAST_REACH_SHARE

PER_PAGE = 48
_CHUNK = 1000
TO_REVIEWERS = (Outcome.CANDIDATE, Outcome.UNDECIDED)

# What a list may be limited to, in the order of the form.
WHICH = {
    "to_look_at": _("Candidates and undecided ones that no expert has settled"),
    "candidates": _("All candidates"),
    "undecided": _("All undecided ones"),
    "confirmed": _("Confirmed craters"),
    "refuted": _("No craters, by an expert"),
    "audit": _("From the audit"),
    "all": _("Everything that was judged"),
}


@dataclass(frozen=True)
class Wish:
    """What to list: one of WHICH, and one foil or all ("")."""

    which: str = "to_look_at"
    foil: str = ""

    def __post_init__(self) -> None:
        if self.which not in WHICH:
            raise InvalidInput(
                f"There is no list “{self.which}” of candidates; choose one of {', '.join(WHICH)}."
            )


@dataclass(frozen=True)
class Found:
    """What people found in one picture.

    Attributes:
        discoverers: Pseudonyms of those who called it a crater, the earliest first.
        places: Where they clicked, those most clicked first.
    """

    discoverers: list[str]
    places: list[Place]


@dataclass(frozen=True)
class Candidate:
    """One row of the list.

    Attributes:
        estimate: With its subject and picture at hand.
        discoverers: See Found.
        places: See Found.
        confirmation: The newest one.
    """

    estimate: Estimate
    discoverers: list[str] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    confirmation: Confirmation | None = None

    @property
    def subject(self) -> Subject:
        return self.estimate.subject

    @property
    def picture(self) -> Picture:
        return self.estimate.subject.picture

    @property
    def n_more(self) -> int:
        """Those who called it a crater after the first."""
        return max(0, len(self.discoverers) - 1)

    @property
    def diameter_um(self) -> float | None:
        """Of the largest crater that an expert has measured."""
        measured = self.confirmation.places if self.confirmation else []
        return max((place["diameter_um"] for place in measured if place.get("diameter_um")), default=None)


@dataclass(frozen=True)
class Page:
    """Some candidates, and where the next ones begin ("" at the end)."""

    rows: list[Candidate]
    after: str


def page(reckoning: Reckoning, wish: Wish, *, after: str = "") -> Page:
    """The next candidates of the list.

    Raises:
        InvalidInput: `after` is not one that a page has given.
    """
    listed = _after(_listed(reckoning, wish), after)
    found = list(listed[: PER_PAGE + 1])
    rows = _told(reckoning.workflow, found[:PER_PAGE])
    has_more = len(found) > PER_PAGE
    return Page(rows, _place_of(found[PER_PAGE - 1]) if has_more else "")


def every(reckoning: Reckoning, wish: Wish) -> Iterator[Candidate]:
    """All candidates of the list in its order, read some at a time."""
    after = ""
    while found := list(_after(_listed(reckoning, wish), after)[:_CHUNK]):
        yield from _told(reckoning.workflow, found)
        after = _place_of(found[-1])


def found_in(subject: Subject) -> Found:
    """Who called one picture a crater, and where."""
    return found_in_all(subject.workflow, [subject])[subject.pk]


def count(reckoning: Reckoning, wish: Wish) -> int:
    """How many there are."""
    return _listed(reckoning, wish).count()


def n_without_estimate(workflow: Workflow, reckoning: Reckoning | None) -> int:
    """Candidates that the newest reckoning has not seen yet."""
    going = Subject.objects.filter(workflow=workflow, outcome__in=TO_REVIEWERS)
    told = Estimate.objects.filter(reckoning=reckoning, subject=OuterRef("pk"))
    return going.exclude(Exists(told)).count()


def foils(workflow: Workflow) -> list[str]:
    """Names of foils that have candidates."""
    going = Picture.objects.filter(subjects__workflow=workflow, subjects__outcome__in=TO_REVIEWERS)
    return list(going.exclude(foil="").values_list("foil", flat=True).distinct().order_by("foil"))


def reach_px(picture: Picture) -> float:
    """Clicks no further apart than this may mean the same crater."""
    return max(LEAST_REACH_PX, LEAST_REACH_SHARE * max(picture.width_px, picture.height_px))


def votes_of(subject: Subject) -> Iterator[tuple[Classification, bool]]:
    """Every answer that stands on a subject, the earliest first, and whether it counts.

    Set aside is what somebody in quarantine has said, and what a person has said a second time as another
    of their selves.
    """
    set_aside = set(
        Judge.objects.filter(workflow=subject.workflow_id, quarantined_at__isnull=False).values_list(
            "participant", flat=True
        )
    )
    standing = (
        Classification.objects.filter(workflow=subject.workflow_id, subject=subject, round=0)
        .standing()
        .annotate(person=Coalesce("participant__merged_into", "participant"))
        .select_related("participant")
        .order_by("pk")
    )
    seen: set[int] = set()
    for vote in standing:
        yield vote, vote.person not in set_aside | seen
        seen.add(vote.person)


def calls_of(workflow: Workflow, subjects: Iterable[int]) -> QuerySet[Classification]:
    """Standing calls of a crater that count, the earliest first; `person` is the giver's last self."""
    set_aside = Judge.objects.filter(workflow=workflow, quarantined_at__isnull=False).values("participant")
    return (
        Classification.objects.filter(
            workflow=workflow, subject__in=subjects, round=0, answer=Classification.Answer.CRATER
        )
        .standing()
        .annotate(person=Coalesce("participant__merged_into", "participant"))
        .exclude(person__in=set_aside)
        .order_by("pk")
    )


def _listed(reckoning: Reckoning, wish: Wish) -> QuerySet[Estimate]:
    newest = Confirmation.objects.filter(subject=OuterRef("subject")).order_by("-pk").values("result")[:1]
    result = Confirmation.Result
    estimates = (
        Estimate.objects.filter(reckoning=reckoning)
        .alias(result=Subquery(newest))
        .filter(~Q(subject__stratum=Subject.Stratum.GOLD) | Q(result__isnull=False))
        .select_related("subject__picture", "subject__rule")
        .order_by("-probability", "subject")
    )
    going = Q(subject__outcome__in=TO_REVIEWERS)
    limits = {
        "to_look_at": going & (Q(result__isnull=True) | Q(result=result.UNCLEAR)),
        "candidates": Q(subject__outcome=Outcome.CANDIDATE),
        "undecided": Q(subject__outcome=Outcome.UNDECIDED),
        "confirmed": Q(result=result.CRATER),
        "refuted": Q(result__in=(result.LOOK_ALIKE, result.NOTHING)),
        "audit": Q(subject__stratum=Subject.Stratum.AUDIT),
        "all": Q(),
    }
    estimates = estimates.filter(limits[wish.which])
    return estimates.filter(subject__picture__foil=wish.foil) if wish.foil else estimates


def _place_of(estimate: Estimate) -> str:
    """Where the list goes on after this one: exact, whatever the probability's digits."""
    return f"{estimate.probability.hex()}_{estimate.subject_id}"


def _after(listed: QuerySet[Estimate], after: str) -> QuerySet[Estimate]:
    if not after:
        return listed
    try:
        probability, subject = after.split("_")
        least, pk = float.fromhex(probability), int(subject)
    except ValueError:
        raise InvalidInput("There is no such page of candidates; begin with the first one.") from None
    return listed.filter(Q(probability__lt=least) | Q(probability=least, subject__gt=pk))


def _told(workflow: Workflow, estimates: Sequence[Estimate]) -> list[Candidate]:
    """With who found them, where, and what experts say: a few statements for all of them."""
    subjects = [estimate.subject for estimate in estimates]
    found = found_in_all(workflow, subjects)
    confirmed = {
        one.subject_id: one
        for one in Confirmation.objects.filter(subject__in=subjects).select_related("by__user").order_by("pk")
    }
    return [
        Candidate(
            estimate,
            discoverers=found[estimate.subject_id].discoverers,
            places=found[estimate.subject_id].places,
            confirmation=confirmed.get(estimate.subject_id),
        )
        for estimate in estimates
    ]


def found_in_all(workflow: Workflow, subjects: Sequence[Subject]) -> dict[int, Found]:
    """As found_in, of each subject by its key; their pictures must be at hand."""
    calls: dict[int, dict[int, Classification]] = defaultdict(dict)
    for call in calls_of(workflow, [subject.pk for subject in subjects]).only("subject_id", "payload"):
        calls[call.subject_id].setdefault(call.person, call)
    people = {person for of_subject in calls.values() for person in of_subject}
    pseudonyms = dict(Participant.objects.filter(pk__in=people).values_list("pk", "pseudonym"))
    return {
        subject.pk: Found(
            [pseudonyms[person] for person in calls[subject.pk]], _places(subject.picture, calls[subject.pk])
        )
        for subject in subjects
    }


def _places(picture: Picture, calls: dict[int, Classification]) -> list[Place]:
    clicks = [
        Click(person, mark["x_px"], mark["y_px"])
        for person, call in calls.items()
        for mark in call.payload.get("marks", [])
    ]
    return places(clicks, radius_px=reach_px(picture))
