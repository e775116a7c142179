"""Ten kills at random moments of trainings and predictions, against the same work left in peace.

Everything runs as bin/run starts it, in a rig: web, beat, both workers, Redis, PostgreSQL with fsync. Each
cycle trains with the same seed and lets the version predict; one thing is killed with -9 in the training and
another in the prediction. On a CPU a training repeats itself bit by bit, so weights, metrics, detections and
features of every cycle have to be those of the first, in which nothing is killed.
"""

import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING

from benchmarks.record import Result
from benchmarks.rig.shell import what_is_missing
from benchmarks.rig.site import LEARNING, Site
from mlcore.errors import TektiteError

if TYPE_CHECKING:
    from benchmarks.fault_cycles import Cycle, Kill

ID = "runs.faults"
CLAIM = "Ten kills over trainings and predictions change no bit of the outcome; pages are true within 30 s."
TARGET = "metrics and features as undisturbed (bit-equal), every window once, page true within 30 s"

SEED, TRUE_WITHIN_S = 3, 30.0
COMPONENTS = ("web", "worker-default", "worker-gpu", LEARNING, "beat", "redis", "postgres")
# What the work itself hangs on comes in a training and in a prediction.
TWICE = ("worker-gpu", LEARNING, "postgres")
# A network of a few seconds; what it learns is measured elsewhere.
TINY = {"steps": 400, "views": 1, "batch_size": 1, "crop_px": 96, "window_px": 128, "overlap_px": 96}
QUICK_KILLS = (LEARNING, "postgres")
QUICK = {**TINY, "steps": 40, "overlap_px": 64}


def setup() -> None:
    """Nothing to build: what bin/run and bin/test install is enough."""


def run(quick: bool) -> Result:
    """Measure it; quick: two kills in a shorter training and its prediction."""
    if missing := what_is_missing():
        raise TektiteError(missing)
    load, dice = os.getloadavg()[0], Random(SEED)
    order = list(QUICK_KILLS) if quick else in_turn(dice)
    with _site() as site:
        from benchmarks.fault_cycles import Bench
        from benchmarks.rig import ground

        bench = Bench(site, ground.lay(site), QUICK if quick else TINY, dice)
        peace = bench.cycle({})
        disturbed = [
            bench.cycle({"train": first, "predict": second}, peace)
            for first, second in zip(order[::2], order[1::2], strict=True)
        ]
        fell_over = sorted(name for name, c in site.components.items() if c.starts > 1 + order.count(name))
    same = _same(peace, disturbed)
    kills = [kill for cycle in disturbed for kill in cycle.kills]
    slowest = max(kill.true_s for kill in kills)
    once = all(cycle.is_single for cycle in [peace, *disturbed])
    return Result(
        ours={
            "kills": len(kills),
            **{f"same_{name}": f"{n} of {len(disturbed)}" for name, n in same.items()},
            "windows_and_features_once": once,
            "true_s": {
                "median": round(statistics.median(k.true_s for k in kills), 1),
                "max": round(slowest, 1),
            },
            "recovery_s": {
                f"{number} {k.what} in {k.verb}": round(k.recovery_s, 1) for number, k in enumerate(kills, 1)
            },
            "undisturbed_s": {verb: round(s, 1) for verb, s in peace.took_s.items()},
            "fell_over_too": ", ".join(fell_over) or "nothing",
        },
        peer=None,
        target=TARGET,
        met=None if quick else once and min(same.values()) == len(disturbed) and slowest <= TRUE_WITHIN_S,
        seed=SEED,
        note="; ".join(
            [
                f"synthetic terrain of 512² px, {bench.settings['steps']} steps on one CPU thread, "
                f"{len(peace.left['windows'])} windows",
                "killed with -9 at a random share of the undisturbed duration: "
                + ", ".join(map(_moment, kills)),
                "recovery: the run is at work again, or what it does not need is back",
                f"load of the machine before: {load:.1f}",
            ]
        ),
    )


def in_turn(dice: Random) -> list[str]:
    """Each component once, in trainings and predictions by turns; then again what the work hangs on."""
    order = dice.sample(COMPONENTS, len(COMPONENTS))
    # The eighth kill is in a prediction: whoever was killed in a training comes first.
    return order + sorted(TWICE, key=lambda name: order.index(name) % 2)


@contextmanager
def _site() -> Iterator[Site]:
    """A site on which this process's Django works."""
    # Only processors give the same bits again.
    with Site(environment={"CUDA_VISIBLE_DEVICES": ""}) as site:
        os.environ.update(site.environment, DJANGO_SETTINGS_MODULE="webapp.settings")
        import django

        django.setup()
        from benchmarks.rig.inside import reach

        with reach(site):
            yield site


def _same(peace: "Cycle", disturbed: Sequence["Cycle"]) -> Mapping[str, int]:
    """In how many cycles each thing is as in the undisturbed one."""
    return {name: sum(c.left[name] == left for c in disturbed) for name, left in peace.left.items()}


def _moment(kill: "Kill") -> str:
    when = f"{kill.what} in {kill.verb} at {kill.after_s:.1f} s"
    return f"{when} ({kill.stage}), page true after {kill.true_s:.1f} s"
