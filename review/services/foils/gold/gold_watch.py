"""The stock of known pictures: how many of which kind and size, who has seen them, when they are worn out."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from mlcore.metrics.intervals import clopper_pearson
from review.models import Classification, Gold, Judge, Showing, Workflow
from review.services.foils.gold.gold import KINDS, ORIGINS, Kind, kind_of, withdraw
from review.services.foils.gold.known import Answer, is_right

# Of craters and of negatives together with look-alikes: CROWD's recommendation for a campaign of thousands.
RECOMMENDED = {Kind.CRATER: 1000, Kind.LOOK_ALIKE: 500, Kind.BLANK: 500}
# Diameters, µm: from each edge to the next.
EDGES_UM = (0.0, 0.5, 1.0, 2.0, float("inf"))
BINS = ("< 0.5", "0.5–1", "1–2", "≥ 2")
# Seen by more than half of those who judge nowadays, or by so many people: worn out.
MOST_SHARE, MOST_PEOPLE = 0.5, 300
ACTIVE_FOR = timedelta(days=30)
# With fewer people half of them is nothing, and below so many of a kind there would be none left to show.
LEAST_ACTIVE, LEAST_LEFT = 10, 30


@dataclass(frozen=True)
class Row:
    """The stock of one origin and kind."""

    origin: str
    kind: str
    n_shown: int
    n_practice: int
    n_withdrawn: int
    by_diameter: list[int]
    n_unmeasured: int

    @property
    def labelled(self) -> list[tuple[str, int]]:
        return list(zip(BINS, self.by_diameter, strict=True))

    @property
    def has_sizes(self) -> bool:
        return any(self.by_diameter)


@dataclass(frozen=True)
class Enough:
    """One kind beside what is recommended."""

    key: Kind
    kind: str
    n: int
    recommended: int


@dataclass(frozen=True)
class Right:
    """How often answers to one origin and kind were right, with the 95 % interval of Clopper and Pearson."""

    origin: str
    kind: str
    right: int
    of: int
    low: float
    high: float


@dataclass(frozen=True)
class Seen:
    """One known picture before people."""

    gold: Gold
    kind: str
    n_people: int
    right: int
    of: int


def stock(workflow: Workflow) -> list[Row]:
    """All kinds that there are, by origin."""
    groups: dict[tuple[str, Kind], list[Gold]] = defaultdict(list)
    for gold in Gold.objects.filter(subject__workflow=workflow).defer("made_by"):
        groups[gold.origin, kind_of(gold)].append(gold)
    order = [(origin, kind) for origin in Gold.Origin.values for kind in Kind]
    return [_row(origin, kind, groups[origin, kind]) for origin, kind in order if (origin, kind) in groups]


def _row(origin: str, kind: Kind, golds: list[Gold]) -> Row:
    shown = [gold for gold in golds if gold.withdrawn_at is None and not gold.is_practice]
    diameters = [_diameter_um(gold) for gold in shown]
    measured = [value for value in diameters if value is not None]
    return Row(
        origin=str(ORIGINS[Gold.Origin(origin)]),
        kind=str(KINDS[kind]),
        n_shown=len(shown),
        n_practice=sum(gold.withdrawn_at is None and gold.is_practice for gold in golds),
        n_withdrawn=sum(gold.withdrawn_at is not None for gold in golds),
        by_diameter=[sum(low <= value < high for value in measured) for low, high in pairwise(EDGES_UM)],
        n_unmeasured=len(shown) - len(measured) if kind != Kind.BLANK else 0,
    )


def _diameter_um(gold: Gold) -> float | None:
    """Of the largest thing in it."""
    known = [place["diameter_um"] for place in gold.places if place.get("diameter_um")]
    return max(known, default=None)


def enough(workflow: Workflow) -> list[Enough]:
    """What is shown now beside what is recommended."""
    shown = Gold.objects.filter(subject__workflow=workflow, withdrawn_at=None, is_practice=False)
    counts = Counter(kind_of(gold) for gold in shown.only("is_crater", "origin", "places"))
    return [Enough(kind, str(KINDS[kind]), counts[kind], RECOMMENDED[kind]) for kind in Kind]


def n_practice(workflow: Workflow) -> int:
    """Known pictures of the tutorial's test."""
    return Gold.objects.filter(subject__workflow=workflow, withdrawn_at=None, is_practice=True).count()


def rights(workflow: Workflow) -> list[Right]:
    """How well each kind is told, all people together; "cannot tell" is neither right nor wrong."""
    counts: dict[tuple[str, Kind], list[int]] = defaultdict(lambda: [0, 0])
    for gold, was_right in _answers(Gold.objects.filter(subject__workflow=workflow, is_practice=False)):
        tally = counts[gold.origin, kind_of(gold)]
        tally[0] += was_right
        tally[1] += 1
    found = []
    for (origin, kind), (right, of) in sorted(counts.items()):
        low, high = clopper_pearson(right, of)
        found.append(Right(str(ORIGINS[Gold.Origin(origin)]), str(KINDS[kind]), right, of, low, high))
    return found


def seen(golds: Sequence[Gold]) -> list[Seen]:
    """Each of these with how many people saw it and how often it was told right."""
    chosen = Gold.objects.filter(pk__in=[gold.pk for gold in golds])
    people = _people_by_gold(chosen)
    tallies: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for gold, was_right in _answers(chosen):
        tallies[gold.pk][0] += was_right
        tallies[gold.pk][1] += 1
    return [
        Seen(gold, str(KINDS[kind_of(gold)]), people.get(gold.pk, 0), *tallies[gold.pk]) for gold in golds
    ]


def rotate(workflow: Workflow) -> int:
    """Withdraw known pictures that too many have seen, the most worn first; how many."""
    shown = Gold.objects.filter(subject__workflow=workflow, withdrawn_at=None, is_practice=False)
    limit = most_people(workflow)
    people = _people_by_gold(shown)
    left = Counter(kind_of(gold) for gold in shown.only("is_crater", "origin", "places"))
    n_withdrawn = 0
    for gold in sorted(shown, key=lambda gold: -people.get(gold.pk, 0)):
        if people.get(gold.pk, 0) > limit and left[kind_of(gold)] > LEAST_LEFT:
            withdraw(gold)
            left[kind_of(gold)] -= 1
            n_withdrawn += 1
    return n_withdrawn


def most_people(workflow: Workflow) -> float:
    """By how many people a known picture may be seen."""
    since = timezone.now() - ACTIVE_FOR
    active = (
        Judge.objects.filter(workflow=workflow)
        .filter(
            participant__in=Showing.objects.filter(subject__workflow=workflow, answered_at__gte=since).values(
                "participant"
            )
        )
        .count()
    )
    return min(MOST_PEOPLE, MOST_SHARE * active) if active >= LEAST_ACTIVE else MOST_PEOPLE


def _people_by_gold(golds: QuerySet[Gold]) -> dict[int, int]:
    """How many people have answered each; several selves are one."""
    person = Coalesce("subject__showings__participant__merged_into", "subject__showings__participant")
    answered = Q(subject__showings__answered_at__isnull=False)
    rows = golds.order_by().annotate(n=Count(person, filter=answered, distinct=True)).values_list("pk", "n")
    return dict(rows)


def _answers(golds: QuerySet[Gold]) -> Iterable[tuple[Gold, bool]]:
    """The standing answers that say something, each with whether it is right."""
    by_subject = {gold.subject_id: gold for gold in golds.select_related("subject__picture").defer("made_by")}
    said = (
        Classification.objects.filter(
            subject__gold__in=golds.order_by().values("pk"),
            answer__in=(Answer.CRATER, Answer.NOTHING),
            round=0,
        )
        .standing()
        .values_list("subject_id", "answer", "payload")
    )
    for subject, answer, payload in said.iterator(chunk_size=5000):
        yield by_subject[subject], is_right(by_subject[subject], answer, payload)
