"""Two untuned classical ways to find craters in an image: correlation with examples, and circles of edges.

Their one number, the score from which an image counts as showing a crater, is chosen where ours is.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from os import cpu_count

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.feature import canny
from skimage.transform import hough_circle

Image = NDArray[np.uint8]
Scorer = Callable[[Image], float]

# Diameters of 0.4 to 5 µm at 50 nm a pixel, a factor of √2 apart.
RADII_PX = np.unique(np.round(4.0 * 2.0 ** (np.arange(8) / 2.0)).astype(int))
CANNY_SIGMA_PX = 2.0


def correlation(templates: Sequence[Image], image: Image) -> float:
    """The highest normalised cross-correlation with any template, −1 to 1 (cv2.TM_CCOEFF_NORMED)."""
    best = -1.0
    for template in templates:
        if all(t <= i for t, i in zip(template.shape, image.shape, strict=True)):
            best = max(best, float(cv2.matchTemplate(image, template, cv2.TM_CCOEFF_NORMED).max()))
    return best


def circles(image: Image) -> float:
    """The fullest circle of Canny edges: the share of its circumference on which there is an edge, 0 to 1."""
    edges = canny(image / 255.0, CANNY_SIGMA_PX)
    return float(hough_circle(edges, RADII_PX).max())


def scores(scorer: Scorer, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of each image, on all processors."""
    with ProcessPoolExecutor(
        cpu_count() or 1, mp_context=get_context("spawn"), initializer=partial(cv2.setNumThreads, 1)
    ) as processes:
        return np.array(list(processes.map(scorer, images, chunksize=8)))
