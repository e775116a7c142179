"""manage.py simulate_foils CAMPAIGN_UID --images N: a simulated survey to rehearse a campaign with."""

import csv
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from mlcore.errors import TektiteError
from mlcore.simulate.foil_survey import Place, SurveyParameters
from review.management.foils import add_campaign, campaign_of
from review.services.foils import surveying
from review.services.foils.rules import rules
from review.services.foils.stream import stream

TOLD_EVERY = 500


class Command(BaseCommand):
    help = (
        "Add simulated pictures with made-up scores to a campaign on foils that is marked as synthetic, and "
        "fill its queue. The same seed gives the same pictures; a larger number goes on from an earlier one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_campaign(parser)
        parser.add_argument("--images", type=int, default=1000, metavar="N", help="how many in all")
        parser.add_argument("--seed", type=int, default=1, metavar="S")
        parser.add_argument(
            "--crater-share", type=float, default=0.01, help="of the pictures, with a crater (0.01)"
        )
        parser.add_argument(
            "--truth", type=Path, metavar="CSV", help="write there where the new pictures' craters are"
        )

    def handle(self, *args: object, **options: object) -> None:
        campaign = campaign_of(options)
        seed = int(str(options["seed"]))
        try:
            parameters = SurveyParameters(crater_share=float(str(options["crater_share"])))
            places = surveying.add_survey(
                campaign=campaign,
                parameters=parameters,
                seed=seed,
                n=int(str(options["images"])),
                tell=self._tell,
            )
            surveying.add_scores(campaign=campaign, parameters=parameters, seed=seed, known=places)
        except TektiteError as error:
            raise CommandError(error.message) from error
        n_new = stream.fill(workflow=rules.workflow_of(campaign))
        if options["truth"]:
            write_truth(Path(str(options["truth"])), places)
        n_craters = sum(bool(place.craters) for place in places.values())
        self.stdout.write(
            f"{len(places):,} synthetic pictures were added, {n_craters:,} of them with craters; "
            f"{n_new:,} came into the queue."
        )

    def _tell(self, n_done: int, n_all: int) -> None:
        if n_done % TOLD_EVERY == 0:
            self.stdout.write(f"{n_done:,} of {n_all:,} pictures …")


def write_truth(path: Path, places: dict[str, Place]) -> None:
    """One row for each crater."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "family", "x_px", "y_px", "diameter_um"])
        writer.writerows(
            [name, crater.family, f"{crater.x_px:.1f}", f"{crater.y_px:.1f}", f"{crater.diameter_um:.3f}"]
            for name, place in places.items()
            for crater in place.craters
        )
