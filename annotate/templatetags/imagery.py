"""Pictures of whole grids, put together from their map tiles, with tiles drawn over them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from django import template
from django.urls import reverse

from annotate.models import Basemap, Campaign
from annotate.services.overview import TileState
from annotate.services.workbench import tile_url
from mlcore.raster.grid import MAP_TILE_PX

register = template.Library()

MOST_APART = 4000
SEEN_BEST = (Basemap.Kind.HILLSHADE, Basemap.Kind.IMAGE)


def _max_zoom(width_px: int, height_px: int) -> int:
    longer = max(width_px, height_px)
    zoom = 0
    while MAP_TILE_PX << zoom < longer:
        zoom += 1
    return zoom


def best_to_see(basemaps: Iterable[Basemap]) -> Basemap | None:
    """The first that shows relief by light; any other that is ready where there is none."""
    ready = [basemap for basemap in basemaps if basemap.state == Basemap.State.READY]
    return next((basemap for basemap in ready if basemap.kind in SEEN_BEST), ready[0] if ready else None)


def cell_paths(tiles: Sequence[TileState]) -> dict[str, str]:
    """One SVG path for each state, so that thousands of tiles stay a few elements.

    Where tiles are too many to be told apart, neighbours of one state in a row become one cell.
    """
    paths: dict[str, list[str]] = defaultdict(list)
    for cell in _joined(tiles) if len(tiles) > MOST_APART else tiles:
        paths[cell.state].append(
            f"M{cell.x_px} {cell.y_px}h{cell.width_px}v{cell.height_px}h-{cell.width_px}z"
        )
    return {state: "".join(parts) for state, parts in paths.items()}


def _joined(tiles: Iterable[TileState]) -> list[TileState]:
    runs: list[TileState] = []
    for tile in tiles:
        last = runs[-1] if runs else None
        if last and (last.state, last.y_px, last.x_px + last.width_px) == (tile.state, tile.y_px, tile.x_px):
            runs[-1] = last._replace(width_px=last.width_px + tile.width_px)
        else:
            runs.append(tile)
    return runs


def _filling(template: str) -> Callable[[int, int, int], str]:
    return lambda z, x, y: template.replace("{z}/{x}/{y}", f"{z}/{x}/{y}")


def _mosaic(
    width_px: int, height_px: int, zoom: int, url_of: Callable[[int, int, int], str]
) -> dict[str, object]:
    deepest = _max_zoom(width_px, height_px)
    zoom = min(zoom, deepest)
    edge = MAP_TILE_PX << (deepest - zoom)
    return {
        "width": width_px,
        "height": height_px,
        # Neighbours overlap by a pixel, so that no background shines through where they meet.
        "drawn": edge + edge // MAP_TILE_PX,
        "images": [
            {"x": column * edge, "y": row * edge, "url": url_of(zoom, column, row)}
            for row in range(-(-height_px // edge))
            for column in range(-(-width_px // edge))
        ],
    }


@register.inclusion_tag("annotate/partials/picture.html")
def campaign_picture(
    campaign: Campaign, zoom: int = 1, fit: str = "slice", tiles: Sequence[TileState] = ()
) -> dict[str, object]:
    """The campaign's grid as imagery; with `tiles` as their states over it."""
    basemap = best_to_see(layer.basemap for layer in campaign.layers.all())
    if basemap is None or not campaign.grid:
        return {"missing": True}
    picture = _mosaic(
        int(campaign.grid["width_px"]),
        int(campaign.grid["height_px"]),
        zoom,
        _filling(tile_url(basemap, campaign)),
    )
    return {**picture, "fit": fit, "label": campaign.name, "cells": cell_paths(tiles)}


@register.inclusion_tag("annotate/partials/picture.html")
def basemap_picture(
    basemap: Basemap, zoom: int = 1, fit: str = "slice", tiles: Sequence[TileState] = ()
) -> dict[str, object]:
    """A whole basemap, `tiles` over it; an elevation model is shown by its hillshade once there is one."""
    shown = (
        best_to_see([*basemap.derived.all(), basemap]) if basemap.kind == Basemap.Kind.ELEVATION else basemap
    )
    if shown is None or shown.state != Basemap.State.READY:
        return {"missing": True}
    picture = _mosaic(
        shown.width_px,
        shown.height_px,
        zoom,
        lambda z, x, y: reverse("annotate:basemap_tile", args=[shown.uid, z, x, y]),
    )
    return {**picture, "fit": fit, "label": basemap.name, "cells": cell_paths(tiles)}
