"""Simulated foil on a site: a survey to score, and test shots and blank foil to train its network on."""

from dataclasses import dataclass

import numpy as np

from annotate.models import Campaign, User
from annotate.services.participants import participant_of
from benchmarks import foil_fill
from mlcore.simulate.foils import SHOWN, Crater, FoilParameters, draw_exposure, expose, make_scene
from review.models import CutOut, Picture, Run
from review.services import training
from review.services.foils import pictures

FOIL = FoilParameters(width_px=160, height_px=160)
# More than a worker takes at a time, so that there is a middle to be killed in.
SURVEY = 9_000
# An outline keeps some ground around the rim, and must fit on the blanks.
OUTLINE, LARGEST_UM = 1.5, 2.4
SIDES = ("train", "train", "train", "validation", "test")


@dataclass(frozen=True)
class Foils:
    """A campaign with what its network learns from, and its lead."""

    campaign: Campaign
    lead: User

    def ask_for_training(self, **settings: object) -> Run:
        """A training, not yet enqueued; settings differ from the quick preset."""
        return training.request_training(
            campaign=self.campaign,
            system="foil_classifier",
            requested_by=participant_of(self.lead),
            overrides=settings,
        )


def lay(name: str) -> Foils:
    """Make it, in this process; see benchmarks.rig.inside.reach."""
    filled = foil_fill.fill(name, SURVEY, 0, seed=8)
    foils = Foils(filled.workflow.campaign, filled.lead)
    for number, side in enumerate(SIDES * 2):
        _add_cut_out(foils, number, side)
        _add(foils, f"blank-{number}", 3000 + number, side, Picture.Purpose.BLANK)
    return foils


def _add_cut_out(foils: Foils, number: int, side: str) -> None:
    """A test shot with a crater, and the outline of it."""
    picture, crater = _add(foils, f"shot-{number}", 1000 + number, side, Picture.Purpose.REFERENCE)
    assert crater is not None
    reach_px = OUTLINE / 2.0 * crater.diameter_um / FOIL.um_per_px
    angles = 2.0 * np.pi * np.arange(24) / 24.0
    rim = np.stack([crater.x_px + reach_px * np.cos(angles), crater.y_px + reach_px * np.sin(angles)], axis=1)
    CutOut.objects.create(
        picture=picture, polygon=rim.tolist(), diameter_px=2.0 * reach_px, by=participant_of(foils.lead)
    )


def _add(foils: Foils, name: str, seed: int, side: str, purpose: str) -> tuple[Picture, Crater | None]:
    families = (SHOWN[seed % len(SHOWN)],) if purpose == Picture.Purpose.REFERENCE else ()
    while (scene := make_scene(FOIL, seed, families)).craters and scene.craters[0].diameter_um > LARGEST_UM:
        seed += 100
    picture, _ = pictures.add_picture(
        campaign=foils.campaign,
        name=name,
        frames=[expose(scene, draw_exposure(seed), seed)],
        where=pictures.Where(nm_per_px=1000.0 * FOIL.um_per_px),
        synthetic=True,
        purpose=purpose,
    )
    picture.side = side
    picture.save()
    return picture, scene.craters[0] if scene.craters else None
