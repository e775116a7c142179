"""On which side of the split each cut-out lies: its picture's, but where that would leave a side empty."""

import hashlib
from uuid import UUID

from mlcore.foil_classifier.checks import LEAST_CRATERS
from mlcore.split import SPLIT_SHARES
from review.models import Picture

TRAIN, VALIDATION, TEST = Picture.Side.TRAIN, Picture.Side.VALIDATION, Picture.Side.TEST
# Without a test side nothing could be measured; without validation the threshold could not be chosen well.
_GIVEN = {TEST: SPLIT_SHARES[2], VALIDATION: SPLIT_SHARES[1]}

WORDS = (
    "Cut-outs are on the side of their picture. Where no picture of the validation or test side has one, the "
    "hash of the cut-out's own identifier deals some of the training side there; cut-outs of one picture may "
    "then lie on several sides."
)


def dealt(sides: dict[UUID, str]) -> dict[UUID, str]:
    """The cut-outs' sides, of those of their pictures.

    An empty side is given those of the training side that the hash of their identifier picks, at least the
    first in the order of that hash; of a few, so many that the training side keeps what it needs and, if that
    can be, neither of the others stays empty. What is on another side never comes onto the training side: a
    later version is measured on nothing that an earlier one has been trained on, but where there was only a
    handful.
    """
    found, empty = dict(sides), [side for side in _GIVEN if side not in sides.values()]
    while empty:
        side = empty.pop(0)
        trains = sorted((uid for uid in found if found[uid] == TRAIN), key=lambda uid: _place(side, uid))
        picked = [uid for uid in trains if _place(side, uid) < _GIVEN[side]] or trains[:1]
        n_spare = max(0, len(trains) - LEAST_CRATERS)
        n_most = max(min(1, n_spare), n_spare - len(empty))
        found |= dict.fromkeys(picked[:n_most], side)
    return found


def _place(side: str, uid: UUID) -> float:
    """In [0, 1), for ever."""
    digest = hashlib.sha256(f"cut-out|{side}|{uid}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
