"""The rasters that runs read and judges are shown: which ones, where they lie, on which grid."""

from pathlib import Path

from django.utils.translation import gettext as _

from annotate.models import Basemap, Campaign
from annotate.services.basemaps import cog_file, grid_from
from mlcore.errors import InvalidInput
from mlcore.raster.grid import Grid
from review.models import Subject

# What people judge by: light and shade, not heights as greys.
SHOWN_FIRST = (Basemap.Kind.IMAGE, Basemap.Kind.HILLSHADE)


def elevation_of(campaign: Campaign) -> Basemap:
    """The campaign's elevation model: the first among its layers.

    Raises:
        InvalidInput: It has none, so a network has nothing to look at.
    """
    layer = (
        campaign.layers.filter(basemap__kind=Basemap.Kind.ELEVATION, basemap__state=Basemap.State.READY)
        .select_related("basemap")
        .first()
    )
    if layer is None:
        raise InvalidInput(
            _(
                "“%(name)s” has no elevation model among its layers, and the crater detector looks at "
                "elevation. Add one as a basemap and start a campaign on it."
            )
            % {"name": campaign.name},
            code="no_elevation",
        )
    return layer.basemap


def check_elevation(basemap: Basemap, body: str) -> None:
    """Refuse what is no elevation model of the body, ready to be read."""
    if basemap.kind != Basemap.Kind.ELEVATION:
        raise InvalidInput(
            _("“%(name)s” is %(kind)s; the crater detector looks at elevation. Choose an elevation model.")
            % {"name": basemap.name, "kind": basemap.get_kind_display().lower()},
            code="no_elevation",
        )
    if basemap.state != Basemap.State.READY:
        raise InvalidInput(
            _("“%(name)s” is not ready (%(state)s); wait for its conversion.")
            % {"name": basemap.name, "state": basemap.get_state_display().lower()},
            code="basemap_not_ready",
        )
    if basemap.body != body:
        raise InvalidInput(
            _("“%(name)s” shows %(other)s, not %(body)s; choose an elevation model of %(body)s.")
            % {"name": basemap.name, "other": basemap.body, "body": body},
            code="wrong_body",
        )


def path_of(basemap: Basemap) -> Path:
    """The file whose own pixels are the basemap's grid."""
    return cog_file(basemap)


def grid_of(basemap: Basemap) -> Grid:
    """The grid of the basemap's own pixels."""
    return grid_from(basemap)


def layers_of(subject: Subject) -> list[Basemap]:
    """What a judge may look at, the first to be shown first.

    The campaign's layers; where the proposal was made on another elevation model, that one's.
    """
    campaign = subject.workflow.campaign
    layers = [layer.basemap for layer in campaign.layers.select_related("basemap").all()]
    uid = subject.feature.provenance.get("basemap")
    if uid and uid not in {str(layer.uid) for layer in layers}:
        other = Basemap.objects.filter(uid=uid).first()
        layers = [other, *other.derived.order_by("pk")] if other else layers
    shown = [layer for layer in layers if layer.state == Basemap.State.READY]
    return sorted(shown, key=lambda layer: layer.kind not in SHOWN_FIRST)
