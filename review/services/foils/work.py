"""Which service does which kind of errand."""

from review.models import Errand
from review.services.foils import errands, reckoning, replaying, retiring, simulation, suspects

WORKS: dict[str, errands.Work] = {
    Errand.Kind.APPLY_RULE: retiring.apply_rule,
    Errand.Kind.REOPEN: retiring.reopen_all,
    Errand.Kind.WEIGH_AGAIN: suspects.weigh_again,
    Errand.Kind.REPLAY: replaying.replay_rule,
    Errand.Kind.SIMULATION: simulation.simulate,
    Errand.Kind.RECKON: reckoning.work,
}


def execute(pk: int) -> None:
    """Do an errand, if nobody else does."""
    errands.execute(pk, WORKS)
