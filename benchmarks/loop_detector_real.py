"""Craters on real lunar elevation, each region tested when held out."""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import lunar_regions as lunar
from benchmarks.lunar_regions import Circles, Region
from benchmarks.record import VAR
from mlcore import api
from mlcore.crater_detector.cutting import GroundCircle, PixelBox, cut_samples
from mlcore.dataset import Sample, write_dataset
from mlcore.raster.grid import Grid
from mlcore.simulate.placed import on_body, write_world
from mlcore.simulate.terrain import TRAIN_RANGES, draw_parameters, make_world
from mlcore.split import TEST, TRAIN

ID = "loop.detector-real"
CLAIM = (
    "Finds the craters of a real region that it was not trained on: Gassendi 0.85 recall at 0.80 precision."
)
FOLDER = VAR / "loop_detector_real"
BLOCK_DEG = 2.5
WORLDS, WORLD_PX = 4, 1024
SEED = 1


def circles(rows: Circles) -> list[GroundCircle]:
    return [GroundCircle(float(lon), float(lat), float(d)) for lon, lat, d in rows]


def whole_grid(grid: Grid) -> list[PixelBox]:
    return [PixelBox(0, 0, grid.width_px, grid.height_px)]


def fold_samples(held_out: str, folder: Path) -> Iterator[Sample]:
    """Three regions, the global picture without the held-out one, and generated terrain."""
    yield from (replace(s, side=np.where(s.side == TEST, TRAIN, s.side)) for s in _cut(held_out, folder))


def _cut(held_out: str, folder: Path) -> Iterator[Sample]:
    for name in lunar.REGIONS:
        if name != held_out:
            region = lunar.load_region(name)
            yield from cut_samples(
                region.path, region.grid, searched=whole_grid(region.grid), craters=circles(region.truth),
                block_deg=BLOCK_DEG, min_diameter_m=lunar.MIN_DIAMETER_M,
            )  # fmt: skip
    picture = folder / "picture.tif"
    grid = lunar.write_picture(picture, [lunar.load_region(held_out).bounds()])
    top, bottom = (grid.pixel(0.0, lat)[1] for lat in (lunar.PICTURE_MAX_LAT, -lunar.PICTURE_MAX_LAT))
    yield from cut_samples(
        picture, grid, searched=[PixelBox(0, float(top), grid.width_px, float(bottom - top))],
        craters=circles(lunar.head_craters()), block_deg=BLOCK_DEG, min_diameter_m=lunar.HEAD_MIN_DIAMETER_M,
    )  # fmt: skip
    for seed in range(WORLDS):
        world = make_world(draw_parameters(TRAIN_RANGES, seed, size_px=WORLD_PX), seed)
        path = folder / f"world{seed}.tif"
        # Somewhere else each, far from the regions.
        grid = write_world(world, path, body="moon", lon=60.0 + 10 * seed, lat=0.0)
        yield from cut_samples(
            path, grid, searched=whole_grid(grid), craters=circles(on_body(world.craters, grid)),
            block_deg=BLOCK_DEG, min_diameter_m=16 * grid.resolution_m_per_px,
        )  # fmt: skip


def dataset_folder(held_out: str) -> Path:
    """The fold's dataset, made once."""
    folder = FOLDER / held_out
    if not (folder / "dataset").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_dataset(
            folder / "dataset", fold_samples(held_out, folder), system="crater_detector", body="moon",
            block_deg=BLOCK_DEG, min_diameter_m=lunar.MIN_DIAMETER_M, provenance={"held_out": held_out},
        )  # fmt: skip
    return folder / "dataset"
