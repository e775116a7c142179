"""Small generated foils, cut and frozen as real ones are."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from mlcore.foil_classifier.dataset import BLANK, CUT_OUT, FoilSample, write_foil_dataset
from mlcore.foil_classifier.pasting import cut_box
from mlcore.formats.pictures import Grey
from mlcore.simulate.foils import (
    SHOWN,
    Crater,
    Family,
    FoilParameters,
    draw_exposure,
    expose,
    make_scene,
)

WIDTH_PX, HEIGHT_PX = 128, 96
# Of the simulator's foil: 50 nm.
NM_PER_PX = 50.0


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Bit-equality is promised for one thread, also for what a module trains once; the machine is shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_foil(
    seed: int,
    families: Sequence[Family] = (),
    *,
    size: tuple[int, int] = (HEIGHT_PX, WIDTH_PX),
    pits: float = 0,
) -> tuple[Grey, list[Crater]]:
    """A picture of (height, width) and the craters in it."""
    parameters = FoilParameters(width_px=size[1], height_px=size[0], pits=pits, dust=0.3)
    scene = make_scene(parameters, seed, families)
    return expose(scene, draw_exposure(seed), seed), list(scene.craters)


def around(x_px: float, y_px: float, diameter_px: float, *, corners: int = 24) -> list[list[float]]:
    """A polygon around a circle."""
    angles = 2 * np.pi * np.arange(corners) / corners
    return [[x_px + diameter_px / 2 * np.cos(a), y_px + diameter_px / 2 * np.sin(a)] for a in angles]


def make_cut_out(seed: int, side: str = "train") -> FoilSample:
    """A crater cut out of a picture of its own, with its rim and a little ground."""
    pixels, craters = make_foil(seed, [SHOWN[seed % len(SHOWN)]], size=(120, 120))
    crater = craters[0]
    diameter_px = crater.diameter_um * 1000 / NM_PER_PX
    box, alpha, cut_px = cut_box(pixels, around(crater.x_px, crater.y_px, 1.5 * diameter_px))
    return FoilSample(
        CUT_OUT, side, box, alpha, cut_px, NM_PER_PX, "reference picture", picture_sha256=f"{seed:064x}"
    )


def make_blank(seed: int, side: str = "train", **changes: object) -> FoilSample:
    pixels, _ = make_foil(seed, **changes)  # type: ignore[arg-type]
    return FoilSample(BLANK, side, pixels, None, None, NM_PER_PX, "blank", picture_sha256=f"{seed:064x}")


def small_world() -> Iterator[FoilSample]:
    """Enough for a threshold on both held-out sides."""
    for side, start, n_blanks in (("train", 0, 12), ("validation", 100, 20), ("test", 200, 20)):
        yield from (make_cut_out(1000 + start + n, side) for n in range(6))
        yield from (make_blank(2000 + start + n, side) for n in range(n_blanks))


@pytest.fixture(scope="session")
def foil_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("foils") / "frozen"
    write_foil_dataset(folder, small_world(), {"campaign": "generated"})
    return folder
