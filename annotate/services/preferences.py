"""How a person likes to look at a campaign: layer and contrast, kept for the next tile."""

from typing import TypedDict

from django.utils.translation import gettext as _

from annotate.models import Basemap, Campaign, Participant, ViewPreference
from mlcore.errors import InvalidInput


class View(TypedDict):
    """A layer's uid and its contrast: percentiles shown black and white, gamma, inverted or not."""

    layer: str | None
    low_percent: float
    high_percent: float
    gamma: float
    invert: bool


# What people look at first where there is a choice: light and shade, not heights as greys.
_SHOWN_FIRST = (Basemap.Kind.IMAGE, Basemap.Kind.HILLSHADE)


def view_of(*, campaign: Campaign, participant: Participant) -> View:
    """The person's view, or the campaign's first picture in plain contrast."""
    layers = [layer.basemap for layer in campaign.layers.select_related("basemap")]
    uids = [str(basemap.uid) for basemap in layers]
    shown = next((str(b.uid) for b in layers if b.kind in _SHOWN_FIRST), uids[0] if uids else None)
    view = View(layer=shown, low_percent=2.0, high_percent=98.0, gamma=1.0, invert=False)
    kept = ViewPreference.objects.filter(campaign=campaign, participant=participant).first()
    if kept is not None:
        view.update(kept.settings)
    if view["layer"] not in uids:
        view["layer"] = shown
    return view


def keep_view(*, campaign: Campaign, participant: Participant, view: View) -> View:
    """Remember the view.

    Raises:
        InvalidInput: The layer is none of this campaign's, or black is not below white.
    """
    if not campaign.layers.filter(basemap__uid=view["layer"]).exists():
        raise InvalidInput(_("This layer is not one of the campaign's."), code="unknown_layer")
    if view["low_percent"] >= view["high_percent"]:
        raise InvalidInput(
            _("The dark end, %(low)g %%, must lie below the bright end, %(high)g %%.")
            % {"low": view["low_percent"], "high": view["high_percent"]},
            code="bad_stretch",
        )
    ViewPreference.objects.update_or_create(
        campaign=campaign, participant=participant, defaults={"settings": dict(view)}
    )
    return view
