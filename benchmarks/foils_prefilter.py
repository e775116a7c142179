"""What the network takes off people's hands at the threshold of its training, and which craters with it."""

import numpy as np

from benchmarks import foil_world, foils_network
from benchmarks.foil_world import Sizes, by_diameter
from benchmarks.record import Result
from mlcore.api import read_card
from mlcore.foil_classifier.evaluation import logits
from mlcore.foil_classifier.probability import probability
from mlcore.foil_classifier.verbs import of_artifact
from mlcore.metrics.intervals import clopper_pearson
from mlcore.simulate.foil_survey import HARD_BELOW_UM, SurveyParameters

ID = "foils.prefilter"
CLAIM = "Removes 0.96 of the blank images before people look at them, and says which craters are lost by it."
SEED = foils_network.SEED
REMOVED = 0.96
TARGET = "0.96 of the blank images removed at the threshold that the training chose; lost craters told"


def setup() -> None:
    """Make the images."""
    foils_network.setup()
    foil_world.taken(foil_world.PREFILTER_BLANKS, Sizes().prefilter_blanks)


def run(quick: bool) -> Result:
    """Train by our recipe, or take what foils.network trained, and put a survey through it."""
    sizes = foil_world.QUICK if quick else Sizes()
    artifact, training = foils_network.ours(sizes, quick=quick)
    model, card = of_artifact(artifact)[0], read_card(artifact)
    blanks = foil_world.taken(foil_world.PREFILTER_BLANKS, sizes.prefilter_blanks)
    shown = foil_world.taken(foil_world.SHOWN_SCENES, sizes.shown_scenes)
    apart = foil_world.taken(foil_world.APART_SCENES, sizes.apart_scenes)

    def is_removed(images: foil_world.Images) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.asarray(probability(logits(model, list(images)), card.calibration) < card.threshold)

    removed, lost_shown, lost_apart = (is_removed(some.images) for some in (blanks, shown, apart))
    # Of a survey's craters so many are of the family apart.
    share = SurveyParameters().apart_share
    lost = (1.0 - share) * lost_shown.mean() + share * lost_apart.mean()
    large = apart.diameters_um >= HARD_BELOW_UM
    return Result(
        ours={
            "threshold": round(card.threshold, 5),
            **_share("blanks_removed", removed),
            "craters_lost": round(float(lost), 4),
            **_share("lost_of_taught_families", lost_shown),
            **_share("lost_of_the_family_apart", lost_apart),
            **_share(f"lost_of_the_family_apart_from_{HARD_BELOW_UM:g}_um", lost_apart[large]),
            "kept_of_taught_families": by_diameter(shown.diameters_um, ~lost_shown),
            "kept_of_the_family_apart": by_diameter(apart.diameters_um, ~lost_apart),
            "training": training,
        },
        peer=None,
        target=TARGET,
        met=None if quick else bool(removed.mean() >= REMOVED),
        seed=SEED,
        note=(
            "the network of foils.network (our recipe) at the threshold that keeps "
            f"{card.config['sensitivity']:g} of the craters pasted on the validation side; asked of "
            f"{len(removed):,} blank images that nothing was taught or chosen on, {len(lost_shown)} scenes "
            "with a crater of the four taught families and "
            f"{len(lost_apart)} of RAGGED; `craters_lost` weighs the two as the simulated survey does "
            f"({share:g} apart); log-uniform diameters from 0.2 to 5 µm; published: 0.96 removed at 0.01"
        ),
    )


def _share(name: str, is_so: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> dict[str, object]:
    k, n = int(is_so.sum()), len(is_so)
    return {
        name: round(k / n, 4),
        f"{name}_interval_95": [round(bound, 4) for bound in clopper_pearson(k, n)],
    }
