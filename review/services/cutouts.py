"""What a judge is shown of a subject: the ground around it, its rim, a profile, the nearest known crater."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TypedDict

import numpy as np
from django.urls import reverse
from django.utils.translation import gettext as _
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import map_coordinates

from annotate.models import Basemap, Catalogue, Feature
from annotate.services.shapes import rim
from mlcore import geodesy
from mlcore.bodies import get_body
from mlcore.errors import InvalidInput, NotFound
from mlcore.raster.cutouts import Frame, frame_around, read_frame
from mlcore.raster.grid import Grid
from mlcore.raster.map_tiles import to_grey
from review.models import Subject
from review.services import rasters
from review.services.known import known_craters
from review.services.labels import SHOWN_DIAMETERS

SIZE_PX = 600
JPEG_QUALITY = 88
# Values shown black and white: of this piece of ground, so that a flat crater is seen too.
LOW_PERCENT, HIGH_PERCENT = 1.0, 99.0
RIM_POINTS = 72
PROFILE_POINTS = 97
# A known crater is worth naming within this many diameters, and of a comparable size.
NEAR_DIAMETERS, COMPARABLE = 2.5, 4.0


class LayerOut(TypedDict):
    uid: str
    name: str
    # In a word or two: its kind, or its name where several layers are of that kind.
    title: str
    kind: str
    url: str


class CutoutOut(TypedDict):
    url: str
    layers: list[LayerOut]
    width_m: float
    size_px: int
    ring: list[list[float]]


class ProfileOut(TypedDict):
    distance_m: list[float]
    elevation_m: list[float | None]


class NearestOut(TypedDict):
    name: str
    distance_m: float


@dataclass(frozen=True)
class Picture:
    """An encoded image."""

    content: bytes
    content_type: str


def describe(subject: Subject) -> CutoutOut:
    """Addresses of the pictures and the proposed rim in their pixels, closed."""
    layers = rasters.layers_of(subject)
    if not layers:
        raise InvalidInput(
            _("None of the campaign's layers is ready to be judged by; wait for their conversion."),
            code="no_layers",
        )
    feature = subject.feature
    frame = _frame(feature, rasters.grid_of(layers[0]))
    radius_m = get_body(subject.workflow.campaign.body).radius_m
    ring = geodesy.ring(feature.lon, feature.lat, feature.diameter_m, radius_m, RIM_POINTS)
    x, y = frame.pixel(ring[:, 0], ring[:, 1])
    url = reverse("review:api_cutout", args=[subject.uid])
    return {
        "url": url,
        "layers": [
            {
                "uid": str(layer.uid),
                "name": layer.name,
                "title": _title(layer, layers),
                "kind": layer.kind,
                "url": f"{url}?layer={layer.uid}",
            }
            for layer in layers
        ],
        "width_m": _width_m(feature),
        "size_px": SIZE_PX,
        "ring": np.round(np.stack([x, y], axis=1), 2).tolist(),
    }


def _title(layer: Basemap, layers: Sequence[Basemap]) -> str:
    alone = sum(other.kind == layer.kind for other in layers) == 1
    return str(Basemap.Kind(layer.kind).label) if alone else layer.name


def image(subject: Subject, *, layer: str | None = None) -> Picture:
    """The ground around a subject in one layer; the first layer where none is named."""
    layers = rasters.layers_of(subject)
    chosen = next((one for one in layers if layer in (None, str(one.uid))), None)
    if chosen is None:
        raise NotFound(_("This subject has no such layer; take one that it lists."))
    frame = _frame(subject.feature, rasters.grid_of(chosen))
    bands = 3 if len(chosen.statistics) >= 3 else 1
    path = rasters.path_of(chosen)
    return _encode(np.stack([read_frame(path, frame, band=band + 1) for band in range(bands)]))


def profile(subject: Subject) -> ProfileOut | None:
    """Elevation from west to east through the centre, distances from it; None without elevation."""
    layers = rasters.layers_of(subject)
    elevation = next((layer for layer in layers if layer.kind == Basemap.Kind.ELEVATION), None)
    if elevation is None:
        return None
    feature = subject.feature
    frame = _frame(feature, rasters.grid_of(elevation))
    heights = read_frame(rasters.path_of(elevation), frame)
    # A pixel short of the edge, where there is still a neighbour to interpolate with.
    reach_m = _width_m(feature) * (0.5 - 1 / SIZE_PX)
    distance_m = np.linspace(-reach_m, reach_m, PROFILE_POINTS)
    radius_m = get_body(subject.workflow.campaign.body).radius_m
    bearing = np.where(distance_m < 0, 270.0, 90.0)
    lon, lat = geodesy.destination(feature.lon, feature.lat, bearing, np.abs(distance_m), radius_m)
    x, y = frame.pixel(lon, lat)
    found = map_coordinates(heights, [y - 0.5, x - 0.5], order=1, mode="nearest")
    return {
        "distance_m": np.round(distance_m, 1).tolist(),
        "elevation_m": [round(float(value), 2) if np.isfinite(value) else None for value in found],
    }


def nearest_known(subject: Subject) -> NearestOut | None:
    """The nearest crater of comparable size that people or a list know; None where none is near."""
    feature, campaign = subject.feature, subject.workflow.campaign
    radius_m = get_body(campaign.body).radius_m
    reach_m = min(2 * NEAR_DIAMETERS * feature.diameter_m, 0.9 * geodesy.max_diameter_m(radius_m))
    near = (
        known_craters(campaign)
        .filter(
            geom__intersects=rim(feature.lon, feature.lat, reach_m, campaign.body),
            diameter_m__gte=feature.diameter_m / COMPARABLE,
            diameter_m__lte=feature.diameter_m * COMPARABLE,
        )
        .select_related("catalogue")
        .defer("geom")
    )
    named = [
        (float(geodesy.distance_m(feature.lon, feature.lat, one.lon, one.lat, radius_m)), one) for one in near
    ]
    if not named:
        return None
    distance_m, nearest = min(named, key=lambda pair: (pair[0], pair[1].pk))
    return {"name": nearest.name or _told_by(nearest.catalogue), "distance_m": round(distance_m, 1)}


def _told_by(catalogue: Catalogue) -> str:
    """Who knows of a crater that has no name."""
    if catalogue.origin == Catalogue.Origin.CONSENSUS:
        return _("settled from marks")
    if catalogue.origin == Catalogue.Origin.REVIEWED:
        return _("reviewed")
    return catalogue.source or catalogue.name


def _width_m(feature: Feature) -> float:
    return SHOWN_DIAMETERS * feature.diameter_m


def _frame(feature: Feature, grid: Grid) -> Frame:
    return frame_around(grid, feature.lon, feature.lat, _width_m(feature), SIZE_PX)


def _encode(values: NDArray[np.float32]) -> Picture:
    """(bands, H, W) as a JPEG, or as a PNG that is clear where there are no data."""
    known = np.isfinite(values).all(axis=0)
    low, high = np.percentile(values[:, known], [LOW_PERCENT, HIGH_PERCENT]) if known.any() else (0.0, 1.0)
    grey = to_grey(np.nan_to_num(values), float(low), float(max(high, low + 1e-6)), 1.0, False)
    picture = Image.fromarray(grey[0] if len(grey) == 1 else np.moveaxis(grey, 0, -1))
    content = BytesIO()
    if known.all():
        picture.save(content, "JPEG", quality=JPEG_QUALITY)
        return Picture(content.getvalue(), "image/jpeg")
    picture.putalpha(Image.fromarray(np.where(known, 255, 0).astype(np.uint8)))
    picture.save(content, "PNG", compress_level=1)
    return Picture(content.getvalue(), "image/png")
