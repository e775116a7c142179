"""What the microscope makes of a scene: secondary electrons, focus, exposure, charge and noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from mlcore.simulate.foils.scene import Scene

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Exposure:
    """How an image is taken.

    Attributes:
        brightness: Mean grey of flat foil, 0 to 1.
        contrast: 1 is ordinary.
        detector_deg: Direction to the detector, clockwise from up: slopes that face it are brighter.
        defocus_px: Standard deviation of the blur.
        dose: Electrons a pixel, mean: fewer is noisier.
        charging: 0 none to 1 strong: bright streaks after grains along the scan.
        drift: Standard deviation of the lines' brightness.
    """

    brightness: float = 0.45
    contrast: float = 1.0
    detector_deg: float = 45.0
    defocus_px: float = 0.8
    dose: float = 400.0
    charging: float = 0.3
    drift: float = 0.004


def draw_exposure(seed: int) -> Exposure:
    """An exposure as they vary over a survey; the same seed gives the same one."""
    random = np.random.default_rng((seed, 7))
    return Exposure(
        brightness=float(random.uniform(0.3, 0.6)),
        contrast=float(random.uniform(0.6, 1.4)),
        detector_deg=float(random.uniform(0.0, 360.0)),
        defocus_px=float(random.choice([0.5, 0.8, 1.2, 2.0], p=[0.4, 0.3, 0.2, 0.1])),
        dose=float(np.exp(random.uniform(np.log(80), np.log(800)))),
        charging=float(random.choice([0.0, 0.3, 1.0], p=[0.6, 0.3, 0.1])),
        drift=float(random.uniform(0.0, 0.012)),
    )


def expose(scene: Scene, exposure: Exposure, seed: int) -> NDArray[np.uint8]:
    """The grey image; a focus series is the same scene and seed with several defocus_px.

    Returns:
        Shape (height_px, width_px), 0 to 255.
    """
    random = np.random.default_rng((seed, 8))
    signal = _electrons(scene, exposure.detector_deg)
    signal = gaussian_filter(signal, exposure.defocus_px)
    grey = exposure.brightness * (1.0 + exposure.contrast * signal)
    grey += exposure.charging * _streaks(scene.charging)
    grey += exposure.drift * gaussian_filter1d(random.normal(size=(len(grey), 1)), 0.7, axis=0)
    counted = random.poisson(np.clip(grey, 0.0, None) * exposure.dose) / exposure.dose
    return (np.clip(counted, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _electrons(scene: Scene, detector_deg: float) -> Floats:
    """Yield relative to flat foil: slopes and edges are bright, hollows dark, far sides a little darker."""
    dy, dx = np.gradient(scene.height_um, scene.um_per_px)
    steepness = np.hypot(dx, dy)
    facing = dy * np.cos(np.radians(detector_deg)) - dx * np.sin(np.radians(detector_deg))
    # Electrons leave by 1/cos of the tilt, which levels off where they hit the walls again.
    tilt = np.sqrt(1.0 + np.minimum(steepness, 3.0) ** 2) - 1.0
    depth_um = scene.height_um - np.median(scene.height_um)
    sunken = np.clip(gaussian_filter(depth_um, 2.0) / 0.6, -1.0, 0.0)
    edge = np.clip(scene.height_um - gaussian_filter(scene.height_um, 1.5), -0.2, 0.2) * 3.0
    return 0.45 * tilt + 0.25 * np.tanh(facing) + 0.75 * sunken + edge


def _streaks(charging: Floats) -> Floats:
    """Along the scan, after a grain: bright, then dark."""
    after = gaussian_filter(charging, (1.5, 25.0), mode="constant")
    halo = gaussian_filter(charging, 6.0, mode="constant")
    return 0.4 * halo + 0.25 * _later(after, 30) - 0.3 * _later(after, 90)


def _later(field: Floats, px: int) -> Floats:
    """Moved to the right, with nothing coming in."""
    return np.pad(field, ((0, 0), (px, 0)))[:, : field.shape[1]]
