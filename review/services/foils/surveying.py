"""Simulated surveys as pictures of a campaign, for demonstrations and rehearsals; always synthetic."""

import csv
from collections.abc import Callable
from io import StringIO

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate.models import Campaign, Participant
from mlcore.errors import InvalidInput
from mlcore.simulate.foil_survey import Place, SurveyParameters, take, take_all
from review.models import Picture, ScoreImport
from review.services.foils import pictures
from review.services.foils.stream import scores

NM_PER_UM = 1000.0
MOST = 500_000
# What a piece of foil is called.
FOILS = {
    Picture.Purpose.SURVEY: gettext_lazy("simulated foil"),
    Picture.Purpose.REFERENCE: gettext_lazy("simulated test shot"),
    Picture.Purpose.BLANK: gettext_lazy("simulated blank foil"),
}

Progress = Callable[[int, int], None]


def name_of(seed: int, number: int) -> str:
    """As the picture's file would be called."""
    return f"{_prefix(seed)}{number:06d}.png"


def check(campaign: Campaign, n: int) -> None:
    """Refuse a survey of too many places, and one among real pictures.

    Raises:
        InvalidInput: See above.
    """
    if not campaign.synthetic:
        raise InvalidInput(
            _(
                "“%(name)s” is a campaign on real pictures, and simulated ones would mix with them. Make a "
                "campaign that is marked as synthetic."
            )
            % {"name": campaign.name}
        )
    if not 1 <= n <= MOST:
        raise InvalidInput(
            _("A simulated survey has 1 to %(most)s pictures, not %(n)s.")
            % {"most": f"{MOST:,}", "n": f"{n:,}"}
        )


def add_survey(
    *,
    campaign: Campaign,
    parameters: SurveyParameters,
    seed: int,
    n: int,
    purpose: str = Picture.Purpose.SURVEY,
    tell: Progress = lambda n_done, n_all: None,
) -> dict[str, Place]:
    """Add the survey's first n places to the campaign; the new ones by name. What is there stays as it is.

    Of another purpose it is no survey, but test shots to cut craters out of, or foil that is blank.

    Raises:
        InvalidInput: As check says.
    """
    check(campaign, n)
    names = {name_of(seed, number): number for number in range(1, n + 1)}
    known = set(campaign.pictures.filter(name__startswith=_prefix(seed)).values_list("name", flat=True))
    missing = [number for name, number in names.items() if name not in known]
    added: dict[str, Place] = {}
    for taken in take_all(parameters, seed, missing):
        name = name_of(seed, taken.place.number)
        pictures.add_picture(
            campaign=campaign,
            name=name,
            frames=taken.frames,
            where=pictures.Where(
                foil=f"{FOILS[purpose]} {taken.place.foil}",
                x_um=taken.place.x_um,
                y_um=taken.place.y_um,
                nm_per_px=parameters.foil.um_per_px * NM_PER_UM,
            ),
            synthetic=True,
            purpose=purpose,
        )
        added[name] = taken.place
        tell(len(added), len(missing))
    return added


def place_of(parameters: SurveyParameters, name: str) -> Place:
    """The truth of a picture, by its name."""
    _simulated, seed, number = name.removesuffix(".png").split("-")
    return take(parameters, int(seed), int(number)).place


def add_scores(
    *,
    campaign: Campaign,
    parameters: SurveyParameters,
    seed: int,
    known: dict[str, Place],
    requested_by: Participant | None = None,
) -> ScoreImport | None:
    """Give the survey's pictures that have none their scores, as a file of a network's would be read.

    Places that are not among the known ones are made again.
    """
    unscored = campaign.pictures.survey().filter(name__startswith=_prefix(seed), score=None).order_by("name")
    names = list(unscored.values_list("name", flat=True))
    if not names:
        return None
    table = StringIO()
    writer = csv.writer(table)
    writer.writerow(["name", "score"])
    for name in names:
        place = known.get(name) or place_of(parameters, name)
        writer.writerow([name, f"{place.score:.6f}"])
    upload = SimpleUploadedFile("simulated-scores.csv", table.getvalue().encode())
    one = scores.take_in(campaign=campaign, requested_by=requested_by, is_calibrated=True, upload=upload)
    scores.read(one.pk)
    one.refresh_from_db()
    return one


def _prefix(seed: int) -> str:
    return f"simulated-{seed}-"
