"""Map tiles of a campaign's layers; what a tile needs is looked up once per process."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from uuid import UUID

from django.utils.translation import gettext as _

from annotate.models import Basemap, CampaignBasemap
from annotate.services.basemaps import cog_file, grid_from
from annotate.services.grids import grid_of
from mlcore.errors import InvalidInput, NotFound
from mlcore.raster.grid import Grid
from mlcore.raster.map_tiles import Stretch, Tile, render


@dataclass(frozen=True, eq=False)
class Layer:
    """A COG to be cut on a grid."""

    path: Path
    grid: Grid
    statistics: list[dict[str, float]]

    def tile(self, z: int, x: int, y: int, stretch: Stretch) -> Tile:
        """One map tile.

        Raises:
            NotFound: The file is gone from the disk.
        """
        try:
            return render(self.path, z, x, y, grid=self.grid, stretch=stretch, statistics=self.statistics)
        except OSError:
            if self.path.exists():
                raise
            raise NotFound(
                _("This layer's file is missing on the server; its operator can restore it from a backup."),
                code="file_missing",
            ) from None


@lru_cache(maxsize=512)
def layer_of(basemap_uid: UUID, campaign_uid: UUID) -> Layer:
    """A basemap on a campaign's grid. Neither ever changes, so it is kept as long as the process lives.

    Raises:
        NotFound: The basemap is no layer of the campaign.
    """
    layer = (
        CampaignBasemap.objects.select_related("basemap", "campaign")
        .filter(basemap__uid=basemap_uid, campaign__uid=campaign_uid)
        .first()
    )
    if layer is None:
        raise NotFound(_("This campaign has no such layer."))
    return Layer(cog_file(layer.basemap), grid_of(layer.campaign), layer.basemap.statistics)


@lru_cache(maxsize=512)
def layer_alone(basemap_uid: UUID) -> Layer:
    """A basemap on its own grid.

    Raises:
        NotFound: There is none, or it is not converted.
    """
    basemap = Basemap.objects.ready().filter(uid=basemap_uid).first()
    if basemap is None:
        raise NotFound(_("There is no converted basemap at this address."))
    return Layer(cog_file(basemap), grid_from(basemap), basemap.statistics)


def read_stretch(query: Mapping[str, str]) -> Stretch:
    """The contrast asked for: low and high percentile, gamma, invert (0 or 1).

    Raises:
        InvalidInput: One of them is no number, or out of range.
    """
    try:
        low, high, gamma = (
            float(query.get(name, default))
            for name, default in (("low", "2"), ("high", "98"), ("gamma", "1"))
        )
    except ValueError:
        raise InvalidInput(
            _("low, high and gamma are numbers, for example low=2&high=98&gamma=1."), code="stretch"
        ) from None
    return Stretch(low, high, gamma, query.get("invert", "0") in ("1", "true"))


def etag_of(layer: Layer, z: int, x: int, y: int, stretch: Stretch) -> str:
    """The same for the same picture, without drawing it."""
    text = f"{layer.path} {z} {x} {y} {stretch}"
    return f'"{blake2b(text.encode(), digest_size=12).hexdigest()}"'
