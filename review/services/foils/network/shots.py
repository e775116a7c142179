"""Simulated test shots with their craters cut out, and blank foil: what a demonstration teaches its network.

An expert goes around a crater by clicks, a little outside of its rim. Here the craters are known exactly, so
their outlines are too.
"""

from dataclasses import dataclass, replace
from uuid import UUID, uuid5

import numpy as np

from annotate.models import Campaign, Participant
from mlcore.simulate.foil_survey import Place, SurveyParameters
from mlcore.simulate.foils import FoilParameters
from review.models import CutOut, Picture
from review.services.foils.network import cut_outs
from review.services.foils.surveying import add_survey, name_of, place_of

# Neither share may be 0 or 1: a survey knows nothing for certain.
_NEARLY_NONE, _NEARLY_ALL = 1e-9, 1.0 - 1e-9
# Of an outline: how far around the crater, in its radii, how uneven, and how many corners.
OUTLINE, UNEVEN, CORNERS = 1.4, 0.04, 20
_CUTS = UUID("3d0a2b61-7f1e-4f0b-8c57-9c1d6e0f2a75")


@dataclass(frozen=True)
class Shots:
    """How much there is.

    Attributes:
        foil: Of all of it, as of the survey that the network shall search.
        seed: Of the shots; of the blanks the next one.
        n_shots: Pictures with a crater each, of the families that may be shown.
        n_cut: Of these, with the crater cut out; the rest waits for a lead.
        n_blanks: Pictures without a crater.
    """

    foil: FoilParameters
    seed: int
    n_shots: int
    n_cut: int
    n_blanks: int


def add(campaign: Campaign, shots: Shots, by: Participant) -> None:
    """Add what is missing of them to a synthetic campaign.

    Raises:
        InvalidInput: The campaign is on real pictures.
    """
    blank = SurveyParameters(foil=shots.foil, crater_share=_NEARLY_NONE, apart_share=0.0, series_share=0.0)
    shot = replace(blank, crater_share=_NEARLY_ALL)
    add_survey(
        campaign=campaign,
        parameters=blank,
        seed=shots.seed + 1,
        n=shots.n_blanks,
        purpose=Picture.Purpose.BLANK,
    )
    places = add_survey(
        campaign=campaign,
        parameters=shot,
        seed=shots.seed,
        n=shots.n_shots,
        purpose=Picture.Purpose.REFERENCE,
    )
    names = [name_of(shots.seed, number) for number in range(1, shots.n_cut + 1)]
    pictures = {picture.name: picture for picture in campaign.pictures.filter(name__in=names)}
    known = set(CutOut.objects.filter(uid__in=map(_uid_of, pictures.values())).values_list("uid", flat=True))
    for name, picture in sorted(pictures.items()):
        if _uid_of(picture) not in known:
            place = places.get(name) or place_of(shot, name)
            _cut(picture, place, shots.foil, by)


def outline(place: Place, foil: FoilParameters) -> list[list[float]]:
    """Corners around the place's crater, as somebody clicks them."""
    (crater,) = place.craters
    random = np.random.default_rng(place.number)
    radius_px = OUTLINE * crater.diameter_um / foil.um_per_px / 2.0
    angles = np.linspace(0.0, 2.0 * np.pi, CORNERS, endpoint=False)
    reach = radius_px * (1.0 + UNEVEN * random.uniform(-1.0, 1.0, CORNERS))
    corners = np.stack([crater.x_px + reach * np.cos(angles), crater.y_px + reach * np.sin(angles)], axis=1)
    return np.clip(corners, 0.0, [foil.width_px, foil.height_px]).round(1).tolist()


def _cut(picture: Picture, place: Place, foil: FoilParameters, by: Participant) -> None:
    cut_outs.cut(uid=_uid_of(picture), picture=picture, polygon=outline(place, foil), by=by)


def _uid_of(picture: Picture) -> UUID:
    return uuid5(_CUTS, str(picture.uid))
