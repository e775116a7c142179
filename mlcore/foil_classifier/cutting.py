"""From the polygon that an expert drew around a crater to the share that each pixel has in it.

Polygons are [[x_px, y_px], …] in pixels of the image they were drawn on, open, in either direction; pixel
(row 0, column 0) covers 0 to 1 in both. They do not cross themselves: whoever keeps one has seen to that.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# A cut-out fades over so many pixels along its outline, so that what is pasted shows no edge.
FEATHER_PX = 2.0
# With the pixel's own box, of variance 1/12, it blurs as a ramp of FEATHER_PX does, of variance 4/12.
_BLUR = np.array([0.125, 0.75, 0.125])

Polygon = Sequence[Sequence[float]]


def alpha_of(polygon: Polygon, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """How much of each pixel belongs to a cut-out, fading along its outline.

    Its sum over 255 is the polygon's area, but for what lies beyond the image and the rounding to 255ths.

    Args:
        polygon: At least three places (x_px, y_px).
        shape: Height and width of the image.

    Returns:
        (H, W): 255 inside, 0 outside, both from about FEATHER_PX / 2 off the outline on.
    """
    height, width = shape
    # One pixel around, into which and out of which the blur reaches.
    share = np.pad(coverage(polygon, shape), 1)
    share = sum(weight * share[at : at + height] for at, weight in enumerate(_BLUR))
    share = sum(weight * share[:, at : at + width] for at, weight in enumerate(_BLUR))
    return np.rint(255.0 * np.clip(share, 0.0, 1.0)).astype(np.uint8)


def coverage(polygon: Polygon, shape: tuple[int, int]) -> NDArray[np.float64]:
    """The share of each pixel that a polygon covers, exactly.

    Each edge adds, with its sign, what lies to the right of it: in the pixels it crosses in part, and in all
    further ones of the row wholly; what is summed along the rows is the area inside.

    Args:
        polygon: At least three places (x_px, y_px).
        shape: Height and width of the image; what lies beyond it is left out.

    Returns:
        (H, W), 0 to 1.
    """
    height, width = shape
    right_of = np.zeros((height, width + 2))
    corners = np.asarray(polygon, np.float64)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        pieces = _pieces(start, end)
        rise = np.diff(pieces[:, 1])
        middle = (pieces[1:] + pieces[:-1]) / 2.0
        # Left of the image an edge covers whole rows, right of it none.
        x_px = np.clip(middle[:, 0], 0.0, float(width))
        row, column = np.floor(middle[:, 1]).astype(int), np.floor(x_px).astype(int)
        inside = (row >= 0) & (row < height)
        rise, x_px, row, column = rise[inside], x_px[inside], row[inside], column[inside]
        np.add.at(right_of, (row, column), rise * (column + 1.0 - x_px))
        np.add.at(right_of, (row, column + 1), rise * (x_px - column))
    covered: NDArray[np.float64] = np.abs(np.cumsum(right_of, axis=1)[:, :width])
    return np.clip(covered, 0.0, 1.0)


def _pieces(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2): an edge from start to end, cut at every border between two pixels."""
    shares = [np.array([0.0, 1.0])]
    for low, high in zip(start, end, strict=True):
        first, last = sorted((low, high))
        borders = np.arange(np.floor(first) + 1.0, np.ceil(last))
        if borders.size:
            shares.append((borders - low) / (high - low))
    along = np.clip(np.unique(np.concatenate(shares)), 0.0, 1.0)[:, None]
    return np.asarray(start + along * (end - start), np.float64)


def box_of(polygon: Polygon, shape: tuple[int, int], margin_px: float = 0.0) -> tuple[int, int, int, int]:
    """The whole pixels around a polygon, with a margin as far as the image has it.

    Args:
        polygon: At least three places (x_px, y_px).
        shape: Height and width of the image.
        margin_px: So much more on each side.

    Returns:
        left, top, right, bottom: pixels are [top:bottom, left:right].
    """
    corners = np.asarray(polygon, np.float64)
    low = np.floor(corners.min(axis=0) - margin_px).astype(int)
    high = np.ceil(corners.max(axis=0) + margin_px).astype(int)
    height, width = shape
    return max(0, int(low[0])), max(0, int(low[1])), min(width, int(high[0])), min(height, int(high[1]))
