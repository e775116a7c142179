"""The loop's point, in mlcore alone: what people reject, the next model believes less elsewhere too."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlcore import api
from mlcore.crater_detector import verbs
from mlcore.crater_detector.predict import Searcher
from mlcore.events import EventLog
from mlcore.simulate.terrain import Circle, World
from tests.mlcore.crater_detector.conftest import MakeDataset, make_test_world

SETTINGS = {"batch_size": 4, "crop_px": 128, "views": 1}
# A raw score from which a crater counts as found.
FOUND = 0.3


def with_lookalikes(world: World, seed: int, count: int = 14) -> tuple[World, list[Circle]]:
    """Sink collapse pits between the craters: round and deep, but flat-floored and without a rim."""
    random = np.random.default_rng(seed)
    size, edge_m = world.parameters.size_px, world.parameters.resolution_m_per_px
    elevation = world.elevation_m.copy()
    y, x = np.mgrid[:size, :size] + 0.5
    planted: list[Circle] = []
    for _ in range(3000):
        diameter = float(random.uniform(20, 36))
        middle = random.uniform(diameter, size - diameter, 2)
        others = [c for c in (*world.craters, *planted) if c.diameter_px > 11]
        gaps = [np.hypot(c.x_px - middle[0], c.y_px - middle[1]) - c.diameter_px / 2 for c in others]
        if len(planted) < count and min(gaps, default=size) > 0.6 * diameter:
            r = np.hypot(x - middle[0], y - middle[1]) / (diameter / 2)
            elevation -= (0.14 * diameter * edge_m * np.exp(-((r / 0.85) ** 8))).astype(np.float32)
            planted.append(Circle(float(middle[0]), float(middle[1]), diameter, "pit"))
    return replace(world, elevation_m=elevation), planted


def scores_at(searcher: Searcher, worlds: list[World], circles: list[list[Circle]]) -> np.ndarray:
    """(n,) the score of the detection that overlaps each circle; 0 where there is none."""
    best = []
    for world, wanted in zip(worlds, circles, strict=True):
        found = searcher.find(world.elevation_m, world.parameters.resolution_m_per_px)
        for circle in wanted:
            offset = np.hypot(found[:, 0] - circle.x_px, found[:, 1] - circle.y_px)
            ratio = found[:, 2] / circle.diameter_px
            same = (offset < 0.3 * circle.diameter_px) & (ratio > 0.6) & (ratio < 1.6)
            best.append(found[same, 3].max(initial=0.0))
    return np.array(best)


def clear_craters(world: World) -> list[Circle]:
    """Those of a size to be found and not at the edge."""
    return [c for c in world.craters if 18 < c.diameter_px < 60 and 30 < min(c.x_px, c.y_px) < 354]


@pytest.mark.slow
def test_rejected_lookalikes_teach_about_unseen_ones(make_dataset: MakeDataset, tmp_path: Path):
    plain = [make_test_world(11), make_test_world(12)]
    planted = [with_lookalikes(make_test_world(seed), seed) for seed in (13, 14)]
    unseen, lookalikes = zip(*(with_lookalikes(make_test_world(n), n) for n in (15, 16, 17)), strict=True)
    worlds_unseen, truth = list(unseen), [clear_craters(world) for world in unseen]

    def train(dataset: Path, steps: int, start: str | None) -> tuple[Searcher, str]:
        out = tmp_path / str(steps)
        overrides = {**SETTINGS, "steps": steps}
        job = api.TrainJob(str(dataset), str(out), overrides=overrides, seed=1, initial_weights=start)
        artifact = str(verbs.train(job, EventLog(out))["artifact"])
        return Searcher.of_artifact(Path(artifact))[0], artifact

    first, artifact = train(make_dataset(plain), 150, None)
    before = scores_at(first, worlds_unseen, list(lookalikes))
    recall_before = (scores_at(first, worlds_unseen, truth) > FOUND).mean()
    assert before.mean() > 0.3, "the first model takes look-alikes for craters"

    worlds = [*plain, *(world for world, _ in planted)]
    rejected = [[], [], *(circles for _, circles in planted)]
    second, _ = train(make_dataset(worlds, rejected), 75, artifact)
    after = scores_at(second, worlds_unseen, list(lookalikes))
    recall_after = (scores_at(second, worlds_unseen, truth) > FOUND).mean()
    assert after.mean() < 0.6 * before.mean()
    assert recall_after >= recall_before - 0.02
