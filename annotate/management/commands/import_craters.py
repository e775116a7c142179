"""manage.py import_craters FILE --body moon: import a crater list, one catalogue for each source."""

from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from annotate.models import Campaign
from annotate.services.catalogues import check_place, check_rows, import_craters, survey_craters
from mlcore.bodies import BODIES
from mlcore.errors import TektiteError
from mlcore.formats.longitudes import CONVENTIONS, DETECT


class Command(BaseCommand):
    help = (
        "Import a CSV of craters (lon, lat, diam_km, perhaps source and name) and report every refused row."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--body", required=True, choices=BODIES)
        parser.add_argument("--name", help="of the catalogue; the file's own name where not given")
        parser.add_argument("--campaign", metavar="UID", help="whose members may see it; else everybody")
        parser.add_argument(
            "--longitude",
            choices=(DETECT, *CONVENTIONS),
            default=DETECT,
            help="how the list counts longitudes: range, and whether they grow eastwards or westwards",
        )
        parser.add_argument(
            "--on-bad-rows", choices=("skip", "stop"), default="skip", help="leave them out, or take nothing"
        )
        parser.add_argument(
            "--rejected", type=Path, metavar="FILE", help="write the refused rows there, to mend and import"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would happen and store nothing")

    def handle(self, **options: object) -> None:
        path, rejected = options["file"], options["rejected"]
        try:
            campaign = Campaign.objects.get(uid=options["campaign"]) if options["campaign"] else None
            with ExitStack() as files:
                stream = files.enter_context(path.open("rb"))
                refused = None
                if rejected is not None:
                    refused = files.enter_context(rejected.open("w", encoding="utf-8", newline=""))
                reading = {"stream": stream, "longitude": options["longitude"], "rejected": refused}
                if options["dry_run"]:
                    body = check_place(options["body"], campaign)
                    report = survey_craters(body=body, **reading).report()
                    self._tell(report)
                    check_rows(report, options["on_bad_rows"])
                    self.stdout.write("Nothing was stored: this was a dry run.")
                    return
                catalogues = import_craters(
                    name=options["name"] or path.stem.replace("_", " "),
                    body=options["body"],
                    campaign=campaign,
                    on_bad_rows=options["on_bad_rows"],
                    **reading,
                )
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be opened: {error.strerror}.") from error
        except (ValidationError, Campaign.DoesNotExist) as error:
            raise CommandError("There is no campaign with this uid; its page's address has it.") from error
        except TektiteError as error:
            raise CommandError(error.message) from error
        for catalogue in catalogues:
            self.stdout.write(f"{catalogue.uid}  {catalogue}: {catalogue.features.count()} craters")
        self._tell(catalogues[0].report)

    def _tell(self, report: dict[str, object]) -> None:
        """What was understood, the refused rows, and the counts."""
        layout, longitude = report["layout"], report["longitude"]
        columns = ", ".join(f"{kind} from '{name}'" for kind, name in report["columns"].items())
        self.stdout.write(f"columns: {columns}; sizes in {layout['unit']}")
        self.stdout.write(
            f"written: {layout['encoding']}, cells set apart by {layout['delimiter']}, "
            f"decimal {layout['decimal_mark']}"
        )
        self.stdout.write(f"longitudes ({longitude['certainty']}): {report['longitudes']}")
        for note in [longitude["doubt"], *report["notes"]]:
            if note:
                self.stdout.write(f"note: {note}")
        for row in report["rejected"]:
            self.stdout.write(f"line {row['row']}: {row['reason']} {row['hint']}")
        n_more = report["rejected_count"] - len(report["rejected"])
        if n_more:
            self.stdout.write(f"… and {n_more} more refused rows; --rejected FILE writes all of them.")
        if report["repeats_count"]:
            self.stdout.write(f"{report['repeats_count']} craters nearly repeat an earlier one.")
        self.stdout.write(f"{report['accepted']} taken, {report['rejected_count']} refused.")
