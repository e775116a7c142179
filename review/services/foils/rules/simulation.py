"""What a rule would take and find from here on with the people of a triage: votes against completeness."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from mlcore.consensus.answers.skill import Skill
from mlcore.consensus.answers.stopping import StoppingRule
from mlcore.consensus.answers.swap import log_odds, probabilities
from mlcore.simulate.judges import CrowdParameters, Images, make_images, make_people
from mlcore.simulate.volunteers import Point, World, around, curve, images_like, people_like
from review.models import Errand, Gold, Judge, Subject, Workflow
from review.services.foils import settings
from review.services.foils.errands import Progress
from review.services.foils.ground import ground_of

SEEDS = (1, 2, 3, 4)
IMAGES = 4000
# With fewer people who have answered so many known pictures, their skills say too little; others are assumed.
FEWEST_PEOPLE, PRACTISED_AFTER = 20, 10
ASSUMED_PEOPLE = 200
# Known pictures as they are played: the project's own numbers within these, or assumed ones.
FEWEST_GOLD_OF_A_KIND, MOST_GOLD = 20, 1200
_PRIORS_SEED = 6


@dataclass(frozen=True)
class Basis:
    """What of this triage goes into the simulation."""

    skills: list[Skill]
    answers: NDArray[np.float64]
    n_practised: int
    gold: CrowdParameters
    is_gold_own: bool
    priors: NDArray[np.float64]

    @property
    def has_own_people(self) -> bool:
        return self.n_practised >= FEWEST_PEOPLE

    def world(self, seed: int) -> World:
        """One seed's draw of everything."""
        random = np.random.default_rng((seed, _PRIORS_SEED))
        priors = random.choice(self.priors, IMAGES)
        gold: Images = make_images(self.gold, seed + 1000)
        people = (
            people_like(self.skills, self.answers, gold, seed=seed)
            if self.has_own_people
            else make_people(CrowdParameters(n_people=ASSUMED_PEOPLE), seed)
        )
        return World(images_like(priors, seed=seed), people, gold, priors)


def simulate(errand: Errand, tell: Progress) -> dict[str, object]:
    """Play the rule and some around it; the question is {"settings": of the rule}."""
    rule = StoppingRule.from_json(errand.question["settings"])
    basis = basis_of(errand.workflow)
    points = curve(basis.world, around(rule), SEEDS, tell)
    return {
        "has_own_people": basis.has_own_people,
        "n_people": len(basis.skills) if basis.has_own_people else ASSUMED_PEOPLE,
        "n_practised": basis.n_practised,
        "n_images": IMAGES,
        "n_seeds": len(SEEDS),
        "crater_share": float(probabilities(basis.priors).mean()),
        "is_gold_own": basis.is_gold_own,
        "points": [{**_point(point), "is_asked": point.rule == rule} for point in points],
    }


def basis_of(workflow: Workflow) -> Basis:
    """People, known pictures and priors as they are now."""
    population = ground_of(workflow).population
    judges = list(
        Judge.objects.filter(
            workflow=workflow,
            quarantined_at__isnull=True,
            n_answers__gt=0,
            participant__merged_into__isnull=True,
        ).order_by("pk")
    )
    gold, is_own = _gold(workflow)
    queue = Subject.objects.filter(workflow=workflow, stratum=Subject.Stratum.QUEUE).order_by("place", "pk")
    priors = list(queue.values_list("prior_log_odds", flat=True)[:IMAGES])
    return Basis(
        skills=[judge.skill(population) for judge in judges],
        answers=np.array([judge.n_answers for judge in judges], dtype=float),
        n_practised=sum(judge.craters + judge.blanks >= PRACTISED_AFTER for judge in judges),
        gold=gold,
        is_gold_own=is_own,
        priors=np.array(priors or [log_odds(settings.of(workflow).base_rate)]),
    )


def _gold(workflow: Workflow) -> tuple[CrowdParameters, bool]:
    """Known pictures in the shares in which they are shown, and whether these are the project's own."""
    shown = Gold.objects.filter(subject__workflow=workflow, is_practice=False, withdrawn_at__isnull=True)
    n_craters = shown.filter(is_crater=True).count()
    n_blanks = shown.filter(is_crater=False).count()
    n_lookalikes = shown.filter(is_crater=False, origin=Gold.Origin.LOOK_ALIKE).count()
    n = n_craters + n_blanks
    if min(n_craters, n_blanks) < FEWEST_GOLD_OF_A_KIND:
        return CrowdParameters(n_images=600, crater_share=0.5, lookalike_share=0.1), False
    shares = {"crater_share": n_craters / n, "lookalike_share": n_lookalikes / n}
    return CrowdParameters(n_images=min(n, MOST_GOLD), **shares), True


def _point(point: Point) -> dict[str, object]:
    """As JSON, which knows no NaN."""
    figures = asdict(point)
    if not np.isfinite(point.completeness.mean):
        figures["completeness"] = None
    return {**figures, "rule": point.rule.to_json()}
