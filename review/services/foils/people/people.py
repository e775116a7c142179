"""Who judges, and how well they see: confusion matrices with their uncertainty, and decisions on people."""

from dataclasses import dataclass

from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _

from annotate.models import Participant
from mlcore.consensus.answers.skill import Rates, Skill
from review.models import Judge, Quarantine, Workflow
from review.services.foils.ground import ground_of
from review.services.foils.words import suspicion

# With fewer answers to known pictures a matrix would only tell how little is known.
FEWEST_TO_SHOW = 10


@dataclass(frozen=True)
class Share:
    """One row of a confusion matrix: of so many pictures of a kind so many were called right.

    The mean and the 90 % interval are of the posterior, which begins at what people do on average.
    """

    right: int
    seen: int
    mean: float
    low: float
    high: float

    @property
    def wrong(self) -> int:
        return self.seen - self.right


@dataclass(frozen=True)
class Seen:
    """What known pictures say of somebody."""

    craters: Share
    blanks: Share
    is_reversed: bool

    @property
    def known_answers(self) -> int:
        return self.craters.seen + self.blanks.seen

    @property
    def is_worth_showing(self) -> bool:
        return self.known_answers >= FEWEST_TO_SHOW


@dataclass(frozen=True)
class Person:
    """A judge as leads see them: under a pseudonym."""

    judge: Judge
    seen: Seen
    trail: list[tuple[Quarantine, list[str]]]

    @property
    def is_set_aside(self) -> bool:
        return self.judge.quarantined_at is not None


@dataclass(frozen=True)
class OwnRecord:
    """A judge's own record in one triage, for nobody else."""

    judge: Judge
    seen: Seen
    in_words: str


def judges(workflow: Workflow, *, is_set_aside: bool = False) -> QuerySet[Judge]:
    """Who has answered, the busiest first, each once however many selves they have."""
    found = Judge.objects.filter(workflow=workflow, participant__merged_into__isnull=True, n_answers__gt=0)
    if is_set_aside:
        found = found.filter(quarantined_at__isnull=False)
    steps = Quarantine.objects.select_related("by__user").order_by("-pk")
    found = found.select_related("participant").prefetch_related(Prefetch("quarantines", steps))
    return found.order_by("-n_answers", "pk")


def person(judge: Judge, population: Rates) -> Person:
    """The judge with their matrix and the trail of decisions, the latest first."""
    trail = [
        (step, [suspicion(reason, step.habits) for reason in step.reasons])
        for step in judge.quarantines.all()
    ]
    return Person(judge, seen_by(judge.skill(population)), trail)


def seen_by(skill: Skill) -> Seen:
    """A skill's two rows with their 90 % intervals."""
    rates, (craters, blanks) = skill.rates, skill.interval(0.9)
    return Seen(
        Share(int(skill.hits), int(skill.craters), rates.sensitivity, *craters),
        Share(int(skill.passes), int(skill.blanks), rates.specificity, *blanks),
        skill.is_reversed,
    )


def own_records(participant: Participant) -> list[OwnRecord]:
    """What somebody has done in each triage, the latest first."""
    mine = Judge.objects.filter(participant=participant, n_answers__gt=0).select_related("workflow__campaign")
    records = []
    for judge in mine.order_by("-workflow"):
        seen = seen_by(judge.skill(ground_of(judge.workflow).population))
        records.append(OwnRecord(judge, seen, _in_words(seen)))
    return records


def _in_words(seen: Seen) -> str:
    """What the matrix means, without praise and without blame."""
    if not seen.is_worth_showing:
        return _(
            "You have answered %(n)d pictures whose answer is known. From %(fewest)d on you see here how "
            "well you see craters."
        ) % {"n": seen.known_answers, "fewest": FEWEST_TO_SHOW}
    return _(
        "Of 100 craters you would find about %(found)d (%(found_low)d to %(found_high)d), and of 100 "
        "pictures without one you would call about %(false)d a crater (%(false_low)d to %(false_high)d). The "
        "range holds the truth in nine of ten cases; it narrows with each known picture you answer."
    ) % {
        "found": round(100 * seen.craters.mean),
        "found_low": round(100 * seen.craters.low),
        "found_high": round(100 * seen.craters.high),
        "false": round(100 * (1 - seen.blanks.mean)),
        "false_low": round(100 * (1 - seen.blanks.high)),
        "false_high": round(100 * (1 - seen.blanks.low)),
    }
