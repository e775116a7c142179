"""Craters and pits put into images: seen where they are, unseen everywhere else, in the image's own look."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.errors import InvalidInput
from mlcore.formats.pictures import Grey
from mlcore.simulate.foil_gold import BLUR_REACH_PX, draw_crater, draw_pit, looks_of, paste
from mlcore.simulate.foils import APART, Crater, Family, FoilParameters, draw_exposure, expose, make_scene
from mlcore.simulate.foils.craters import REACH
from mlcore.simulate.foils.scene import LookAlike

UM_PER_PX = 0.05
SMALL = FoilParameters(width_px=192, height_px=160, pits=0.0, dust=0.0, scratches=0.0)
SHAPE = (SMALL.height_px, SMALL.width_px)


def foil(seed: int, *, bits: int = 8, blur_px: float | None = None) -> Grey:
    """An image of bare foil."""
    exposure = draw_exposure(seed)
    if blur_px is not None:
        exposure = replace(exposure, defocus_px=blur_px)
    grey = expose(make_scene(SMALL, seed), exposure, seed)
    return grey if bits == 8 else grey.astype(np.uint16) * 257


def away_from(thing: Crater | LookAlike) -> np.ndarray:
    """Which pixels lie beyond the thing's reach."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    reach_px = REACH * thing.diameter_um / UM_PER_PX + BLUR_REACH_PX + 3.0
    return np.maximum(np.abs(x - thing.x_px), np.abs(y - thing.y_px)) > reach_px


@given(st.integers(0, 2**31), st.booleans(), st.sampled_from([8, 16]))
@settings(max_examples=25, deadline=None)
def test_beyond_its_reach_not_a_bit_changes(seed: int, is_crater: bool, bits: int):
    image = foil(seed % 7, bits=bits)
    thing = (draw_crater if is_crater else draw_pit)(SHAPE, UM_PER_PX, seed)
    [pasted] = paste([image], thing, um_per_px=UM_PER_PX, seed=seed)
    assert (pasted.shape, pasted.dtype) == (image.shape, image.dtype)
    far = away_from(thing)
    assert np.array_equal(pasted[far], image[far])
    assert not np.array_equal(pasted, image)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("seed", range(4))
def test_a_crater_is_dark_within_and_bright_on_its_lip(seed: int, bits: int):
    image = foil(seed, bits=bits)
    crater = Crater(96.0, 80.0, 2.0, Family.ROUND)
    [pasted] = paste([image], crater, um_per_px=UM_PER_PX, seed=seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    r = np.hypot(x - 96.0, y - 80.0) * UM_PER_PX
    ground = np.median(image)
    assert np.median(pasted[r < 0.4]) < 0.7 * ground
    assert np.median(pasted[np.abs(r - 1.0) < 0.06]) > 1.3 * ground


def test_a_pit_has_no_bright_lip():
    image = foil(1)
    [pasted] = paste([image], LookAlike(96.0, 80.0, 2.0, "pit"), um_per_px=UM_PER_PX, seed=3)
    assert np.median(pasted[70:90, 86:106]) < 0.8 * np.median(image)
    assert (pasted > 250).mean() < (image > 250).mean() + 0.01


def test_the_same_seed_gives_the_same_image_and_another_another():
    image, crater = foil(2), draw_crater(SHAPE, UM_PER_PX, 5)
    once, again, other = (paste([image], crater, um_per_px=UM_PER_PX, seed=seed)[0] for seed in (5, 5, 6))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_a_focus_series_shows_one_crater_as_sharp_as_each_frame():
    frames = [foil(3, blur_px=blur_px) for blur_px in (0.5, 2.0)]
    sharp, blurred = paste(frames, Crater(96.0, 80.0, 1.0, Family.ROUND), um_per_px=UM_PER_PX, seed=1)
    rim = np.s_[60:100, 76:116]

    def edges(image: Grey) -> float:
        dy, dx = np.gradient(image[rim].astype(float))
        return float(np.percentile(np.hypot(dx, dy), 98))

    assert edges(sharp) > 1.5 * edges(blurred)
    dark = [np.unravel_index(np.argmin(image[rim].astype(float)), (40, 40)) for image in (sharp, blurred)]
    assert np.hypot(*np.subtract(*dark)) < 8


def test_apart_is_never_drawn():
    families = {draw_crater(SHAPE, UM_PER_PX, seed).family for seed in range(200)}
    assert len(families) == 4
    assert APART not in families


@pytest.mark.parametrize("draw", [draw_crater, draw_pit])
def test_diameters_are_even_on_a_scale_of_factors_and_things_lie_in_the_image(
    draw: Callable[..., Crater | LookAlike],
) -> None:
    things = [draw((384, 512), UM_PER_PX, seed) for seed in range(400)]
    diameters = np.array([thing.diameter_um for thing in things])
    assert diameters.min() >= 0.2
    assert diameters.max() <= 5.0
    assert 0.9 < np.median(diameters) < 1.1
    assert all(0 < thing.x_px < 512 and 0 < thing.y_px < 384 for thing in things)


@pytest.mark.parametrize("blur_px", [0.5, 0.8, 1.2, 2.0])
def test_an_image_tells_how_it_was_taken(blur_px: float):
    parameters = FoilParameters(width_px=384, height_px=288)
    misses = []
    for seed in range(6):
        exposure = replace(draw_exposure(seed), defocus_px=blur_px)
        [look] = looks_of([expose(make_scene(parameters, seed), exposure, seed)])
        true_grain = (exposure.brightness * exposure.dose) ** -0.5
        misses.append((look.grain / true_grain, look.blur_px - blur_px, look.contrast / exposure.contrast))
    grain, blur, contrast = np.median(misses, axis=0)
    assert 0.9 < grain < 1.1
    assert abs(blur) < 0.3
    assert 0.8 < contrast < 1.25


def test_values_that_an_instrument_leaves_out_stay_out():
    """Of 12 bits in 16, and in steps of 16."""
    image = (foil(1).astype(np.uint16) // 2) * 16
    [pasted] = paste([image], draw_crater(SHAPE, UM_PER_PX, 1), um_per_px=UM_PER_PX, seed=1)
    assert not (pasted % 16).any()
    assert pasted.max() < 4096


def test_noise_within_is_that_of_so_much_light():
    """Inside a wide crater pixels scatter as Poisson's law has it for their brightness."""
    exposure = replace(draw_exposure(0), brightness=0.5, dose=200.0, contrast=1.0, charging=0.0)
    image = expose(make_scene(SMALL, 0), exposure, 0)
    [pasted] = paste([image], Crater(96.0, 80.0, 2.4, Family.ROUND), um_per_px=UM_PER_PX, seed=9)
    floor = pasted[74:87, 90:103].astype(float)
    detrended = floor[1:] - floor[:-1]
    found = np.std(detrended) / np.sqrt(2.0)
    expected = np.sqrt(np.mean(floor) * 255.0 / 200.0)
    assert 0.6 < found / expected < 1.5


def test_an_image_without_room_or_light_is_refused():
    with pytest.raises(InvalidInput, match="no room for a crater"):
        draw_crater((40, 40), 0.01, 1)
    with pytest.raises(InvalidInput, match="black"):
        paste([np.zeros(SHAPE, np.uint8)], draw_crater(SHAPE, UM_PER_PX, 1), um_per_px=UM_PER_PX, seed=1)
