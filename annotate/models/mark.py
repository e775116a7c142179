"""Marks: what one participant drew, once. Machines never edit them."""

from typing import Self

from django.contrib.gis.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models.basemap import Basemap
from annotate.models.person import Participant
from annotate.models.tile import Visit


class MarkQuerySet(models.QuerySet["Mark"]):
    def standing(self) -> Self:
        """Not deleted."""
        return self.filter(deleted_at__isnull=True)


class Mark(models.Model):
    """A crater rim as drawn: centre and diameter; the ring is derived from them. The client makes the uid."""

    class Kind(models.TextChoices):
        CRATER = "crater", _("Crater")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(unique=True)
    visit = models.ForeignKey(Visit, on_delete=models.PROTECT, related_name="marks")
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.CRATER)
    lon = models.FloatField()
    lat = models.FloatField()
    diameter_m = models.FloatField()
    rim_points = models.JSONField(
        null=True, blank=True, help_text=_("the three [lon, lat] clicked, where drawn so")
    )
    uncertain = models.BooleanField(default=False)
    geom = models.MultiPolygonField(srid=900001)
    basemap = models.ForeignKey(
        Basemap,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="marks",
        help_text=_("the layer that was visible"),
    )
    view = models.JSONField(default=dict, help_text=_("contrast and zoom while drawing"))
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    # No column: whether this was stored before, and has now been sent once more.
    is_repeat = False

    objects = MarkQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.kind} {self.diameter_m:.0f} m at {self.lon:.4f}°, {self.lat:.4f}°"


class MarkRevision(models.Model):
    """Every state a mark has had; append-only."""

    class Action(models.TextChoices):
        CREATE = "create", _("Drawn")
        UPDATE = "update", _("Changed")
        DELETE = "delete", _("Deleted")
        RESTORE = "restore", _("Restored")

    id = models.BigAutoField(primary_key=True)
    mark = models.ForeignKey(Mark, on_delete=models.CASCADE, related_name="revisions")
    version = models.PositiveIntegerField()
    action = models.CharField(max_length=16, choices=Action)
    state = models.JSONField()
    by = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="mark_revisions")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mark", "version"], name="mark_revision_once"),
        ]

    def __str__(self) -> str:
        return f"{self.mark_id} v{self.version}: {self.action}"
