"""Known images: a simulated crater or pit put into an image that a microscope, or the simulator, has taken.

Cratered ground and untouched ground must look as if one beam had seen both. What the image says of itself is
measured – how grainy, how sharp, how rough, how bright – and the hollow is rendered by the frozen simulator's
own shading with these. Beyond its reach the pixels are the image's own, to the bit.

What cannot be measured is guessed: where the detector stands, and how strongly a slope shines on this foil.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve, gaussian_filter

from mlcore.errors import InvalidInput
from mlcore.formats.pictures import Grey
from mlcore.simulate.foils import version
from mlcore.simulate.foils.craters import REACH, SHOWN, Crater, Family, around, relief

# Private there, but that folder is frozen: what they compute cannot change under us.
from mlcore.simulate.foils.exposure import _electrons
from mlcore.simulate.foils.scene import (
    LARGEST_UM,
    SMALLEST_PX,
    SMALLEST_UM,
    LookAlike,
    Scene,
    _pit,
)

Floats = NDArray[np.float64]

# The survey's, where an image does not say its own.
USUAL_UM_PER_PX = 0.05
# How far ground and grain are told from slow changes of brightness.
GROUND_PX = 6.0
# The furthest that blur and the detector's own halo reach.
BLUR_REACH_PX = 10.0
# What a median's deviation is of a normal one's.
MAD = 1.4826
# Second differences in both directions: blind to slopes, awake to grain (Immerkaer 1996, eq. 2).
_GRAIN = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])


@dataclass(frozen=True)
class Look:
    """What an image says of how it was taken; brightness as shares of its own.

    Attributes:
        grain: Standard deviation of the noise of a pixel.
        blur_px: Standard deviation of the blur, 0.5 to 2.
        contrast: Of slopes, 0.5 to 1.6; 1 is ordinary.
        white: The brightest value it could hold, in its own counts.
        step: Its values are multiples of it, in counts.
    """

    grain: float
    blur_px: float
    contrast: float
    white: int
    step: int


def paster_version() -> str:
    """SHA-256 of the simulator and of this module: what put a thing into an image."""
    return hashlib.sha256(version().encode() + Path(__file__).read_bytes()).hexdigest()


def draw_crater(
    shape: tuple[int, int], um_per_px: float, seed: int, *, smallest_um: float = SMALLEST_UM
) -> Crater:
    """A crater of a family that may be shown, whole in the image, each factor of two of diameters as likely.

    Raises:
        InvalidInput: The image has no room for one.
    """
    random = np.random.default_rng((seed, 31))
    family = Family(str(random.choice([str(family) for family in SHOWN])))
    diameter_um = _diameter_um(shape, um_per_px, smallest_um, random)
    return Crater(*_place(shape, diameter_um / um_per_px, random), diameter_um, family)


def draw_pit(
    shape: tuple[int, int], um_per_px: float, seed: int, *, smallest_um: float = SMALLEST_UM
) -> LookAlike:
    """A hollow without a lip, of the diameters of craters.

    Raises:
        InvalidInput: The image has no room for one.
    """
    random = np.random.default_rng((seed, 32))
    diameter_um = _diameter_um(shape, um_per_px, smallest_um, random)
    return LookAlike(*_place(shape, diameter_um / um_per_px, random), diameter_um, "pit")


def paste(frames: Sequence[Grey], thing: Crater | LookAlike, *, um_per_px: float, seed: int) -> list[Grey]:
    """Put a crater or a pit into an image.

    Args:
        frames: Shape (height, width) each, of one place at one or several depths of focus.
        thing: What, and where.
        um_per_px: Edge of a pixel.
        seed: Of what the thing leaves open, of the detector's direction and of the grain.

    Returns:
        New frames, in their order: same shape and depth, bit-equal beyond REACH diameters and BLUR_REACH_PX
            of the thing.

    Raises:
        InvalidInput: An image is black.
    """
    random = np.random.default_rng((seed, 33))
    shape = frames[0].shape
    # Blur carries what is near the edge of a small thing's reach beyond it.
    reached_um = thing.diameter_um + BLUR_REACH_PX * um_per_px / REACH
    near = around(thing.x_px, thing.y_px, reached_um, (shape[0], shape[1]), um_per_px)
    height_um = relief(thing, near, random) if isinstance(thing, Crater) else _pit(thing, near, random)
    scene = Scene(height_um, np.zeros_like(height_um), [], [], um_per_px)
    signal = _electrons(scene, float(random.uniform(0.0, 360.0)))
    # As the simulator has it: what took the metal away has taken the roller's lines with it.
    kept = 1.0 - 0.85 * np.clip(-height_um / 0.1, 0.0, 1.0)
    return [
        _pasted(frame, near.part, signal, kept, look, np.random.default_rng((seed, 34, at)))
        for at, (frame, look) in enumerate(zip(frames, looks_of(frames), strict=True))
    ]


def looks_of(frames: Sequence[Grey]) -> list[Look]:
    """How each frame of one place was taken; all have the slopes' contrast of the sharpest.

    Raises:
        InvalidInput: A frame is black.
    """
    looks = [_look(frame) for frame in frames]
    sharpest = min(looks, key=lambda look: look.blur_px)
    return [Look(look.grain, look.blur_px, sharpest.contrast, look.white, look.step) for look in looks]


def _diameter_um(
    shape: tuple[int, int], um_per_px: float, smallest_um: float, random: np.random.Generator
) -> float:
    smallest = max(smallest_um, SMALLEST_PX * um_per_px)
    largest = min(LARGEST_UM, min(shape) * um_per_px / 2.5)
    if smallest >= largest:
        raise InvalidInput(
            f"{shape[1]} × {shape[0]} px at {um_per_px} µm/px have no room for a crater of {smallest:.2f} µm."
        )
    return float(np.exp(random.uniform(np.log(smallest), np.log(largest))))


def _place(shape: tuple[int, int], diameter_px: float, random: np.random.Generator) -> tuple[float, float]:
    """Somewhere whole in the image: x, y."""
    margin = 0.6 * diameter_px
    return (
        float(random.uniform(margin, shape[1] - margin)),
        float(random.uniform(margin, shape[0] - margin)),
    )


def _look(frame: Grey) -> Look:
    counts = _middle(frame).astype(np.float64)
    level = float(np.median(counts))
    if level <= 0.0:
        raise InvalidInput("An image that is black has no ground to put a crater into.")
    grain = _spread(convolve(counts, _GRAIN)) / 6.0
    fine, coarse = (_ground(counts, *band, grain) / level for band in (_FINE, _COARSE))
    blur_px = float(np.interp(-fine / max(coarse, 1e-9), -_SHARPNESS, _BLURS_PX))
    contrast = coarse / float(np.interp(blur_px, _BLURS_PX, _COARSE_GROUND))
    return Look(grain / level, blur_px, float(np.clip(contrast, 0.5, 1.6)), _white(frame), _step(frame))


# Bands of detail, between two blurs in px. How much there is of the first for some of the second tells the
# blur, and how much of the second the contrast: medians over the frozen simulator's blank scenes, which the
# tests measure again.
_FINE, _COARSE = (1.0, 2.0), (2.0, 6.0)
_BLURS_PX = np.array([0.5, 0.8, 1.2, 2.0])
_SHARPNESS = np.array([1.03, 0.90, 0.73, 0.51])
_COARSE_GROUND = np.array([0.0237, 0.0222, 0.0202, 0.0162])
# Statistics of a larger image are those of so much of its middle.
_MIDDLE_PX = 1024


def _middle(frame: Grey) -> Grey:
    height, width = frame.shape
    y, x = max(0, (height - _MIDDLE_PX) // 2), max(0, (width - _MIDDLE_PX) // 2)
    return frame[y : y + _MIDDLE_PX, x : x + _MIDDLE_PX]


def _ground(counts: Floats, one_px: float, other_px: float, grain: float) -> float:
    """Standard deviation of the ground's detail between two blurs, without what white noise adds."""

    def overlap(a: float, b: float) -> float:
        return 1.0 / (2.0 * np.pi * (a**2 + b**2))

    noise = overlap(one_px, one_px) + overlap(other_px, other_px) - 2.0 * overlap(one_px, other_px)
    spread = _spread(gaussian_filter(counts, one_px) - gaussian_filter(counts, other_px))
    return float(np.sqrt(max(spread**2 - grain**2 * noise, 0.0)))


def _spread(values: Floats) -> float:
    """Standard deviation of what most values are, whatever a few are."""
    return float(np.median(np.abs(values - np.median(values)))) * MAD


def _white(frame: Grey) -> int:
    """Instruments of 10, 12 and 14 bits store their counts in 16."""
    if frame.dtype == np.uint8:
        return 255
    return next(2**bits - 1 for bits in (10, 12, 14, 16) if int(frame.max()) < 2**bits)


def _step(frame: Grey) -> int:
    return max(1, int(np.gcd.reduce(np.unique(frame).astype(np.int64))))


def _pasted(
    frame: Grey,
    part: tuple[slice, slice],
    signal: Floats,
    kept: Floats,
    look: Look,
    random: np.random.Generator,
) -> Grey:
    """The frame with a new part: what the thing shines over the old brightness, ground where it is left."""
    counts = frame[part].astype(np.float64)
    brightness, lines = _brightness(frame, part)
    ground = counts - brightness - lines
    shining = brightness * np.clip(1.0 + look.contrast * gaussian_filter(signal, look.blur_px), 0.0, None)
    # Where it is darker there are fewer electrons, and less noise with them.
    left = np.minimum(gaussian_filter(kept, look.blur_px), np.sqrt(shining / brightness))
    level = float(np.median(counts))
    variance = (look.grain * level) ** 2 / level
    grain = np.sqrt(np.clip(variance * (shining - left**2 * brightness), 0.0, None))
    new = shining + lines + left * ground + grain * random.normal(size=ground.shape)
    pasted = frame.copy()
    stepped = np.round(new / look.step) * look.step
    pasted[part] = np.clip(stepped, 0, look.white).astype(frame.dtype)
    return pasted


def _brightness(frame: Grey, part: tuple[slice, slice]) -> tuple[Floats, Floats]:
    """Slow changes of brightness in a part, and what its lines of the scan have beyond these."""
    margin = int(4 * GROUND_PX)
    y0, x0 = (max(0, side.start - margin) for side in part)
    wide = frame[y0 : part[0].stop + margin, x0 : part[1].stop + margin].astype(np.float64)
    slow = np.maximum(gaussian_filter(wide, GROUND_PX), 1.0)
    lines = np.median(wide - slow, axis=1, keepdims=True)
    inside = (
        slice(part[0].start - y0, part[0].stop - y0),
        slice(part[1].start - x0, part[1].stop - x0),
    )
    return slow[inside], lines[inside[0]]
