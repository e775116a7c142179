"""A heightfield of craters whose truth is exact, with hills and pits that are none.

Frozen: `version()` hashes this file, its value is pinned by a test and stored with whatever is made from it.
Change nothing here without a new pin: models and benchmarks that name the old one stop being comparable.

Shapes follow Pike (1977, Impact and Explosion Cratering, 489–509): simple craters are 0.196·D^1.010 km deep
with rims 0.036·D^1.014 high, complex ones 1.044·D^0.301 and 0.236·D^0.399 (D in km), the change at 15 km;
ejecta thin with the cube of the distance (McGetchin et al. 1973). Sizes follow a cumulative power law of
exponent −2 by default (lunar production between −1.8 and −3; Neukum et al. 2001). Wear makes craters shallow
and their rims wider, as topographic diffusion does (Fassett and Thomson 2014).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mlcore.errors import InvalidInput

Array = NDArray[np.float64]

SIMPLE_TO_COMPLEX_KM = 15.0
# A crater's rim counts as lost where a younger one's interior and inner ejecta cover it …
COVER_RADII = 1.1
# … and the crater itself when this share of its rim is lost.
LOST_SHARE = 0.45
RIM_POINTS = 72
REACH_RADII = 3.0


@dataclass(frozen=True)
class TerrainParameters:
    """One kind of world.

    Attributes:
        size_px: Edge of the square heightfield.
        resolution_m_per_px: Edge of a pixel.
        min_diameter_px: Smallest crater made.
        max_diameter_px: Largest.
        craters_per_megapixel: Number of craters of at least 16 px, per million pixels.
        exponent: Of the cumulative size distribution, negative.
        roughness_deg: Mean slope of the ground before any crater.
        hurst: 0–1: how much smoother the ground is at small scale.
        wear: Mean wear of craters, 0 fresh – 1 gone; each has up to 0.35 more or less.
        lookalikes_per_megapixel: Pits, mounds and ring-like hills.
        sun_azimuth_deg: For whoever draws a picture of it.
        sun_altitude_deg: Likewise.
    """

    size_px: int = 1024
    resolution_m_per_px: float = 100.0
    min_diameter_px: float = 7.0
    max_diameter_px: float = 160.0
    craters_per_megapixel: float = 220.0
    exponent: float = -2.0
    roughness_deg: float = 3.0
    hurst: float = 0.85
    wear: float = 0.3
    lookalikes_per_megapixel: float = 60.0
    sun_azimuth_deg: float = 315.0
    sun_altitude_deg: float = 35.0


# What models may be trained on, and what they are tested on: disjoint, lowest and highest value. On the test
# worlds untuned template matching reaches F1 0.54 to 0.58, below the 0.60 that would make them too easy.
TRAIN_RANGES: dict[str, tuple[float, float]] = {
    "roughness_deg": (1.0, 5.0),
    "wear": (0.10, 0.48),
    "sun_azimuth_deg": (290.0, 340.0),
    "lookalikes_per_megapixel": (60.0, 280.0),
}
TEST_RANGES: dict[str, tuple[float, float]] = {
    "roughness_deg": (5.5, 6.5),
    "wear": (0.50, 0.54),
    "sun_azimuth_deg": (60.0, 120.0),
    "lookalikes_per_megapixel": (310.0, 350.0),
}


@dataclass(frozen=True)
class Circle:
    """A crater, or the outline of a look-alike, in pixels.

    Attributes:
        x_px: Centre, rightwards from the left edge.
        y_px: Downwards.
        diameter_px: Mean diameter rim to rim.
        kind: "crater", "pit", "mound" or "ring".
        wear: 0–1.
    """

    x_px: float
    y_px: float
    diameter_px: float
    kind: str = "crater"
    wear: float = 0.0


@dataclass(frozen=True)
class World:
    """A heightfield and everything that is in it.

    Attributes:
        elevation_m: (size, size) float32.
        craters: Those whose rims are still there, oldest first; also some beyond the edges.
        lookalikes: What is no crater.
        parameters: It was made with.
        seed: It was made with.
    """

    elevation_m: NDArray[np.float32]
    craters: list[Circle]
    lookalikes: list[Circle]
    parameters: TerrainParameters
    seed: int


def version() -> str:
    """sha256 over this file: names the simulator and all its parameters."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def draw_parameters(
    ranges: dict[str, tuple[float, float]], seed: int, **fixed: float | int
) -> TerrainParameters:
    """Parameters drawn evenly from TRAIN_RANGES or TEST_RANGES; `fixed` sets others."""
    random = np.random.default_rng([seed, 77])
    drawn = {name: float(random.uniform(*ranges[name])) for name in sorted(ranges)}
    return TerrainParameters(**{**drawn, **fixed})  # type: ignore[arg-type]


def make_world(parameters: TerrainParameters, seed: int) -> World:
    """Make a world; the same parameters and seed make the same one.

    Args:
        parameters: What kind.
        seed: Which.

    Returns:
        The heightfield and its exact truth.

    Raises:
        InvalidInput: A size that cannot be.
    """
    if not 32 <= parameters.size_px <= 8192:
        raise InvalidInput(f"A world of {parameters.size_px} px cannot be made; choose 32 to 8192 px.")
    random = np.random.default_rng(seed)
    elevation = _ground(parameters, random)
    craters, lookalikes = _draw_craters(parameters, random), _draw_lookalikes(parameters, random)
    # Hills and pits are as old as anything: they come among the older half of the craters.
    queue = [*craters]
    for circle in lookalikes:
        queue.insert(int(random.integers(0, max(1, len(queue) // 2))), circle)
    for circle in queue:
        add = _add_crater if circle.kind == "crater" else _add_lookalike
        add(elevation, circle, parameters, random)
    kept = [circle for circle, left in zip(queue, _rim_left(queue), strict=True) if left > 1 - LOST_SHARE]
    return World(
        elevation_m=elevation.astype(np.float32),
        craters=[circle for circle in kept if circle.kind == "crater"],
        lookalikes=[circle for circle in kept if circle.kind != "crater"],
        parameters=parameters,
        seed=seed,
    )


def _ground(parameters: TerrainParameters, random: np.random.Generator) -> Array:
    """(size, size) fractal ground, metres, with the mean slope asked for."""
    size = parameters.size_px
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = np.inf
    # Waves longer than a third of the world would only tilt it.
    power = frequency ** -(parameters.hurst + 1) * (frequency > 3 / size)
    phase = np.exp(2j * np.pi * random.random(frequency.shape))
    ground = np.fft.irfft2(power * phase, s=(size, size))
    slope = np.hypot(*np.gradient(ground)).mean()
    return ground / slope * np.tan(np.radians(parameters.roughness_deg)) * parameters.resolution_m_per_px


def _draw_craters(parameters: TerrainParameters, random: np.random.Generator) -> list[Circle]:
    """Craters in order of age, oldest first, also around the world."""
    smallest, largest = parameters.min_diameter_px, parameters.max_diameter_px
    side = parameters.size_px + largest
    share = (smallest / 16.0) ** parameters.exponent
    count = random.poisson(parameters.craters_per_megapixel * share * side**2 / 1e6)
    tail = (largest / smallest) ** parameters.exponent
    diameter = smallest * (1 - random.random(count) * (1 - tail)) ** (1 / parameters.exponent)
    place = random.uniform(-largest / 2, parameters.size_px + largest / 2, (count, 2))
    # Old craters are worn, with exceptions: impacts churn some places more than others.
    age = 1 - (np.arange(count) + 0.5) / max(count, 1)
    wear = np.clip(parameters.wear + 0.5 * (age - 0.5) + random.uniform(-0.1, 0.1, count), 0.0, 0.9)
    return [
        Circle(float(x), float(y), float(d), "crater", float(w))
        for (x, y), d, w in zip(place, diameter, wear, strict=True)
    ]


def _draw_lookalikes(parameters: TerrainParameters, random: np.random.Generator) -> list[Circle]:
    count = random.poisson(parameters.lookalikes_per_megapixel * parameters.size_px**2 / 1e6)
    kinds = random.choice(["pit", "mound", "ring"], count)
    diameter = np.exp(random.uniform(np.log(16), np.log(90), count))
    place = random.uniform(0, parameters.size_px, (count, 2))
    return [
        Circle(float(x), float(y), float(d), str(kind))
        for (x, y), d, kind in zip(place, diameter, kinds, strict=True)
    ]


def _rim_left(queue: list[Circle]) -> Array:
    """(n,) share of each circle's outline that younger craters leave; queue is oldest first."""
    angle = np.linspace(0, 2 * np.pi, RIM_POINTS, endpoint=False)
    middle = np.array([(circle.x_px, circle.y_px) for circle in queue]).reshape(-1, 2)
    radius = np.array([circle.diameter_px / 2 for circle in queue])
    rims = middle[:, None] + radius[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    left = np.ones((len(queue), RIM_POINTS), bool)
    for number, circle in enumerate(queue):
        if circle.kind != "crater":
            continue
        cover = COVER_RADII * radius[number]
        near = np.hypot(*(middle[:number] - middle[number]).T) < radius[:number] + cover
        older = np.flatnonzero(near)
        left[older] &= np.linalg.norm(rims[older] - middle[number], axis=2) > cover
    return left.mean(1)


def depth_and_rim_m(diameter_m: float) -> tuple[float, float]:
    """Depth below the rim and rim height of a fresh lunar crater, metres (Pike 1977)."""
    km = diameter_m / 1000
    if km < SIMPLE_TO_COMPLEX_KM:
        return 196.0 * km**1.010, 36.0 * km**1.014
    return 1044.0 * km**0.301, 236.0 * km**0.399


def _profile(diameter_m: float, wear: float, peak: float) -> tuple[Array, Array]:
    """Radial profile: distances in radii and heights in metres above the ground around."""
    depth, rim = depth_and_rim_m(diameter_m)
    r = np.linspace(0, REACH_RADII, 301)
    if diameter_m / 1000 < SIMPLE_TO_COMPLEX_KM:
        inside = -(depth - rim) + depth * r**2.2
    else:
        floor = 0.55
        wall = np.clip((r - floor) / (1 - floor), 0, 1)
        inside = -(depth - rim) + depth * wall**1.3 + peak * depth * np.exp(-((r / 0.16) ** 2))
    outside = rim * np.maximum(r, 1e-3) ** -3.0
    outside *= np.clip((REACH_RADII - r) / 1.0, 0, 1)
    height = np.where(r < 1, inside, outside)
    # Diffusion: the whole is lower and its edges are rounder. Mirrored at r = 0: the floor stays level.
    width = 100 * (0.03 + 0.22 * wear)
    mirrored = np.concatenate([height[:0:-1], height])
    soft = gaussian_filter1d(mirrored, width, mode="nearest")[len(height) - 1 :]
    return r, soft * (1 - 0.75 * wear)


def _wobble(random: np.random.Generator, amount: float) -> Callable[[Array], Array]:
    """A smooth function of azimuth around 1, for outlines and rim heights."""
    order = np.arange(2, 7)
    size, phase = random.normal(0, amount, 5) / order, random.uniform(0, 2 * np.pi, 5)

    def factor(angle: Array) -> Array:
        return 1 + sum(s * np.cos(n * angle + p) for s, n, p in zip(size, order, phase, strict=True))

    return factor


def _patch(elevation: Array, circle: Circle) -> tuple[tuple[slice, slice], Array, Array] | None:
    """Where a circle reaches: slices, distance in radii and azimuth; None when it misses the world."""
    reach = REACH_RADII * circle.diameter_px / 2
    rows, columns = (
        slice(max(0, int(middle - reach)), min(elevation.shape[0], int(np.ceil(middle + reach)) + 1))
        for middle in (circle.y_px, circle.x_px)
    )
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    y, x = np.ogrid[rows, columns]
    dy, dx = y + 0.5 - circle.y_px, x + 0.5 - circle.x_px
    return (rows, columns), np.hypot(dx, dy) / (circle.diameter_px / 2), np.arctan2(dy, dx)


def _add_crater(
    elevation: Array, circle: Circle, parameters: TerrainParameters, random: np.random.Generator
) -> None:
    outline, crest = _wobble(random, 0.035), _wobble(random, 0.25)
    peak = random.uniform(0.1, 0.35)
    patch = _patch(elevation, circle)
    if patch is None:
        return
    where, r, angle = patch
    r = r / outline(angle)
    before = elevation[where]
    near = (r > 0.9) & (r < 1.3)
    base = before[near].mean() if near.any() else before.mean()
    # The impact digs the old relief away inside and buries it a little outside.
    remains = np.clip((r - 0.85) / 0.45, 0.12 + 0.3 * circle.wear, 1)
    radii, heights = _profile(circle.diameter_px * parameters.resolution_m_per_px, circle.wear, peak)
    change = np.interp(r, radii, heights, right=0.0)
    change = np.where(change > 0, change * crest(angle), change)
    elevation[where] = base + (before - base) * remains + change


def _add_lookalike(
    elevation: Array, circle: Circle, parameters: TerrainParameters, random: np.random.Generator
) -> None:
    patch = _patch(elevation, circle)
    depth = 0.09 * circle.diameter_px * parameters.resolution_m_per_px * random.uniform(0.6, 1.3)
    outline, gap = _wobble(random, 0.16), random.uniform(0, 2 * np.pi)
    stretch, turn = random.uniform(1.7, 2.6), random.uniform(0, np.pi)
    if patch is None:
        return
    where, r, angle = patch
    if circle.kind == "mound":
        shape = np.exp(-((r / outline(angle) / 0.75) ** 4))
    elif circle.kind == "ring":
        # A horseshoe of hills around ground that is not sunk.
        closed = np.clip(0.7 + 1.2 * np.cos(angle - gap), 0, 1)
        shape = closed * np.exp(-(((r / outline(angle) - 0.9) / 0.22) ** 2))
    else:
        # A rimless trough or an irregular sink: longer than wide, without a raised edge.
        along, across = r * np.cos(angle - turn), r * np.sin(angle - turn) * stretch
        shape = -np.exp(-((np.hypot(along, across) / outline(angle) / 0.8) ** 3))
    elevation[where] += depth * shape
