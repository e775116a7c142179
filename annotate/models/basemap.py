"""Georeferenced rasters that people look at and networks learn from."""

import uuid
from typing import Self

from django.contrib.gis.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotate.models.person import Participant


class BasemapQuerySet(models.QuerySet["Basemap"]):
    def ready(self) -> Self:
        return self.filter(state=Basemap.State.READY)

    def originals(self) -> Self:
        return self.filter(derived_from__isnull=True)


class Basemap(models.Model):
    """A raster kept as a COG; hillshade, slope and curvature are basemaps derived from an elevation model."""

    class Kind(models.TextChoices):
        IMAGE = "image", _("Image")
        ELEVATION = "elevation", _("Elevation")
        HILLSHADE = "hillshade", _("Hillshade")
        SLOPE = "slope", _("Slope")
        CURVATURE = "curvature", _("Profile curvature")

    class State(models.TextChoices):
        UPLOADED = "uploaded", _("Waiting for conversion")
        CONVERTING = "converting", _("Converting")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Failed")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    body = models.CharField(max_length=32)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.IMAGE)
    derived_from = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="derived"
    )
    added_by = models.ForeignKey(
        Participant, null=True, blank=True, on_delete=models.SET_NULL, related_name="basemaps"
    )
    state = models.CharField(max_length=16, choices=State, default=State.UPLOADED)
    progress = models.FloatField(default=0.0, help_text=_("0 to 1"))
    error = models.TextField(blank=True)
    # Who converts it, as which attempt, and when that was last heard of; see services/conversions.py.
    attempt = models.PositiveSmallIntegerField(default=0)
    setbacks = models.PositiveSmallIntegerField(default=0)
    worker = models.CharField(max_length=200, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    enqueued_at = models.DateTimeField(default=timezone.now)

    # Both relative to MEDIA_ROOT: basemaps/<uid>/source.<ext> and basemaps/<uid>/basemap.tif
    source_path = models.CharField(max_length=300, blank=True)
    cog_path = models.CharField(max_length=300, blank=True)

    # Read at import by mlcore.raster.cog; see RasterInfo there.
    crs_wkt = models.TextField(blank=True)
    transform = models.JSONField(default=list, help_text=_("a, b, c, d, e, f of the affine transform"))
    width_px = models.PositiveIntegerField(default=0)
    height_px = models.PositiveIntegerField(default=0)
    resolution_m_per_px = models.FloatField(default=0.0)
    dtype = models.CharField(max_length=16, blank=True)
    nodata = models.FloatField(null=True, blank=True)
    statistics = models.JSONField(default=list, help_text=_("per band: min, max, mean, std, percentiles"))
    bounds = models.JSONField(default=list, help_text=_("[west, south, east, north] in degrees"))
    footprint = models.MultiPolygonField(srid=900001, null=True, blank=True, spatial_index=True)

    sun_azimuth_deg = models.FloatField(null=True, blank=True)
    sun_incidence_deg = models.FloatField(null=True, blank=True)
    synthetic = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BasemapQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name
