"""manage.py import_craters FILE --body moon: import a crater list, one catalogue for each source."""

from argparse import ArgumentParser
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from annotate.models import Campaign
from annotate.services.catalogues import import_craters
from mlcore.bodies import BODIES
from mlcore.errors import TektiteError


class Command(BaseCommand):
    help = (
        "Import a CSV of craters (lon, lat, diam_km, perhaps source and name) and report every refused row."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--body", required=True, choices=BODIES)
        parser.add_argument("--name", help="of the catalogue; the file's own name where not given")
        parser.add_argument("--campaign", metavar="UID", help="whose members may see it; else everybody")
        parser.add_argument("--lon-positive", choices=("east", "west"), default="east")
        parser.add_argument("--all-or-nothing", action="store_true", help="take nothing if a row is refused")

    def handle(self, **options: object) -> None:
        path = options["file"]
        try:
            with path.open("rb") as stream:
                catalogues = import_craters(
                    stream=stream,
                    name=options["name"] or path.stem.replace("_", " "),
                    body=options["body"],
                    campaign=Campaign.objects.get(uid=options["campaign"]) if options["campaign"] else None,
                    lon_positive=options["lon_positive"],
                    refuse_bad_rows=options["all_or_nothing"],
                )
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
        except (ValidationError, Campaign.DoesNotExist) as error:
            raise CommandError("There is no campaign with this uid; its page's address has it.") from error
        except TektiteError as error:
            raise CommandError(error.message) from error
        for catalogue in catalogues:
            self.stdout.write(f"{catalogue.uid}  {catalogue}: {catalogue.features.count()} craters")
        report = catalogues[0].report
        for row in report["rejected"]:
            self.stdout.write(f"line {row['row']}: {row['reason']} {row['hint']}")
        self.stdout.write(
            f"{report['accepted']} taken, {report['rejected_count']} refused. {report['longitudes']}"
        )
