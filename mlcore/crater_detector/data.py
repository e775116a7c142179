"""From elevation to the network's three channels, and from samples to batches. No torch: numpy arrays."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from mlcore.crater_detector.config import Config
from mlcore.dataset import CircleLabel, Sample
from mlcore.errors import InvalidInput
from mlcore.raster.grid import Grid
from mlcore.raster.terrain import hillshade, profile_curvature_per_m, slope_deg, smooth
from mlcore.split import TRAIN

Array = NDArray[np.float32]
Mover = Callable[[list[CircleLabel]], list[CircleLabel]]

# What training and prediction share; the card repeats it as `normalisation`.
SMOOTHING_PX = 0.8
SUN_AZIMUTH_DEG, SUN_ALTITUDE_DEG = 315.0, 45.0
# A window's relief is stretched until its mean gradient is this, by no more than these factors: a crater
# of 100 km is ten times flatter than one of 5 km, and grey pictures of elevation have no known metre.
MEAN_GRADIENT, LEAST_GAIN, MOST_GAIN = 0.15, 0.2, 8.0
NORMALISATION: dict[str, object] = {
    "channels": ["hillshade", "slope", "profile curvature"],
    "smoothing_px": SMOOTHING_PX,
    "sun_azimuth_deg": SUN_AZIMUTH_DEG,
    "sun_altitude_deg": SUN_ALTITUDE_DEG,
    "mean_gradient": MEAN_GRADIENT,
    "gain": [LEAST_GAIN, MOST_GAIN],
    "means": [0.69, 8.5, 0.0],
    "scales": [0.16, 8.0, 0.05],
    "clip": 4.0,
}
_MEANS = np.array([0.69, 8.5, 0.0], np.float32).reshape(3, 1, 1)
_SCALES = np.array([0.16, 8.0, 0.05], np.float32).reshape(3, 1, 1)
_CLIP = 4.0


def channels(elevation_m: Array, resolution_m_per_px: float, *, gain: float = 1.0) -> Array:
    """What the network sees.

    Args:
        elevation_m: (H, W), NaN where unknown.
        resolution_m_per_px: Ground size of a pixel.
        gain: Further exaggeration; training varies it.

    Returns:
        (3, H, W) float32: hillshade, slope, profile curvature of the smoothed elevation, each about −1…1 and
        0 where unknown.
    """
    relief = smooth(elevation_m / np.float32(resolution_m_per_px), SMOOTHING_PX)
    down, right = np.gradient(relief)
    gradient = np.hypot(down, right)
    known = np.isfinite(gradient)
    mean = float(gradient[known].mean()) if known.any() else 0.0
    stretched = relief * np.float32(gain * np.clip(MEAN_GRADIENT / max(mean, 1e-6), LEAST_GAIN, MOST_GAIN))
    raw = np.stack(
        [
            hillshade(stretched, 1.0, SUN_AZIMUTH_DEG, SUN_ALTITUDE_DEG),
            slope_deg(stretched, 1.0),
            profile_curvature_per_m(stretched, 1.0),
        ]
    )
    return np.nan_to_num(np.clip((raw - _MEANS) / _SCALES, -_CLIP, _CLIP), nan=0.0).astype(np.float32)


@dataclass(frozen=True)
class Targets:
    """What is known about one crop. Boxes are (n, 4): x0, y0, x1, y1 in its pixels.

    Attributes:
        boxes: Craters to find.
        weights: (n,) how much each counts.
        negatives: Boxes of rejected proposals.
        ignored: Boxes of craters too small, too large, cut or half hidden: neither right nor wrong.
        min_diameter_px: Below this, craters may be there unlabelled.
    """

    boxes: Array
    weights: Array
    negatives: Array
    ignored: Array
    min_diameter_px: float


def boxes_of(circles: Sequence[CircleLabel]) -> Array:
    """(n, 4) boxes around circles."""
    rows = np.array([(c.x_px, c.y_px, c.diameter_px / 2) for c in circles], np.float32).reshape(-1, 3)
    centre, radius = rows[:, :2], rows[:, 2:]
    return np.concatenate([centre - radius, centre + radius], 1)


def training_view(sample: Sample) -> Sample:
    """The sample as training may see it: every pixel that is not of side train is unknown."""
    hidden = np.where(sample.side == TRAIN, sample.elevation_m, np.nan).astype(np.float32)
    return replace(sample, elevation_m=hidden)


def usable(sample: Sample, circle: CircleLabel, config: Config) -> bool:
    """Whether a circle can be learned here: of a size for this level, and its whole box known."""
    if not config.min_px <= circle.diameter_px <= config.max_px:
        return False
    height, width = sample.elevation_m.shape
    x0, y0, x1, y1 = boxes_of([circle])[0]
    if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
        return False
    return bool(np.isfinite(sample.elevation_m[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))]).all())


class TrainingCrops:
    """Random crops of a dataset's training side.

    Args:
        samples: As read from the dataset.
        config: crop_px, min_px, max_px.

    Raises:
        InvalidInput: No crater of side train can be learned from.
    """

    # Of the crops, this share shows a crater or a rejected proposal for certain.
    AIMED_SHARE = 0.8
    # A rejected proposal is aimed at this many times as often as a crater: with more, and with more weight in
    # the loss, worn craters are given up together with what was rejected.
    NEGATIVE_AIM = 1.0

    def __init__(self, samples: Sequence[Sample], config: Config) -> None:
        self._config = config
        self._samples = [training_view(sample) for sample in samples]
        self._craters = [[c for c in sample.craters if usable(sample, c, config)] for sample in self._samples]
        self._ignored = [
            [c for c in sample.craters if not usable(sample, c, config)] for sample in self._samples
        ]
        self._negatives = [
            [c for c in sample.negatives if usable(sample, c, config)] for sample in self._samples
        ]
        self._aims, weights = [], []
        per_grid = Counter[Grid]()
        for sample, craters in zip(self._samples, self._craters, strict=True):
            per_grid[sample.grid] += len(craters)
        for number, sample in enumerate(self._samples):
            # A grid with a hundred times the craters is visited ten times as often, not a hundred times.
            share = 1 / max(1, per_grid[sample.grid]) ** 0.5
            for circles, weight in ((self._craters, share), (self._negatives, share * self.NEGATIVE_AIM)):
                self._aims += [(number, circle) for circle in circles[number]]
                weights += [weight] * len(circles[number])
        self._aim_weights = np.array(weights) / max(sum(weights), 1e-9)
        known = np.array([np.isfinite(sample.elevation_m).sum() for sample in self._samples], float)
        self._area_weights = known / max(known.sum(), 1.0)
        self.n_craters = sum(map(len, self._craters))
        self.n_negatives = sum(map(len, self._negatives))
        if not self.n_craters:
            raise InvalidInput(
                "The dataset has no crater to learn from: none on its training side lies whole in searched "
                f"ground and measures {config.min_px:.0f} to {config.max_px:.0f} px at some level. Settle "
                "more tiles, or make the campaign's smallest diameter smaller."
            )

    def batch(self, random: np.random.Generator) -> tuple[Array, list[Targets]]:
        """(B, 3, crop, crop) channels and the targets of each, drawn at random."""
        crops = [self._crop(random) for _ in range(self._config.batch_size)]
        return np.stack([channels for channels, _ in crops]), [targets for _, targets in crops]

    def _crop(self, random: np.random.Generator) -> tuple[Array, Targets]:
        number, centre = self._place(random)
        sample, size = self._samples[number], self._config.crop_px
        # One affine map turns, mirrors and scales: a crater stays a crater, the sun stays where it is.
        angle, zoom = random.uniform(0, 2 * np.pi), np.exp(random.uniform(-0.25, 0.25))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
        if random.random() < 0.5:
            turn[:, 0] *= -1
        # Pixel n's middle is at n + 0.5.
        start = centre - 0.5 - turn @ np.full(2, size / 2 - 0.5)
        elevation = affine_transform(sample.elevation_m, turn, start, (size, size), order=1, cval=np.nan)
        back = np.linalg.inv(turn)

        def moved(circles: list[CircleLabel]) -> list[CircleLabel]:
            found = []
            for circle in circles:
                y, x = back @ (np.array([circle.y_px, circle.x_px]) - centre) + size / 2
                reach = circle.diameter_px * zoom / 2
                if -reach < x < size + reach and -reach < y < size + reach:
                    found.append(replace(circle, x_px=x, y_px=y, diameter_px=2 * reach))
            return found

        seen = channels(
            elevation, sample.resolution_m_per_px / zoom, gain=float(np.exp(random.normal(0, 0.3)))
        )
        return seen, self._targets(sample, moved, number, zoom)

    def _place(self, random: np.random.Generator) -> tuple[int, NDArray[np.float64]]:
        """A sample and (y, x) of a crop's middle."""
        size = self._config.crop_px
        if random.random() < self.AIMED_SHARE:
            number, circle = self._aims[random.choice(len(self._aims), p=self._aim_weights)]
            centre = np.array([circle.y_px, circle.x_px]) + random.uniform(-0.35, 0.35, 2) * size
        else:
            number = int(random.choice(len(self._samples), p=self._area_weights))
            centre = random.uniform(0, 1, 2) * self._samples[number].elevation_m.shape
        shape = np.array(self._samples[number].elevation_m.shape)
        half = np.minimum(size / 2, shape / 2)
        return number, np.clip(centre, half, shape - half)

    def _targets(self, sample: Sample, moved: Mover, number: int, zoom: float) -> Targets:
        size, config = self._config.crop_px, self._config
        craters = moved(self._craters[number])
        boxes = boxes_of(craters)
        # A crater cut by the crop's edge teaches a wrong size.
        whole = ((boxes[:, :2] >= -2) & (boxes[:, 2:] <= size + 2)).all(1)
        diameters = boxes[:, 2] - boxes[:, 0]
        whole &= (diameters >= config.min_px * 0.9) & (diameters <= config.max_px * 1.1)
        return Targets(
            boxes=boxes[whole],
            weights=np.array([c.weight for c in craters], np.float32)[whole],
            negatives=boxes_of(moved(self._negatives[number])),
            ignored=np.concatenate([boxes[~whole], boxes_of(moved(self._ignored[number]))]),
            min_diameter_px=sample.min_diameter_px * zoom,
        )
