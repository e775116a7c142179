"""The part of a basemap that a campaign maps: a box in degrees, as far as the basemap reaches."""

import shapely
from django.contrib.gis.geos import MultiPolygon
from django.utils.translation import gettext as _

from annotate.models import Basemap
from annotate.services.shapes import stamped
from mlcore import geodesy
from mlcore.errors import InvalidInput
from mlcore.raster.outline import bounds_of

# Longitudes of either convention are understood, and a box may go on from one turn into the next.
_MOST_LON_DEG = 540.0
# A side longer than half a turn would be taken to go the other way round.
_STEP_DEG = 90.0


def region_of(west: float, south: float, east: float, north: float) -> MultiPolygon:
    """A box of longitudes and latitudes, eastwards from west to east: over ±180° where east is the smaller.

    Raises:
        InvalidInput: It is no box in degrees.
    """
    if not (-90.0 <= south < north <= 90.0):
        raise InvalidInput(
            _(
                "The region reaches from latitude %(south)s° to %(north)s°. Give a south below the north, "
                "both from −90 to 90."
            )
            % {"south": f"{south:g}", "north": f"{north:g}"},
            code="bad_region",
        )
    if not (abs(west) <= _MOST_LON_DEG and abs(east) <= _MOST_LON_DEG):
        raise InvalidInput(
            _("The region reaches from longitude %(west)s° to %(east)s°. Give degrees east, −180 to 360.")
            % {"west": f"{west:g}", "east": f"{east:g}"},
            code="bad_region",
        )
    if west == east:
        raise InvalidInput(
            _("West and east of the region are both %(west)s°: it has no width.") % {"west": f"{west:g}"},
            code="bad_region",
        )
    width = east - west if east - west in (360.0, -360.0) else (east - west) % 360.0
    if abs(width) == 360.0:
        return stamped(shapely.MultiPolygon([shapely.box(-180.0, south, 180.0, north)]))
    steps = int(width // _STEP_DEG) + 1
    lons = [west + width * i / steps for i in range(steps + 1)]
    outline = [*((lon, south) for lon in lons), *((lon, north) for lon in reversed(lons))]
    return stamped(geodesy.split_at_antimeridian(shapely.Polygon(outline)))


def on_basemap(region: MultiPolygon, basemap: Basemap) -> shapely.MultiPolygon:
    """The part of a region that a basemap shows.

    Raises:
        InvalidInput: There is none.
    """
    wanted, shown = (shapely.from_wkb(bytes(shape.wkb)) for shape in (region, basemap.footprint))
    common = wanted.intersection(shown)
    parts = [part for part in shapely.get_parts(common) if part.geom_type == "Polygon" and part.area > 0.0]
    if not parts:
        raise InvalidInput(
            _(
                "The region %(region)s does not meet the main basemap, “%(name)s”, which covers %(covers)s "
                "(west, south, east, north). Choose a region within it, or leave it empty for all of it."
            )
            % {
                "region": _said(bounds_of(wanted)),
                "name": basemap.name,
                "covers": _said(bounds_of(shown)),
            },
            code="no_overlap",
        )
    return shapely.MultiPolygon(parts)


def _said(box: tuple[float, float, float, float]) -> str:
    return "[" + ", ".join(f"{edge:.2f}°".replace("-", "−") for edge in box) + "]"
