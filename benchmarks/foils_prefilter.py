"""What the network takes off people's hands at the published share, and which craters with it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import foil_world, foils_network
from benchmarks.foil_world import Sizes, by_diameter
from benchmarks.record import Result
from mlcore.api import read_card
from mlcore.foil_classifier.engines import choose
from mlcore.foil_classifier.engines.engine import CPU
from mlcore.foil_classifier.evaluation import logits
from mlcore.foil_classifier.probability import probability
from mlcore.foil_classifier.verbs import of_artifact
from mlcore.metrics.intervals import clopper_pearson
from mlcore.simulate.foil_survey import HARD_BELOW_UM, SurveyParameters

ID = "foils.prefilter"
CLAIM = "Removes 0.96 of the blank images before people look at them, and says which craters are lost by it."
SEED = foils_network.SEED
REMOVED = 0.96
TARGET = "0.96 of the blank images removed, as published (within the interval); craters lost by it told"

Floats = NDArray[np.float64]


def setup() -> None:
    """Make the images."""
    foils_network.setup()
    foil_world.taken(foil_world.PREFILTER_BLANKS, Sizes().prefilter_blanks)


def run(quick: bool) -> Result:
    """Train by our recipe, or take what foils.network trained, and put a survey through it."""
    sizes = foil_world.QUICK if quick else Sizes()
    artifact, training = foils_network.ours(sizes, quick=quick)
    model, card = of_artifact(artifact)[0], read_card(artifact)

    def scores(images: foil_world.Images) -> Floats:
        return np.asarray(probability(logits(model, list(images)), card.calibration))

    chosen_on = foil_world.taken(foil_world.VALIDATION_BLANKS, sizes.validation_blanks)
    chosen = float(np.quantile(scores(chosen_on.images), REMOVED))
    survey = _Survey(sizes, scores)
    at_chosen = survey.at(chosen)
    engine = choose(artifact, card, device=CPU, thresholds=(chosen,)).engine

    def site_scores(images: foil_world.Images) -> Floats:
        said = [engine.logits([image])[0] for image in images]
        return np.asarray(probability(np.array(said), card.calibration))

    return Result(
        ours={
            **at_chosen,
            "at_the_threshold_of_the_training": survey.at(card.threshold),
            "as_a_site_scores": {
                "engine": f"{engine.name}, {engine.precision}",
                **survey.against(_Survey(sizes, site_scores), chosen),
            },
            "training": training,
        },
        peer=None,
        target=TARGET,
        met=None if quick else bool(at_chosen["blanks_removed_interval_95"][1] >= REMOVED),
        seed=SEED,
        note=(
            "the network of foils.network (our recipe), at the threshold that the site suggests by the "
            f"published share: of {len(chosen_on.images):,} validation blanks it leaves {1.0 - REMOVED:.2f} "
            f"to people; beside it the one that keeps {card.config['sensitivity']:g} of the craters pasted "
            f"on the validation side; {survey.note()}; `as_a_site_scores`: the same images through the "
            "engine that this machine chooses by other fixed images, instead of torch in float32"
        ),
    )


class _Survey:
    """What is put through: blanks, craters of the taught families, craters of the family apart."""

    def __init__(self, sizes: Sizes, scores: Callable[[foil_world.Images], Floats]) -> None:
        self._shown = foil_world.taken(foil_world.SHOWN_SCENES, sizes.shown_scenes)
        self._apart = foil_world.taken(foil_world.APART_SCENES, sizes.apart_scenes)
        blanks = foil_world.taken(foil_world.PREFILTER_BLANKS, sizes.prefilter_blanks)
        self._of_blanks, self._of_shown, self._of_apart = (
            scores(some.images) for some in (blanks, self._shown, self._apart)
        )
        # Of a survey's craters so many are of the family apart.
        self._share = SurveyParameters().apart_share

    def at(self, threshold: float) -> dict[str, Any]:
        """Shares removed below a threshold, with exact 95 % intervals."""
        lost_shown, lost_apart = self._of_shown < threshold, self._of_apart < threshold
        lost = (1.0 - self._share) * lost_shown.mean() + self._share * lost_apart.mean()
        large = self._apart.diameters_um >= HARD_BELOW_UM
        return {
            "threshold": round(threshold, 5),
            **_share("blanks_removed", self._of_blanks < threshold),
            "craters_lost": round(float(lost), 4),
            **_share("lost_of_taught_families", lost_shown),
            **_share("lost_of_the_family_apart", lost_apart),
            **_share(f"lost_of_the_family_apart_from_{HARD_BELOW_UM:g}_um", lost_apart[large]),
            "kept_of_taught_families": by_diameter(self._shown.diameters_um, ~lost_shown),
            "kept_of_the_family_apart": by_diameter(self._apart.diameters_um, ~lost_apart),
        }

    def against(self, other: "_Survey", threshold: float) -> dict[str, Any]:
        """What becomes of the same images where others scored them."""
        mine, theirs = (
            np.concatenate([one._of_blanks, one._of_shown, one._of_apart]) for one in (self, other)
        )
        changed = (mine < threshold) != (theirs < threshold)
        return {
            "other_side_of_the_threshold": f"{int(changed.sum())} of {len(changed)}",
            "largest_change_of_probability": round(float(np.abs(mine - theirs).max()), 5),
            **_share("blanks_removed", other._of_blanks < threshold),
        }

    def note(self) -> str:
        return (
            f"asked of {len(self._of_blanks):,} blank images that nothing was taught or chosen on, "
            f"{len(self._of_shown)} scenes with a crater of the four taught families and "
            f"{len(self._of_apart)} of RAGGED; `craters_lost` weighs the two as the simulated survey does "
            f"({self._share:g} apart); log-uniform diameters from 0.2 to 5 µm; published: 0.96 removed at "
            "a score of 0.01"
        )


def _share(name: str, is_so: NDArray[np.bool_]) -> dict[str, object]:
    k, n = int(is_so.sum()), len(is_so)
    return {
        name: round(k / n, 4),
        f"{name}_interval_95": [round(bound, 4) for bound in clopper_pearson(k, n)],
    }
