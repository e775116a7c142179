"""The split that never moves: which places are trained on, which choose thresholds, which are tested on."""

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.errors import InvalidInput

UNLABELLED, TRAIN, VALIDATION, TEST = 0, 1, 2, 3
SIDES = {"train": TRAIN, "validation": VALIDATION, "test": TEST}

# Never change either: places would change sides, and what was trained on would be tested on.
SPLIT_SALT = "tektite-split-1"
SPLIT_SHARES = (0.70, 0.15, 0.15)


def split_codes(body: str, lon: ArrayLike, lat: ArrayLike, block_deg: float) -> NDArray[np.uint8]:
    """On which side of the split places lie.

    The sphere is cut into rows block_deg high and each row into cells about as wide on the ground; a cell's
    side is a hash of body, block_deg, row and column. It depends on the place and on nothing else.

    Args:
        body: Key of mlcore.bodies.BODIES.
        lon: Degrees, any shape.
        lat: Degrees, the same shape.
        block_deg: Height of a cell.

    Returns:
        TRAIN, VALIDATION or TEST for each place, in the same shape.
    """
    if not block_deg > 0:
        raise InvalidInput(f"A split block of {block_deg}° cannot be; give degrees above 0.")
    lon, lat = np.broadcast_arrays(np.asarray(lon, float), np.asarray(lat, float))
    row = np.floor((lat + 90) / block_deg).astype(np.int64)
    middle = np.clip((row + 0.5) * block_deg - 90, -90, 90)
    columns = np.maximum(1, np.round(360 / block_deg * np.cos(np.radians(middle)))).astype(np.int64)
    column = np.minimum(np.floor(((lon + 180) % 360) / 360 * columns).astype(np.int64), columns - 1)
    cells, inverse = np.unique(np.stack([row.ravel(), column.ravel()], 1), axis=0, return_inverse=True)
    codes = np.array([_cell_code(body, block_deg, int(r), int(c)) for r, c in cells], np.uint8)
    return codes[inverse.reshape(-1)].reshape(lon.shape)


def _cell_code(body: str, block_deg: float, row: int, column: int) -> int:
    return _code(f"{body}|{block_deg:.9g}|{row}|{column}")


def _code(what: str) -> int:
    digest = hashlib.sha256(f"{SPLIT_SALT}|{what}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    train, validation, _ = SPLIT_SHARES
    return TRAIN if share < train else VALIDATION if share < train + validation else TEST


def split_side(body: str, lon: float, lat: float, block_deg: float) -> str:
    """The name of the side on which one place lies: "train", "validation" or "test"."""
    return _name(int(split_codes(body, lon, lat, block_deg)))


def picture_side(sha256: str) -> str:
    """The side of a picture by the hash of its pixels: "train", "validation" or "test"."""
    return _name(_code(f"picture|{sha256}"))


def _name(code: int) -> str:
    return next(name for name, value in SIDES.items() if value == code)
