"""What the commands on foils have in common."""

from argparse import ArgumentParser

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from annotate.models import Campaign


def add_campaign(parser: ArgumentParser) -> None:
    parser.add_argument(
        "campaign", metavar="CAMPAIGN_UID", help="the campaign's uid, as in the address of its pages"
    )


def campaign_of(options: dict[str, object]) -> Campaign:
    """The campaign on foils that was named; CommandError where there is none."""
    try:
        return Campaign.objects.get(uid=options["campaign"], kind=Campaign.Kind.FOIL)
    except (Campaign.DoesNotExist, ValidationError) as error:
        raise CommandError(
            "There is no campaign on foils with this uid; its page's address has it."
        ) from error
