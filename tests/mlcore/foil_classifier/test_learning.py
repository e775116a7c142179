"""That training teaches, and that what people reject teaches the next model about other images."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from mlcore import api
from mlcore.events import EventLog
from mlcore.foil_classifier import evaluation, verbs
from mlcore.foil_classifier.dataset import LOOK_ALIKE, FoilDataset, FoilSample, write_foil_dataset
from mlcore.foil_classifier.model import FoilClassifier
from mlcore.formats.pictures import Grey
from mlcore.simulate import foil_gold
from mlcore.simulate.foils import SHOWN
from tests.mlcore.foil_classifier.conftest import NM_PER_PX, make_blank, make_cut_out, make_foil

UM_PER_PX = NM_PER_PX / 1000.0
# Craters that can be seen: a minute's training is not for faint ones. Over three seeds the sensitivity came
# to 0.73 to 0.85 (with this one from 0.45), the look-alikes fell by nine and more standard errors, and the
# share of pairs in order rose from 0.57–0.66 to 0.79–0.86: what is asked below is far from what chance or
# another processor does.
SETTINGS = {
    "crop_1_px": 64, "batch_1": 16, "rate_1": 2e-3, "steps_2": 0, "size_px": [14.0, 60.0], "gain": [0.8, 1.4],
    "broken_share": 0.1, "easy_share": 0.0, "n_validation": 40,
}  # fmt: skip


def blank(seed: int) -> Grey:
    return make_foil(seed)[0]


def with_crater(seed: int) -> Grey:
    """A crater of the simulator's own, not pasted, large enough to be seen."""
    while True:
        pixels, craters = make_foil(seed, [SHOWN[seed % len(SHOWN)]])
        if craters[0].diameter_um > 0.6:
            return pixels
        seed += 100_000


def with_pit(seed: int) -> tuple[Grey, float, float]:
    """A hollow without a lip, and where it is."""
    pixels = blank(seed)
    pit = foil_gold.draw_pit((pixels.shape[0], pixels.shape[1]), UM_PER_PX, seed, smallest_um=0.8)
    return foil_gold.paste([pixels], pit, um_per_px=UM_PER_PX, seed=seed)[0], pit.x_px, pit.y_px


def rejected(seed: int) -> FoilSample:
    pixels, x_px, y_px = with_pit(seed)
    return FoilSample(LOOK_ALIKE, "train", pixels, origin="rejected by volunteers", x_px=x_px, y_px=y_px)


def first_lessons() -> list[FoilSample]:
    """40 craters and 80 blanks to learn from; 8 and 40 others, craters that can be seen, to measure on."""
    others = (make_cut_out(3000 + n, "validation") for n in range(60))
    seen = [cut_out for cut_out in others if (cut_out.diameter_px or 0.0) > 24]
    return [
        *(make_cut_out(1000 + n) for n in range(40)),
        *(make_blank(2000 + n) for n in range(80)),
        *seen[:8],
        *(make_blank(4000 + n, "validation") for n in range(40)),
    ]


def train(folder: Path, samples: Iterable[FoilSample], steps: int, start: str | None = None) -> str:
    """The artifact's folder."""
    folder.mkdir()
    write_foil_dataset(folder / "d", samples)
    overrides = {**SETTINGS, "steps_1": steps}
    job = api.TrainJob(str(folder / "d"), str(folder), "foil_classifier", "full", overrides, 1, start)
    return str(verbs.train(job, EventLog(folder))["artifact"])


def network(artifact: str) -> FoilClassifier:
    return verbs.of_artifact(Path(artifact))[0]


def sensitivity(found: evaluation.Scored) -> float:
    """Of the pasted craters, those that score higher than nine of ten blanks."""
    return float((found.pasted > np.quantile(found.blank, 0.9)).mean())


@pytest.fixture(scope="module")
def lessons() -> list[FoilSample]:
    return first_lessons()


@pytest.fixture(scope="module")
def first(lessons: list[FoilSample], tmp_path_factory: pytest.TempPathFactory) -> str:
    return train(tmp_path_factory.mktemp("first") / "run", lessons, 450)


@pytest.mark.slow
def test_it_learns_to_see_craters_it_has_never_seen(lessons: list[FoilSample], first: str, tmp_path: Path):
    untrained = train(tmp_path / "untrained", lessons, 1)
    dataset = FoilDataset(Path(first).parent / "d")
    before, after = (
        evaluation.score_side(network(one), dataset, "validation", 40) for one in (untrained, first)
    )
    assert sensitivity(after) > max(0.65, sensitivity(before) + 0.1)
    # Craters and not the seams of pasting: foil pasted in the same outlines scores as blanks do.
    assert (after.control[:, None] > after.blank).mean() < 0.65
    # And of the simulator's own craters, which nobody pasted.
    craters = evaluation.logits(network(first), [with_crater(5000 + n) for n in range(40)])
    assert (craters[:, None] > after.blank).mean() > 0.85


@pytest.mark.slow
def test_rejected_look_alikes_score_lower_in_unseen_images_after_retraining(
    lessons: list[FoilSample], first: str, tmp_path: Path
):
    verdicts = [rejected(7000 + n) for n in range(60)]
    again = train(tmp_path / "again", [*lessons, *verdicts], 150, first)
    pits = [with_pit(8000 + n)[0] for n in range(60)]
    craters = [with_crater(5000 + n) for n in range(60)]
    before, after = (evaluation.logits(network(one), pits) for one in (first, again))
    # Each image with itself: the mean change is many times its standard error.
    change = after - before
    assert change.mean() < -4 * change.std() / np.sqrt(len(change))
    # Not because everything scores lower: craters stand out among look-alikes more than before.
    craters_before, craters_after = (evaluation.logits(network(one), craters) for one in (first, again))
    in_order = [(c[:, None] > p).mean() for c, p in ((craters_before, before), (craters_after, after))]
    assert in_order[1] > in_order[0] + 0.05
