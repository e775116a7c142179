"""Labels: what a campaign knows about its ground, gathered for a dataset.

What counts as searched completely, and so teaches also by what is not there: settled tiles (or the whole
region, where a lead says that a chosen catalogue is complete), and around each verdict the piece that the
judge was shown. Labels, the better known first, each crater once:

1. reviewed craters,
2. craters settled from marks, with the probability that they exist as their weight,
3. craters of the imported catalogues that the lead chose.

Rejected proposals are negatives, and whatever a reviewer rejected is no crater even if 2 or 3 have it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from django.db.models import Min, QuerySet
from numpy.typing import NDArray

from annotate.models import Basemap, Campaign, Catalogue, Feature
from mlcore.bodies import get_body
from mlcore.catalogues.matching import match
from mlcore.crater_detector.cutting import GroundCircle, PixelBox
from mlcore.raster.grid import Grid
from mlcore.split import TRAIN, split_codes
from review.models import Subject, Verdict
from review.services import rasters

TILES, REGION = "tiles", "region"
# Nobody sees smaller craters on the grid; where the campaign names no smallest diameter, labels stop here.
SMALLEST_SEEN_PX = 10
# Edge of the piece a judge is shown, in diameters; see services/cutouts.py.
SHOWN_DIAMETERS = 2.5


@dataclass
class Source:
    """What is known on one elevation model: searched pieces in its own pixels, circles on the body."""

    basemap: Basemap
    tiles: list[PixelBox] = field(default_factory=list)
    shown: list[PixelBox] = field(default_factory=list)
    craters: list[GroundCircle] = field(default_factory=list)
    negatives: list[GroundCircle] = field(default_factory=list)
    min_diameter_m: float = 0.0


@dataclass
class _Labels:
    """Circles on the body with weights, each crater once."""

    radius_m: float
    circles: list[GroundCircle] = field(default_factory=list)

    def add(self, circles: Sequence[GroundCircle], *, unless: Sequence[GroundCircle] = ()) -> None:
        """Add those that are neither among the labels already nor among `unless`."""
        for known in (self.circles, unless):
            same = {pair.i for pair in match(_rows(circles), _rows(known), self.radius_m)}
            circles = [circle for index, circle in enumerate(circles) if index not in same]
        self.circles += circles


def min_diameter_m(campaign: Campaign, label_catalogues: Sequence[Catalogue], searched: str) -> float:
    """The smallest crater of which the labels are complete.

    The campaign's own limit; without one what people can see, or where the region counts as searched by
    lists, the smallest that these have.
    """
    if campaign.min_diameter_m:
        return campaign.min_diameter_m
    seen_m = SMALLEST_SEEN_PX * float(campaign.grid["resolution_m_per_px"])
    if searched != REGION:
        return seen_m
    listed = _listed(campaign, label_catalogues).aggregate(least=Min("diameter_m"))["least"]
    return max(seen_m, listed or 0.0)


def gather(
    campaign: Campaign, *, label_catalogues: Sequence[Catalogue] = (), searched: str = TILES
) -> list[Source]:
    """What is known on each elevation model: the campaign's own, and others that verdicts were given on."""
    own = Source(rasters.elevation_of(campaign))
    tiles = campaign.tiles.all() if searched == REGION else campaign.tiles.settled()
    own.tiles = [
        PixelBox(tile.x_px, tile.y_px, tile.width_px, tile.height_px) for tile in tiles.order_by("number")
    ]
    sources = {str(own.basemap.uid): own}
    verdicts = list(verdicts_of(campaign).order_by("pk"))
    for verdict in verdicts:
        uid = verdict.subject.feature.provenance.get("basemap", str(own.basemap.uid))
        if uid not in sources and (other := Basemap.objects.filter(uid=uid).first()):
            sources[uid] = Source(other)
        if uid in sources:
            sources[uid].shown += _shown_to_judges(verdict, sources[uid], campaign)
    craters, negatives = _labels(campaign, own, verdicts, label_catalogues)
    for source in sources.values():
        source.craters, source.negatives = craters, negatives
        source.min_diameter_m = min_diameter_m(campaign, label_catalogues, searched)
    return list(sources.values())


def _labels(
    campaign: Campaign, own: Source, verdicts: Sequence[Verdict], label_catalogues: Sequence[Catalogue]
) -> tuple[list[GroundCircle], list[GroundCircle]]:
    """(craters, negatives) of the campaign, in an order that depends on nothing but themselves."""
    negatives = _circles(v.subject.feature for v in verdicts if v.answer == Verdict.Answer.REJECTED)
    labels = _Labels(get_body(campaign.body).radius_m)
    labels.add(_circles(v.feature for v in verdicts if v.feature is not None))
    labels.add(_circles(settled_features(campaign)), unless=negatives)
    for catalogue in label_catalogues:
        labels.add(_circles(_listed(campaign, [catalogue])), unless=negatives)
    # What nobody has decided is neither a crater nor ground: with no weight it teaches nothing.
    labels.add(_circles(_undecided(campaign, own, verdicts), weight=0.0), unless=negatives)
    return sorted(labels.circles, key=_order), sorted(negatives, key=_order)


def _undecided(campaign: Campaign, own: Source, verdicts: Sequence[Verdict]) -> list[Feature]:
    """Proposals judged unsure, and those not judged yet outside the tiles that people have searched."""
    unsure = [v.subject.feature for v in verdicts if v.answer == Verdict.Answer.UNSURE]
    grid = rasters.grid_of(own.basemap)
    waiting = Subject.objects.filter(
        workflow__campaign=campaign, verdict__isnull=True, retired_at__isnull=True
    ).select_related("feature")
    return unsure + [s.feature for s in waiting if not _inside(own.tiles, grid, s.feature)]


def _shown_to_judges(verdict: Verdict, source: Source, campaign: Campaign) -> list[PixelBox]:
    """The piece around a verdict that counts as known: what the judge saw, as far as the split allows.

    Instructive proposals were chosen because the model is unsure of them, so they teach but do not measure:
    only pieces wholly on the training side count. Random ones measure too, within the circle judged.
    """
    if verdict.answer == Verdict.Answer.UNSURE:
        return []
    feature = verdict.feature or verdict.subject.feature
    grid = rasters.grid_of(source.basemap)
    for diameters in (SHOWN_DIAMETERS, SHOWN_DIAMETERS / 2):
        box = _box_around(feature, grid, diameters)
        if _sides_of(box, grid, campaign.split_block_deg) == {TRAIN}:
            return [box]
    if verdict.subject.stratum == Subject.Stratum.RANDOM:
        return [_box_around(feature, grid, 1.0)]
    return []


def _box_around(feature: Feature, grid: Grid, diameters: float) -> PixelBox:
    x, y = (float(value) for value in grid.pixel(feature.lon, feature.lat))
    edge_x_m, edge_y_m = (float(edge) for edge in grid.edges_m(x, y))
    width, height = (diameters * feature.diameter_m / edge for edge in (edge_x_m, edge_y_m))
    return PixelBox(x - width / 2, y - height / 2, width, height)


def _sides_of(box: PixelBox, grid: Grid, block_deg: float) -> set[int]:
    steps = np.linspace(0.0, 1.0, 5)
    lon, lat = grid.lonlat(*np.meshgrid(box.x_px + steps * box.width_px, box.y_px + steps * box.height_px))
    known = np.isfinite(lon) & np.isfinite(lat)
    return {int(code) for code in split_codes(grid.body, lon[known], lat[known], block_deg)}


def _inside(boxes: Sequence[PixelBox], grid: Grid, feature: Feature) -> bool:
    x, y = (float(value) for value in grid.pixel(feature.lon, feature.lat))
    return any(0 <= x - box.x_px < box.width_px and 0 <= y - box.y_px < box.height_px for box in boxes)


def _listed(campaign: Campaign, catalogues: Sequence[Catalogue]) -> QuerySet[Feature]:
    inside = Feature.objects.filter(catalogue__in=catalogues, geom__bboverlaps=campaign.region)
    return inside.exclude(status=Feature.Status.REJECTED)


def settled_features(campaign: Campaign) -> QuerySet[Feature]:
    return Feature.objects.filter(catalogue__campaign=campaign, catalogue__origin=Catalogue.Origin.CONSENSUS)


def verdicts_of(campaign: Campaign) -> QuerySet[Verdict]:
    return Verdict.objects.filter(subject__workflow__campaign=campaign).select_related(
        "feature", "subject__feature"
    )


def _circles(features: Iterable[Feature], *, weight: float | None = None) -> list[GroundCircle]:
    """Circles in a fixed order, weighted by the probability that they exist where it is known."""
    found = (
        GroundCircle(f.lon, f.lat, f.diameter_m, _weight(f) if weight is None else weight) for f in features
    )
    return sorted(found, key=_order)


def _weight(feature: Feature) -> float:
    return 1.0 if feature.score is None else feature.score


def _order(circle: GroundCircle) -> tuple[float, float, float, float]:
    return circle.lon, circle.lat, circle.diameter_m, circle.weight


def _rows(circles: Sequence[GroundCircle]) -> NDArray[np.float64]:
    return np.array([(c.lon, c.lat, c.diameter_m) for c in circles], dtype=float).reshape(-1, 3)
