from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlcore.errors import InvalidInput
from mlcore.foil_classifier.config import make_config
from mlcore.foil_classifier.data import TrainingCrops
from mlcore.foil_classifier.dataset import CRATER, LOOK_ALIKE, FoilDataset, FoilSample, write_foil_dataset
from mlcore.foil_classifier.normalise import normalise
from tests.mlcore.foil_classifier.conftest import make_blank, make_cut_out

CONFIG = make_config("full", {"crop_1_px": 48, "hard_share": 0.5, "crater_share": 0.5})
Freeze = Callable[[Sequence[FoilSample]], FoilDataset]
# A picture in which one pixel stands out: whoever has it in a crop sees it at once.
SHAPE = (90, 100)


def with_a_dot(kind: str, x: int, y: int, *, place: bool = True) -> FoilSample:
    pixels = np.random.default_rng(1).integers(90, 110, SHAPE).astype(np.uint8)
    pixels[y, x] = 255
    at = {"x_px": x + 0.5, "y_px": y + 0.5, "diameter_px": 9.0} if place else {}
    return FoilSample(kind, "train", pixels, **at)  # type: ignore[arg-type]


@pytest.fixture
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Freeze:
    def freeze(samples: Sequence[FoilSample]) -> FoilDataset:
        folder = tmp_path_factory.mktemp("data") / "d"
        write_foil_dataset(folder, samples)
        return FoilDataset(folder)

    return freeze


def test_every_second_crop_shows_a_crater(foil_dataset: Path):
    crops = TrainingCrops(FoilDataset(foil_dataset), CONFIG)
    images, labels = crops.batch(np.random.default_rng(1), 8, (64, 80))
    assert images.shape == (8, 1, 64, 80)
    assert images.dtype == labels.dtype == np.float32
    assert labels.tolist() == [0, 1] * 4
    assert np.abs(images.mean((1, 2, 3))).max() < 1e-3


def test_the_same_generator_draws_the_same(foil_dataset: Path):
    first, second = (
        TrainingCrops(FoilDataset(foil_dataset), CONFIG).batch(np.random.default_rng(7), 6, (48, 48))[0]
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_only_the_training_side_is_learned_from(foil_dataset: Path):
    dataset = FoilDataset(foil_dataset)
    crops = TrainingCrops(dataset, CONFIG)
    assert len(crops.blanks) == 12
    assert crops.recipe is not None
    assert len(crops.recipe.cut_outs) == 6
    assert {entry.side for entry in crops.blanks} == {"train"}


@given(x=st.integers(0, SHAPE[1] - 1), y=st.integers(0, SHAPE[0] - 1), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_crops_of_a_confirmed_crater_hold_the_marked_place(frozen: Freeze, x: int, y: int, seed: int):
    config = replace(CONFIG, crater_share=1.0)
    # Without a cut-out each crop is of it.
    crops = TrainingCrops(frozen([make_blank(1), with_a_dot(CRATER, x, y)]), config)
    images, _ = crops.batch(np.random.default_rng(seed), 4, (48, 48))
    assert (images[1::2].max((1, 2, 3)) > 10).all()


@pytest.mark.parametrize("paired", [0.0, 1.0])
def test_pairs_differ_by_the_crater_alone(frozen: Freeze, paired: float):
    config = replace(CONFIG, size_px=(12.0, 14.0))
    crops = TrainingCrops(frozen([*(make_blank(n) for n in range(10)), make_cut_out(1)]), config)
    images, _ = crops.batch(np.random.default_rng(1), 60, (48, 48), paired=paired)
    same = [_likeness(blank[0], shown[0]) for blank, shown in zip(images[::2], images[1::2], strict=True)]
    # The same ground has the same grain; foils alike have not.
    assert (np.array(same) > 0.7).mean() == paired


def _likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation, however the two are turned and mirrored, with what stands out clipped."""
    one, other = np.clip(one, -1.5, 1.5), np.clip(other, -1.5, 1.5)
    turned = [np.rot90(side, n) for side in (one, one.T) for n in range(4)]
    return max(float(np.corrcoef(way.ravel(), other.ravel())[0, 1]) for way in turned)


def test_look_alikes_are_grounds_without_a_crater(frozen: Freeze):
    dataset = frozen([make_blank(1), make_cut_out(1), with_a_dot(LOOK_ALIKE, 20, 20)])
    images, labels = TrainingCrops(dataset, CONFIG).batch(np.random.default_rng(3), 200, (48, 48))
    shown = images[labels == 0].max((1, 2, 3)) > 10
    # hard_share of the crops, give or take three deviations.
    assert 35 <= shown.sum() <= 65


def with_a_disc(*, place: bool = True) -> FoilSample:
    """A look-alike far brighter than any crater."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pixels = np.where(np.hypot(x - 50, y - 40) < 9, 250, 100).astype(np.uint8)
    at = {"x_px": 50.5, "y_px": 40.5, "diameter_px": 18.0} if place else {}
    return FoilSample(LOOK_ALIKE, "train", pixels, **at)  # type: ignore[arg-type]


def has_disc(images: np.ndarray) -> np.ndarray:
    """More that is bright than a crater's rim and the grain."""
    return (images > 2.0).sum((1, 2, 3)) > 150


def test_look_alikes_are_pasted_on_grounds_of_both_kinds(frozen: Freeze):
    config = replace(
        CONFIG, hard_share=0.0, decoy_share=0.5, size_px=(27.0, 30.0), residue_share=0.0, floor_share=0.0
    )
    crops = TrainingCrops(frozen([make_blank(1), make_cut_out(1), with_a_disc()]), config)
    images, labels = crops.batch(np.random.default_rng(3), 400, (64, 64))
    shown = has_disc(images)
    # decoy_share of the crops of each kind, less a few that lie half outside, give or take four deviations.
    assert 65 <= shown[labels == 0].sum() <= 125
    assert 65 <= shown[labels == 1].sum() <= 125


@pytest.mark.parametrize(("place", "share"), [(False, 1.0), (True, 0.0)])
def test_look_alikes_are_not_pasted_without_their_place_or_where_that_is_not_wished(
    frozen: Freeze, place: bool, share: float
):
    config = replace(
        CONFIG, hard_share=0.0, decoy_share=share, size_px=(27.0, 30.0), residue_share=0.0, floor_share=0.0
    )
    crops = TrainingCrops(frozen([make_blank(1), make_cut_out(1), with_a_disc(place=place)]), config)
    images, _ = crops.batch(np.random.default_rng(3), 60, (64, 64))
    assert not has_disc(images).any()


def test_a_look_alike_that_was_only_clicked_is_cut_out_too(frozen: Freeze):
    clicked = replace(with_a_disc(), diameter_px=None)
    crops = TrainingCrops(frozen([make_blank(1), make_cut_out(1), clicked]), CONFIG)
    assert crops.decoys is not None
    (decoy,) = crops.decoys.cut_outs
    assert decoy.contrast.max() > 1


def test_without_a_place_a_crater_is_shown_whole_or_not_at_all(frozen: Freeze):
    config = replace(CONFIG, crater_share=1.0)
    placeless = with_a_dot(CRATER, 30, 30, place=False)
    many = [replace(placeless, picture_sha256=str(n)) for n in range(20)]
    crops = TrainingCrops(frozen([make_blank(2, size=SHAPE), make_cut_out(1), *many]), config)
    small, whole = (crops.batch(np.random.default_rng(1), 20, size)[0] for size in ((48, 48), SHAPE))
    assert not (small[1::2].max((1, 2, 3)) > 10).any()
    assert (whole[1::2].max((1, 2, 3)) > 10).all()


def test_a_few_confirmed_craters_are_not_shown_all_the_time(frozen: Freeze):
    config = replace(CONFIG, crater_share=1.0)
    crops = TrainingCrops(frozen([make_blank(2), make_cut_out(1), with_a_dot(CRATER, 30, 30)]), config)
    images, _ = crops.batch(np.random.default_rng(1), 200, (48, 48))
    # One of twenty, so 5 of 100, and never more than 15.
    assert 1 <= (images[1::2].max((1, 2, 3)) > 10).sum() <= 15


def test_without_cut_outs_and_places_small_crops_are_refused(frozen: Freeze):
    crops = TrainingCrops(frozen([make_blank(2, size=SHAPE), with_a_dot(CRATER, 3, 3, place=False)]), CONFIG)
    with pytest.raises(InvalidInput, match="mark where they are"):
        crops.batch(np.random.default_rng(1), 2, (48, 48))


def test_crops_are_at_most_as_large_as_the_usual_picture_and_smaller_ones_go_on_mirrored(frozen: Freeze):
    usual = [make_blank(n, size=(60, 90)) for n in range(3)]
    crops = TrainingCrops(frozen([*usual, make_blank(9, size=(40, 50)), make_cut_out(1)]), CONFIG)
    assert crops.crop_px((384, 512)) == (60, 90)
    images, _ = crops.batch(np.random.default_rng(1), 40, (384, 512))
    assert images.shape == (40, 1, 60, 90)
    # The small one, mirrored once downwards and once to the right.
    mirrored = np.pad(make_blank(9, size=(40, 50)).pixels, ((0, 20), (0, 40)), mode="symmetric")
    flips = [mirrored, mirrored[::-1], mirrored[:, ::-1], mirrored[::-1, ::-1]]
    seen = [normalise(np.ascontiguousarray(one)) for one in flips]
    assert any(np.allclose(image[0], one, atol=1e-5) for image in images[::2] for one in seen)


def test_hard_blanks_are_drawn_as_often_as_they_are_weighted(frozen: Freeze):
    dark = replace(make_blank(1), pixels=np.full((64, 64), 50, np.uint8))
    crops = TrainingCrops(frozen([dark, make_blank(2, size=(64, 64)), make_cut_out(1)]), CONFIG)
    weights = np.array([1.0 if crops.pictures.pixels(b).std() == 0 else 0.0 for b in crops.blanks])
    images, _ = crops.batch(np.random.default_rng(1), 20, (48, 48), blank_weights=weights)
    assert not images[::2].any()


def test_pictures_that_are_left_out_are_not_drawn(foil_dataset: Path):
    dataset = FoilDataset(foil_dataset)
    out = dataset.of("blank", "train")[0].pixels
    crops = TrainingCrops(dataset, CONFIG, frozenset([out]))
    assert len(crops.blanks) == 11
    assert out not in {entry.pixels for entry in crops.blanks}


def test_nothing_to_learn_from_is_refused(frozen: Freeze):
    with pytest.raises(InvalidInput, match="on the training side are 1 and 0"):
        TrainingCrops(frozen([make_blank(1)]), CONFIG)
