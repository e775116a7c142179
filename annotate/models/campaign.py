"""A campaign: one mapping effort on one grid."""

import uuid
from typing import Self

from django.contrib.gis.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from annotate.models.basemap import Basemap
from annotate.models.person import Participant, User


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def visible_to(self, user: User | None) -> Self:
        """Public campaigns, and those the user is a member of; staff see all."""
        if user is not None and user.is_authenticated:
            if user.is_staff:
                return self
            return self.filter(
                Q(visibility=Campaign.Visibility.PUBLIC) | Q(memberships__user=user)
            ).distinct()
        return self.filter(visibility=Campaign.Visibility.PUBLIC)


class Campaign(models.Model):
    """What is mapped, where, how finely, by how many people independently."""

    class Kind(models.TextChoices):
        CRATER = "crater", _("Craters")
        # Has pictures and no map: neither basemaps nor tiles, an empty grid and an empty region.
        FOIL = "foil", _("Craters in foils")

    class Visibility(models.TextChoices):
        PUBLIC = "public", _("Public: anyone may read, anyone signed in may join as annotator")
        PRIVATE = "private", _("Private: members only")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    body = models.CharField(max_length=32)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.CRATER)
    visibility = models.CharField(max_length=16, choices=Visibility, default=Visibility.PRIVATE)
    instructions = models.TextField(blank=True)
    created_by = models.ForeignKey(
        Participant, null=True, blank=True, on_delete=models.SET_NULL, related_name="campaigns"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    synthetic = models.BooleanField(default=False)

    # mlcore.raster.grid.Grid as JSON; taken from the first basemap and never changed after.
    grid = models.JSONField(default=dict)
    basemaps = models.ManyToManyField(Basemap, through="annotate.CampaignBasemap", related_name="campaigns")
    region = models.MultiPolygonField(srid=900001)
    tile_size_px = models.PositiveIntegerField(default=512)
    tile_overlap_px = models.PositiveIntegerField(default=64)
    redundancy = models.PositiveSmallIntegerField(default=3, help_text=_("visits a tile needs"))
    min_diameter_m = models.FloatField(default=0.0)
    lease_minutes = models.PositiveIntegerField(default=60)
    # Edge of the sphere blocks whose hash decides training, validation or test; frozen with the campaign.
    split_block_deg = models.FloatField(default=1.0)

    # The predicted catalogue shown as ghosts; set by review, which annotate does not know.
    proposals = models.ForeignKey(
        "annotate.Catalogue", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects = CampaignQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class CampaignBasemap(models.Model):
    """A layer of a campaign, in the order of the `l` key; the first one gave the grid."""

    id = models.BigAutoField(primary_key=True)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="layers")
    basemap = models.ForeignKey(Basemap, on_delete=models.PROTECT, related_name="layers")
    position = models.PositiveSmallIntegerField()
    resampled = models.BooleanField(default=False)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "basemap"], name="campaign_basemap_once"),
            models.UniqueConstraint(fields=["campaign", "position"], name="campaign_basemap_position_once"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}: {self.basemap}"


class ViewPreference(models.Model):
    """How one participant likes to look at one campaign: layer and contrast; survives to the next tile."""

    id = models.BigAutoField(primary_key=True)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="view_preferences")
    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="view_preferences")
    settings = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "participant"], name="view_preference_once"),
        ]

    def __str__(self) -> str:
        return f"{self.participant} on {self.campaign}"
