"""Microscope pictures: read by their content, known by their pixels, refused in a sentence."""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mlcore.errors import InvalidInput
from mlcore.formats.pictures import encode_png, encode_shown, read_pictures

GREY = np.random.default_rng(1).integers(0, 200, (48, 64), dtype=np.uint8)
DEEP = (GREY.astype(np.uint16) * 200) + 7


def saved(folder: Path, name: str, *pages: np.ndarray, **options: object) -> Path:
    images = [Image.fromarray(page) for page in pages]
    path = folder / name
    more = {"save_all": True, "append_images": images[1:]} if len(images) > 1 else {}
    images[0].save(path, **more, **options)
    return path


@pytest.mark.parametrize(
    ("name", "pixels"), [("a.png", GREY), ("a.tif", GREY), ("a.bmp", GREY), ("a.png", DEEP), ("a.tif", DEEP)]
)
def test_grey_of_8_and_16_bits_comes_as_it_is(tmp_path: Path, name: str, pixels: np.ndarray):
    (picture,) = read_pictures(saved(tmp_path, name, pixels))
    assert picture.pixels.dtype == pixels.dtype
    assert (picture.pixels == pixels).all()


def test_a_stack_gives_its_pages_in_order(tmp_path: Path):
    pages = list(read_pictures(saved(tmp_path, "focus.tif", GREY, GREY // 2, GREY // 3)))
    assert [picture.page for picture in pages] == [0, 1, 2]
    assert (pages[2].pixels == GREY // 3).all()


def test_the_same_pixels_are_the_same_picture_in_any_file(tmp_path: Path):
    files = [saved(tmp_path, name, DEEP) for name in ("a.png", "b.tif")]
    files.append(saved(tmp_path, "c.tif", DEEP, compression="tiff_lzw", description="somebody's name"))
    hashes = {next(read_pictures(file)).sha256 for file in files}
    assert len(hashes) == 1
    assert next(read_pictures(saved(tmp_path, "d.png", DEEP + 1))).sha256 not in hashes
    assert next(read_pictures(saved(tmp_path, "e.png", GREY))).sha256 not in hashes


@given(st.integers(32, 40), st.integers(32, 40), st.booleans(), st.integers(0, 2**32 - 1))
def test_what_is_kept_is_what_was_read(width: int, height: int, deep: bool, seed: int):
    kind = np.uint16 if deep else np.uint8
    pixels = np.random.default_rng(seed).integers(0, np.iinfo(kind).max, (height, width), dtype=kind)
    back = np.asarray(Image.open(io.BytesIO(encode_png(pixels))))
    assert (back.astype(kind) == pixels).all()


def test_a_wrong_extension_and_grey_in_three_channels_do_no_harm(tmp_path: Path):
    path = saved(tmp_path, "a.png", np.stack([GREY] * 3, axis=2))
    path = path.rename(tmp_path / "a.jpg")
    assert (next(read_pictures(path)).pixels == GREY).all()


def test_copies_carry_nothing_but_pixels(tmp_path: Path):
    exif = Image.Exif()
    exif[0x010E] = "sample I1061N, known crater"
    path = saved(tmp_path, "a.jpg", GREY, exif=exif)
    picture = next(read_pictures(path))
    for copy in (encode_png(picture.pixels), encode_shown(picture.pixels)):
        assert b"I1061N" not in copy
        assert not Image.open(io.BytesIO(copy)).getexif()


def test_what_is_shown_is_8_bits_stretched_and_as_small_as_asked():
    shown = Image.open(io.BytesIO(encode_shown(DEEP, largest_px=32)))
    assert (shown.mode, shown.size) == ("L", (32, 24))
    assert np.ptp(np.asarray(Image.open(io.BytesIO(encode_shown(DEEP // 100))))) > 200
    flat = np.asarray(Image.open(io.BytesIO(encode_shown(np.full((40, 40), 9, np.uint8)))))
    assert np.ptp(flat) == 0


class TestRefusals:
    def refused(self, path: Path, sentence: str) -> None:
        with pytest.raises(InvalidInput, match=sentence) as refusal:
            list(read_pictures(path))
        assert path.name in refusal.value.message

    def test_what_is_no_image(self, tmp_path: Path):
        for name, content in (("a.png", b"hello"), ("b.tif", b""), ("c.gif", b"GIF89a" + bytes(50))):
            (tmp_path / name).write_bytes(content)
            self.refused(tmp_path / name, "not an image of a kind read here")

    @pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.bmp"])
    def test_half_an_image(self, tmp_path: Path, name: str):
        path = saved(tmp_path, name, GREY)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        self.refused(path, "damaged|not an image")

    def test_colour_and_how_much_of_it(self, tmp_path: Path):
        colour = np.stack([GREY] * 3, axis=2)
        colour[:12, :, 0] = 255
        self.refused(saved(tmp_path, "a.png", colour), r"in colour \(25\.0%")

    def test_cmyk_and_one_bit(self, tmp_path: Path):
        Image.fromarray(GREY).convert("CMYK").save(tmp_path / "a.jpg")
        self.refused(tmp_path / "a.jpg", "CMYK")
        Image.fromarray(GREY).convert("1").save(tmp_path / "b.png")
        self.refused(tmp_path / "b.png", r"not read here \(1\)")

    def test_an_animation(self, tmp_path: Path):
        self.refused(saved(tmp_path, "a.png", GREY, GREY // 2), "animated")

    def test_one_pixel_and_sixty_thousand(self, tmp_path: Path):
        self.refused(saved(tmp_path, "a.png", np.zeros((1, 1), np.uint8)), "at least 32 px")
        self.refused(saved(tmp_path, "b.png", np.zeros((32, 60_000), np.uint8)), "too large")

    def test_a_bomb_is_told_by_its_size_before_it_is_unpacked(self, tmp_path: Path):
        path = saved(tmp_path, "a.png", np.zeros((64, 64), np.uint8))
        header = bytearray(path.read_bytes())
        header[16:24] = (45_000).to_bytes(4, "big") * 2
        header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4, "big")
        path.write_bytes(bytes(header))
        self.refused(path, "too large")

    def test_values_beyond_16_bits(self, tmp_path: Path):
        Image.fromarray(np.full((40, 40), 70_000, np.int32)).save(tmp_path / "a.tif")
        self.refused(tmp_path / "a.tif", "from 70000 to 70000")
