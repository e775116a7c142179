"""Where something is in a picture, whoever says so: in an answer, at the microscope, or by a lead's word."""

from dataclasses import asdict, dataclass
from math import isfinite

from django.utils.translation import gettext as _

from mlcore.errors import InvalidInput
from review.models import Picture

MOST = 20
# A crater wider than this many times the picture is a slip of the unit.
_WIDEST = 2.0
# The same where nobody knows the picture's scale.
_LARGEST_UM = 1000.0


@dataclass(frozen=True)
class Spot:
    """A crater in a picture, or what looks like one; its diameter where it was measured."""

    x_px: float
    y_px: float
    diameter_um: float | None = None

    def to_json(self) -> dict[str, float | None]:
        return asdict(self)


def check(spot: Spot, picture: Picture, *, place_code: str = "places") -> None:
    """Refuse what lies outside of the picture or cannot be so wide, in a sentence."""
    if not (0.0 <= spot.x_px <= picture.width_px and 0.0 <= spot.y_px <= picture.height_px):
        raise InvalidInput(
            _(
                "The place %(x)g, %(y)g px lies outside of the picture of %(width)d × %(height)d pixels; "
                "click inside."
            )
            % {"x": spot.x_px, "y": spot.y_px, "width": picture.width_px, "height": picture.height_px},
            code=place_code,
        )
    if spot.diameter_um is None:
        return
    widest_um = _LARGEST_UM
    if picture.nm_per_px:
        widest_um = _WIDEST * max(picture.width_px, picture.height_px) * picture.nm_per_px / 1000.0
    if not isfinite(spot.diameter_um) or not 0.0 < spot.diameter_um <= widest_um:
        raise InvalidInput(
            _(
                "A diameter lies above 0 and at most at %(most).4g µm here, not at %(given)g µm; check the "
                "unit."
            )
            % {"most": widest_um, "given": spot.diameter_um},
            code="diameter",
        )
