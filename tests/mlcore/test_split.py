import numpy as np
import pytest

from mlcore.errors import InvalidInput
from mlcore.split import SPLIT_SHARES, split_codes, split_side


def test_the_split_never_moves():
    """Pinned: if this fails, places have changed sides and published metrics are void. Do not edit."""
    places = [(0, 0), (10, 45), (-120, -60), (179.9, 89), (-50, -30), (-45, -25), (-135, 15), (20, 5)]
    assert [split_side("moon", lon, lat, 2.5) for lon, lat in places] == [
        "train",
        "test",
        "train",
        "train",
        "test",
        "train",
        "train",
        "train",
    ]
    assert split_side("mercury", 0, 0, 2.5) == "train"
    grid = np.stack(np.meshgrid(np.arange(-60, -40, 0.5) + 0.1, np.arange(-40, -20, 0.5) + 0.1))
    codes = split_codes("moon", grid[0], grid[1], 2.5)
    assert np.bincount(codes.ravel(), minlength=4).tolist() == [0, 1240, 145, 215]


def test_the_split_is_about_70_15_15():
    random = np.random.default_rng(1)
    lat = np.degrees(np.arcsin(random.uniform(-1, 1, 200_000)))
    counts = np.bincount(split_codes("moon", random.uniform(-180, 180, 200_000), lat, 2.0)) / 200_000
    np.testing.assert_allclose(counts[1:], SPLIT_SHARES, atol=0.02)


def test_a_turn_around_the_body_is_the_same_place():
    assert split_side("moon", -170, 10, 2.0) == split_side("moon", 190, 10, 2.0)


def test_a_block_without_size_is_refused():
    with pytest.raises(InvalidInput, match="above 0"):
        split_codes("moon", 0, 0, 0)
