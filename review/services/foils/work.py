"""Which service does which kind of errand."""

from review.models import Errand
from review.services.foils import errands
from review.services.foils.gold import gold_making
from review.services.foils.people import suspects
from review.services.foils.results import reckoning
from review.services.foils.rules import replaying, retiring, simulation
from review.services.foils.stream import scores, stream

WORKS: dict[str, errands.Work] = {
    Errand.Kind.APPLY_RULE: retiring.apply_rule,
    Errand.Kind.REOPEN: retiring.reopen_all,
    Errand.Kind.WEIGH_AGAIN: suspects.weigh_again,
    Errand.Kind.REPLAY: replaying.replay_rule,
    Errand.Kind.SIMULATION: simulation.simulate,
    Errand.Kind.RECKON: reckoning.work,
    Errand.Kind.READ_SCORES: scores.work,
    Errand.Kind.FILL: stream.work,
    Errand.Kind.MAKE_GOLD: gold_making.make,
}


def execute(pk: int) -> None:
    """Do an errand, if nobody else does."""
    errands.execute(pk, WORKS)
