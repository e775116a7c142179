"""A simulated survey of foils: numbered places with their images, their truth and a network's score.

Each place is a function of the survey's seed and its own number, so that a survey can be taken up where it
was left, and made larger later. The scores are made up: those a network would give whose craters and other
images lie apart as in mlcore.simulate.judges, turned into probabilities as if that were known exactly.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat
from math import exp, log
from multiprocessing import get_context
from os import cpu_count

import numpy as np
from numpy.typing import NDArray

from mlcore.errors import InvalidInput
from mlcore.simulate.foils import (
    APART,
    SHOWN,
    Crater,
    Exposure,
    Family,
    FoilParameters,
    LookAlike,
    draw_exposure,
    expose,
    make_scene,
)
from mlcore.simulate.judges import BLANK, EASY, HARD, LOOKALIKE, CrowdParameters

FOIL = FoilParameters(pits=0.4)
# A crater that is smaller is hard to see at the survey's magnification.
HARD_BELOW_UM = 0.5
# Smaller pits are taken for craters by nobody.
TEMPTING_UM = 1.0
# Of a focus series, the blur of each frame in px.
FOCUS_PX = (2.6, 1.3, 0.6)
# Fewer are made in this process: others take a second to begin.
_WORTH_PROCESSES = 24
_AT_A_TIME, _IN_MEMORY = 4, 64


@dataclass(frozen=True)
class SurveyParameters:
    """One kind of survey.

    Attributes:
        foil: Of all images.
        crater_share: Of the places, with a crater.
        apart_share: Of the craters, of the family that known images never show.
        series_share: Of the places, taken at several depths of focus.
        places_per_foil: A new piece of foil begins after so many.
    """

    foil: FoilParameters = FOIL
    crater_share: float = 0.01
    apart_share: float = 0.15
    series_share: float = 0.04
    places_per_foil: int = 500

    def __post_init__(self) -> None:
        shares = (self.crater_share, self.apart_share, self.series_share)
        if not all(0.0 <= share <= 1.0 for share in shares) or self.crater_share in (0.0, 1.0):
            raise InvalidInput(
                f"Shares lie between 0 and 1, and that of craters strictly so: {shares} do not."
            )
        if self.places_per_foil < 1:
            raise InvalidInput(f"A piece of foil has at least 1 place, not {self.places_per_foil}.")


@dataclass(frozen=True)
class Place:
    """One place of a survey.

    Attributes:
        number: Of the survey, from 1.
        foil: Which piece, from 1.
        x_um: Of the stage.
        y_um: Of the stage.
        craters: All of them, in pixels of the image.
        lookalikes: Pits that are large enough to be taken for one.
        score: A network's probability of a crater, 0 to 1; made up.
    """

    number: int
    foil: int
    x_um: float
    y_um: float
    craters: tuple[Crater, ...]
    lookalikes: tuple[LookAlike, ...]
    score: float

    @property
    def kind(self) -> int:
        """BLANK, LOOKALIKE, EASY or HARD of mlcore.simulate.judges."""
        if not self.craters:
            return LOOKALIKE if self.lookalikes else BLANK
        easy = any(c.family != APART and c.diameter_um >= HARD_BELOW_UM for c in self.craters)
        return EASY if easy else HARD


@dataclass(frozen=True)
class Taken:
    """A place with its images.

    Attributes:
        place: Which.
        frames: Shape (height_px, width_px) each, 0 to 255: one, or the frames of a focus series.
    """

    place: Place
    frames: list[NDArray[np.uint8]]


def take(parameters: SurveyParameters, seed: int, number: int) -> Taken:
    """The place of a number, with its images; the same seed and number give the same ones."""
    random = np.random.default_rng((seed, number))
    scene_seed = int(random.integers(2**62))
    scene = make_scene(parameters.foil, scene_seed, _families(parameters, random))
    exposure = draw_exposure(scene_seed)
    is_series = bool(random.random() < parameters.series_share)
    foil, position = divmod(number - 1, parameters.places_per_foil)
    across = 25
    place = Place(
        number=number,
        foil=foil + 1,
        x_um=round(position % across * parameters.foil.width_px * scene.um_per_px, 1),
        y_um=round(position // across * parameters.foil.height_px * scene.um_per_px, 1),
        craters=tuple(scene.craters),
        lookalikes=tuple(thing for thing in scene.lookalikes if _is_tempting(thing)),
        score=0.0,
    )
    frames = [expose(scene, one, scene_seed) for one in _exposures(exposure, is_series=is_series)]
    return Taken(replace(place, score=_score(parameters, place.kind, random)), frames)


def take_all(parameters: SurveyParameters, seed: int, numbers: list[int]) -> Iterator[Taken]:
    """The places of these numbers in their order; many are made on all the machine's processors."""
    n_processes = cpu_count() or 1
    if len(numbers) < _WORTH_PROCESSES or n_processes == 1:
        yield from (take(parameters, seed, number) for number in numbers)
        return
    # Begun afresh: a copy of a process that holds connections to a database would hold them too.
    with ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as processes:
        for start in range(0, len(numbers), _IN_MEMORY):
            batch = numbers[start : start + _IN_MEMORY]
            yield from processes.map(take, repeat(parameters), repeat(seed), batch, chunksize=_AT_A_TIME)


def _is_tempting(thing: LookAlike) -> bool:
    return thing.kind == "pit" and thing.diameter_um >= TEMPTING_UM


def _families(parameters: SurveyParameters, random: np.random.Generator) -> list[Family]:
    is_crater, is_apart = random.random(2) < (parameters.crater_share, parameters.apart_share)
    if not is_crater:
        return []
    return [APART if is_apart else SHOWN[int(random.integers(len(SHOWN)))]]


def _exposures(exposure: Exposure, *, is_series: bool) -> list[Exposure]:
    if not is_series:
        return [exposure]
    return [replace(exposure, defocus_px=defocus_px) for defocus_px in FOCUS_PX]


def _score(parameters: SurveyParameters, kind: int, random: np.random.Generator) -> float:
    """A network's output for such an image, as the probability it stands for among easy and blank ones."""
    means = CrowdParameters().score_logits
    raw = float(random.normal(means[kind]))
    share, apart = parameters.crater_share, means[EASY] - means[BLANK]
    odds = log(share / (1.0 - share)) + apart * (raw - (means[EASY] + means[BLANK]) / 2.0)
    return 1.0 / (1.0 + exp(-odds))
