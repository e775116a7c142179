"""Reckon a triage now, or work out again what it has published and compare."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mlcore.errors import TektiteError
from review.management.foils import add_campaign, campaign_of
from review.models import Workflow
from review.services.foils.results import reckoning
from review.services.foils.rules import rules


class Command(BaseCommand):
    help = "Reckon all answers of a campaign on foils together and publish the result, as happens each night."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_campaign(parser)
        parser.add_argument(
            "--check",
            action="store_true",
            help="publish nothing: work out the newest reckoning again from the log and say whether its "
            "numbers come out again (exit code 0) or not (1)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        workflow = rules.workflow_of(campaign_of(options))
        if options["check"]:
            self._check(workflow)
            return
        try:
            made = reckoning.night(workflow)
        except TektiteError as refusal:
            raise CommandError(refusal.message) from None
        self.stdout.write(
            f"{made.estimates.count()} estimates from {made.n_answers} answers of {made.n_people} people, "
            f"in {made.seconds:.1f} s; input {made.sha256}."
        )

    def _check(self, workflow: Workflow) -> None:
        newest = reckoning.newest(workflow)
        if newest is None:
            raise CommandError("Nothing has been reckoned yet; run this without --check first.")
        again = reckoning.check(newest)
        what = f"the reckoning of {newest.created_at:%Y-%m-%d %H:%M} (input {newest.sha256})"
        if not again.same_input:
            raise CommandError(
                f"What is known or believed of the pictures, or whose selves are whose, has changed since "
                f"{what}, so it cannot come out again. Reckon anew, and check that."
            )
        if not again.holds:
            raise CommandError(
                f"{again.n_differ} of {again.n_estimates} estimates of {what} come out otherwise, by up to "
                f"{again.largest:.3g}. Somebody has altered them, or Tektite reckons otherwise by now: "
                "reckon anew."
            )
        self.stdout.write(f"{again.n_estimates} estimates of {what}: the same numbers come out again.")
