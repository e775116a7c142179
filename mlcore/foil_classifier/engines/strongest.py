"""How strong the answers of each convolution are: what a byte has to hold where the next one takes bytes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mlcore.foil_classifier.engines.fixed_images import fixed_images
from mlcore.foil_classifier.engines.kept import Kept
from mlcore.foil_classifier.engines.weights import Array
from mlcore.formats.pictures import Grey

_QUESTION = "strongest answers"


def strongest(artifact: Path, ask: Callable[[Grey], Array]) -> list[float]:
    """The strongest answer of each convolution to any of the fixed images, asked once for a version.

    Args:
        artifact: Folder of the weights.
        ask: In float32, of one picture: (number of convolutions,).
    """
    kept = Kept(artifact)
    known = kept.answer(_QUESTION)
    if isinstance(known, list):
        return [float(value) for value in known]
    found = np.max([ask(picture) for picture in fixed_images(artifact).pictures], axis=0)
    answer = [float(value) for value in found]
    kept.keep(_QUESTION, answer)
    return answer
