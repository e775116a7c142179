"""What the map workbench is told: visits, progress, and everything the page needs to start, as JSON."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Count
from django.urls import reverse
from django.utils import timezone

from annotate.models import Basemap, Campaign, CampaignBasemap, Catalogue, Participant, Visit
from annotate.services import grids, leases, marks
from annotate.services.preferences import view_of
from annotate.services.shapes import geojson
from annotate.services.signatures import sign_layer
from mlcore.bodies import get_body

_UNIT_OF = {Basemap.Kind.ELEVATION: "m", Basemap.Kind.SLOPE: "°", Basemap.Kind.CURVATURE: "1/m"}
# Stands for "{uid}" while the server writes an address template.
_ANY_UID = UUID(int=0)


def visit_json(visit: Visit, n_tiles: int | None = None) -> dict[str, object]:
    """A visit as its owner sees it, with its tile and the owner's marks; n_tiles where it is known."""
    return {
        "uid": str(visit.uid),
        "state": visit.state,
        "lease_expires_at": visit.lease_expires_at.isoformat(),
        "submitted_at": visit.submitted_at.isoformat() if visit.submitted_at else None,
        "tile": _tile_json(visit, n_tiles),
        "marks": [marks.as_json(mark) for mark in visit.marks.standing().order_by("pk")],
    }


def _tile_json(visit: Visit, n_tiles: int | None) -> dict[str, object]:
    tile = visit.tile
    campaign = tile.campaign
    return {
        "uid": str(tile.uid),
        "number": tile.number,
        "of": campaign.tiles.count() if n_tiles is None else n_tiles,
        "x_px": tile.x_px,
        "y_px": tile.y_px,
        "width_px": tile.width_px,
        "height_px": tile.height_px,
        "overlap_px": campaign.tile_overlap_px,
        "bounds_lonlat": grids.bounds_lonlat(grids.grid_of(campaign), grids.window_cell(tile)),
        "outline": geojson(tile.outline),
    }


def progress(*, campaign: Campaign, participant: Participant) -> dict[str, int]:
    """How far the campaign is, and what this person did for it."""
    counts = campaign.tiles.aggregate(all=Count("pk"), settled=Count("settled_at"))
    return {
        "tiles_settled": counts["settled"],
        "tiles": counts["all"],
        "my_visits": Visit.objects.submitted()
        .filter(tile__campaign=campaign, participant=participant)
        .count(),
    }


def next_tile(*, campaign: Campaign, participant: Participant) -> dict[str, object]:
    """Hand out a tile: {"visit", "reason", "progress"}; the reason says why there is none."""
    visit = leases.hand_out(campaign=campaign, participant=participant)
    so_far = progress(campaign=campaign, participant=participant)
    return {
        "visit": visit_json(visit, so_far["tiles"]) if visit else None,
        "reason": None if visit else leases.why_nothing(campaign=campaign, participant=participant),
        "progress": so_far,
    }


def config_for(
    *, campaign: Campaign, participant: Participant, overlays: Iterable[Catalogue] = ()
) -> dict[str, object]:
    """Everything the page loads once; a tile is handed out with it."""
    body = get_body(campaign.body)
    grid = grids.grid_of(campaign)
    return {
        # Whose page it is: what waits in the browser is kept under this name and sent under no other.
        "participant": {"uid": str(participant.uid), "name": str(participant)},
        "now": timezone.now().isoformat(),
        "campaign": {
            "uid": str(campaign.uid),
            "name": campaign.name,
            "instructions": campaign.instructions,
            "min_diameter_m": campaign.min_diameter_m,
            "lease_minutes": campaign.lease_minutes,
            "synthetic": campaign.synthetic,
            "body": {"name": body.name, "title": body.title, "radius_m": body.radius_m},
        },
        "grid": {**grid.to_json(), "max_zoom": grid.max_zoom},
        "layers": layers_json(campaign),
        "view": view_of(campaign=campaign, participant=participant),
        **next_tile(campaign=campaign, participant=participant),
        "overlays": [{"uid": str(c.uid), "name": str(c), "origin": c.origin} for c in overlays],
        "urls": _urls(campaign),
    }


def layers_json(campaign: Campaign) -> list[dict[str, object]]:
    """The campaign's layers in order, each with its signed map-tile address."""
    return [
        {
            "uid": str(layer.basemap.uid),
            "name": layer.basemap.name,
            "kind": layer.basemap.kind,
            "unit": unit_of(layer.basemap),
            **_sun_of(layer),
            "sun_incidence_deg": layer.basemap.sun_incidence_deg,
            "resampled": layer.resampled,
            "tile_url": tile_url(layer.basemap, campaign),
        }
        for layer in campaign.layers.select_related("basemap")
    ]


def _sun_of(layer: CampaignBasemap) -> dict[str, object]:
    """Where the light comes from: clockwise from north, or for some hillshades from the map's up.

    A hillshade is lit from one side of its raster. Where north is up in all of it, that is one direction; on
    a polar grid it differs by place, and once such a one is resampled nobody can say.
    """
    is_turned = layer.basemap.kind == Basemap.Kind.HILLSHADE and not grids.is_north_up(layer.basemap)
    return {
        "sun_azimuth_deg": None if is_turned and layer.resampled else layer.basemap.sun_azimuth_deg,
        "sun_is_from_up": is_turned and not layer.resampled,
    }


def unit_of(basemap: Basemap) -> str | None:
    """The unit of the basemap's values; None where they are mere brightness."""
    return _UNIT_OF.get(basemap.kind)


def tile_url(basemap: Basemap, campaign: Campaign) -> str:
    """The layer's map-tile address with {z}, {x} and {y} in it."""
    first = reverse("annotate:map_tile", args=[basemap.uid, campaign.uid, 0, 0, 0])
    public = campaign.visibility == Campaign.Visibility.PUBLIC
    signature = sign_layer(basemap.uid, campaign.uid, public=public)
    return f"{first.removesuffix('0/0/0')}{{z}}/{{x}}/{{y}}?s={signature}"


def _urls(campaign: Campaign) -> dict[str, str]:
    def template(name: str) -> str:
        return reverse(f"annotate:{name}", args=[_ANY_UID]).replace(str(_ANY_UID), "{uid}")

    return {
        "next": reverse("annotate:api_tile_next", args=[campaign.uid]),
        "view": reverse("annotate:api_view", args=[campaign.uid]),
        "features": reverse("annotate:api_features", args=[campaign.uid]),
        "visit": template("api_visit"),
        "submit": template("api_visit_submit"),
        "reopen": template("api_visit_reopen"),
        "return": template("api_visit_return"),
        "extend": template("api_visit_extend"),
        "marks": template("api_marks"),
        "mark": template("api_mark"),
        "restore": template("api_mark_restore"),
        "basemap": template("api_basemap"),
        "value": template("api_basemap_value"),
    }
