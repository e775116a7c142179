"""Room on the disk for what learning writes: refused before it begins, told in words when it ran out."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from annotate.services.disk import is_full, ran_full, require_room
from mlcore.crater_detector.cutting import SAMPLE_OVERLAP_PX, SAMPLE_PX
from review.services import rasters
from review.services.labels import Source

# Two states of the largest network with its optimiser's, its weights, logs and curves.
TRAINING_BYTES = 1_000_000_000
# Detections as they come, and logs.
PREDICTION_BYTES = 200_000_000
# Elevation in four bytes and the side in one; overlaps; coarser levels add a third.
_BYTES_PER_PX = 5 * (SAMPLE_PX / (SAMPLE_PX - SAMPLE_OVERLAP_PX)) ** 2 * 4 / 3


def require_for_training() -> None:
    """Refuse a training that the disk has no room for; NoRoom says how much there is."""
    require_room(TRAINING_BYTES, what=_("A training"))


def require_for_prediction() -> None:
    """Refuse a prediction that the disk has no room for; NoRoom says how much there is."""
    require_room(PREDICTION_BYTES, what=_("A prediction"))


def require_for_dataset(sources: Sequence[Source]) -> None:
    """Refuse to freeze labels that the disk has no room for; NoRoom says how much there is."""
    require_room(sum(map(dataset_bytes, sources)), what=_("Freezing the labels"))


def require_for_pictures(n_bytes: int) -> None:
    """Refuse to freeze pictures that the disk has no room for; NoRoom says how much there is."""
    require_room(n_bytes, what=_("Freezing the pictures"))


def dataset_bytes(source: Source) -> int:
    """What the samples of an elevation model take at most: all of it, or what lies around the searched."""
    grid = rasters.grid_of(source.basemap)
    around = sum(
        (box.width_px + 2 * SAMPLE_PX) * (box.height_px + 2 * SAMPLE_PX)
        for box in (*source.tiles, *source.shown)
    )
    return int(_BYTES_PER_PX * min(around, (grid.width_px + SAMPLE_PX) * (grid.height_px + SAMPLE_PX)))


def explained(message: str, log_tail: Sequence[str]) -> str:
    """Why a learning process ended; where its last lines tell of a full disk, that."""
    if any(is_full(RuntimeError(line)) for line in log_tail):
        return ran_full(_("The learning process"))
    return message
