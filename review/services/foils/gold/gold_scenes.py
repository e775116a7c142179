"""Known pictures of simulated campaigns: whole scenes of the simulator, which knows their truth."""

from dataclasses import replace
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from mlcore.errors import InvalidInput
from mlcore.formats.pictures import Grey
from mlcore.simulate import foil_gold
from mlcore.simulate.foil_survey import FOCUS_PX, FOIL
from mlcore.simulate.foils import SHOWN, Scene, draw_exposure, expose, make_scene
from review.models import Picture, Workflow
from review.services.foils.gold import gold, gold_sources
from review.services.foils.gold.gold import Kind, Place
from review.services.foils.gold.gold_sources import Made, place_of

# Scenes are drawn until one holds what is wanted.
_SCENES = 60
# Far from the seeds that campaigns' own scenes have: no known picture is one of the queue.
_FIRST_SEED = 2**40
# Mean number of pits where the survey's own will not do.
_PITS = {Kind.LOOK_ALIKE: 1.5, Kind.BLANK: 0.0}


def draw(workflow: Workflow, kind: Kind, seed: int, *, smallest_um: float) -> Made:
    """A whole scene as simulated surveys have them, of size, depth, scale and frames of one picture."""
    like = _model(workflow, seed)
    first = gold.frames_of(like)[0]
    um_per_px = (like.nm_per_px or foil_gold.USUAL_UM_PER_PX * 1000.0) / 1000.0
    parameters = replace(
        FOIL,
        width_px=like.width_px,
        height_px=like.height_px,
        um_per_px=um_per_px,
        pits=_PITS.get(kind, FOIL.pits),
    )
    families = [SHOWN[seed % len(SHOWN)]] if kind == Kind.CRATER else []
    room_um = min(like.width_px, like.height_px) * um_per_px / 4.0
    for scene_seed in range(_FIRST_SEED + seed * _SCENES, _FIRST_SEED + (seed + 1) * _SCENES):
        scene = make_scene(parameters, scene_seed, families)
        places = _places(scene, kind)
        if kind == Kind.BLANK or any(
            float(place["diameter_um"] or 0.0) >= min(smallest_um, room_um) for place in places
        ):
            break
    else:
        raise InvalidInput(_("No scene with what was asked for came up; choose another seed."))
    made_by = {
        "how": "scene",
        "seed": scene_seed,
        "family": str(families[0]) if families else "",
        "like": str(like.uid),
    }
    frames = _exposed(scene, scene_seed, like.frames.count(), first.dtype)
    return Made(frames, like, places, made_by, synthetic=True)


def _exposed(scene: Scene, seed: int, n_frames: int, dtype: np.dtype[Any]) -> list[Grey]:
    exposure = draw_exposure(seed)
    blurs_px = (
        [exposure.defocus_px]
        if n_frames == 1
        else np.interp(
            np.linspace(0.0, 1.0, n_frames), np.linspace(0.0, 1.0, len(FOCUS_PX)), FOCUS_PX
        ).tolist()
    )
    greys = [expose(scene, replace(exposure, defocus_px=blur_px), seed) for blur_px in blurs_px]
    return [grey if dtype == np.uint8 else grey.astype(np.uint16) * 257 for grey in greys]


def _model(workflow: Workflow, seed: int) -> Picture:
    """One of the campaign's pictures, by the seed."""
    found = gold_sources.unused(workflow).order_by("pk")
    first, last = found.first(), found.last()
    if first is None or last is None:
        raise InvalidInput(_("Known pictures are made from the campaign's own; add pictures first."))
    at = int(np.random.default_rng((seed, 41)).integers(first.pk, last.pk + 1))
    return found.filter(pk__gte=at)[:1].get()


def _places(scene: Scene, kind: Kind) -> list[Place]:
    if kind == Kind.CRATER:
        return [place_of(crater) for crater in scene.craters]
    if kind == Kind.LOOK_ALIKE:
        height, width = scene.height_um.shape
        return [
            place_of(thing)
            for thing in scene.lookalikes
            if thing.kind == "pit" and 0 <= thing.x_px <= width and 0 <= thing.y_px <= height
        ]
    return []
