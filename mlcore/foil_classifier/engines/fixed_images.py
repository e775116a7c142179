"""The fixed images on which an engine of less precision is held against one in float32.

A training leaves some of its validation side beside the weights: they look like what will be scored. A
version without them is held against images of the frozen simulator, the same ones for every version.
"""

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlcore import durable
from mlcore.errors import InvalidInput
from mlcore.formats.pictures import Grey

FILE = "fixed_images.npz"
# Of each kind, with a crater and without: some seconds on the first use of a version.
N_OF_A_KIND = 24
# Fewer of a model's own say too little, and the simulator's are taken.
LEAST = 8
SEED = 20261


@dataclass(frozen=True)
class FixedImages:
    """Some images, and where they come from.

    Attributes:
        pictures: Grey, of any sizes.
        origin: "validation side" or "simulator".
        sha256: Of all of them.
    """

    pictures: list[Grey]
    origin: str
    sha256: str


def keep(artifact: Path, pictures: Sequence[Grey]) -> None:
    """Leave images in an artifact's folder.

    Args:
        artifact: The folder.
        pictures: Some with a crater, some without.
    """
    written = io.BytesIO()
    np.savez_compressed(written, *pictures)
    durable.write(artifact / FILE, written.getvalue())


def fixed_images(artifact: Path) -> FixedImages:
    """The images of an artifact: its own, else simulated ones, which takes seconds.

    Raises:
        InvalidInput: Its own cannot be read.
    """
    path = artifact / FILE
    if path.exists():
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
                return _hashed([kept[name] for name in kept.files], "validation side")
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise InvalidInput(
                f"{FILE} of the model cannot be read ({error}); remove it, and simulated images are taken."
            ) from None
    return _hashed(_simulated(), "simulator")


def _simulated() -> list[Grey]:
    # It loads scipy, which whoever scores with a version that has its own images does not need.
    from mlcore.simulate.foil_survey import SurveyParameters, take

    kinds = [SurveyParameters(crater_share=share, series_share=0.0) for share in (1e-9, 1.0 - 1e-9)]
    return [take(kind, SEED, number).frames[0] for kind in kinds for number in range(1, N_OF_A_KIND + 1)]


def _hashed(pictures: list[Grey], origin: str) -> FixedImages:
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(f"{picture.dtype.name} {picture.shape}\n".encode() + picture.tobytes())
    return FixedImages(pictures, origin, digest.hexdigest())
