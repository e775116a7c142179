"""manage.py import_foil_scores CAMPAIGN FILE: scores of a network for a campaign's pictures."""

from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from mlcore.errors import TektiteError
from review.management.foils import add_campaign, campaign_of
from review.models import ScoreImport
from review.services.foils.rules import rules
from review.services.foils.stream import scores, stream


class Command(BaseCommand):
    help = "Read a CSV of scores (name or sha256, score from 0 to 1) and fill the queue by the threshold."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_campaign(parser)
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--calibrated",
            action="store_true",
            help="the scores are probabilities of a crater; without it they only rank until calibrated",
        )

    def handle(self, *args: object, **options: object) -> None:
        campaign = campaign_of(options)
        try:
            one = scores.take_in(
                campaign=campaign,
                requested_by=None,
                is_calibrated=bool(options["calibrated"]),
                path=Path(str(options["file"])),
            )
        except TektiteError as error:
            raise CommandError(error.message) from error
        scores.read(one.pk)
        one.refresh_from_db()
        if one.state == ScoreImport.State.FAILED:
            raise CommandError(one.error)
        report = scores.report_of(one)
        for sentence, examples in report.sentences() if report else []:
            self.stdout.write(sentence)
            for example in examples:
                self.stdout.write(f"  {example}")
        n_new = stream.fill(workflow=rules.workflow_of(campaign))
        self.stdout.write(f"{n_new:,} pictures came into the queue.")
