"""Craters cut out of one picture, warped, and pasted into another so that one beam seems to have seen both.

A cut-out is kept as contrast: how much brighter a pixel is than the ground around the crater. Pasted, it
takes the brightness of the ground it comes to, slopes included, and as much grain as is missing. Beyond
its alpha the ground stays as it is, to the bit.

The paper altered aspect ratio, scale and rotation and re-combined "with a blank foil image"
(seeds/stardust-foils.txt). Elastic shapes, worn parts and residue are ours.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from mlcore.errors import InvalidInput
from mlcore.foil_classifier.cutting import Polygon, alpha_of, box_of
from mlcore.foil_classifier.dataset import Alpha
from mlcore.foil_classifier.normalise import EIGHT_BITS, top_of_range
from mlcore.formats.pictures import Grey

Array = NDArray[np.float32]

# Around a polygon, the ground that says how bright a crater's surroundings are: a share of its diameter.
SURROUNDINGS = 0.25
LEAST_SURROUNDINGS_PX = 6
# Darker surroundings than this share of the range are taken for this: contrast to black has no meaning.
DARKEST = 8.0 / EIGHT_BITS
# Of a pixel's own grain, what bilinear resampling leaves between neighbours. Along one axis a difference of
# neighbours at the phase t has the variance 2 − 6t + 6t², 1 in the mean, instead of 2; along both a quarter.
RESAMPLED_GRAIN = 0.5
# Of a large picture some rows are looked at.
GRAIN_PIXELS = 30_000
# Second differences are normal but for edges: beyond three deviations lie edges. What is cut off takes this.
_CLIPPED_AT, _CLIPPED_RMS = 3.0, 0.9866
# A Gaussian blur of σ leaves 1 / (2√π σ) of white grain's deviation.
_BLURRED_GRAIN = 1.0 / (2.0 * np.sqrt(np.pi))


@dataclass(frozen=True)
class CutOut:
    """A crater off its ground.

    Attributes:
        contrast: (h, w) float32: pixel / brightness of the surroundings − 1.
        alpha: (h, w) float32, 0–1: the share in which a pixel belongs to it.
        diameter_px: Of the circle of its area.
        noise: Deviation of the grain, as a share of the surroundings' brightness.
        nm_per_px: Ground size of a pixel, where known.
    """

    contrast: Array
    alpha: Array
    diameter_px: float
    noise: float
    nm_per_px: float | None = None

    @cached_property
    def halved(self) -> "CutOut":
        """The same in half the size: each pixel the mean of four, so that its grain is halved too.

        The middle of an odd number of pixels moves by half a pixel, alpha's with it.
        """
        height, width = self.contrast.shape
        odd = ((0, height % 2), (0, width % 2))

        def half(values: Array, mode: str) -> Array:
            even = np.pad(values, odd, mode=mode)  # type: ignore[call-overload]
            mean: Array = even.reshape(even.shape[0] // 2, 2, -1, 2).mean((1, 3), dtype=np.float32)
            return mean

        nm_per_px = self.nm_per_px and 2.0 * self.nm_per_px
        return CutOut(
            half(self.contrast, "edge"),
            half(self.alpha, "constant"),
            self.diameter_px / 2.0,
            self.noise / 2.0,
            nm_per_px,
        )


def cut_box(pixels: Grey, polygon: Polygon) -> tuple[Grey, Alpha, float]:
    """What a dataset keeps of a crater along a polygon.

    Args:
        pixels: The picture.
        polygon: Around the rim and a little ground, in its pixels.

    Returns:
        The pixels of the polygon's box with some ground around, alpha in the same shape, and the diameter_px
        of the circle of its area.

    Raises:
        InvalidInput: It holds no pixel of the picture.
    """
    shape = (pixels.shape[0], pixels.shape[1])
    diameter_px = 2.0 * float(np.sqrt(_area(polygon) / np.pi))
    left, top, right, bottom = box_of(polygon, shape, max(LEAST_SURROUNDINGS_PX, SURROUNDINGS * diameter_px))
    alpha = alpha_of(polygon, shape)[top:bottom, left:right] if right > left and bottom > top else None
    if alpha is None or not alpha.any():
        raise InvalidInput(
            "The outline holds no pixel of the picture; draw it around a crater in the picture."
        )
    return pixels[top:bottom, left:right].copy(), np.ascontiguousarray(alpha), diameter_px


def _area(polygon: Polygon) -> float:
    x, y = np.asarray(polygon, np.float64).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2.0


def of_box(pixels: Grey, alpha: Alpha, diameter_px: float, nm_per_px: float | None = None) -> CutOut:
    """The crater in a box of cut_box."""
    around = alpha == 0
    values = pixels.astype(np.float32)
    ground = values[around] if around.any() else values
    level = max(float(np.median(ground)), DARKEST * top_of_range(pixels))
    rows, columns = (np.flatnonzero((alpha > 0).any(axis)) for axis in (1, 0))
    inside = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    return CutOut(
        contrast=(values[inside] / level - 1.0).astype(np.float32),
        alpha=(alpha[inside] / np.float32(255.0)).astype(np.float32),
        diameter_px=diameter_px,
        noise=grain(pixels, around) / level,
        nm_per_px=nm_per_px,
    )


def cut(pixels: Grey, polygon: Polygon, nm_per_px: float | None = None) -> CutOut:
    """The crater along a polygon; InvalidInput where it holds no pixel."""
    return of_box(*cut_box(pixels, polygon), nm_per_px)


def grain(pixels: Grey, where: NDArray[np.bool_] | None = None) -> float:
    """The deviation of the noise of a pixel, in the picture's counts, blind to slopes and to most edges.

    Args:
        pixels: (H, W), 2 px a side or more.
        where: (H, W): look at these pixels only, where they are enough.
    """
    values = pixels.astype(np.float32)
    second = values[1:, 1:] - values[1:, :-1] - values[:-1, 1:] + values[:-1, :-1]
    if where is not None:
        clear = where[1:, 1:] & where[1:, :-1] & where[:-1, 1:] & where[:-1, :-1]
        second = second[clear] if clear.sum() >= 100 else second
    # So many are enough to tell a deviation to half a percent.
    size = np.abs(second[:: max(1, second.size // GRAIN_PIXELS)])
    # Counts are whole numbers: half of one more, so that a quiet picture keeps some differences.
    kept = size[size <= _CLIPPED_AT * (float(np.median(size)) / 0.6745 + 0.5)]
    return float(np.sqrt(np.mean(kept.astype(np.float64) ** 2))) / (2.0 * _CLIPPED_RMS)


@dataclass(frozen=True)
class Warp:
    """How a cut-out is laid out anew: turned by `lean`, stretched, turned by `turn`, perhaps mirrored.

    Attributes:
        factor: New diameter ÷ old one; the area goes with its square.
        aspect: Stretch along one direction ÷ that across it.
        lean: Radians before the stretch.
        turn: Radians after it.
        is_mirrored: Before all.
    """

    factor: float = 1.0
    aspect: float = 1.0
    lean: float = 0.0
    turn: float = 0.0
    is_mirrored: bool = False

    def matrix(self) -> NDArray[np.float64]:
        """(2, 2): from offsets (y, x) in the cut-out to those in the patch; its determinant is ± factor²."""
        along = np.sqrt(self.aspect)
        stretch = np.diag([self.factor * along, self.factor / along])
        mirror = np.diag([1.0, -1.0 if self.is_mirrored else 1.0])
        turned: NDArray[np.float64] = _turned(self.turn) @ stretch @ _turned(self.lean) @ mirror
        return turned


def _turned(angle: float) -> NDArray[np.float64]:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@dataclass(frozen=True)
class Patch:
    """A warped cut-out, ready to be pasted.

    Attributes:
        contrast: (h, w) float32.
        alpha: (h, w) float32, 0–1.
        noise: What it has of grain between neighbouring pixels, as a share of the brightness.
    """

    contrast: Array
    alpha: Array
    noise: float


def warp(cut_out: CutOut, how: Warp, shift: tuple[Array, Array] | None = None) -> Patch:
    """Resample a cut-out.

    Args:
        cut_out: What.
        how: Where its pixels come to.
        shift: Elastic displacement (down, right) in pixels of the patch: small square grids of numbers,
            spread over the patch.

    Returns:
        A patch that holds all of it.
    """
    matrix = how.matrix()
    # The strongest shrinking decides how many pixels are averaged into one.
    shrink = 1.0 / float(np.linalg.svd(matrix, compute_uv=False)[-1])
    while shrink > np.sqrt(2.0) and min(cut_out.contrast.shape) > 3:
        cut_out, matrix, shrink = cut_out.halved, matrix * 2.0, shrink / 2.0
    shape = np.array(cut_out.contrast.shape)
    height, width = (int(n) for n in np.ceil(np.abs(matrix) @ shape - 1e-9))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    y, x = y - np.float32((height - 1) / 2.0), x - np.float32((width - 1) / 2.0)
    if shift is not None:
        y, x = y + spread(shift[0], (height, width)), x + spread(shift[1], (height, width))
    back = np.linalg.inv(matrix).astype(np.float32)
    at = [back[axis, 0] * y + back[axis, 1] * x + np.float32((shape[axis] - 1) / 2.0) for axis in (0, 1)]
    resampled = not np.allclose(np.abs(matrix), np.eye(2)) or shift is not None
    return Patch(
        map_coordinates(cut_out.contrast, at, order=1, mode="nearest"),
        map_coordinates(cut_out.alpha, at, order=1, mode="constant"),
        cut_out.noise * (RESAMPLED_GRAIN if resampled else 1.0),
    )


def spread(coarse: Array, shape: tuple[int, int]) -> Array:
    """A small grid of numbers as a smooth field of a shape."""
    rows, columns = (
        np.linspace(0.0, n - 1.0, wanted, dtype=np.float32)
        for n, wanted in zip(coarse.shape, shape, strict=True)
    )
    return _between(_between(coarse, rows).T, columns).T


def _between(values: Array, at: Array) -> Array:
    """Rows between rows, linearly."""
    low = np.minimum(at.astype(int), len(values) - 2)
    share = (at - low)[:, None]
    mixed: Array = values[low] * (1 - share) + values[low + 1] * share
    return mixed


def paste(
    ground: Grey,
    patch: Patch,
    x_px: float,
    y_px: float,
    random: np.random.Generator,
    *,
    grain_of_ground: float,
) -> Grey:
    """Put a patch into a picture; what of it lies beyond the edge is cut off.

    Args:
        ground: (H, W) uint8 or uint16; not changed.
        patch: What.
        x_px: Where its middle comes, from the left edge.
        y_px: From the top edge.
        random: Of the grain.
        grain_of_ground: As `grain` says of the picture, in its counts.

    Returns:
        A new picture of the same depth, bit-equal wherever alpha is 0.
    """
    pasted = ground.copy()
    left, top = (
        round(place - n / 2.0) for place, n in zip((x_px, y_px), patch.alpha.shape[::-1], strict=True)
    )
    rows = slice(max(0, top), max(0, top + patch.alpha.shape[0]))
    columns = slice(max(0, left), max(0, left + patch.alpha.shape[1]))
    part = ground[rows, columns].astype(np.float32)
    if not part.size:
        return pasted
    seen = (
        slice(rows.start - top, rows.start - top + part.shape[0]),
        slice(columns.start - left, columns.start - left + part.shape[1]),
    )
    level = _level(part)
    own = patch.noise * float(level.mean())
    contrast, own = _quietened(patch.contrast[seen], own, grain_of_ground)
    light = np.maximum(1.0 + contrast, 0.0)
    missing = np.sqrt(max(grain_of_ground**2 - own**2, 0.0))
    # Electrons are counted: brighter pixels have more grain, as its root.
    noise = random.standard_normal(part.shape, np.float32) * np.float32(missing) * np.sqrt(light)
    alpha = patch.alpha[seen]
    mixed = np.rint(part * (1 - alpha) + (level * light + noise) * alpha)
    inside = alpha > 0
    pasted[rows, columns][inside] = np.clip(mixed, 0, top_of_range(ground))[inside].astype(ground.dtype)
    return pasted


def _level(part: Array) -> Array:
    """The ground's brightness in a part of a picture, as a plane: exposure often runs from side to side."""
    if min(part.shape) < 4:
        return np.full_like(part, np.median(part))
    y, x = (np.linspace(-1.0, 1.0, n, dtype=np.float32) for n in part.shape)
    # On a full grid the three are at right angles, so that each is a mean of its own.
    down = float((part.mean(1) * y).mean() / (y * y).mean())
    right = float((part.mean(0) * x).mean() / (x * x).mean())
    return np.maximum(part.mean() + down * y[:, None] + right * x[None, :], 0.0).astype(np.float32)


def _quietened(contrast: Array, own: float, wanted: float) -> tuple[Array, float]:
    """Contrast that is no grainier than the ground it comes to, and the grain left in it."""
    if own <= wanted:
        return contrast, own
    sigma_px = float(np.clip(_BLURRED_GRAIN * own / max(wanted, 1e-6), 0.4, min(contrast.shape) / 12 + 0.4))
    # Blurred to just below what is wanted; little of it is left between neighbours.
    return gaussian_filter(contrast, sigma_px), wanted / 2.0
