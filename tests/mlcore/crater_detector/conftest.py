"""Small generated datasets: worlds written as rasters and cut as real ones are."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from mlcore.crater_detector.cutting import GroundCircle, PixelBox, cut_samples
from mlcore.dataset import Sample, write_dataset
from mlcore.raster.grid import Grid
from mlcore.simulate.placed import on_body, write_world
from mlcore.simulate.terrain import Circle, TerrainParameters, World, make_world

MakeDataset = Callable[..., Path]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Bit-equality is promised for one thread, also for what a module trains once; the machine is shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_test_world(seed: int, *, lookalikes: float = 0.0, size_px: int = 384) -> World:
    parameters = TerrainParameters(
        size_px=size_px, max_diameter_px=60, craters_per_megapixel=260, roughness_deg=1.5, wear=0.15,
        lookalikes_per_megapixel=lookalikes,
    )  # fmt: skip
    return make_world(parameters, seed)


def ground(circles: Sequence[Circle], grid: Grid) -> list[GroundCircle]:
    return [GroundCircle(*(float(v) for v in row)) for row in on_body(circles, grid)]


@pytest.fixture(scope="session")
def make_dataset(tmp_path_factory: pytest.TempPathFactory) -> MakeDataset:
    """A function: worlds, and for each the look-alikes that people rejected, become a dataset's folder."""

    def make(
        worlds: Sequence[World], rejected: Sequence[Sequence[Circle]] = (), *, block_deg: float = 0.2
    ) -> Path:
        folder = tmp_path_factory.mktemp("dataset")

        def samples() -> Iterator[Sample]:
            for number, world in enumerate(worlds):
                path = folder / f"world{number}.tif"
                grid = write_world(world, path, body="moon", lon=10.0 * number, lat=0.0)
                size = world.parameters.size_px
                yield from cut_samples(
                    path, grid, searched=[PixelBox(0, 0, size, size)], craters=ground(world.craters, grid),
                    negatives=ground(rejected[number], grid) if rejected else [],
                    block_deg=block_deg, min_diameter_m=1600,
                )  # fmt: skip

        write_dataset(
            folder / "frozen", samples(), system="crater_detector", body="moon", block_deg=block_deg,
            min_diameter_m=1600,
        )  # fmt: skip
        return folder / "frozen"

    return make


@pytest.fixture(scope="session")
def dataset(make_dataset: MakeDataset) -> Path:
    """Two small worlds."""
    return make_dataset([make_test_world(1), make_test_world(2)])
