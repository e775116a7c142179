"""The untuned classical peer: multi-scale template matching on hillshade with scikit-image.

The template is an ideal bowl with a raised rim (Pike 1977) under the sun of the hillshade; each level of the
pyramid is searched with diameters of 16 to 32 px, the coarsest also with larger ones.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from skimage.feature import match_template

from mlcore.api import Detection
from mlcore.bodies import get_body
from mlcore.crater_detector.cutting import read_elevation
from mlcore.crater_detector.merging import merge_detections
from mlcore.raster.grid import Grid
from mlcore.raster.pyramid import factors, plan_windows, scale_of
from mlcore.raster.terrain import hillshade, smooth

STEP = 2 ** (1 / 3)
SMALLEST_PX, LARGEST_PX = 16.0, 80.0
WINDOW_PX, OVERLAP_PX = 1400, 160
# Weaker peaks than this are not even candidates.
FLOOR = 0.3


def template(diameter_px: float) -> NDArray[np.float32]:
    """Hillshade of an ideal fresh crater, (s, s) with s = 1.4 diameters."""
    half = int(np.ceil(0.7 * diameter_px))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    r = np.hypot(x, y) / (diameter_px / 2)
    height = np.where(r < 1, -0.16 + 0.196 * r**2, 0.036 * np.maximum(r, 1e-6) ** -3) * diameter_px
    return hillshade(smooth(height.astype(np.float32), 0.8), 1.0)


def diameters(is_coarsest: bool) -> NDArray[np.float64]:
    """Diameters in pixels sought at a level."""
    largest = LARGEST_PX if is_coarsest else 2 * SMALLEST_PX
    return SMALLEST_PX * STEP ** np.arange(0, np.log(largest / SMALLEST_PX) / np.log(STEP) - 1e-6)


def peaks(response: NDArray[np.float32], diameter_px: float) -> NDArray[np.float64]:
    """(n, 3) x, y, score of the response's maxima at least half a diameter apart."""
    best = maximum_filter(response, size=max(3, int(diameter_px / 2)))
    y, x = np.nonzero((response == best) & (response >= FLOOR))
    return np.stack([x + 0.5, y + 0.5, response[y, x]], axis=1)


def search(path: Path, grid: Grid, min_diameter_m: float) -> list[Detection]:
    """Find craters in an elevation model; score is the correlation."""
    levels = factors(grid, min_diameter_m)
    found: list[Detection] = []
    for window in plan_windows(
        grid, min_diameter_m=min_diameter_m, window_px=WINDOW_PX, overlap_px=OVERLAP_PX
    ):
        scale = scale_of(grid, window)
        elevation = read_elevation(path, grid, window)
        shaded = np.nan_to_num(hillshade(smooth(elevation, 0.8), scale.resolution_m_per_px), nan=0.707)
        for diameter_px in diameters(window.factor == levels[-1]):
            shape = template(diameter_px)
            if min(shaded.shape) <= len(shape):
                continue
            rows = peaks(match_template(shaded, shape, pad_input=True), diameter_px)
            lon, lat = grid.lonlat(
                window.x_px + rows[:, 0] * scale.grid_px_per_px_x,
                window.y_px + rows[:, 1] * scale.grid_px_per_px_y,
            )
            size_m = diameter_px * scale.resolution_m_per_px
            found += [
                Detection(float(a), float(b), float(size_m), float(min(s, 1.0)), 0.0)
                for a, b, s in zip(lon, lat, rows[:, 2], strict=True)
            ]
    return merge_detections(found, get_body(grid.body).radius_m)
