"""manage.py create_campaign NAME --basemap UID --lead USER: begin a campaign without the page."""

from argparse import ArgumentParser

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from annotate.models import Basemap, Campaign, User
from annotate.services.campaigns import create_campaign
from annotate.services.participants import participant_of
from mlcore.errors import TektiteError


class Command(BaseCommand):
    help = "Begin a campaign on the grid of a converted basemap."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--basemap", required=True, action="append", metavar="UID", help="the first gives the grid"
        )
        parser.add_argument("--lead", required=True, metavar="USERNAME")
        parser.add_argument("--tile-size", type=int, default=512, metavar="PX")
        parser.add_argument("--overlap", type=int, default=64, metavar="PX")
        parser.add_argument("--redundancy", type=int, default=3, help="visits that a tile needs")
        parser.add_argument("--min-diameter", type=float, default=0.0, metavar="M")
        parser.add_argument("--public", action="store_true")

    def handle(self, **options: object) -> None:
        try:
            basemaps = [Basemap.objects.get(uid=uid) for uid in options["basemap"]]
            lead = User.objects.get(username=options["lead"])
            campaign = create_campaign(
                name=options["name"],
                body=basemaps[0].body,
                basemaps=basemaps,
                created_by=participant_of(lead),
                tile_size_px=options["tile_size"],
                overlap=options["overlap"],
                redundancy=options["redundancy"],
                min_diameter_m=options["min_diameter"],
                visibility=Campaign.Visibility.PUBLIC if options["public"] else Campaign.Visibility.PRIVATE,
            )
        except (Basemap.DoesNotExist, ValidationError) as error:
            raise CommandError("There is no basemap with this uid; add_basemap prints it.") from error
        except User.DoesNotExist as error:
            raise CommandError(f"Nobody is signed up as {options['lead']}.") from error
        except TektiteError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{campaign.uid}  {campaign}: {campaign.tiles.count()} tiles")
