"""manage.py add_basemap FILE --body moon: take in a raster, and have it converted."""

from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from annotate.models import Basemap
from annotate.services import basemaps, conversions
from annotate.tasks import convert_basemap_task
from mlcore.bodies import BODIES
from mlcore.errors import TektiteError


class Command(BaseCommand):
    help = "Check a raster that GDAL reads, store it, and convert it (elevation: derive hillshade and slope)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--body", required=True, choices=BODIES)
        parser.add_argument("--name", help="shown to people; the file's own name where not given")
        parser.add_argument("--kind", choices=basemaps.GIVEN_KINDS, help="found out where not given")
        parser.add_argument("--sun-azimuth", type=float, metavar="DEG", help="clockwise from north")
        parser.add_argument("--sun-altitude", type=float, metavar="DEG", help="above the horizon")
        parser.add_argument("--synthetic", action="store_true", help="it shows made-up terrain")
        parser.add_argument("--here", action="store_true", help="convert in this process, not by a worker")

    def handle(self, **options: object) -> None:
        path = options["file"]
        try:
            basemap = basemaps.add_basemap(
                path=path,
                name=options["name"] or path.stem.replace("_", " "),
                body=options["body"],
                kind=options["kind"],
                sun_azimuth_deg=options["sun_azimuth"],
                sun_altitude_deg=options["sun_altitude"],
                synthetic=options["synthetic"],
            )
        except TektiteError as error:
            raise CommandError(error.message) from error
        if options["here"]:
            self._convert(basemap)
        else:
            convert_basemap_task.delay_on_commit(basemap.pk)
        self.stdout.write(str(basemap.uid))

    def _convert(self, basemap: Basemap) -> None:
        conversions.convert(basemap.pk)
        basemap.refresh_from_db()
        if basemap.state != Basemap.State.READY:
            raise CommandError(basemap.error)
