import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlcore.errors import InvalidInput
from mlcore.foil_classifier.dataset import FoilDataset, FoilSample, write_foil_dataset

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)
SAMPLES = [
    FoilSample("blank", "train", GREY, origin="blank", picture_sha256="a"),
    FoilSample("blank", "test", GREY.astype(np.uint16) * 257, nm_per_px=50.0),
    FoilSample("look_alike", "train", GREY.T.copy(), x_px=3.0, y_px=2.5, diameter_px=4.0),
    FoilSample("crater", "validation", GREY[::-1], origin="confirmed"),
    FoilSample("cut_out", "train", GREY, np.full_like(GREY, 255), 5.5),
]


def test_what_was_frozen_is_read(tmp_path: Path):
    manifest = write_foil_dataset(tmp_path / "d", SAMPLES, {"by": "someone"})
    dataset = FoilDataset(tmp_path / "d")
    dataset.verify()
    assert len(dataset) == manifest.samples == 5
    assert manifest.counts["blank"] == {"train": 1, "validation": 0, "test": 1}
    read = {(s.kind, s.side): s for s in dataset}
    for sample in SAMPLES:
        same = read[sample.kind, sample.side]
        assert same.pixels.dtype == sample.pixels.dtype
        np.testing.assert_array_equal(same.pixels, sample.pixels)
        assert (same.alpha is None) == (sample.alpha is None)
        numbers = ("diameter_px", "nm_per_px", "origin", "picture_sha256", "x_px", "y_px")
        assert [getattr(same, n) for n in numbers] == [getattr(sample, n) for n in numbers]


@given(st.permutations(SAMPLES))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_hash_does_not_depend_on_the_order(
    tmp_path_factory: pytest.TempPathFactory, samples: list[FoilSample]
):
    folder = tmp_path_factory.mktemp("order")
    known = write_foil_dataset(folder / "one", SAMPLES).sha256
    assert write_foil_dataset(folder / "other", samples).sha256 == known
    assert write_foil_dataset(folder / "twice", [*samples, samples[0]]).sha256 == known


@pytest.mark.parametrize(
    "change", [{"side": "test"}, {"origin": "other"}, {"pixels": GREY[:, ::-1]}, {"nm_per_px": 20.0}]
)
def test_the_hash_depends_on_all_else(tmp_path: Path, change: dict[str, object]):
    one = write_foil_dataset(tmp_path / "one", SAMPLES)
    changed = replace(SAMPLES[0], **change)  # type: ignore[arg-type]
    other = write_foil_dataset(tmp_path / "other", [changed, *SAMPLES[1:]])
    assert one.sha256 != other.sha256


def test_a_changed_file_is_named(tmp_path: Path):
    write_foil_dataset(tmp_path / "d", SAMPLES)
    dataset = FoilDataset(tmp_path / "d")
    file = dataset.entries[0].pixels
    (tmp_path / "d" / "arrays" / file).write_bytes(b"other")
    with pytest.raises(InvalidInput, match=f"{file}.*freeze the dataset again"):
        dataset.verify()


def test_a_changed_manifest_is_noticed(tmp_path: Path):
    write_foil_dataset(tmp_path / "d", SAMPLES)
    path = tmp_path / "d" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "provenance": {"by": "another"}}))
    with pytest.raises(InvalidInput, match=r"manifest\.json of the dataset has changed"):
        FoilDataset(tmp_path / "d").verify()


def test_it_refuses_what_is_there_and_what_is_nothing(tmp_path: Path):
    write_foil_dataset(tmp_path / "d", SAMPLES)
    with pytest.raises(InvalidInput, match="frozen once"):
        write_foil_dataset(tmp_path / "d", SAMPLES)
    with pytest.raises(InvalidInput, match="nothing to freeze"):
        write_foil_dataset(tmp_path / "e", [])
    assert not (tmp_path / "e").exists()


def test_it_refuses_a_dataset_of_another_system(tmp_path: Path):
    (tmp_path / "samples.jsonl").write_text("")
    (tmp_path / "manifest.json").write_text(json.dumps({"system": "crater_detector"}))
    with pytest.raises(InvalidInput, match="is not a dataset of foils"):
        FoilDataset(tmp_path)


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"kind": "pit"}, "blank, look_alike"),
        ({"side": "left"}, "of a side"),
        ({"pixels": GREY.astype(float)}, "8 or 16 bits"),
        ({"alpha": GREY}, "nothing else has"),
        ({"kind": "cut_out"}, "A cut-out has an alpha"),
        ({"kind": "cut_out", "alpha": GREY[:3], "diameter_px": 3.0}, "size of its pixels"),
        ({"kind": "cut_out", "alpha": GREY}, "diameter above 0"),
        ({"kind": "cut_out", "alpha": 0 * GREY, "diameter_px": 3.0}, "holds no pixel"),
    ],
)
def test_it_refuses_samples_that_are_none(given_: dict[str, object], said: str):
    with pytest.raises(InvalidInput, match=said):
        FoilSample(**{"kind": "blank", "side": "train", "pixels": GREY, **given_})  # type: ignore[arg-type]
