"""Datasets: frozen, hashed folders of samples.

    manifest.json   what it is: counts, split, provenance, hashes; `sha256` over all the rest
    samples.jsonl   one line per sample: where it lies and what is labelled in it
    arrays/         00000_elevation.npy (float32, NaN where unknown), 00000_side.npy (uint8)

The same labels freeze to the same hash on any machine. Reading it needs neither rasterio nor shapely
nor a database.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlcore.errors import InvalidInput
from mlcore.raster.grid import Grid
from mlcore.raster.pyramid import Scale, Window, scale_of
from mlcore.split import SIDES, UNLABELLED, split_codes, split_side

__all__ = [
    "CircleLabel", "Dataset", "Manifest", "Sample", "side_at", "split_codes", "split_side", "write_dataset",
]  # fmt: skip

FORMAT = 1
MANIFEST_FILE = "manifest.json"
SAMPLES_FILE = "samples.jsonl"
ARRAYS_FOLDER = "arrays"


@dataclass(frozen=True)
class CircleLabel:
    """A circle in a sample's pixels.

    Attributes:
        x_px: Centre, rightwards from the sample's left edge.
        y_px: Downwards from its top edge.
        diameter_px: Rim to rim.
        weight: How much it counts, 0–1: the existence probability that people's skill gives.
        number: Which circle of the grid it is: the same circle in two samples has the same number.
    """

    x_px: float
    y_px: float
    diameter_px: float
    weight: float = 1.0
    number: int = 0


@dataclass(frozen=True)
class Sample:
    """A piece of terrain at square ground pixels, with all that is labelled in it.

    Attributes:
        elevation_m: (H, W) float32, NaN where unknown.
        side: (H, W) uint8: UNLABELLED where not fully searched, else TRAIN, VALIDATION or TEST.
        craters: Settled craters that meet the sample.
        negatives: Proposals that people rejected.
        grid: The grid it was cut from.
        window: Where on the grid, and at which level.
        min_diameter_px: Craters from here up are all labelled; smaller ones may be there unlabelled.
    """

    elevation_m: NDArray[np.float32]
    side: NDArray[np.uint8]
    craters: list[CircleLabel]
    negatives: list[CircleLabel]
    grid: Grid
    window: Window
    min_diameter_px: float

    @property
    def scale(self) -> Scale:
        """How its pixels lie on the grid."""
        return scale_of(self.grid, self.window)

    @property
    def resolution_m_per_px(self) -> float:
        """Ground size of a pixel."""
        return self.grid.resolution_m_per_px * self.window.factor

    def described(self) -> dict[str, Any]:
        """All but the arrays, JSON-serialisable and rounded so that the hash is stable."""
        return {
            "craters": [_rounded(circle) for circle in self.craters],
            "negatives": [_rounded(circle) for circle in self.negatives],
            "grid": self.grid.to_json(),
            "window": self.window.to_json(),
            "min_diameter_px": round(self.min_diameter_px, 3),
        }


def _rounded(circle: CircleLabel) -> dict[str, float]:
    return {name: round(value, 3) for name, value in asdict(circle).items()}


@dataclass(frozen=True)
class Manifest:
    """What a dataset is.

    Attributes:
        system: The system it was frozen for.
        body: Key of mlcore.bodies.BODIES.
        block_deg: Height of the split's cells.
        min_diameter_m: Smallest crater that was labelled completely.
        samples: How many.
        counts: {"craters": {side: n}, "negatives": {side: n}, "pixels": {side: n}}; a circle is counted
            once, on the side of its centre, however many samples show it.
        hashes: File name → sha256.
        provenance: Where it is from, as its maker wrote it: pseudonyms, no names.
        sha256: Over the canonical JSON of all the above.
    """

    system: str
    body: str
    block_deg: float
    min_diameter_m: float
    samples: int
    counts: dict[str, dict[str, int]]
    hashes: dict[str, str]
    provenance: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT
    sha256: str = ""

    def hashed(self) -> Self:
        """The same with sha256 filled in."""
        content = {name: value for name, value in asdict(self).items() if name != "sha256"}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return type(self)(**content, sha256=hashlib.sha256(canonical.encode()).hexdigest())


def side_at(sample: Sample, circle: CircleLabel) -> int:
    """The side of the pixel at a circle's centre; UNLABELLED outside the sample."""
    x, y = int(np.floor(circle.x_px)), int(np.floor(circle.y_px))
    height, width = sample.side.shape
    return int(sample.side[y, x]) if 0 <= x < width and 0 <= y < height else UNLABELLED


class _Counts:
    """Adds up what samples hold; the same circle shows in several."""

    def __init__(self) -> None:
        self.by_side = {what: dict.fromkeys(SIDES, 0) for what in ("craters", "negatives", "pixels")}
        self._seen: set[tuple[str, Grid, int]] = set()

    def add(self, sample: Sample) -> None:
        for name, code in SIDES.items():
            self.by_side["pixels"][name] += int((sample.side == code).sum())
        for what, circles in (("craters", sample.craters), ("negatives", sample.negatives)):
            for circle in circles:
                self._add_circle(what, sample, circle)

    def _add_circle(self, what: str, sample: Sample, circle: CircleLabel) -> None:
        key, code = (what, sample.grid, circle.number), side_at(sample, circle)
        side = next((name for name, known in SIDES.items() if known == code), None)
        if side is not None and key not in self._seen:
            self._seen.add(key)
            self.by_side[what][side] += 1


def write_dataset(
    folder: Path,
    samples: Iterable[Sample],
    *,
    system: str,
    body: str,
    block_deg: float,
    min_diameter_m: float,
    provenance: dict[str, Any] | None = None,
) -> Manifest:
    """Freeze samples into a folder, whole or not at all.

    Args:
        folder: Where; must not exist.
        samples: May be a generator: one sample at a time is held.
        system: Key of mlcore.registry.SYSTEMS.
        body: Key of mlcore.bodies.BODIES.
        block_deg: Height of the split's cells.
        min_diameter_m: Smallest crater that was labelled completely.
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
    counts = _Counts()
    hashes: dict[str, str] = {}
    lines = []
    for number, sample in enumerate(samples):
        for name, array in (
            ("elevation", sample.elevation_m.astype("<f4")),
            ("side", sample.side.astype("u1")),
        ):
            file = f"{ARRAYS_FOLDER}/{number:05d}_{name}.npy"
            np.save(half_done / file, np.ascontiguousarray(array), allow_pickle=False)
            hashes[file] = _sha256(half_done / file)
        counts.add(sample)
        lines.append(json.dumps(sample.described(), sort_keys=True, allow_nan=False))
    if not lines:
        shutil.rmtree(half_done)
        raise InvalidInput(
            "There is nothing to freeze: no tile is fully searched yet. Submit some tiles' visits first."
        )
    (half_done / SAMPLES_FILE).write_text("\n".join(lines) + "\n")
    hashes[SAMPLES_FILE] = _sha256(half_done / SAMPLES_FILE)
    manifest = Manifest(
        system, body, block_deg, min_diameter_m, len(lines), counts.by_side, hashes, provenance or {}
    ).hashed()
    (half_done / MANIFEST_FILE).write_text(json.dumps(asdict(manifest), indent=1, sort_keys=True))
    half_done.replace(folder)
    return manifest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Dataset:
    """A frozen folder, read one sample at a time.

    Args:
        folder: Written by write_dataset.

    Raises:
        InvalidInput: It is not a dataset of this format.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.manifest = Manifest(**json.loads((folder / MANIFEST_FILE).read_text()))
            self._lines = [json.loads(line) for line in (folder / SAMPLES_FILE).read_text().splitlines()]
        except (OSError, ValueError, TypeError):
            raise InvalidInput(
                f"{folder.name} is not a dataset: it needs {MANIFEST_FILE} and {SAMPLES_FILE}; freeze one."
            ) from None
        if self.manifest.format != FORMAT:
            raise InvalidInput(
                f"{folder.name} is a dataset of format {self.manifest.format}; this Tektite reads format "
                f"{FORMAT}. Freeze it again."
            )

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, number: int) -> Sample:
        described = dict(self._lines[number])
        stem = f"{number:05d}"
        grid, window = described.pop("grid"), described.pop("window")
        for name in ("craters", "negatives"):
            described[name] = [CircleLabel(**circle) for circle in described[name]]
        return Sample(
            elevation_m=np.load(self.folder / ARRAYS_FOLDER / f"{stem}_elevation.npy", allow_pickle=False),
            side=np.load(self.folder / ARRAYS_FOLDER / f"{stem}_side.npy", allow_pickle=False),
            **described,
            grid=Grid.from_json(grid),
            window=Window.from_json(window),
        )

    def __iter__(self) -> Iterator[Sample]:
        return (self[number] for number in range(len(self)))

    def verify(self) -> None:
        """Compare every hash; InvalidInput names the first file that has changed."""
        for file, sha256 in self.manifest.hashes.items():
            path = self.folder / file
            if not path.is_file() or _sha256(path) != sha256:
                raise InvalidInput(f"{file} of the dataset has changed or is lost; freeze the dataset again.")
        if self.manifest.hashed().sha256 != self.manifest.sha256:
            raise InvalidInput(f"{MANIFEST_FILE} of the dataset has changed; freeze the dataset again.")
