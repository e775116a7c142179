"""How much of the family apart is found by networks with advantages that no recipe may have.

They are taught on thousands of that family's own craters, and against nothing but pits; of each image they
are told the place and need not search. What they find is no proven bound, since others might find more; it
says what a recipe without these advantages is to be held against.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, pairwise
from multiprocessing import get_context
from os import cpu_count
from time import monotonic
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.foil_world import EDGES_UM, by_diameter
from benchmarks.record import Result
from mlcore.foil_classifier.config import Config
from mlcore.foil_classifier.model import FoilClassifier
from mlcore.foil_classifier.normalise import normalise
from mlcore.simulate.foil_survey import FOIL, HARD_BELOW_UM
from mlcore.simulate.foils import APART, Crater, LookAlike, draw_exposure, expose, make_scene, version

ID = "foils.ceiling"
CLAIM = "Tells what networks taught the family apart itself, and told the place, find in simulated foils."
SEED = 1
# Neither is a seed of any other images.
FIRST_CRATER, FIRST_PIT = 40_000_000, 50_000_000
SCENE_PX, WINDOW_PX, OFF_PX = 96, 48, 3
# From here on ours finds nearly all: foils.network.
LARGEST_UM = 1.2
# As many pits may be taken for craters as leave blank images of the survey a specificity of 0.99.
FALSE_SHARE = 0.01 / FOIL.pits
BATCH, RATE, DECAY = 64, 2e-3, 1e-2

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Size:
    """How much is taught and asked, of craters and of pits each."""

    taught: int
    asked: int
    epochs: int


FULL, QUICK = Size(8000, 4000, 10), Size(96, 64, 1)


def setup() -> None:
    """It needs nothing."""


def run(quick: bool) -> Result:
    """Teach and ask two networks: one that keeps every pixel for its first two layers, and our layers."""
    size = QUICK if quick else FULL
    n = size.taught + size.asked
    craters, diameters_um = _windows(_crater, FIRST_CRATER, n)
    pits, _ = _windows(_pit, FIRST_PIT, n)
    asked_um = diameters_um[size.taught :]
    figures: dict[str, Any] = {}
    for name, make in (("every_pixel", _every_pixel), ("our_layers", lambda: FoilClassifier(Config()))):
        began = monotonic()
        say = _taught(make, craters[: size.taught], pits[: size.taught], size.epochs)
        threshold = float(np.quantile(say(pits[size.taught :]), 1.0 - FALSE_SHARE))
        found = say(craters[size.taught :]) >= threshold
        figures[name] = {
            "found": by_diameter(asked_um, found),
            "of_all_sizes_at_most": round(_of_all_sizes(asked_um, found, EDGES_UM[0]), 3),
            f"from_{HARD_BELOW_UM:g}_um_at_most": round(_of_all_sizes(asked_um, found, HARD_BELOW_UM), 3),
            "wall_s": round(monotonic() - began),
        }
    return Result(
        ours=figures,
        peer=None,
        target=None,
        met=None,
        seed=SEED,
        note=(
            f"simulated foil {version()[:12]}; windows of {WINDOW_PX} px around a RAGGED crater of 0.2 to "
            f"{LARGEST_UM:g} µm or a pit, the place told to {OFF_PX} px, without scratches and dust; taught "
            f"on {size.taught:,} of each, asked of {size.asked:,} others; threshold: the highest "
            f"{FALSE_SHARE:.3f} of the asked pits, with which blank images with the survey's {FOIL.pits:g} "
            "pits keep a specificity of 0.99 if nothing else is ever taken for a crater; craters above "
            f"{LARGEST_UM:g} µm are counted as found; shares of all sizes weigh the classes as foils.network "
            "draws them, each factor of two as likely"
        ),
    )


def _of_all_sizes(diameters_um: NDArray[np.float64], found: NDArray[np.bool_], smallest_um: float) -> float:
    """The share found of craters log-uniform from the smallest to the largest of foils.network."""
    share = 0.0
    for low, high in pairwise(EDGES_UM):
        inside = (diameters_um >= low) & (diameters_um < high)
        if low >= smallest_um:
            of_class = float(found[inside].mean()) if low < LARGEST_UM and inside.any() else 1.0
            share += of_class * np.log(high / low) / np.log(EDGES_UM[-1] / smallest_um)
    return float(share)


def _windows(
    take: Callable[[int], tuple[Floats, float] | None], first_seed: int, n: int
) -> tuple[Floats, NDArray[np.float64]]:
    """(n, WINDOW_PX, WINDOW_PX) normalised, and the diameters in µm; of seeds that have none others come."""
    windows, diameters_um = [], []
    for window, diameter_um in _made(take, first_seed):
        windows.append(window)
        diameters_um.append(diameter_um)
        if len(windows) == n:
            break
    return np.stack(windows), np.array(diameters_um)


def _made(
    take: Callable[[int], tuple[Floats, float] | None], first_seed: int
) -> Iterator[tuple[Floats, float]]:
    with ProcessPoolExecutor(cpu_count() or 1, mp_context=get_context("spawn")) as processes:
        for start in count(first_seed, 512):
            made = processes.map(take, range(start, start + 512), chunksize=64)
            yield from (one for one in made if one)


def _crater(seed: int) -> tuple[Floats, float] | None:
    foil = replace(FOIL, width_px=SCENE_PX, height_px=SCENE_PX, pits=0.0, dust=0.0, scratches=0.0)
    scene = make_scene(foil, seed, [APART])
    (crater,) = scene.craters
    if crater.diameter_um >= LARGEST_UM:
        return None
    return _window(expose(scene, draw_exposure(seed), seed), crater, seed)


def _pit(seed: int) -> tuple[Floats, float] | None:
    foil = replace(FOIL, width_px=SCENE_PX, height_px=SCENE_PX, pits=0.7, dust=0.0, scratches=0.0)
    scene = make_scene(foil, seed)
    if len(scene.lookalikes) != 1 or scene.lookalikes[0].diameter_um >= LARGEST_UM:
        return None
    return _window(expose(scene, draw_exposure(seed), seed), scene.lookalikes[0], seed)


def _window(image: NDArray[np.uint8], thing: Crater | LookAlike, seed: int) -> tuple[Floats, float]:
    """Around a thing, not quite in the middle."""
    off = np.random.default_rng(seed).integers(-OFF_PX, OFF_PX + 1, 2)
    whole = np.pad(normalise(image), WINDOW_PX, mode="reflect")
    top, left = (
        round(at) + WINDOW_PX // 2 + by for at, by in zip((thing.y_px, thing.x_px), off, strict=True)
    )
    return whole[top : top + WINDOW_PX, left : left + WINDOW_PX].astype(np.float32), thing.diameter_um


def _every_pixel() -> nn.Module:
    """Two layers at each of three resolutions, from the picture's own on."""
    layers: list[nn.Module] = []
    width = 1
    for channels in (24, 48, 96):
        for _ in range(2):
            layers += [
                nn.Conv2d(width, channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            ]
            width = channels
        layers.append(nn.MaxPool2d(2) if channels < 96 else nn.AdaptiveMaxPool2d(1))
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(width, 1))


def _taught(
    make: Callable[[], nn.Module], craters: Floats, pits: Floats, epochs: int
) -> Callable[[Floats], NDArray[np.float64]]:
    """A network that tells the two apart: windows to logits."""
    torch.manual_seed(SEED)
    random = np.random.default_rng(SEED)
    model = make()
    images = torch.from_numpy(np.concatenate([craters, pits]))[:, None]
    labels = torch.cat([torch.ones(len(craters)), torch.zeros(len(pits))])
    steps = epochs * (len(images) // BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), RATE, weight_decay=DECAY)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(epochs):
        for numbers in np.array_split(random.permutation(len(images)), len(images) // BATCH):
            some = _flipped(images[numbers], random).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(some)
            loss = nn.functional.binary_cross_entropy_with_logits(logits.float().reshape(-1), labels[numbers])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rates.step()
    return partial(_logits, model.eval())


def _flipped(images: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    down, across, turned = random.random(3) < 0.5
    images = images.flip(2) if down else images
    images = images.flip(3) if across else images
    return images.transpose(2, 3) if turned else images


def _logits(model: nn.Module, windows: Floats) -> NDArray[np.float64]:
    with torch.no_grad():
        parts = [model(some[:, None]).reshape(-1) for some in torch.from_numpy(windows).split(256)]
    return torch.cat(parts).double().numpy()
