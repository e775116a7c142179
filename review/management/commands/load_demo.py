"""manage.py load_demo: the synthetic demonstration, and a quick training on it."""

from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand

from review.models import Run
from review.services import demonstration, training
from review.tasks import enqueue


class Command(BaseCommand):
    help = "Load the synthetic demonstration; what is there already stays."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--sign-ins", type=Path, help="write the accounts there, for the owner alone")
        parser.add_argument("--train", action="store_true", help="queue a quick training and its predictions")

    def handle(self, *args: object, sign_ins: Path | None, train: bool, **options: object) -> None:
        demo = demonstration.load()
        text = self._text(demo, self._train(demo) if train else None)
        self.stdout.write(text)
        if sign_ins is not None:
            sign_ins.touch(mode=0o600)
            sign_ins.write_text(text)

    def _train(self, demo: demonstration.Demonstration) -> Run | None:
        if demo.campaign.runs.exists():
            return None
        run = training.request_training(campaign=demo.campaign, requested_by=demo.lead, promote=True)
        enqueue(run)
        return run

    def _text(self, demo: demonstration.Demonstration, run: Run | None) -> str:
        lines = [
            "",
            f"A synthetic demonstration: /campaigns/{demo.campaign.uid}/",
            f"Simulated foils to judge, without signing in: /campaigns/{demo.foils.uid}/triage/",
            f"Their network, for the lead to train: /campaigns/{demo.foils.uid}/foils/network/",
            "",
        ]
        for name, (_roles, what) in demonstration.CAST.items():
            lines.append(f"  {name:<12} {demo.passwords.get(name, '(as before)'):<14} {what}")
        if run is not None:
            lines += ["", f"A quick training is on its way: /runs/{run.uid}/"]
        return "\n".join([*lines, ""])
