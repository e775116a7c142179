"""What the foil classifier learns from: frozen, hashed folders of pictures and cut-outs.

    manifest.json   what it is: counts, provenance, hashes; `sha256` over all the rest
    samples.jsonl   one line per sample
    arrays/         <sha256 of the pixels>.npy, uint8 or uint16; of alpha likewise

The same samples freeze to the same hash in whatever order they come, on any machine. Reading it needs neither
a database nor an image library.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlcore.dataset import MANIFEST_FILE, SAMPLES_FILE
from mlcore.errors import InvalidInput
from mlcore.formats.pictures import Grey
from mlcore.split import SIDES

SYSTEM = "foil_classifier"
FORMAT = 1
ARRAYS_FOLDER = "arrays"

BLANK, LOOK_ALIKE, CRATER, CUT_OUT = "blank", "look_alike", "crater", "cut_out"
KINDS = (BLANK, LOOK_ALIKE, CRATER, CUT_OUT)

Alpha = NDArray[np.uint8]


@dataclass(frozen=True)
class FoilSample:
    """A picture, or a crater cut out of one.

    Attributes:
        kind: BLANK (no crater in it), LOOK_ALIKE (none, but the network or people took it for one),
            CRATER (confirmed; the whole picture), CUT_OUT (a crater along a polygon).
        side: "train", "validation" or "test".
        pixels: (H, W) uint8 or uint16; of a cut-out its box with some ground around.
        alpha: Of a cut-out (H, W) uint8: the share, in 255ths, in which a pixel belongs to it; else None.
        diameter_px: Of the circle of the cut-out's area; of a crater or look-alike rim to rim, where known.
        nm_per_px: Ground size of a pixel, where known.
        origin: Where it is from, in a word or two ("reference picture", "rejected by volunteers").
        picture_sha256: Of the picture it is, or is cut out of.
        x_px: Of a crater or look-alike, where it is in the picture, from the left edge; None where unknown.
        y_px: From the top edge.
    """

    kind: str
    side: str
    pixels: Grey
    alpha: Alpha | None = None
    diameter_px: float | None = None
    nm_per_px: float | None = None
    origin: str = ""
    picture_sha256: str = ""
    x_px: float | None = None
    y_px: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.side not in SIDES:
            raise InvalidInput(f"A sample is of one of {', '.join(KINDS)} and of a side, not {self.kind!r}.")
        if self.pixels.ndim != 2 or self.pixels.dtype not in (np.uint8, np.uint16):
            raise InvalidInput("A sample's pixels are grey of 8 or 16 bits.")
        if (self.kind == CUT_OUT) != (self.alpha is not None):
            raise InvalidInput("A cut-out has an alpha, and nothing else has.")
        if self.alpha is not None and (
            self.alpha.shape != self.pixels.shape or self.alpha.dtype != np.uint8 or not self.diameter_px
        ):
            raise InvalidInput(
                "A cut-out has an alpha of 8 bits in the size of its pixels, and a diameter above 0."
            )
        if self.alpha is not None and not self.alpha.any():
            raise InvalidInput("A cut-out's alpha is 0 everywhere: it holds no pixel.")


@dataclass(frozen=True)
class FoilEntry:
    """A sample's line: all but its pixels.

    Attributes:
        kind: As FoilSample's.
        side: As FoilSample's.
        height_px: Of the pixels.
        width_px: Of the pixels.
        pixels: File name below arrays/.
        alpha: Of a cut-out, likewise.
        diameter_px: As FoilSample's, like all that follow.
    """

    kind: str
    side: str
    height_px: int
    width_px: int
    pixels: str
    alpha: str | None
    diameter_px: float | None
    nm_per_px: float | None
    origin: str
    picture_sha256: str
    x_px: float | None
    y_px: float | None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the pixels."""
        return self.height_px, self.width_px


@dataclass(frozen=True)
class FoilManifest:
    """What a dataset is.

    Attributes:
        samples: How many.
        counts: {kind: {side: n}}.
        hashes: File name → sha256.
        provenance: Where it is from, as its maker wrote it: pseudonyms, no names.
        system: Always SYSTEM.
        sha256: Over the canonical JSON of all the above.
    """

    samples: int
    counts: dict[str, dict[str, int]]
    hashes: dict[str, str]
    provenance: dict[str, Any] = field(default_factory=dict)
    system: str = SYSTEM
    format: int = FORMAT
    sha256: str = ""

    def hashed(self) -> Self:
        """The same with sha256 filled in."""
        content = {name: value for name, value in asdict(self).items() if name != "sha256"}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return replace(self, sha256=hashlib.sha256(canonical.encode()).hexdigest())


def write_foil_dataset(
    folder: Path, samples: Iterable[FoilSample], provenance: dict[str, Any] | None = None
) -> FoilManifest:
    """Freeze samples into a folder, whole or not at all.

    Args:
        folder: Where; must not exist.
        samples: May be a generator: one sample at a time is held. Of equal ones, one is kept.
        provenance: Enters the hash: leave out times and paths.

    Returns:
        The manifest.

    Raises:
        InvalidInput: The folder is there already, or there is not one sample.
    """
    if folder.exists():
        raise InvalidInput(f"A dataset is frozen once, and {folder.name} is there; choose another folder.")
    half_done = folder.with_name(folder.name + ".half-done")
    shutil.rmtree(half_done, ignore_errors=True)
    (half_done / ARRAYS_FOLDER).mkdir(parents=True)
    hashes: dict[str, str] = {}
    entries = {_entry(sample, half_done, hashes) for sample in samples}
    if not entries:
        shutil.rmtree(half_done)
        raise InvalidInput(
            "There is nothing to freeze: no cut-out and no blank foil is there yet. Cut some craters out and "
            "import blank pictures first."
        )
    lines = sorted(json.dumps(asdict(entry), sort_keys=True, allow_nan=False) for entry in entries)
    (half_done / SAMPLES_FILE).write_text("\n".join(lines) + "\n")
    hashes[SAMPLES_FILE] = hashlib.sha256((half_done / SAMPLES_FILE).read_bytes()).hexdigest()
    counts = {kind: dict.fromkeys(SIDES, 0) for kind in KINDS}
    for entry in entries:
        counts[entry.kind][entry.side] += 1
    manifest = FoilManifest(len(entries), counts, hashes, provenance or {}).hashed()
    (half_done / MANIFEST_FILE).write_text(json.dumps(asdict(manifest), indent=1, sort_keys=True))
    half_done.replace(folder)
    return manifest


def _entry(sample: FoilSample, folder: Path, hashes: dict[str, str]) -> FoilEntry:
    """Keep the arrays of a sample; its line. Numbers are rounded so that the hash is stable."""

    def rounded(value: float | None) -> float | None:
        return None if value is None else round(float(value), 3)

    return FoilEntry(
        kind=sample.kind,
        side=sample.side,
        height_px=sample.pixels.shape[0],
        width_px=sample.pixels.shape[1],
        pixels=_keep(sample.pixels, folder, hashes),
        alpha=None if sample.alpha is None else _keep(sample.alpha, folder, hashes),
        diameter_px=rounded(sample.diameter_px),
        nm_per_px=rounded(sample.nm_per_px),
        origin=sample.origin,
        picture_sha256=sample.picture_sha256,
        x_px=rounded(sample.x_px),
        y_px=rounded(sample.y_px),
    )


def _keep(array: Grey, folder: Path, hashes: dict[str, str]) -> str:
    """Write an array under the hash of its file; the same array is written once."""
    written = io.BytesIO()
    np.save(written, np.ascontiguousarray(array, array.dtype.newbyteorder("<")), allow_pickle=False)
    sha256 = hashlib.sha256(written.getvalue()).hexdigest()
    name = f"{sha256}.npy"
    if (file := f"{ARRAYS_FOLDER}/{name}") not in hashes:
        (folder / file).write_bytes(written.getvalue())
        hashes[file] = sha256
    return name


class FoilDataset:
    """A frozen folder; what is in it is read when it is asked for.

    Args:
        folder: Written by write_foil_dataset.

    Attributes:
        entries: A line for each sample.

    Raises:
        InvalidInput: It is not a dataset of this system and format.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            manifest = json.loads((folder / MANIFEST_FILE).read_text())
            if manifest.get("system") != SYSTEM:
                raise ValueError
            lines = (folder / SAMPLES_FILE).read_text().splitlines()
            self.entries = [FoilEntry(**json.loads(line)) for line in lines]
            self.manifest = FoilManifest(**manifest)
        except (OSError, ValueError, TypeError, AttributeError):
            raise InvalidInput(
                f"{folder.name} is not a dataset of foils: it needs {MANIFEST_FILE} and {SAMPLES_FILE} of "
                f"system {SYSTEM}; freeze one."
            ) from None
        if self.manifest.format != FORMAT:
            raise InvalidInput(
                f"{folder.name} is a dataset of format {self.manifest.format}; this Tektite reads format "
                f"{FORMAT}. Freeze it again."
            )

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, number: int) -> FoilSample:
        entry = self.entries[number]
        values = asdict(entry)
        del values["height_px"], values["width_px"]
        return FoilSample(**{**values, "pixels": self.pixels(entry), "alpha": self.alpha(entry)})

    def __iter__(self) -> Iterator[FoilSample]:
        return (self[number] for number in range(len(self)))

    def of(self, kind: str, side: str) -> list[FoilEntry]:
        """The lines of one kind on one side."""
        return [entry for entry in self.entries if (entry.kind, entry.side) == (kind, side)]

    def pixels(self, entry: FoilEntry) -> Grey:
        """(H, W) uint8 or uint16."""
        pixels: Grey = np.load(self.folder / ARRAYS_FOLDER / entry.pixels, allow_pickle=False)
        return pixels

    def alpha(self, entry: FoilEntry) -> Alpha | None:
        """(H, W) uint8 of a cut-out; else None."""
        if entry.alpha is None:
            return None
        alpha: Alpha = np.load(self.folder / ARRAYS_FOLDER / entry.alpha, allow_pickle=False)
        return alpha

    def verify(self) -> None:
        """Compare every hash; InvalidInput names the first file that has changed."""
        for file, sha256 in self.manifest.hashes.items():
            path = self.folder / file
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
                raise InvalidInput(f"{file} of the dataset has changed or is lost; freeze the dataset again.")
        if self.manifest.hashed().sha256 != self.manifest.sha256:
            raise InvalidInput(f"{MANIFEST_FILE} of the dataset has changed; freeze the dataset again.")
