"""Training and searching for the crater benchmarks: datasets once, trainings resumable, times kept."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmarks import training_runs
from benchmarks.lunar_regions import Circles
from mlcore import api
from mlcore.bodies import get_body
from mlcore.crater_detector.cutting import GroundCircle, PixelBox, cut_samples, read_elevation
from mlcore.crater_detector.predict import Searcher
from mlcore.dataset import Sample, write_dataset
from mlcore.raster.grid import Grid
from mlcore.raster.pyramid import Window, ground_edges_m, pixels_of, scale_of
from mlcore.raster.terrain import hillshade
from mlcore.simulate.placed import on_body, write_world
from mlcore.simulate.terrain import World

WORLD_MIN_PX = 16.0
# The sheet of unmatched detections.
COLUMNS, TILE_PX = 10, 128


def circles(rows: Circles) -> list[GroundCircle]:
    return [GroundCircle(float(lon), float(lat), float(d)) for lon, lat, d in rows]


def whole_grid(grid: Grid) -> list[PixelBox]:
    return [PixelBox(0, 0, grid.width_px, grid.height_px)]


def world_samples(worlds: Sequence[World], folder: Path, block_deg: float) -> Iterator[Sample]:
    """Generated worlds on the equator, ten degrees apart from 60° on."""
    for number, world in enumerate(worlds):
        path = folder / f"world{number}.tif"
        grid = write_world(world, path, body="moon", lon=60.0 + 10 * number, lat=0.0)
        yield from cut_samples(
            path, grid, searched=whole_grid(grid), craters=circles(on_body(world.craters, grid)),
            block_deg=block_deg, min_diameter_m=WORLD_MIN_PX * grid.resolution_m_per_px,
        )  # fmt: skip


def frozen(
    folder: Path,
    samples: Callable[[Path], Iterator[Sample]],
    *,
    block_deg: float,
    min_diameter_m: float,
    provenance: dict[str, object],
) -> Path:
    """The dataset in folder, made when it is not there."""
    if not (folder / "dataset").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_dataset(
            folder / "dataset", samples(folder), system="crater_detector", body="moon", block_deg=block_deg,
            min_diameter_m=min_diameter_m, provenance=provenance,
        )  # fmt: skip
    return folder / "dataset"


def trained(
    folder: Path, dataset: Path, overrides: dict[str, object], seed: int
) -> tuple[Path, dict[str, float]]:
    """The fold's artifact and what its training took.

    A training that was broken off goes on; a finished one of the same dataset, settings and seed is used.

    Args:
        folder: Of the fold; the run lives in folder/run.
        dataset: From frozen.
        overrides: Of the preset "full".
        seed: Of the training.

    Returns:
        The artifact's folder; wall and CPU seconds, resumptions added up.
    """
    run = folder / "run"
    return training_runs.trained(
        api.TrainJob(str(dataset), str(run), preset="full", overrides=overrides, seed=seed)
    )


def search(artifact: Path, raster: Path, grid: Grid, min_diameter_m: float) -> list[api.Detection]:
    """Everything a model finds in a raster, windows merged, best first."""
    searcher, card = Searcher.of_artifact(artifact)
    found: list[api.Detection] = []
    for window in api.plan_windows(grid, card, min_diameter_m=min_diameter_m):
        found += searcher.detections(read_elevation(raster, grid, window), grid, window)
    return api.merge_detections(found, get_body(grid.body).radius_m)


def picture(target: Path, raster: Path, grid: Grid, rows: Circles, seed: int, count: int = 50) -> None:
    """Draw at most `count` of the circles, drawn by lot, each on three diameters of hillshade."""
    chosen = rows[np.sort(np.random.default_rng(seed).permutation(len(rows))[:count])]
    sheet = Image.new("L", (COLUMNS * TILE_PX, max(1, -(-len(chosen) // COLUMNS)) * TILE_PX))
    for number, row in enumerate(chosen):
        place = (number % COLUMNS * TILE_PX, number // COLUMNS * TILE_PX)
        sheet.paste(_tile(raster, grid, *(float(value) for value in row)), place)
    sheet.save(target)


def _tile(raster: Path, grid: Grid, lon: float, lat: float, diameter_m: float) -> Image.Image:
    """A crater's surroundings with its rim, TILE_PX square; less where the raster ends."""
    factor = max(1, round(3 * diameter_m / TILE_PX / grid.resolution_m_per_px))
    x, y = (float(v[0]) for v in pixels_of(grid, np.array([lon]), np.array([lat]), grid.width_px / 2))
    width_m, height_m = ground_edges_m(grid, x, y)
    half_x, half_y = 1.5 * diameter_m / width_m, 1.5 * diameter_m / height_m
    left, top = max(0, int(x - half_x)), max(0, int(y - half_y))
    right, bottom = min(grid.width_px, int(x + half_x)), min(grid.height_px, int(y + half_y))
    window = Window(0, factor, left, top, right - left, bottom - top, (False,) * 4)
    scale = scale_of(grid, window)
    shaded = hillshade(read_elevation(raster, grid, window), scale.resolution_m_per_px)
    tile = Image.fromarray((np.nan_to_num(shaded) * 255).astype(np.uint8))
    middle_x, middle_y = (x - left) / scale.grid_px_per_px_x, (y - top) / scale.grid_px_per_px_y
    radius = diameter_m / scale.resolution_m_per_px / 2
    ImageDraw.Draw(tile).ellipse(
        (middle_x - radius, middle_y - radius, middle_x + radius, middle_y + radius), outline=255
    )
    square = Image.new("L", (TILE_PX, TILE_PX))
    square.paste(tile.resize((TILE_PX, TILE_PX * tile.height // tile.width)), (0, 0))
    return square
