"""Made-up foil images: frozen, labelled exactly, and not too easy."""

import numpy as np
import pytest

from mlcore.errors import InvalidInput
from mlcore.simulate.foils import (
    APART,
    SHOWN,
    Exposure,
    Family,
    FoilParameters,
    draw_exposure,
    expose,
    make_scene,
    version,
)

CLEAN = FoilParameters(width_px=160, height_px=150, scratches=0, pits=0, dust=0)


def test_the_simulator_is_frozen():
    """A changed simulator makes older figures incomparable: say so, and pin the new one."""
    assert version() == "c47ed074d23147f1c8b33a54ecf4ce837036a60c919e2a640662501a070fb5c8"


@pytest.mark.parametrize("family", list(Family))
def test_a_crater_is_dark_within_and_bright_at_its_lip(family: Family):
    bright, dark = [], []
    for seed in range(12):
        scene = make_scene(CLEAN, seed, [family])
        (crater,) = scene.craters
        image = expose(scene, Exposure(defocus_px=0.5), seed).astype(float)
        y, x = np.mgrid[:150, :160] + 0.5
        r = np.hypot(x - crater.x_px, y - crater.y_px) / (crater.diameter_um / scene.um_per_px / 2)
        dark.append(np.median(image[r > 2]) - image[r < 0.9].min())
        bright.append(image[(r > 0.5) & (r < 1.8)].max() - np.median(image[r > 2]))
    assert np.median(dark) > 20
    assert np.median(bright) > 20


def test_a_blank_has_no_crater_and_the_truth_lies_within_the_image():
    assert make_scene(CLEAN, 1).craters == []
    for seed in range(20):
        crater = make_scene(CLEAN, seed, [Family.ROUND]).craters[0]
        radius_px = crater.diameter_um / CLEAN.um_per_px / 2
        assert radius_px <= crater.x_px <= 160 - radius_px
        assert radius_px <= crater.y_px <= 150 - radius_px
        assert 0.2 <= crater.diameter_um <= 5.0


def test_the_same_seed_gives_the_same_image():
    def image(seed: int) -> np.ndarray:
        return expose(make_scene(FoilParameters(), seed, [Family.LOBED]), draw_exposure(seed), seed)

    assert (image(4) == image(4)).all()
    assert (image(4) != image(5)).any()
    assert image(4).shape == (384, 512)
    assert image(4).dtype == np.uint8


def test_a_focus_series_shows_one_scene_more_and_less_sharply():
    scene = make_scene(CLEAN, 3, [Family.ROUND])
    sharp, soft = (
        expose(scene, Exposure(defocus_px=blur, dose=1e6, drift=0.0), 1).astype(float) for blur in (0.5, 3.0)
    )
    assert np.abs(np.diff(sharp, axis=1)).mean() > 2 * np.abs(np.diff(soft, axis=1)).mean()


def test_lookalikes_are_listed_and_foils_differ():
    scenes = [make_scene(FoilParameters(width_px=128, height_px=128), seed) for seed in range(30)]
    kinds = [thing.kind for scene in scenes for thing in scene.lookalikes]
    assert {"pit", "dust"} == set(kinds)
    assert len({draw_exposure(seed) for seed in range(20)}) == 20


def test_darkness_alone_does_not_tell_craters_from_pits():
    """An easy world would let a threshold do the work: here blanks with pits are as dark as craters."""
    darkest = []
    for families in ([Family.ROUND], []):
        scenes = [
            make_scene(FoilParameters(pits=3.0, width_px=256, height_px=256), seed, families)
            for seed in range(24)
        ]
        images = [expose(scene, draw_exposure(n), n) for n, scene in enumerate(scenes)]
        darkest.append([float(np.median(image) - image.min()) for image in images])
    craters, blanks = darkest
    better = np.mean([c > b for c in craters for b in blanks])
    assert better < 0.75


def test_one_family_is_set_apart():
    assert APART not in SHOWN
    assert {*SHOWN, APART} == set(Family)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"width_px": 8}, "32 to 8192"),
        ({"um_per_px": 0.0}, "0.001 to 1"),
        ({"dust": -1.0}, "less than nothing"),
    ],
)
def test_impossible_foils_are_refused(wrong: dict, sentence: str):
    with pytest.raises(InvalidInput, match=sentence):
        FoilParameters(**wrong)


def test_an_image_without_room_for_a_crater_is_refused():
    with pytest.raises(InvalidInput, match="no room for a crater"):
        make_scene(FoilParameters(width_px=32, height_px=32, um_per_px=0.01), 1, [Family.ROUND])
