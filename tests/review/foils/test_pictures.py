"""Pictures are kept whole, and once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotate.models import Campaign
from review.models import Picture
from review.services.foils.pictures import Where, add_picture

GREY = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)


def test_the_pixels_come_back_as_they_were(foils: Campaign, media: Path) -> None:
    picture, is_new = add_picture(
        campaign=foils, name="a.tif", frames=[GREY], where=Where("C2", 1.0, 2.0, 50.0)
    )
    frame = picture.frames.get()
    assert is_new
    assert (picture.width_px, picture.height_px, frame.bits) == (64, 48, 16)
    with Image.open(media / frame.path) as kept:
        assert np.array_equal(np.asarray(kept), GREY)


def test_what_judges_see_carries_nothing_but_pixels(
    make_picture: Callable[..., Picture], media: Path
) -> None:
    frame = make_picture(name="secret-name.tif").frames.get()
    for path in (frame.shown_path, frame.thumbnail_path):
        content = (media / path).read_bytes()
        assert b"secret" not in content
        with Image.open(media / path) as shown:
            assert not shown.getexif()
            assert "comment" not in shown.info


def test_the_same_pixels_are_one_picture_whatever_they_are_called(foils: Campaign) -> None:
    first, _ = add_picture(campaign=foils, name="a.tif", frames=[GREY], where=Where())
    second, is_new = add_picture(campaign=foils, name="b.tif", frames=[GREY], where=Where("C9"))
    assert (second.pk, second.name, is_new) == (first.pk, "a.tif", False)


@pytest.mark.parametrize("frames", [[GREY, GREY[::-1]], [GREY[::-1], GREY], [GREY]])
def test_a_focus_series_is_its_frames_in_their_order(foils: Campaign, frames: list[np.ndarray]) -> None:
    add_picture(campaign=foils, name="a.tif", frames=[GREY, GREY[::-1]], where=Where())
    _, is_new = add_picture(campaign=foils, name="b.tif", frames=frames, where=Where())
    assert is_new == (len(frames) == 1 or frames[0] is not GREY)
