"""Craters that are known already, to people or to a list, and so need no proposal."""

from django.db.models import Q, QuerySet

from annotate.models import Campaign, Catalogue, Feature

ORIGINS = (Catalogue.Origin.IMPORTED, Catalogue.Origin.CONSENSUS, Catalogue.Origin.REVIEWED)


def known_craters(campaign: Campaign) -> QuerySet[Feature]:
    """Those of the campaign's catalogues, and of lists that belong to everybody.

    The list of made-up terrain is its truth: whoever searches or proposes there is not supposed to know it.
    """
    truth = Q(catalogue__origin=Catalogue.Origin.IMPORTED, catalogue__synthetic=True)
    return (
        Feature.objects.filter(
            Q(catalogue__campaign=campaign) | Q(catalogue__campaign__isnull=True),
            catalogue__origin__in=ORIGINS,
            catalogue__body=campaign.body,
        )
        .exclude(status=Feature.Status.REJECTED)
        .exclude(truth)
    )
