"""Craters that experts cut out of pictures along a polygon, to be pasted on blank foil for training.

A cut-out is never changed: whoever mends one withdraws it and cuts anew, in one step. Each has an identifier
of its maker's, so that what is sent twice is kept once, and what was answered is never lost.
"""

import io
from collections.abc import Sequence
from math import isfinite, pi, sqrt
from uuid import UUID

import numpy as np
from django.db import transaction
from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext as _
from PIL import Image

from annotate.models import Campaign, Participant
from annotate.services.storage import file_of
from mlcore.errors import Conflict, InvalidInput, NotFound
from mlcore.foil_classifier.cutting import Polygon, alpha_of, box_of
from mlcore.formats.pictures import Grey, read_pictures
from review.models import Confirmation, CutOut, Frame, Picture, Subject

LEAST_POINTS, MOST_POINTS = 3, 500
# Smaller ones show no rim.
SMALLEST_PX = 4.0
# Around a cut-out in its small picture.
MARGIN_PX = 3.0


def obstacle(picture: Picture) -> str:
    """Why nothing may be cut out of a picture; "" where it may."""
    words = {"name": picture.name}
    match picture.purpose:
        case Picture.Purpose.REFERENCE:
            return ""
        case Picture.Purpose.BLANK:
            return _("“%(name)s” was brought in as blank foil, so there is no crater to cut out.") % words
    latest = Confirmation.objects.filter(subject__picture=picture).order_by("-pk").first()
    if latest is None or latest.result != Confirmation.Result.CRATER:
        return (
            _(
                "“%(name)s” is a picture of the survey, and no expert has found a crater in it. Confirm it "
                "first, or cut out of a reference picture."
            )
            % words
        )
    if picture.side == Picture.Side.TEST:
        return (
            _(
                "“%(name)s” is kept to test the network, which therefore learns nothing of it. Cut out of "
                "another picture."
            )
            % words
        )
    if Subject.objects.filter(picture=picture, audit__isnull=False).exists():
        return (
            _(
                "“%(name)s” was drawn for the audit, which says what the network misses: it learns nothing "
                "of it. Cut out of another picture."
            )
            % words
        )
    return ""


def room(campaign: Campaign) -> tuple[int, int] | None:
    """Width and height that every blank picture has; None where none was brought in."""
    least = campaign.pictures.blank().aggregate(width=Min("width_px"), height=Min("height_px"))
    return (least["width"], least["height"]) if least["width"] else None


def check(picture: Picture, polygon: Polygon) -> float:
    """The diameter in pixels of the circle of the polygon's area.

    Raises:
        InvalidInput: It is no outline of a crater in this picture, or too small or large to be pasted.
    """
    # GEOS takes a while to load, and most of the site's pages need none.
    import shapely

    if not LEAST_POINTS <= len(polygon) <= MOST_POINTS:
        raise InvalidInput(
            _("An outline has %(least)d to %(most)d points, not %(n)d; go around the crater by clicks.")
            % {"least": LEAST_POINTS, "most": MOST_POINTS, "n": len(polygon)},
            code="points",
        )
    if not all(isfinite(value) for point in polygon for value in point):
        raise InvalidInput(
            _("A point of the outline is no place in the picture; draw it anew."), code="points"
        )
    if not all(0 <= x <= picture.width_px and 0 <= y <= picture.height_px for x, y in polygon):
        raise InvalidInput(
            _("The outline leaves the picture of %(width)d × %(height)d px; keep every point inside.")
            % {"width": picture.width_px, "height": picture.height_px},
            code="outside",
        )
    outline = shapely.Polygon(polygon)
    if not outline.is_valid:
        raise InvalidInput(
            _("The outline crosses or touches itself; move a point so that it goes once around the crater."),
            code="crossing",
        )
    diameter_px = 2.0 * sqrt(outline.area / pi)
    if diameter_px < SMALLEST_PX:
        raise InvalidInput(
            _(
                "The cut-out is %(n).1f px across and must be %(least)g px at least: smaller ones show no "
                "rim. Cut out a larger crater, or one of a picture of higher magnification."
            )
            % {"n": diameter_px, "least": SMALLEST_PX},
            code="too_small",
        )
    _check_room(picture.campaign, polygon)
    return diameter_px


def _check_room(campaign: Campaign, polygon: Polygon) -> None:
    x_px, y_px = np.asarray(polygon).T
    size = float(np.ptp(x_px)), float(np.ptp(y_px))
    least = room(campaign)
    if least is not None and (size[0] > least[0] or size[1] > least[1]):
        raise InvalidInput(
            _(
                "The cut-out is %(width).0f × %(height).0f px and could not be pasted whole: the smallest "
                "blank picture has %(blank_width)d × %(blank_height)d px. Cut out a smaller crater, or bring "
                "in larger blank pictures."
            )
            % {"width": size[0], "height": size[1], "blank_width": least[0], "blank_height": least[1]},
            code="too_large",
        )


@transaction.atomic
def cut(
    *,
    uid: UUID,
    picture: Picture,
    polygon: Sequence[Sequence[float]],
    by: Participant,
    frame: int = 0,
    mends: CutOut | None = None,
) -> CutOut:
    """Keep a cut-out; the same uid again changes nothing and answers the same.

    Args:
        uid: Made by who cuts.
        picture: One that may be cut.
        polygon: [[x_px, y_px], …] around the crater, open, in the frame's pixels.
        by: Who.
        frame: Of the focus series.
        mends: Another one of the picture, which this one replaces: it is withdrawn.

    Raises:
        InvalidInput: As check, and as obstacle says; or there is no such frame.
        Conflict: The uid is another cut-out's.
    """
    # One at a time of each picture, so that what is sent twice at once is kept once.
    Picture.objects.select_for_update(of=("self",), no_key=True).get(pk=picture.pk)
    points = [[float(x), float(y)] for x, y in polygon]
    known = CutOut.objects.filter(uid=uid).first()
    if known is not None:
        if (known.picture_id, known.frame, known.polygon) != (picture.pk, frame, points):
            raise Conflict(_("Another cut-out was sent under this identifier; load the page again."))
        return known
    if reason := obstacle(picture):
        raise InvalidInput(reason, code="not_to_be_cut")
    if not picture.frames.filter(number=frame).exists():
        raise InvalidInput(_("The picture has no image number %(n)d; load the page again.") % {"n": frame})
    if mends is not None:
        if mends.picture_id != picture.pk:
            raise InvalidInput(_("A cut-out is mended in the picture it was cut out of."))
        withdraw(mends, by=by)
    return CutOut.objects.create(
        uid=uid, picture=picture, frame=frame, polygon=points, diameter_px=check(picture, points), by=by
    )


def withdraw(cut_out: CutOut, *, by: Participant) -> CutOut:
    """Let no training learn of it any more; it stays to be seen, and can be taken back."""
    standing = CutOut.objects.filter(pk=cut_out.pk, withdrawn_at__isnull=True)
    standing.update(withdrawn_at=timezone.now(), withdrawn_by=by)
    cut_out.refresh_from_db()
    return cut_out


def restore(cut_out: CutOut) -> CutOut:
    """Have it teach again."""
    CutOut.objects.filter(pk=cut_out.pk).update(withdrawn_at=None, withdrawn_by=None)
    cut_out.refresh_from_db()
    return cut_out


def pixels_of(cut_out: CutOut) -> Grey:
    """The frame that was cut, as it came.

    Raises:
        NotFound: Its file is gone.
    """
    frame = Frame.objects.filter(picture=cut_out.picture_id, number=cut_out.frame).first()
    path = file_of(frame.path) if frame else None
    if path is None or not path.exists():
        raise NotFound(
            _("The file of this picture is missing on the server; the operator has to restore it.")
        )
    return next(iter(read_pictures(path))).pixels


def small_picture(cut_out: CutOut) -> bytes:
    """The cut-out alone as a PNG of brightness and alpha, stretched as people see pictures."""
    pixels = pixels_of(cut_out)
    left, top, right, bottom = box_of(cut_out.polygon, pixels.shape, MARGIN_PX)
    inside = pixels[top:bottom, left:right]
    alpha = alpha_of([(x - left, y - top) for x, y in cut_out.polygon], inside.shape)
    low, high = np.percentile(pixels, (0.1, 99.9))
    grey = np.clip((inside.astype(np.float32) - low) * (255.0 / max(float(high - low), 1.0)), 0.0, 255.0)
    image = Image.merge("LA", [Image.fromarray(np.rint(grey).astype(np.uint8)), Image.fromarray(alpha)])
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
