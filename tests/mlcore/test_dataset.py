from pathlib import Path

import numpy as np
import pytest

from mlcore import split
from mlcore.api import PredictJob, Window
from mlcore.dataset import CircleLabel, Dataset, Sample, write_dataset
from mlcore.errors import InvalidInput

GRID = PredictJob.example().grid


def make_sample(seed: int = 0) -> Sample:
    random = np.random.default_rng(seed)
    side = np.full((32, 40), split.TRAIN, np.uint8)
    side[:, 30:] = split.TEST
    craters = [CircleLabel(10, 12, 8.0, 0.9, number=0), CircleLabel(35.5, 3, 6, number=1)]
    elevation = random.normal(size=(32, 40)).astype(np.float32)
    return Sample(elevation, side, craters, [CircleLabel(5, 5, 7)], GRID, Window.example(), 5.0)


def freeze(folder: Path, seeds: tuple[int, ...] = (0, 1)):
    return write_dataset(
        folder, map(make_sample, seeds), system="crater_detector", body="moon", block_deg=2.0,
        min_diameter_m=500.0, provenance={"campaign": "c"},
    )  # fmt: skip


def test_it_works(tmp_path: Path):
    manifest = freeze(tmp_path / "d")
    read = Dataset(tmp_path / "d")
    read.verify()
    assert read.manifest == manifest and len(read) == 2
    assert read[1].craters == make_sample(1).craters
    np.testing.assert_array_equal(read[1].elevation_m, make_sample(1).elevation_m)


def test_a_circle_is_counted_once_however_many_samples_show_it(tmp_path: Path):
    counts = freeze(tmp_path / "d", (0, 1, 2)).counts
    assert counts["craters"] == {"train": 1, "validation": 0, "test": 1}
    assert counts["negatives"] == {"train": 1, "validation": 0, "test": 0}
    assert counts["pixels"] == {"train": 3 * 32 * 30, "validation": 0, "test": 3 * 32 * 10}


def test_the_same_samples_freeze_to_the_same_hash(tmp_path: Path):
    assert freeze(tmp_path / "a").sha256 == freeze(tmp_path / "b").sha256
    assert freeze(tmp_path / "c", (1, 0)).sha256 != freeze(tmp_path / "d").sha256


def test_a_changed_array_is_noticed(tmp_path: Path):
    freeze(tmp_path / "d")
    np.save(tmp_path / "d/arrays/00001_side.npy", np.zeros((32, 40), np.uint8))
    with pytest.raises(InvalidInput, match="00001_side"):
        Dataset(tmp_path / "d").verify()


def test_a_changed_manifest_is_noticed(tmp_path: Path):
    freeze(tmp_path / "d")
    path = tmp_path / "d/manifest.json"
    path.write_text(path.read_text().replace('"campaign": "c"', '"campaign": "x"'))
    with pytest.raises(InvalidInput, match=r"manifest\.json"):
        Dataset(tmp_path / "d").verify()


def test_nothing_searched_is_refused_and_leaves_nothing(tmp_path: Path):
    with pytest.raises(InvalidInput, match="no tile is fully searched"):
        freeze(tmp_path / "d", ())
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_is_frozen_once(tmp_path: Path):
    freeze(tmp_path / "d")
    with pytest.raises(InvalidInput, match="frozen once"):
        freeze(tmp_path / "d")


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path):
    with pytest.raises(InvalidInput, match="is not a dataset"):
        Dataset(tmp_path)
