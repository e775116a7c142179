"""What our stopping rule finds among made-up foil images, beside three other ways to ask many people.

Everything here is simulated: images and people come from mlcore/simulate/judges.py, frozen before the rule
was chosen. The rule's settings were chosen on seeds 200 to 207; the seeds below were not looked at before.
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.record import FOLDER, VAR, Result
from mlcore.consensus.answers.stopping import StoppingRule
from mlcore.consensus.answers.swap import MAX_PRIOR
from mlcore.errors import TektiteError
from mlcore.metrics.calibration import fit_platt
from mlcore.metrics.intervals import clopper_pearson
from mlcore.simulate import judges
from mlcore.simulate.judges import HARD, CrowdParameters, Images, People, make_images, make_people
from mlcore.simulate.triage import play

ID = "foils.aggregation"
CLAIM = (
    "Finds at least 0.98 of the craters with at most 10 votes an image, more than three other ways of asking."
)
NEEDS_SERVERS = False
TARGET = "completeness at least 0.98 at no more than 10 votes an image, ahead of all three"

SEEDS = (0, 1, 2, 3, 4)
QUICK_SEEDS = (0,)
QUICK_IMAGES = 4000
# The budget of the fixed number of votes that Dawid–Skene is given: a little more than ours takes.
DAWID_SKENE_VOTES = 10
# As published for Space Warps, with the number of answers of its simulation.
FIRST_SWAP = StoppingRule(min_votes=3, max_votes=20, accept=0.95, reject=1e-6)
PEER_PYTHON = VAR / "crowdkit" / "bin" / "python"

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Case:
    """One seed's world, and what is known beforehand."""

    seed: int
    images: Images
    people: People
    gold: Images
    prior_log_odds: NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """What one way of asking sends to experts, and what it took."""

    queue: Mask
    votes: float
    gold_votes: float = 0.0


def setup() -> None:
    """Make the peer's environment."""
    subprocess.run([sys.executable, "-m", "venv", PEER_PYTHON.parent.parent], check=True)
    pins = FOLDER / "peers" / "crowdkit.txt"
    subprocess.run([PEER_PYTHON, "-m", "pip", "install", "--quiet", "--requirement", pins], check=True)


def run(quick: bool) -> Result:
    """Each way on each seed's world."""
    if not PEER_PYTHON.exists():
        raise TektiteError(f"crowd-kit is not installed here: run bin/bench {ID} --setup first.")
    parameters = CrowdParameters(n_images=QUICK_IMAGES) if quick else CrowdParameters()
    cases = [_case(seed, parameters) for seed in (QUICK_SEEDS if quick else SEEDS)]
    ours, *others = [
        _figures(cases, way) for way in (_ours, _majority_of_five, _crowdkit_dawid_skene, _first_swap)
    ]
    peer = dict(zip(("majority_of_5", "crowdkit_dawid_skene", "swap_without_prior"), others, strict=True))
    ahead = all(ours["completeness"] > other["completeness"] for other in others)
    met = ours["completeness"] >= 0.98 and ours["votes_per_image"] <= 10 and ahead
    return Result(
        ours=ours,
        peer=peer,
        target=TARGET,
        met=None if quick else bool(met),
        seed=SEEDS[0],
        note=(
            f"simulated people and images (mlcore/simulate/judges.py, {judges.version()[:12]}), seeds "
            f"{SEEDS[0]}–{SEEDS[-1]}, {parameters.n_images:,} images of which 1 % with a crater; the "
            "network's score is simulated too and calibrated on a world of its own; settings chosen on seeds "
            "200–207. "
            "Votes do not count answers to known subjects, which are given beside them; Dawid–Skene and the "
            "majority have none."
        ),
    )


def _case(seed: int, parameters: CrowdParameters) -> Case:
    images = make_images(parameters, seed)
    gold = CrowdParameters(n_images=1200, crater_share=0.5, lookalike_share=0.2)
    learnt = make_images(CrowdParameters(n_images=30_000), seed + 5000)
    prior = fit_platt(learnt.score, learnt.is_crater).log_odds(images.score)
    return Case(
        seed,
        images,
        make_people(parameters, seed),
        make_images(gold, seed + 1000),
        np.clip(prior, -MAX_PRIOR, MAX_PRIOR),
    )


def _ours(case: Case) -> Asked:
    return _played(case, case.prior_log_odds, StoppingRule(), has_nights=True)


def _first_swap(case: Case) -> Asked:
    flat = np.full(len(case.images.kind), np.log(0.01 / 0.99))
    return _played(case, flat, FIRST_SWAP, has_nights=False)


def _played(case: Case, prior: NDArray[np.float64], rule: StoppingRule, *, has_nights: bool) -> Asked:
    played = play(
        case.images,
        case.people,
        case.gold,
        prior_log_odds=prior,
        rule=rule,
        seed=case.seed,
        has_nights=has_nights,
    )
    n = len(case.images.kind)
    return Asked(played.goes_to_reviewers, float(played.votes.mean()), played.gold_votes / n)


def _majority_of_five(case: Case) -> Asked:
    _, called = _fixed_votes(case, 5)
    return Asked(called.sum(axis=0) >= 3, 5.0)


def _crowdkit_dawid_skene(case: Case) -> Asked:
    who, called = _fixed_votes(case, DAWID_SKENE_VOTES)
    task = np.broadcast_to(np.arange(who.shape[1]), who.shape)
    with TemporaryDirectory() as folder:
        votes, found = f"{folder}/votes.csv", f"{folder}/found.csv"
        rows = np.stack([task.ravel(), who.ravel(), called.ravel()], axis=1)
        np.savetxt(votes, rows, fmt="%d", delimiter=",", header="task,worker,label", comments="")
        script = FOLDER / "peers" / "crowdkit_dawid_skene.py"
        subprocess.run([PEER_PYTHON, script, votes, found], check=True)
        answers = np.loadtxt(found, delimiter=",", skiprows=1, dtype=int)
    queue = np.zeros(who.shape[1], dtype=bool)
    queue[answers[answers[:, 1] == 1, 0]] = True
    return Asked(queue, float(DAWID_SKENE_VOTES))


def _fixed_votes(case: Case, votes: int) -> tuple[NDArray[np.int64], Mask]:
    """Shapes (votes, images): who is asked, nobody twice of one image, and whether they call it a crater."""
    random = np.random.default_rng((case.seed, 4))
    n, n_people = len(case.images.kind), len(case.people.effort)
    chance = np.stack([case.people.chance_of_calling(case.images, j) for j in range(n_people)])
    asked = np.zeros((n_people, n), dtype=bool)
    at = np.arange(n)
    who = np.zeros((votes, n), dtype=np.int64)
    for k in range(votes):
        who[k] = random.choice(n_people, n, p=case.people.effort)
        while (again := asked[who[k], at]).any():
            who[k, again] = random.choice(n_people, int(again.sum()), p=case.people.effort)
        asked[who[k], at] = True
    return who, random.random((votes, n)) < chance[who, at]


def _figures(cases: list[Case], way: Callable[[Case], Asked]) -> dict[str, float | list[float]]:
    """Counts of all seeds together, with exact intervals of the shares."""
    asked = [way(case) for case in cases]
    found = sum(int((a.queue & c.images.is_crater).sum()) for a, c in zip(asked, cases, strict=True))
    craters = sum(int(c.images.is_crater.sum()) for c in cases)
    hard = sum(int((a.queue & (c.images.kind == HARD)).sum()) for a, c in zip(asked, cases, strict=True))
    n_hard = sum(int((c.images.kind == HARD).sum()) for c in cases)
    queued = sum(int(a.queue.sum()) for a in asked)
    return {
        "completeness": round(found / craters, 4),
        "completeness_interval_95": [round(x, 4) for x in clopper_pearson(found, craters)],
        "completeness_hard": round(hard / n_hard, 4),
        "purity_of_queue": round(found / queued, 4),
        "queue_per_seed": round(queued / len(cases), 1),
        "votes_per_image": round(float(np.mean([a.votes for a in asked])), 3),
        "known_subjects_answered_per_image": round(float(np.mean([a.gold_votes for a in asked])), 3),
    }
