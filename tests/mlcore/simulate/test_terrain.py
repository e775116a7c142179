from pathlib import Path

import numpy as np
import pytest
import rasterio

from mlcore.errors import InvalidInput
from mlcore.simulate.placed import on_body, write_world
from mlcore.simulate.terrain import (
    TEST_RANGES,
    TRAIN_RANGES,
    Circle,
    TerrainParameters,
    depth_and_rim_m,
    draw_parameters,
    make_world,
    version,
)

SMALL = TerrainParameters(size_px=256)


def test_it_works():
    world = make_world(SMALL, 1)
    assert world.elevation_m.shape == (256, 256) and np.isfinite(world.elevation_m).all()
    assert len(world.craters) > 20
    assert {circle.kind for circle in world.craters} == {"crater"}


def test_the_simulator_is_frozen():
    """Pinned: models and benchmarks name this version. A change is a new simulator: say so in CHANGELOG."""
    assert version() == "e5be71cc1985a934225ed4811b70a12bcc7b42e1dbb41c999b0f2697417bbc32"


def test_the_same_seed_makes_the_same_world():
    first, second = make_world(SMALL, 3), make_world(SMALL, 3)
    assert first.craters == second.craters
    np.testing.assert_array_equal(first.elevation_m, second.elevation_m)
    assert make_world(SMALL, 4).craters != first.craters


def test_worlds_to_test_on_are_unlike_worlds_to_train_on():
    assert TRAIN_RANGES.keys() == TEST_RANGES.keys()
    for name, (low, high) in TRAIN_RANGES.items():
        other_low, other_high = TEST_RANGES[name]
        assert high < other_low or other_high < low
    drawn = draw_parameters(TEST_RANGES, 1, size_px=128)
    assert drawn.size_px == 128
    assert TEST_RANGES["wear"][0] <= drawn.wear <= TEST_RANGES["wear"][1]


def test_the_truth_lies_where_the_ground_is_sunk():
    parameters = TerrainParameters(
        size_px=256, roughness_deg=0.1, lookalikes_per_megapixel=0, craters_per_megapixel=30, wear=0.0
    )
    world = make_world(parameters, 5)
    inside = [c for c in world.craters if min(c.x_px, c.y_px) > 20 and max(c.x_px, c.y_px) < 236]
    large = [c for c in inside if 12 < c.diameter_px < 40]
    assert large
    y, x = np.mgrid[:256, :256] + 0.5
    for circle in large:
        r = np.hypot(x - circle.x_px, y - circle.y_px) / (circle.diameter_px / 2)
        floor, rim = world.elevation_m[r < 0.4].mean(), world.elevation_m[np.abs(r - 1) < 0.1].mean()
        assert floor < rim


def test_what_younger_craters_cover_is_no_truth():
    dense = make_world(TerrainParameters(size_px=256, craters_per_megapixel=3000), 6)
    covered = [
        old
        for number, old in enumerate(dense.craters)
        for young in dense.craters[number + 1 :]
        if np.hypot(old.x_px - young.x_px, old.y_px - young.y_px) + old.diameter_px / 2
        < young.diameter_px / 2
    ]
    assert covered == []


def test_fresh_craters_have_the_depths_of_pike():
    depth_m, rim_m = depth_and_rim_m(10_000)
    assert depth_m == pytest.approx(2006, abs=5) and rim_m == pytest.approx(372, abs=3)
    assert depth_and_rim_m(50_000)[0] == pytest.approx(3390, abs=10)


@pytest.mark.parametrize("size_px", [0, 16, 100_000])
def test_a_world_of_impossible_size_is_refused(size_px: int):
    with pytest.raises(InvalidInput, match="32 to 8192"):
        make_world(TerrainParameters(size_px=size_px), 1)


def test_a_world_on_a_body_says_that_it_is_synthetic(tmp_path: Path):
    world = make_world(SMALL, 1)
    grid = write_world(world, tmp_path / "world.tif", body="moon", lon=-170, lat=0)
    with rasterio.open(tmp_path / "world.tif") as source:
        assert source.tags()["SYNTHETIC"] == "yes" and source.tags()["SIMULATOR"] == version()
        np.testing.assert_array_equal(source.read(1), world.elevation_m)
    lon, lat, diameter_m = on_body([Circle(128, 128, 20)], grid)[0]
    assert (lon, lat, diameter_m) == pytest.approx((-170, 0, 2000))
