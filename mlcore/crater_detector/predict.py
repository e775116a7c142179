"""Searching elevation with a trained network: several views, calibrated scores, uncertainty."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import box_iou

from mlcore import training
from mlcore.active.uncertainty import binary_entropy
from mlcore.artifact import WEIGHTS_FILE, ModelCard, read_card
from mlcore.crater_detector.config import Config
from mlcore.crater_detector.data import channels
from mlcore.crater_detector.detection import Detection
from mlcore.crater_detector.model import CraterDetector, load_weights
from mlcore.raster.grid import Grid
from mlcore.raster.pyramid import Window, scale_of

Rows = NDArray[np.float64]

# Boxes of two views that overlap this much are one crater.
SAME_IOU = 0.45
# A window that knows less than this share of its pixels is not searched.
LEAST_KNOWN = 0.02
# Scores stay this far from 0 and 1, so that their logits are numbers.
SCORE_MARGIN = 1e-4


def logit(score: Rows) -> Rows:
    """Log-odds of scores 0–1, finite."""
    safe = np.clip(score, SCORE_MARGIN, 1 - SCORE_MARGIN)
    return np.log(safe / (1 - safe))


def calibrate(score: Rows, calibration: Sequence[float]) -> Rows:
    """Raw scores to probabilities, with the card's slope and intercept."""
    slope, intercept = calibration
    return 1 / (1 + np.exp(-(slope * logit(score) + intercept)))


def uncertainty_of(probability: Rows, spread: Rows) -> Rows:
    """0 where all views agree that it is or is not a crater, 1 where they are of two minds.

    Args:
        probability: Calibrated, 0–1.
        spread: Greatest less least score among the views, 0–1.
    """
    return 1 - (1 - binary_entropy(probability)) * (1 - np.clip(spread, 0, 1))


class Searcher:
    """A network ready to search.

    Args:
        model: On its device.
        calibration: Slope and intercept; (1, 0) leaves scores raw.
    """

    def __init__(self, model: CraterDetector, calibration: Sequence[float] = (1.0, 0.0)) -> None:
        self.model = model.eval()
        self.config: Config = model.config
        self.calibration = tuple(calibration)
        self.device = next(model.parameters()).device

    @classmethod
    def of_artifact(cls, folder: Path) -> tuple["Searcher", ModelCard]:
        """Load an artifact's network and card."""
        card = read_card(folder)
        model = CraterDetector(Config.from_json(card.config))
        load_weights(model, folder / WEIGHTS_FILE)
        return cls(model.to(training.choose_device()), card.calibration), card

    def find(self, elevation_m: NDArray[np.float32], resolution_m_per_px: float) -> Rows:
        """Craters in a piece of terrain.

        Args:
            elevation_m: (H, W) at square ground pixels, NaN where unknown.
            resolution_m_per_px: Their size.

        Returns:
            (n, 5): x, y, diameter in pixels, raw score (mean of the views), their spread; best first.
        """
        if np.isfinite(elevation_m).mean() < LEAST_KNOWN:
            return np.empty((0, 5))
        views = [
            self._look(elevation_m, resolution_m_per_px, turns) for turns in (0, 2, 1, 3)[: self.config.views]
        ]
        return _agree(views)

    def _look(self, elevation_m: NDArray[np.float32], resolution_m_per_px: float, turns: int) -> torch.Tensor:
        """(n, 5) boxes and scores of one view, turned by quarter turns and back again."""
        turned = np.ascontiguousarray(np.rot90(elevation_m, turns))
        seen = channels(turned, resolution_m_per_px)
        height, width = turned.shape
        stride = self.model.stride
        padded = np.pad(seen, ((0, 0), (0, -height % stride), (0, -width % stride)))
        with training.autocast(self.device):
            boxes, scores = self.model.detect(torch.from_numpy(padded)[None].to(self.device))[0]
        boxes, scores = boxes.float().cpu(), scores.float().cpu()
        for _ in range(turns):
            # One quarter turn back: (x, y) of the turned picture is (width − y, x) of the one before.
            x0, y0, x1, y1 = boxes.unbind(1)
            boxes = torch.stack([height - y1, x0, height - y0, x1], 1)
            height, width = width, height
        return torch.cat([boxes, scores[:, None]], 1)

    def detections(self, elevation_m: NDArray[np.float32], grid: Grid, window: Window) -> list[Detection]:
        """Craters of a window on the body, those cut at inner edges left out, with calibrated scores."""
        return self.place(self.find(elevation_m, grid.resolution_m_per_px * window.factor), grid, window)

    def place(self, rows: Rows, grid: Grid, window: Window) -> list[Detection]:
        """Put what find returned onto the body."""
        rows = rows[whole(rows, grid, window, self.config)]
        if not len(rows):
            return []
        scale = scale_of(grid, window)
        lon, lat = grid.lonlat(
            window.x_px + rows[:, 0] * scale.grid_px_per_px_x,
            window.y_px + rows[:, 1] * scale.grid_px_per_px_y,
        )
        score = calibrate(rows[:, 3], self.calibration)
        doubt = uncertainty_of(score, rows[:, 4])
        diameter_m = rows[:, 2] * scale.resolution_m_per_px
        return [
            Detection(*(float(v) for v in row))
            for row in np.stack([lon, lat, diameter_m, score, doubt], 1)
            if np.isfinite(row).all()
        ]


def whole(rows: Rows, grid: Grid, window: Window, config: Config) -> NDArray[np.bool_]:
    """Which rows of find are whole in their window and of a size that the network knows."""
    scale = scale_of(grid, window)
    x, y, diameter = rows[:, 0], rows[:, 1], rows[:, 2]
    west, north, east, south = window.inner
    radius = diameter / 2
    keep = (diameter >= config.min_px) & (diameter <= config.max_px * 1.15)
    for is_inner, room in (
        (west, x - radius), (north, y - radius),
        (east, scale.width_px - x - radius), (south, scale.height_px - y - radius),
    ):  # fmt: skip
        if is_inner:
            keep &= room > 0
    return keep


def _agree(views: list[torch.Tensor]) -> Rows:
    """Merge (n, 5) boxes with scores of several views into x, y, diameter, mean score, spread."""
    boxes = torch.cat(views)
    view = torch.cat([torch.full((len(v),), i) for i, v in enumerate(views)])
    order = boxes[:, 4].argsort(descending=True, stable=True)
    boxes, view = boxes[order], view[order]
    overlaps = box_iou(boxes[:, :4], boxes[:, :4]).numpy() >= SAME_IOU
    values, owner = boxes.numpy().astype(float), view.numpy()
    free = np.ones(len(values), bool)
    found = []
    for i in range(len(values)):
        if not free[i]:
            continue
        same = np.flatnonzero(overlaps[i] & free)
        # Of each view the best box speaks; a view that saw nothing says 0.
        _, first = np.unique(owner[same], return_index=True)
        spoken = same[first]
        free[same] = False
        scores = np.zeros(len(views))
        scores[: len(spoken)] = values[spoken, 4]
        x0, y0, x1, y1 = np.average(values[spoken, :4], axis=0, weights=values[spoken, 4])
        diameter = (x1 - x0 + y1 - y0) / 2
        found.append(((x0 + x1) / 2, (y0 + y1) / 2, diameter, scores.mean(), float(np.ptp(scores))))
    rows = np.array(found, float).reshape(-1, 5)
    return rows[np.argsort(-rows[:, 3], kind="stable")]
