"""What becomes of a cut-out before it is pasted: warped, worn, bent, filled and blurred, as chance has it."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from mlcore.foil_classifier.config import Config
from mlcore.foil_classifier.pasting import CutOut, Patch, Warp, spread, warp

Array = NDArray[np.float32]

# Smooth random fields have this many numbers along an edge.
FIELD = 5
# A cut-out is not larger than this share of the crop's shorter edge.
MOST_OF_A_CROP = 0.9
# Nor smaller than this: the crater in it would be 4 px, and in less nobody sees one.
LEAST_PX = 6.0
# Of a floor: what is finer is grain, and stays; its darkness is that of all but so many percent of the patch,
# and at most so many times that; from this share of it on all is floor, below less and less; the least it is.
FLOOR_BLUR_PX, DARK_PERCENT, DARKEST, ALL_FLOOR, LEAST_DARK = 0.7, 97.0, 1.3, 0.25, 0.02


class Recipe:
    """Draws patches from cut-outs.

    Args:
        cut_outs: At least one.
        config: Its ranges and shares.
    """

    def __init__(self, cut_outs: list[CutOut], config: Config) -> None:
        self.cut_outs, self.config = cut_outs, config
        self._diameters_px = np.array([cut_out.diameter_px for cut_out in cut_outs])

    def draw(
        self, random: np.random.Generator, room_px: float, nm_per_px: float | None, *, ease: float = 0.0
    ) -> tuple[Patch, float]:
        """A cut-out drawn by chance, made into a patch.

        Args:
            random: Of everything.
            room_px: The crop's shorter edge.
            nm_per_px: Of the ground it will come to, where known.
            ease: 1: sizes begin at easy_factor times the smallest; 0: at the smallest.

        Returns:
            The patch and its diameter_px.
        """
        largest = MOST_OF_A_CROP * room_px
        if self.config.size_px[1] > 0:
            size_px = self._size_px(random, largest, ease)
            cut_out = self._for_size(random, size_px)
        else:
            cut_out = self.cut_outs[random.integers(len(self.cut_outs))]
            size_px = own_size_px(cut_out, nm_per_px) * _log_uniform(random, *self.config.scale)
            size_px = max(size_px, LEAST_PX)
        return self.make(cut_out, min(size_px, largest), random), min(size_px, largest)

    def make(self, cut_out: CutOut, size_px: float, random: np.random.Generator) -> Patch:
        """A patch of a size, all else drawn by chance."""
        config = self.config
        how = Warp(
            factor=size_px / cut_out.diameter_px,
            aspect=_log_uniform(random, 1.0 / config.aspect, config.aspect),
            lean=float(random.uniform(0.0, 2.0 * np.pi)),
            turn=float(random.uniform(0.0, 2.0 * np.pi)),
            is_mirrored=bool(random.random() < 0.5),
        )
        shift = None
        if config.elastic > 0:
            strength = float(random.uniform(0.0, config.elastic)) * size_px / 2.0
            shift = (strength * _field(random), strength * _field(random))
        patch = warp(cut_out, how, shift)
        return self._varied(patch, size_px, random)

    def _size_px(self, random: np.random.Generator, largest: float, ease: float) -> float:
        smallest = self.config.size_px[0] * (1.0 + (self.config.easy_factor - 1.0) * ease)
        highest = min(self.config.size_px[1], largest)
        return _log_uniform(random, min(smallest, highest), highest)

    def _for_size(self, random: np.random.Generator, size_px: float) -> CutOut:
        """One that is about as large; the largest where all are much smaller, and so on."""
        shrinks = self._diameters_px / size_px
        enlarged, shrunk = self.config.fit
        fit = np.flatnonzero((shrinks >= 1.0 / enlarged) & (shrinks <= shrunk))
        if not len(fit):
            fit = np.argsort(np.abs(np.log(shrinks)), kind="stable")[:10]
        return self.cut_outs[int(fit[random.integers(len(fit))])]

    def _varied(self, patch: Patch, size_px: float, random: np.random.Generator) -> Patch:
        config, contrast, noise = self.config, patch.contrast, patch.noise
        if random.random() < config.broken_share:
            mean, deviation = config.worn
            kept = mean + deviation * spread(_field(random), contrast.shape)
            contrast = contrast * np.clip(kept, 0.0, 1.0)
        if random.random() < config.floor_share:
            contrast = self._with_another_floor(contrast, random)
        if random.random() < config.residue_share:
            contrast = contrast + self._residue(contrast.shape, size_px / 2.0, random)
        if random.random() < config.blur_share:
            contrast = gaussian_filter(contrast, random.uniform(config.blur_px[0], config.blur_px[1]))
            noise = noise / 2.0
        gain = float(random.uniform(config.gain[0], config.gain[1]))
        return Patch(contrast * np.float32(gain), patch.alpha, noise * gain)

    def _with_another_floor(self, contrast: Array, random: np.random.Generator) -> Array:
        """What is darker than the ground, bent; its grain stays."""
        dark = np.maximum(-gaussian_filter(contrast, FLOOR_BLUR_PX), 0.0)
        darkness = max(float(np.percentile(dark, DARK_PERCENT)), LEAST_DARK)
        share = np.minimum(dark / darkness, DARKEST)
        power, depth = (
            _log_uniform(random, *self.config.floor_power),
            _log_uniform(random, *self.config.floor_depth),
        )
        bent = depth * darkness * share**power
        is_floor = np.minimum(share / ALL_FLOOR, 1.0)
        other: Array = (contrast - is_floor * (bent - dark)).astype(np.float32)
        return other

    def _residue(self, shape: tuple[int, ...], radius_px: float, random: np.random.Generator) -> Array:
        """Something bright on the floor: a Gaussian spot of contrast."""
        config, most = self.config, self.config.residue_off
        y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        down, right = random.uniform(-most, most, 2) * radius_px
        width = random.uniform(config.residue_width[0], config.residue_width[1]) * radius_px
        off = (y - (shape[0] - 1) / 2.0 - down) ** 2 + (x - (shape[1] - 1) / 2.0 - right) ** 2
        peak = random.uniform(config.residue_contrast[0], config.residue_contrast[1])
        spot: Array = (peak * np.exp(-off / width**2)).astype(np.float32)
        return spot


def own_size_px(cut_out: CutOut, nm_per_px: float | None) -> float:
    """How large the cut-out's crater is on ground of a scale; its own pixels where either is unknown."""
    if cut_out.nm_per_px and nm_per_px:
        return cut_out.diameter_px * cut_out.nm_per_px / nm_per_px
    return cut_out.diameter_px


def _field(random: np.random.Generator) -> Array:
    return random.standard_normal((FIELD, FIELD), np.float32)


def _log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    """Each factor of two as likely."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))
