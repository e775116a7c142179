"""Map tiles over HTTP: images that browsers may keep, served without asking session or database."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.views.decorators.http import require_safe

from annotate import access
from annotate.services import map_tiles
from annotate.services.signatures import is_signed

_KEEP = "private, max-age=86400"


@require_safe
def map_tile(
    request: HttpRequest, basemap_uid: UUID, campaign_uid: UUID, z: int, x: int, y: int
) -> HttpResponse:
    """A layer's tile on a campaign's grid: for signed addresses, and for those who may see the campaign."""
    if not is_signed(basemap_uid, campaign_uid, request.GET.get("s", "")):
        access.get_campaign(request, campaign_uid)
    return _answer(request, map_tiles.layer_of(basemap_uid, campaign_uid), z, x, y)


@require_safe
def basemap_tile(request: HttpRequest, uid: UUID, z: int, x: int, y: int) -> HttpResponse:
    """A basemap's tile on its own grid."""
    access.get_basemap(request, uid)
    return _answer(request, map_tiles.layer_alone(uid), z, x, y)


def _answer(request: HttpRequest, layer: map_tiles.Layer, z: int, x: int, y: int) -> HttpResponse:
    stretch = map_tiles.read_stretch(request.GET)
    etag = map_tiles.etag_of(layer, z, x, y, stretch)
    if etag in request.headers.get("If-None-Match", ""):
        response = HttpResponseNotModified()
    else:
        tile = layer.tile(z, x, y, stretch)
        response = HttpResponse(tile.content, content_type=tile.content_type)
    response["ETag"] = etag
    response["Cache-Control"] = _KEEP
    return response
