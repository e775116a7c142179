"""Tiles, the unit of map work, and visits, one person's work on one tile."""

import uuid
from typing import Self

from django.contrib.gis.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotate.models.campaign import Campaign
from annotate.models.person import Participant


class TileQuerySet(models.QuerySet["Tile"]):
    def open(self) -> Self:
        return self.filter(settled_at__isnull=True)

    def settled(self) -> Self:
        return self.filter(settled_at__isnull=False)

    def meeting(self, x_px: float, y_px: float, width_px: float, height_px: float) -> Self:
        """Those whose core cell meets or touches the rectangle."""
        return self.filter(
            x_px__lte=x_px + width_px,
            x_px__gte=x_px - F("width_px"),
            y_px__lte=y_px + height_px,
            y_px__gte=y_px - F("height_px"),
        )


class Tile(models.Model):
    """A square of the grid. Its core cells tile the plane; its window adds the overlap on each side."""

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="tiles")
    number = models.PositiveIntegerField(help_text=_("1-based, as people see it"))
    # Core cell in grid pixels (x right, y down); the window shown is this grown by the overlap.
    x_px = models.IntegerField()
    y_px = models.IntegerField()
    width_px = models.PositiveIntegerField()
    height_px = models.PositiveIntegerField()
    outline = models.MultiPolygonField(srid=900001)
    settled_at = models.DateTimeField(null=True, blank=True)

    objects = TileQuerySet.as_manager()

    class Meta:
        ordering = ["campaign_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="tile_number_once"),
        ]
        indexes = [
            # Hand-outs read on from the first tile that nobody has begun.
            models.Index(
                fields=["campaign", "number"], name="tile_open_by_number", condition=Q(settled_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"Tile {self.number} of {self.campaign}"


def is_holding() -> Q:
    """Of a visit: see VisitQuerySet.holding."""
    return Q(state=Visit.State.SUBMITTED) | Q(state=Visit.State.LEASED, lease_expires_at__gt=timezone.now())


def was_taken_away() -> Q:
    """Of a visit: see VisitQuerySet.taken_away."""
    return Q(state=Visit.State.RETURNED, ending__in=(Visit.Ending.RAN_OUT, Visit.Ending.RELEASED))


class VisitQuerySet(models.QuerySet["Visit"]):
    def submitted(self) -> Self:
        return self.filter(state=Visit.State.SUBMITTED)

    def holding(self) -> Self:
        """Those that keep a place on their tile: submitted, or leased and not yet expired."""
        return self.filter(is_holding())

    def taken_away(self) -> Self:
        """Those that ended without their owner's wish."""
        return self.filter(was_taken_away())


class Visit(models.Model):
    """One participant's work on one tile; leases are evaluated at hand-out, never by a timer."""

    class State(models.TextChoices):
        LEASED = "leased", _("Leased")
        SUBMITTED = "submitted", _("Submitted")
        RETURNED = "returned", _("Returned")

    class Ending(models.TextChoices):
        """How a returned visit ended; one that was not given back by its owner may come again."""

        GIVEN_BACK = "given_back", _("Given back")
        RAN_OUT = "ran_out", _("The lease ran out and others took the place")
        RELEASED = "released", _("Released by a lead")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tile = models.ForeignKey(Tile, on_delete=models.CASCADE, related_name="visits")
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="visits")
    state = models.CharField(max_length=16, choices=State, default=State.LEASED)
    leased_at = models.DateTimeField(default=timezone.now)
    lease_expires_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    searched_empty = models.BooleanField(default=False)
    ending = models.CharField(max_length=16, choices=Ending, blank=True)
    return_reason = models.CharField(max_length=200, blank=True)
    released_by = models.ForeignKey(
        Participant, null=True, blank=True, on_delete=models.SET_NULL, related_name="released_visits"
    )

    objects = VisitQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tile", "participant"], name="visit_once"),
        ]

    def __str__(self) -> str:
        return f"{self.participant} on {self.tile}"
