"""Marks: drawn, changed, deleted and restored by the person whose visit it is; every state is kept."""

from collections.abc import Callable, Sequence
from math import isfinite
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Basemap, Mark, MarkRevision, Tile, Visit
from annotate.services import grids, leases
from annotate.services.shapes import rim
from mlcore import geodesy
from mlcore.bodies import get_body
from mlcore.errors import Conflict, InvalidInput

CHANGEABLE = ("lon", "lat", "diameter_m", "rim_points", "uncertain")


def as_json(mark: Mark) -> dict[str, object]:
    """The mark as its author gets it, and as a conflict shows it."""
    return {
        "uid": str(mark.uid),
        "version": mark.version,
        **_state(mark),
        "updated_at": mark.updated_at.isoformat(),
    }


def _state(mark: Mark) -> dict[str, object]:
    return {name: getattr(mark, name) for name in CHANGEABLE} | {"deleted": mark.deleted_at is not None}


def draw(
    *,
    visit: Visit,
    uid: UUID,
    lon: float,
    lat: float,
    diameter_m: float,
    rim_points: Sequence[Sequence[float]] | None = None,
    uncertain: bool = False,
    basemap: Basemap | None = None,
    view: dict[str, object] | None = None,
) -> Mark:
    """Store a mark under the client's uid. The same uid again changes nothing and answers the same.

    Raises:
        InvalidInput: It is no circle on this body, or lies outside the campaign's region.
        Conflict: The visit may not be written to, or the uid belongs to another visit's mark.
    """
    mark = Mark(
        uid=uid,
        lon=lon,
        lat=lat,
        diameter_m=diameter_m,
        rim_points=rim_points,
        uncertain=uncertain,
        basemap=basemap,
        view=view or {},
    )
    try:
        return _stored(mark, visit)
    except IntegrityError:
        # Stored under another visit's lock in this very moment.
        return _same(Mark.objects.get(uid=uid), visit)


@transaction.atomic
def _stored(mark: Mark, visit: Visit) -> Mark:
    locked = leases.lock(visit)
    if known := Mark.objects.filter(uid=mark.uid).first():
        return _same(known, locked)
    leases.hold(locked)
    mark.visit = locked
    mark.lon, mark.lat = _checked_circle(locked.tile, mark.lon, mark.lat, mark.diameter_m)
    mark.rim_points = _checked_points(mark.rim_points)
    mark.geom = rim(mark.lon, mark.lat, mark.diameter_m, locked.tile.campaign.body)
    mark.save(force_insert=True)
    _remember(mark, MarkRevision.Action.CREATE)
    return mark


def _same(mark: Mark, visit: Visit) -> Mark:
    if mark.visit_id != visit.pk:
        raise Conflict(
            _("This mark's identifier is in use elsewhere; draw it again under a new one."), code="uid_taken"
        )
    mark.is_repeat = True
    return mark


@transaction.atomic
def change(
    *,
    mark: Mark,
    version: int,
    lon: float | None = None,
    lat: float | None = None,
    diameter_m: float | None = None,
    rim_points: Sequence[Sequence[float]] | None = None,
    uncertain: bool | None = None,
) -> Mark:
    """Move, resize or doubt a mark; what is None stays, but a moved rim loses its three points.

    Raises:
        Conflict: The mark is no longer at this version; `current` holds it as it stands.
        InvalidInput: As in draw.
    """

    def apply(mark: Mark) -> None:
        moved = any(value is not None for value in (lon, lat, diameter_m))
        if moved or rim_points is not None:
            mark.rim_points = _checked_points(rim_points)
        if moved:
            wanted = (
                mark.lon if lon is None else lon,
                mark.lat if lat is None else lat,
                mark.diameter_m if diameter_m is None else diameter_m,
            )
            mark.lon, mark.lat = _checked_circle(mark.visit.tile, *wanted)
            mark.diameter_m = wanted[2]
            mark.geom = rim(mark.lon, mark.lat, mark.diameter_m, mark.visit.tile.campaign.body)
        if uncertain is not None:
            mark.uncertain = uncertain

    return _revise(mark, version, MarkRevision.Action.UPDATE, apply, must_be_deleted=False)


@transaction.atomic
def delete(*, mark: Mark, version: int) -> Mark:
    """Take the mark away; its row and history stay.

    Raises:
        Conflict: As in change.
    """

    def apply(mark: Mark) -> None:
        mark.deleted_at = timezone.now()

    return _revise(mark, version, MarkRevision.Action.DELETE, apply, must_be_deleted=False)


@transaction.atomic
def restore(*, mark: Mark, version: int) -> Mark:
    """Bring a deleted mark back as it was.

    Raises:
        Conflict: As in change.
    """

    def apply(mark: Mark) -> None:
        mark.deleted_at = None

    return _revise(mark, version, MarkRevision.Action.RESTORE, apply, must_be_deleted=True)


def _revise(
    mark: Mark,
    version: int,
    action: MarkRevision.Action,
    apply: Callable[[Mark], None],
    *,
    must_be_deleted: bool,
) -> Mark:
    visit = leases.lock(mark.visit)
    current = Mark.objects.select_related("visit__tile__campaign").get(pk=mark.pk)
    current.visit = visit
    if current.version == version + 1 and _was_made(current, action, apply):
        return current
    if current.version != version or (current.deleted_at is not None) != must_be_deleted:
        raise Conflict(
            _("This mark has changed since you last saw it: choose which of the two states to keep."),
            current=as_json(current),
        )
    leases.hold(visit)
    apply(current)
    current.version += 1
    current.save()
    _remember(current, action)
    return current


def _was_made(mark: Mark, action: MarkRevision.Action, apply: Callable[[Mark], None]) -> bool:
    """Whether the mark's last revision is this very request, whose answer got lost on the way."""
    if not mark.revisions.filter(version=mark.version, action=action).exists():
        return False
    stands = _state(mark)
    copy = Mark.objects.select_related("visit__tile__campaign").get(pk=mark.pk)
    apply(copy)
    return _state(copy) == stands


def _remember(mark: Mark, action: MarkRevision.Action) -> None:
    MarkRevision.objects.create(
        mark=mark, version=mark.version, action=action, state=_state(mark), by=mark.visit.participant
    )


def _checked_circle(tile: Tile, lon: float, lat: float, diameter_m: float) -> tuple[float, float]:
    """The centre with its longitude in range.

    Raises:
        InvalidInput: Not a circle on this body, smaller than a pixel, or centred outside the region.
    """
    campaign = tile.campaign
    if isfinite(lon) and abs(lon) <= 360.0:
        lon = float(geodesy.normalise_lon(lon))
    geodesy.check_circle(lon, lat, diameter_m, get_body(campaign.body).radius_m)
    grid = grids.grid_of(campaign)
    if diameter_m < grid.resolution_m_per_px:
        raise InvalidInput(
            _("A diameter of %(diameter).3g m is less than a pixel (%(limit).3g m) and cannot be seen here.")
            % {"diameter": diameter_m, "limit": grid.resolution_m_per_px},
            code="too_small",
        )
    x_px, y_px = grids.pixel_of(grid, lon, lat)
    if not (isfinite(x_px) and isfinite(y_px) and _is_near_region(tile, x_px, y_px)):
        raise InvalidInput(
            _(
                "The centre, %(lon).4f°, %(lat).4f°, lies outside the region of “%(name)s”; "
                "mark only craters whose centre is in it."
            )
            % {"lon": lon, "lat": lat, "name": campaign.name},
            code="outside_region",
        )
    return lon, lat


def _is_near_region(tile: Tile, x_px: float, y_px: float) -> bool:
    """Whether a place lies in the window of this tile or of any other of the campaign."""
    windows = grids.copies(grids.grid_of(tile.campaign), grids.window_cell(tile))
    if any(window.holds(x_px, y_px) for window in windows):
        return True
    reach = tile.campaign.tile_overlap_px
    return tile.campaign.tiles.meeting(x_px - reach, y_px - reach, 2 * reach, 2 * reach).exists()


def _checked_points(points: Sequence[Sequence[float]] | None) -> list[list[float]] | None:
    if points is None:
        return None
    if len(points) != 3 or not all(
        len(point) == 2
        and all(isfinite(value) for value in point)
        and abs(point[0]) <= 360.0
        and abs(point[1]) <= 90.0
        for point in points
    ):
        raise InvalidInput(
            _(
                "A rim is given by three points [longitude, latitude] in degrees, latitudes from −90 to 90; "
                "click them again."
            ),
            code="bad_rim",
        )
    return [[float(geodesy.normalise_lon(lon)), float(lat)] for lon, lat in points]
