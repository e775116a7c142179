"""From a frozen dataset to batches, made as training goes. No torch: numpy arrays."""

from collections import OrderedDict
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mlcore.errors import InvalidInput
from mlcore.foil_classifier.config import Config
from mlcore.foil_classifier.dataset import BLANK, CRATER, CUT_OUT, LOOK_ALIKE, FoilDataset, FoilEntry
from mlcore.foil_classifier.normalise import normalise
from mlcore.foil_classifier.pasting import CutOut, cut, grain, of_box, paste
from mlcore.foil_classifier.recipe import Recipe
from mlcore.formats.pictures import Grey

Array = NDArray[np.float32]

# Pictures kept in memory; more are read again from the disk, which knows them by then.
CACHE_BYTES = 1_000_000_000
# From so many confirmed craters on, they get their whole share of the crops.
ENOUGH_CRATERS = 20
# The middle of a pasted cut-out keeps at least this share of its size off the edge, so that half can be seen.
OFF_THE_EDGE = 0.2
# A look-alike is cut out along a circle so many times as wide, as experts' outlines keep some ground; where
# people only clicked, it is taken to be as large as this.
OUTLINE_OF_DECOYS, USUAL_DECOY_PX = 1.5, 24.0


class Pictures:
    """The pictures of a dataset, with their grain, kept in memory as far as there is room."""

    def __init__(self, dataset: FoilDataset) -> None:
        self._dataset = dataset
        self._kept: OrderedDict[str, Grey] = OrderedDict()
        self._bytes = 0
        self._grain: dict[str, float] = {}

    def pixels(self, entry: FoilEntry) -> Grey:
        """(H, W) uint8 or uint16."""
        if entry.pixels in self._kept:
            self._kept.move_to_end(entry.pixels)
            return self._kept[entry.pixels]
        pixels = self._kept[entry.pixels] = self._dataset.pixels(entry)
        self._bytes += pixels.nbytes
        while self._bytes > CACHE_BYTES and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return pixels

    def grain(self, entry: FoilEntry) -> float:
        """Of the whole picture, in its counts."""
        if entry.pixels not in self._grain:
            self._grain[entry.pixels] = grain(self.pixels(entry))
        return self._grain[entry.pixels]


def cut_outs_of(dataset: FoilDataset, side: str) -> list[CutOut]:
    """The cut-outs of a side, as contrast."""
    found = []
    for entry in dataset.of(CUT_OUT, side):
        alpha = dataset.alpha(entry)
        if alpha is not None and entry.diameter_px:
            found.append(of_box(dataset.pixels(entry), alpha, entry.diameter_px, entry.nm_per_px))
    return found


class TrainingCrops:
    """Random crops of a dataset's training side, every second with a crater.

    Args:
        dataset: Verified.
        config: The recipe.
        left_out: Files of pictures that are not learned from.

    Raises:
        InvalidInput: No blank is left, or no crater.
    """

    def __init__(self, dataset: FoilDataset, config: Config, left_out: frozenset[str] = frozenset()) -> None:
        self.config = config
        self.pictures = Pictures(dataset)

        def of(kind: str) -> list[FoilEntry]:
            return [entry for entry in dataset.of(kind, "train") if entry.pixels not in left_out]

        self.blanks, self.look_alikes, self.craters = of(BLANK), of(LOOK_ALIKE), of(CRATER)
        cut_outs = cut_outs_of(dataset, "train")
        if not self.blanks or not (cut_outs or self.craters):
            raise InvalidInput(
                f"A network learns from blank foils and from craters, and on the training side are "
                f"{len(self.blanks)} and {len(cut_outs) + len(self.craters)}; add what is missing."
            )
        self.recipe = Recipe(cut_outs, config) if cut_outs else None
        decoys = [self._decoy(entry) for entry in self.look_alikes if entry.x_px is not None]
        # What lies in a pit as residue does in a crater would make it one, and its own floor tells it apart.
        as_they_are = replace(config, residue_share=0.0, floor_share=0.0)
        self.decoys = Recipe(decoys, as_they_are) if decoys else None
        self._usual_px = np.median([entry.shape for entry in self.blanks], axis=0).astype(int)

    def crop_px(self, wanted: tuple[int, int]) -> tuple[int, int]:
        """The size of crops: as wanted, at most that of the usual blank."""
        return min(wanted[0], int(self._usual_px[0])), min(wanted[1], int(self._usual_px[1]))

    def batch(
        self,
        random: np.random.Generator,
        n: int,
        wanted_px: tuple[int, int],
        *,
        ease: float = 0.0,
        paired: float = 0.0,
        blank_weights: NDArray[np.float64] | None = None,
    ) -> tuple[Array, Array]:
        """Crops, drawn at random.

        Args:
            random: Of everything.
            n: How many; every second, from the second on, shows a crater.
            wanted_px: Height and width.
            ease: As Recipe.draw's.
            paired: The share of crops without a crater that are the ground of the one after them.
            blank_weights: (number of blanks,) how often each is drawn without a crater; sums to 1.

        Returns:
            (n, 1, h, w) float32, normalised, and (n,) float32: 1 with a crater, 0 without.
        """
        size = self.crop_px(wanted_px)
        crops = list[Grey]()
        while len(crops) < n:
            shown, ground = self._with_crater(random, size, ease)
            is_pair = ground is not None and random.random() < paired
            crops += [
                ground if is_pair and ground is not None else self._blank(random, size, blank_weights),
                shown,
            ]
        crops = crops[:n]
        images = np.stack([normalise(_flipped(crop, random)) for crop in crops])[:, None]
        return images, (np.arange(n) % 2).astype(np.float32)

    def _blank(
        self, random: np.random.Generator, size: tuple[int, int], weights: NDArray[np.float64] | None
    ) -> Grey:
        if self.look_alikes and random.random() < self.config.hard_share:
            entry = self.look_alikes[random.integers(len(self.look_alikes))]
            return self._crop_around(entry, random, size)
        number = (
            random.integers(len(self.blanks)) if weights is None else random.choice(len(weights), p=weights)
        )
        return self._ground(self.blanks[int(number)], random, size)

    def _ground(self, entry: FoilEntry, random: np.random.Generator, size: tuple[int, int]) -> Grey:
        """A crop of a blank, perhaps with a look-alike on it."""
        ground = _crop(self.pictures.pixels(entry), random, size)
        if self.decoys is None or random.random() >= self.config.decoy_share:
            return ground
        return self._pasted(ground, entry, self.decoys, random)

    def _pasted(
        self, ground: Grey, entry: FoilEntry, recipe: Recipe, random: np.random.Generator, ease: float = 0.0
    ) -> Grey:
        """Ground of a blank with something drawn by chance somewhere on it."""
        patch, size_px = recipe.draw(random, float(min(ground.shape)), entry.nm_per_px, ease=ease)
        x, y = (_place(random, edge, OFF_THE_EDGE * size_px) for edge in ground.shape[::-1])
        return paste(ground, patch, x, y, random, grain_of_ground=self.pictures.grain(entry))

    def _decoy(self, entry: FoilEntry) -> CutOut:
        """A look-alike with the ground around the place where people saw it."""
        pixels = self.pictures.pixels(entry)
        radius = OUTLINE_OF_DECOYS / 2.0 * (entry.diameter_px or USUAL_DECOY_PX)
        turns = np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)
        middle = np.array([entry.x_px, entry.y_px], np.float64)
        circle = middle + radius * np.stack([np.cos(turns), np.sin(turns)], axis=1)
        return cut(pixels, np.clip(circle, 0.0, pixels.shape[::-1]).tolist(), entry.nm_per_px)

    def _with_crater(
        self, random: np.random.Generator, size: tuple[int, int], ease: float
    ) -> tuple[Grey, Grey | None]:
        """A crop with a crater, and the ground on which it was pasted; None where it was not."""
        shown = [entry for entry in self.craters if _is_in_any_crop(entry, size)]
        share = self.config.crater_share * min(1.0, len(shown) / ENOUGH_CRATERS)
        if shown and (self.recipe is None or random.random() < share):
            return self._crop_around(shown[random.integers(len(shown))], random, size), None
        if self.recipe is None:
            raise InvalidInput(
                f"No confirmed crater can be learned from in crops of {size[1]} × {size[0]} px: mark where "
                "they are, or cut some craters out."
            )
        entry = self.blanks[random.integers(len(self.blanks))]
        ground = self._ground(entry, random, size)
        return self._pasted(ground, entry, self.recipe, random, ease), ground

    def _crop_around(self, entry: FoilEntry, random: np.random.Generator, size: tuple[int, int]) -> Grey:
        """A crop that holds the place marked in a picture, where one is."""
        pixels = self.pictures.pixels(entry)
        if entry.x_px is None or entry.y_px is None:
            return _crop(pixels, random, size)
        return _crop(pixels, random, size, (entry.y_px, entry.x_px), (entry.diameter_px or 0.0) / 2.0)


def _is_in_any_crop(entry: FoilEntry, size: tuple[int, int]) -> bool:
    """Whether a crop of the picture can be said to hold its crater."""
    is_whole = entry.height_px <= size[0] and entry.width_px <= size[1]
    return entry.x_px is not None or is_whole


def _crop(
    pixels: Grey,
    random: np.random.Generator,
    size: tuple[int, int],
    middle: tuple[float, float] | None = None,
    reach_px: float = 0.0,
) -> Grey:
    """A piece of a picture, continued by its mirror image where the picture is smaller.

    Args:
        pixels: (H, W).
        random: Where.
        size: Height and width of the piece.
        middle: It holds this place (y, x)
        reach_px: and so much around, as far as there is room.
    """
    missing = [max(0, wanted - has) for wanted, has in zip(size, pixels.shape, strict=True)]
    starts = []
    for axis, wanted in enumerate(size):
        last = max(0, pixels.shape[axis] - wanted)
        low, high = 0, last
        if middle is not None:
            reach = min(reach_px, wanted / 2.0 - 1.0)
            low = int(np.clip(np.ceil(middle[axis] + reach - wanted), 0, last))
            high = int(np.clip(np.floor(middle[axis] - reach), low, last))
        starts.append(int(random.integers(low, high + 1)))
    piece = pixels[starts[0] : starts[0] + size[0], starts[1] : starts[1] + size[1]]
    if any(missing):
        rows, columns = (np.arange(wanted) for wanted in size)
        return piece[_mirrored(rows, piece.shape[0])][:, _mirrored(columns, piece.shape[1])]
    return piece


def _mirrored(at: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Places beyond the end of n pixels, folded back as often as need be."""
    return np.minimum(at % (2 * n), 2 * n - 1 - at % (2 * n))


def _place(random: np.random.Generator, edge_px: int, margin_px: float) -> float:
    margin = min(margin_px, edge_px / 2.0)
    return float(random.uniform(margin, edge_px - margin))


def _flipped(crop: Grey, random: np.random.Generator) -> Grey:
    across, down, turned = random.random(3) < 0.5
    crop = crop[:, ::-1] if across else crop
    crop = crop[::-1] if down else crop
    return crop.T if turned and crop.shape[0] == crop.shape[1] else crop
