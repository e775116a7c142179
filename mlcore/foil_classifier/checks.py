"""What keeps a training from beginning, each thing in one sentence that names it, its limit and the remedy.

Of counts and sizes one fault is enough. Of pictures, a few that carry a scale bar or clip are left out of the
training and told of; more than FEW_SHARE of them is a fault of the export, and refused.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mlcore.artifact import ModelCard
from mlcore.errors import InvalidInput
from mlcore.foil_classifier.config import Config, other_layout
from mlcore.foil_classifier.dataset import BLANK, CRATER, CUT_OUT, LOOK_ALIKE, SYSTEM, FoilDataset, FoilEntry
from mlcore.foil_classifier.normalise import top_of_range
from mlcore.formats.pictures import Grey

LEAST_CRATERS = 2
# Of the pictures, this share may be left out without asking.
FEW_SHARE = 0.05

# A data bar: at least so many of the picture's outermost rows (or columns), most of them filled to
# BAND_FILLED by one grey (give or take BAND_EVEN of 255) that fills little of the rest and ends with a step.
LEAST_BAND_PX, MOST_BAND_SHARE = 4, 0.3
BAND_FILLED, INSIDE_FILLED, BAND_EVEN, BAND_STEP = 0.5, 0.25, 3, 15
# A scale bar: a rectangle of white or black in the outer fifth of the picture, this long and high at least.
LEAST_BAR_PX, LEAST_BAR_SHARE, LEAST_BAR_HIGH_PX, OUTER_SHARE = 24, 0.04, 2, 0.2
WHITE, BLACK, BAR_STEP = 235, 20, 40
# Its ends differ by so much from row to row, where a JPEG has smeared them.
SMEARED_PX = 3
# Overlays repeat: so many pictures of one size in which this share of a row's pixels is the same, looked
# for in COMPARED of them.
LEAST_ALIKE, ROW_ALIKE, INSIDE_ALIKE, LEAST_ROWS_ALIKE, COMPARED = 4, 0.6, 0.3, 4, 15
# Of 16-bit pixels, at the bottom or the top of the range. Eight-bit pictures are made to be looked at, and
# clip a little as a rule.
MOST_CLIPPED = {16: 0.05, 8: 0.25}


@dataclass(frozen=True)
class Shown:
    """A picture as a check sees it.

    Attributes:
        name: What people call it.
        read: Gives its pixels, (H, W); many pictures are not held at once.
    """

    name: str
    read: Callable[[], Grey]


def too_few(n_blanks: int, n_craters: int) -> str | None:
    """A network needs ground, and more than one crater.

    Args:
        n_blanks: Blank pictures on the training side.
        n_craters: Cut-outs and confirmed craters there.
    """
    if n_blanks < 1:
        return (
            "There is no blank foil on the training side, and craters are pasted on blank foil; import "
            "pictures of foil without craters as blank, or let people reject some of the survey."
        )
    if n_craters == 0:
        return (
            f"There is no crater on the training side, and a network learns from {LEAST_CRATERS} or more; "
            "cut some out of reference pictures."
        )
    if n_craters < LEAST_CRATERS:
        return (
            f"There is one crater on the training side, and a network learns from {LEAST_CRATERS} or more: "
            "from one it would learn that one by heart; cut more out of reference pictures."
        )
    return None


def too_large(
    cut_outs: Iterable[tuple[str, tuple[int, int]]], pictures: Iterable[tuple[int, int]]
) -> str | None:
    """A cut-out fits into the picture that it is pasted on.

    Args:
        cut_outs: Name and (height, width) of each, without the ground around, in pixels of the blanks.
        pictures: (height, width) of the blanks.
    """
    shapes = list(pictures)
    if not shapes:
        return None
    height, width = (int(n) for n in np.median(np.array(shapes), axis=0))
    wrong = [(name, shape) for name, shape in cut_outs if shape[0] > height or shape[1] > width]
    if not wrong:
        return None
    name, shape = wrong[0]
    more = f", like {len(wrong) - 1} more," if len(wrong) > 1 else ""
    return (
        f"The cut-out of {name} is {shape[1]} × {shape[0]} px and{more} larger than the blank pictures it "
        f"would be pasted on ({width} × {height} px); draw it closer around the crater, or withdraw it."
    )


def on_ground(
    shape: tuple[int, int], nm_per_px: float | None, nm_per_px_of_blanks: float | None
) -> tuple[int, int]:
    """(height, width) in pixels of the blanks; as it is where either scale is unknown."""
    ratio = nm_per_px / nm_per_px_of_blanks if nm_per_px and nm_per_px_of_blanks else 1.0
    return round(ratio * shape[0]), round(ratio * shape[1])


def usual_scale(nm_per_px: Iterable[float | None]) -> float | None:
    """The median of the pixels' sizes, of those that are known."""
    known = [scale for scale in nm_per_px if scale]
    return float(np.median(known)) if known else None


def other_weights(card: ModelCard, config: Config) -> str | None:
    """Weights to continue from are this system's and of the layout to be trained."""
    if card.system != SYSTEM:
        return (
            f"The model to continue from is a {card.system}, not a {SYSTEM}; choose one of the foil "
            "network's versions, or start from scratch."
        )
    theirs = Config.from_json(card.config).layout()
    return None if theirs == config.layout() else other_layout(theirs, config.layout())


def with_overlays(pictures: Sequence[Shown]) -> list[tuple[Shown, str]]:
    """The pictures that carry a data bar, a scale bar or a label, each with where it lies."""
    found, by_shape = {}, defaultdict[tuple[int, int], list[int]](list)
    for number, shown in enumerate(pictures):
        pixels = shown.read()
        by_shape[pixels.shape[0], pixels.shape[1]].append(number)
        if where := band(pixels) or bar(pixels):
            found[number] = where
    for numbers in by_shape.values():
        for number, where in _repeated(pictures, numbers).items():
            found.setdefault(number, where)
    return [(pictures[number], where) for number, where in sorted(found.items())]


def clipping(pictures: Iterable[Shown]) -> list[tuple[Shown, str]]:
    """The pictures that clip, each with how much of it."""
    found = []
    for shown in pictures:
        pixels = shown.read()
        bits, share = 8 * pixels.dtype.itemsize, clipped_share(pixels)
        if share > MOST_CLIPPED[bits]:
            found.append(
                (
                    shown,
                    f"{share:.0%} of its {bits}-bit pixels are at an end of the range, where "
                    f"{MOST_CLIPPED[bits]:.0%} may be",
                )
            )
    return found


def clipped_share(pixels: Grey) -> float:
    """Of the pixels, those at 0 or at the top of the range."""
    counted = np.count_nonzero(pixels == 0) + np.count_nonzero(pixels == top_of_range(pixels))
    return float(counted / pixels.size)


def overlay_refusal(found: Sequence[tuple[Shown, str]], n_pictures: int) -> str:
    """The sentence about pictures of with_overlays."""
    shown, where = found[0]
    return (
        f"{_of(len(found), n_pictures)} a scale bar or label burnt in, for example {shown.name} {where}: the "
        "network would learn the label instead of the foil; export the pictures without overlays, or crop "
        "them, and import them again."
    )


def clipping_refusal(found: Sequence[tuple[Shown, str]], n_pictures: int) -> str:
    """The sentence about pictures of clipping."""
    shown, how = found[0]
    return (
        f"{_of(len(found), n_pictures, 'clips', 'clip')}, for example {shown.name}: {how}. What is black or "
        "white throughout hides craters; export the pictures with their whole range and import them again."
    )


def _of(n: int, n_all: int, one: str = "carries", many: str = "carry") -> str:
    return f"{n} of {n_all} pictures {one if n == 1 else many}"


def band(pixels: Grey) -> str | None:
    """A microscope's data bar along an edge, as "along its bottom edge (40 px)"; None where there is none."""
    eight = pixels.astype(np.float32) * np.float32(255.0 / top_of_range(pixels))
    for edge, lines in (
        ("bottom", eight[::-1]), ("top", eight), ("left", eight.T), ("right", eight.T[::-1])
    ):  # fmt: skip
        grey = float(np.median(lines[:LEAST_BAND_PX]))
        if (np.abs(lines[:LEAST_BAND_PX] - grey) <= BAND_EVEN).mean() < BAND_FILLED:
            continue
        filled = (np.abs(lines - grey) <= BAND_EVEN).mean(axis=1)
        most = int(MOST_BAND_SHARE * len(lines))
        # Lines with text on them are filled less.
        height = int(np.flatnonzero(filled[:most] >= BAND_FILLED)[-1]) + 1
        step = abs(float(np.median(lines[height + 1])) - grey)
        is_filled = (filled[:height] >= BAND_FILLED).mean() >= BAND_FILLED
        if (
            height >= LEAST_BAND_PX
            and is_filled
            and step >= BAND_STEP
            and filled[most:].mean() <= INSIDE_FILLED
        ):
            return f"along its {edge} edge ({height} px)"
    return None


def bar(pixels: Grey) -> str | None:
    """A scale bar drawn into the picture, as "near its bottom edge (80 × 4 px)"; None where there is none.

    What charges under the beam is white too, but has no straight edges.
    """
    outer = max(LEAST_BAR_HIGH_PX + 2, int(OUTER_SHARE * pixels.shape[0]))
    least_px = max(LEAST_BAR_PX, int(LEAST_BAR_SHARE * pixels.shape[1]))
    scale = 255.0 / top_of_range(pixels)
    for edge, rows in (("bottom", pixels[-outer:] * scale), ("top", pixels[:outer] * scale)):
        for drawn in (rows >= WHITE, rows <= BLACK):
            size = _rectangle(rows, drawn, least_px)
            if size:
                return f"near its {edge} edge ({size[1]} × {size[0]} px)"
    return None


def _rectangle(rows: NDArray[np.floating], drawn: NDArray[np.bool_], least_px: int) -> tuple[int, int] | None:
    """Height and width of a rectangle drawn in rows that ends sharply above and below; None without."""
    runs = [_longest_run(row) if row.sum() >= least_px else (0, 0) for row in drawn]
    top = 0
    for at in range(1, len(runs) + 1):
        start, end = runs[top]
        if at < len(runs) and max(abs(runs[at][0] - start), abs(runs[at][1] - end)) <= SMEARED_PX:
            continue
        height, width = at - top, end - start
        if width >= least_px and LEAST_BAR_HIGH_PX <= height <= width / 2:
            inside = rows[top:at, start:end]
            beyond = [rows[n, start:end] for n in (top - 2, at + 1) if 0 <= n < len(rows)]
            steps = [abs(float(np.median(line)) - float(np.median(inside))) for line in beyond]
            if steps and min(steps) >= BAR_STEP:
                return height, width
        top = at
    return None


def _longest_run(row: NDArray[np.bool_]) -> tuple[int, int]:
    """Start and end of the longest stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(np.int8)))
    longest = int((edges[1::2] - edges[::2]).argmax())
    return int(edges[2 * longest]), int(edges[2 * longest + 1])


def _repeated(pictures: Sequence[Shown], numbers: list[int]) -> dict[int, str]:
    """Of pictures of one size, those whose outer rows are the same as others': number → where.

    A label stands still while the foil beneath it changes.
    """
    if len(numbers) < LEAST_ALIKE:
        return {}
    some = [pictures[number].read() for number in numbers[:: max(1, len(numbers) // COMPARED)][:COMPARED]]
    height = some[0].shape[0]
    outer = max(1, int(OUTER_SHARE * height))
    middle = slice((height - outer) // 2, (height + outer) // 2)
    if _alike(some, middle)[1].mean() > INSIDE_ALIKE:
        return {}
    found = {}
    for edge, rows in (("bottom", slice(height - outer, height)), ("top", slice(0, outer))):
        usual, alike = _alike(some, rows)
        still = alike >= ROW_ALIKE
        if still.sum() < LEAST_ROWS_ALIKE:
            continue
        for number in numbers:
            same = (pictures[number].read()[rows] == usual).mean(axis=1)
            if (same[still] >= ROW_ALIKE).sum() >= LEAST_ROWS_ALIKE:
                found[number] = f"near its {edge} edge (the same as in other pictures)"
    return found


def _alike(pictures: Sequence[Grey], rows: slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The usual pixels of some rows, and of each row the share of pixels that are as usual."""
    strips = np.stack([pixels[rows] for pixels in pictures])
    usual = np.median(strips.astype(np.float64), axis=0)
    return usual, (strips == usual).mean(axis=(0, 2))


def check_dataset(dataset: FoilDataset, config: Config, tell: Callable[[str], None]) -> frozenset[str]:
    """All that can be wrong with a dataset, before a training on it begins.

    Args:
        dataset: Verified.
        config: What will be trained.
        tell: Called with a sentence for each fault that is small enough to go on without the pictures.

    Returns:
        Files of the pictures that are to be left out.

    Raises:
        InvalidInput: Something is refused.
    """
    train = [entry for entry in dataset.entries if entry.side == "train"]
    blanks = [entry for entry in train if entry.kind == BLANK]
    cut_outs = [entry for entry in train if entry.kind == CUT_OUT]
    n_craters = len(cut_outs) + sum(entry.kind == CRATER for entry in train)
    scale = usual_scale(entry.nm_per_px for entry in blanks)
    sizes = ((_name(entry), _size_on_ground(dataset, entry, scale)) for entry in cut_outs)
    for sentence in (
        too_few(len(blanks), n_craters),
        too_large(sizes, (entry.shape for entry in blanks)),
    ):
        if sentence:
            raise InvalidInput(sentence, code="cannot_learn")
    entries = [entry for entry in dataset.entries if entry.kind in (BLANK, LOOK_ALIKE, CRATER)]
    pictures = [Shown(_name(entry), partial(dataset.pixels, entry)) for entry in entries]
    left_out = set[str]()
    for find, say in ((with_overlays, overlay_refusal), (clipping, clipping_refusal)):
        found = find(pictures)
        if not found:
            continue
        if len(found) > FEW_SHARE * len(pictures):
            raise InvalidInput(say(found, len(pictures)), code="cannot_learn")
        tell("Left out: " + say(found, len(pictures)))
        faulty = {id(shown) for shown, _ in found}
        left_out |= {e.pixels for e, shown in zip(entries, pictures, strict=True) if id(shown) in faulty}
    return frozenset(left_out)


def _name(entry: FoilEntry) -> str:
    return f"{entry.origin or entry.kind} {entry.picture_sha256[:8]}".strip()


def _size_on_ground(dataset: FoilDataset, entry: FoilEntry, nm_per_px: float | None) -> tuple[int, int]:
    """Height and width of what a cut-out covers, in pixels of the blanks where both scales are known."""
    alpha = dataset.alpha(entry)
    if alpha is None or not alpha.any():
        return 0, 0
    ends = [np.flatnonzero(alpha.any(axis=axis)) for axis in (1, 0)]
    height, width = (int(end[-1] - end[0] + 1) for end in ends)
    return on_ground((height, width), entry.nm_per_px, nm_per_px)
