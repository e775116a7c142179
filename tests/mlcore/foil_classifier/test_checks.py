from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mlcore.artifact import ModelCard
from mlcore.errors import InvalidInput
from mlcore.foil_classifier import checks
from mlcore.foil_classifier.checks import Shown
from mlcore.foil_classifier.config import PRESETS, make_config
from mlcore.foil_classifier.dataset import CRATER, FoilDataset, FoilSample, write_foil_dataset
from mlcore.formats.pictures import Grey
from tests.mlcore.foil_classifier.conftest import make_blank, make_cut_out, make_foil

SIZE = (192, 256)


def foil(seed: int = 1) -> Grey:
    return make_foil(seed, size=SIZE, pits=1)[0]


def shown(*pictures: Grey) -> list[Shown]:
    return [Shown(f"picture {n}", lambda pixels=pixels: pixels) for n, pixels in enumerate(pictures)]


def drawn(pixels: Grey, draw: str) -> Grey:
    """With an overlay as microscopes burn them in."""
    image = Image.fromarray(pixels)
    pen = ImageDraw.Draw(image)
    height, width = pixels.shape
    match draw:
        case "data bar":
            pen.rectangle((0, height - 24, width, height), fill=0)
            pen.text((6, height - 18), "5.00 kV  x 20,000  2 um", fill=255)
        case "grey data bar above":
            pen.rectangle((0, 0, width, 19), fill=192)
            pen.text((6, 4), "SE  WD 8.1 mm", fill=0)
        case "data bar at the side":
            pen.rectangle((width - 30, 0, width, height), fill=255)
            pen.text((width - 28, 40), "kV", fill=0)
        case "scale bar":
            pen.rectangle((170, height - 16, 239, height - 12), fill=255)
        case "black scale bar above":
            pen.rectangle((12, 10, 60, 12), fill=0)
    return np.asarray(image)


class TestOverlays:
    @pytest.mark.parametrize(
        ("draw", "where"),
        [
            ("data bar", "along its bottom edge (24 px)"),
            ("grey data bar above", "along its top edge (20 px)"),
            ("data bar at the side", "along its right edge (30 px)"),
            ("scale bar", "near its bottom edge (70 × 5 px)"),
            ("black scale bar above", "near its top edge (49 × 3 px)"),
        ],
    )
    def test_they_are_found_and_where_they_are(self, draw: str, where: str):
        for seed in range(4):
            found = checks.with_overlays(shown(foil(seed), drawn(foil(seed), draw)))
            assert [(one.name, at) for one, at in found] == [("picture 1", where)]

    @pytest.mark.parametrize("draw", ["data bar", "scale bar"])
    def test_they_are_found_in_16_bits_and_after_jpeg(self, draw: str, tmp_path: Path):
        picture = drawn(foil(), draw)
        assert checks.with_overlays(shown(picture.astype(np.uint16) * 257))
        Image.fromarray(picture).save(tmp_path / "one.jpg", quality=92)
        assert checks.with_overlays(shown(np.asarray(Image.open(tmp_path / "one.jpg"))))

    def test_a_label_that_stands_still_is_found_by_its_repetition(self):
        pictures = []
        for seed in range(6):
            image = Image.fromarray(foil(seed))
            stripe = np.random.default_rng(5).integers(60, 200, (12, SIZE[1])).astype(np.uint8)
            image.paste(Image.fromarray(stripe), (0, SIZE[0] - 14))
            pictures.append(np.asarray(image))
        found = checks.with_overlays(shown(*pictures, foil(9)))
        assert [one.name for one, _ in found] == [f"picture {n}" for n in range(6)]
        assert found[0][1] == "near its bottom edge (the same as in other pictures)"

    def test_foil_has_none(self):
        assert not checks.with_overlays(shown(*(foil(seed) for seed in range(20, 50))))

    def test_dark_bright_and_quiet_foil_has_none(self):
        slope = np.linspace(40, 200, SIZE[0])[:, None] + np.random.default_rng(1).normal(0, 1, SIZE)
        quiet = np.random.default_rng(2).normal(100, 0.4, SIZE)
        bright = np.clip(foil(3) * 3.0, 0, 255)
        black = np.clip(foil(4) - 110.0, 0, 255)
        pictures = [np.rint(p).astype(np.uint8) for p in (slope, quiet, bright, black)]
        assert not checks.with_overlays(shown(*pictures, *(p[:, ::-1] for p in pictures)))

    def test_a_charged_grain_at_the_edge_is_no_bar(self):
        picture = foil(5)
        y, x = np.mgrid[: SIZE[0], : SIZE[1]]
        picture = np.where((y - 185) ** 2 + ((x - 100) / 2) ** 2 < 20**2, 255, picture).astype(np.uint8)
        assert not checks.with_overlays(shown(picture))

    def test_the_sentence(self):
        found = checks.with_overlays(shown(foil(), drawn(foil(), "scale bar")))
        assert checks.overlay_refusal(found, 2) == (
            "1 of 2 pictures carries a scale bar or label burnt in, for example picture 1 near its bottom "
            "edge (70 × 5 px): the network would learn the label instead of the foil; export the pictures "
            "without overlays, or crop them, and import them again."
        )


class TestClipping:
    def test_sixteen_bits_that_clip(self):
        whole = foil().astype(np.uint16) * 200
        clips = np.clip(whole.astype(int) * 4 - 25_000, 0, 65_535).astype(np.uint16)
        found = checks.clipping(shown(whole, clips))
        assert [one.name for one, _ in found] == ["picture 1"]
        sentence = checks.clipping_refusal(found, 2)
        assert sentence.startswith("1 of 2 pictures clips, for example picture 1: ")
        assert "16-bit pixels are at an end of the range, where 5% may be" in sentence
        assert sentence.endswith("export the pictures with their whole range and import them again.")

    def test_twelve_bits_in_sixteen_that_clip(self):
        clips = np.clip(foil().astype(np.uint16) * 50, 0, 4095).astype(np.uint16)
        assert checks.clipping(shown(clips))
        assert not checks.clipping(shown(foil().astype(np.uint16) * 16))

    def test_eight_bits_may_clip_a_little(self):
        picture = foil().copy()
        picture[:20] = 255
        assert not checks.clipping(shown(picture))
        picture[:60] = 255
        assert checks.clipping(shown(picture))


class TestCounts:
    def test_blanks_and_two_craters_are_enough(self):
        assert checks.too_few(1, 2) is None

    def test_no_blank(self):
        assert str(checks.too_few(0, 5)).startswith("There is no blank foil on the training side")

    def test_one_crater(self):
        sentence = str(checks.too_few(9, 1))
        assert "one crater on the training side" in sentence
        assert "2 or more" in sentence
        assert "cut more out" in sentence

    def test_no_crater(self):
        assert "no crater" in str(checks.too_few(9, 0))

    def test_a_cut_out_that_is_larger_than_the_picture(self):
        assert checks.too_large([("A", (90, 100))], [(96, 128)]) is None
        sentence = str(checks.too_large([("A", (90, 100)), ("B", (97, 40))], [(96, 128)]))
        assert sentence == (
            "The cut-out of B is 40 × 97 px and larger than the blank pictures it would be pasted on "
            "(128 × 96 px); draw it closer around the crater, or withdraw it."
        )


class TestWeights:
    CARD = replace(ModelCard.example(), system="foil_classifier", config=PRESETS["quick"].to_json())

    def test_the_same_layout_fits_whatever_the_recipe(self):
        assert checks.other_weights(self.CARD, PRESETS["full"]) is None

    def test_another_layout_is_named_beside_the_wanted_one(self):
        sentence = str(checks.other_weights(self.CARD, make_config("quick", {"channels": [4] * 8})))
        assert "convolutions 8, 16, 16, 32, 32, 64, 64, 64" in sentence
        assert "convolutions 4, 4, 4" in sentence
        assert "start from scratch" in sentence

    def test_with_and_without_batch_normalisation(self):
        sentence = str(checks.other_weights(self.CARD, make_config("quick", {"batch_norm": False})))
        assert "with batch normalisation" in sentence
        assert "without batch normalisation" in sentence

    def test_another_system(self):
        assert "is a crater_detector" in str(checks.other_weights(ModelCard.example(), PRESETS["quick"]))


class TestDataset:
    """The same at the start of a training."""

    def check(self, folder: Path, samples: Sequence[FoilSample]) -> tuple[frozenset[str], list[str]]:
        write_foil_dataset(folder, samples)
        told = list[str]()
        return checks.check_dataset(FoilDataset(folder), PRESETS["quick"], told.append), told

    def test_a_good_one_passes_in_silence(self, foil_dataset: Path):
        told = list[str]()
        assert not checks.check_dataset(FoilDataset(foil_dataset), PRESETS["quick"], told.append)
        assert not told

    @pytest.mark.parametrize(
        ("samples", "said"),
        [
            ([make_cut_out(1), make_cut_out(2)], "no blank foil"),
            ([make_cut_out(1), make_blank(1), make_cut_out(2, "test")], "one crater"),
            ([make_cut_out(1), make_blank(1, "test"), make_cut_out(2)], "no blank foil"),
            ([make_cut_out(1), make_cut_out(2), make_blank(1, size=(32, 32))], None),
        ],
    )
    def test_counts_and_sizes_are_refused(self, tmp_path: Path, samples: list[FoilSample], said: str | None):
        if said is None:
            large = replace(samples[0], alpha=np.full_like(samples[0].pixels, 255))
            samples, said = [large, *samples], "larger than the blank pictures"
        with pytest.raises(InvalidInput, match=said):
            self.check(tmp_path / "d", samples)

    def test_a_cut_out_is_as_large_as_on_the_ground(self, tmp_path: Path):
        large = replace(make_cut_out(1), alpha=np.full_like(make_cut_out(1).pixels, 255))
        close = replace(large, nm_per_px=5.0)
        self.check(tmp_path / "d", [close, make_cut_out(2), make_blank(1, size=(32, 32))])

    def test_confirmed_craters_count_as_craters(self, tmp_path: Path):
        craters = [FoilSample(CRATER, "train", make_foil(n)[0]) for n in (1, 2)]
        self.check(tmp_path / "d", [make_blank(5), *craters])

    def test_overlays_are_refused(self, tmp_path: Path):
        labelled = replace(make_blank(1), pixels=drawn(foil(), "data bar"))
        with pytest.raises(InvalidInput, match="1 of 2 pictures carries a scale bar"):
            self.check(tmp_path / "d", [make_cut_out(1), make_cut_out(2), labelled, make_blank(3)])

    def test_clipping_is_refused(self, tmp_path: Path):
        clips = replace(
            make_blank(1), pixels=np.clip(foil().astype(np.uint16) * 50, 0, 4095).astype(np.uint16)
        )
        with pytest.raises(InvalidInput, match="pictures clips"):
            self.check(tmp_path / "d", [make_cut_out(1), make_cut_out(2), clips, make_blank(3)])

    def test_a_few_faulty_pictures_are_left_out_and_told_of(self, tmp_path: Path):
        labelled = replace(make_blank(1), pixels=drawn(foil(), "scale bar"))
        blanks = [make_blank(n) for n in range(10, 40)]
        left_out, told = self.check(tmp_path / "d", [make_cut_out(1), make_cut_out(2), labelled, *blanks])
        assert len(left_out) == 1
        assert [sentence.split(" pictures")[0] for sentence in told] == ["Left out: 1 of 31"]
