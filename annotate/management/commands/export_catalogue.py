"""manage.py export_catalogue UID FILE.csv: write a catalogue as CSV or GeoJSON."""

from argparse import ArgumentParser
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from annotate.models import Catalogue
from annotate.services import exports
from annotate.services.disk import full_in_words
from mlcore.errors import NoRoom

WRITERS = {".csv": exports.csv_lines, ".geojson": exports.geojson_chunks}


class Command(BaseCommand):
    help = "Write a catalogue to a file; its ending says how (.csv or .geojson)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("uid")
        parser.add_argument("file", type=Path)

    def handle(self, **options: object) -> None:
        path = options["file"]
        writer = WRITERS.get(path.suffix.lower())
        if writer is None:
            raise CommandError(f"{path.name} ends in neither .csv nor .geojson.")
        try:
            catalogue = Catalogue.objects.get(uid=options["uid"])
        except (Catalogue.DoesNotExist, ValidationError) as error:
            raise CommandError(f"There is no catalogue {options['uid']}.") from error
        export = writer(catalogue)
        half_done = path.with_name(f"{path.name}.half-done")
        try:
            with full_in_words(f"Writing {path}"), half_done.open("w", encoding="utf-8", newline="") as file:
                file.writelines(export.chunks)
            half_done.replace(path)
        except NoRoom as error:
            raise CommandError(error.message) from error
        finally:
            half_done.unlink(missing_ok=True)
        self.stdout.write(f"{export.count} features of {catalogue} in {path}")
