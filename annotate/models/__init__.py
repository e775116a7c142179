"""The nouns of drawing; one file each."""

from annotate.models.access_change import AccessChange
from annotate.models.basemap import Basemap
from annotate.models.campaign import Campaign, CampaignBasemap, ViewPreference
from annotate.models.catalogue import Catalogue, Feature
from annotate.models.catalogue_import import CatalogueImport
from annotate.models.mark import Mark, MarkRevision
from annotate.models.person import Membership, Participant, Role, Skill, User
from annotate.models.tile import Tile, Visit

__all__ = [
    "AccessChange",
    "Basemap",
    "Campaign",
    "CampaignBasemap",
    "Catalogue",
    "CatalogueImport",
    "Feature",
    "Mark",
    "MarkRevision",
    "Membership",
    "Participant",
    "Role",
    "Skill",
    "Tile",
    "User",
    "ViewPreference",
    "Visit",
]
