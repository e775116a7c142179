"""The one way from a picture's grey values to what the network sees, in training and in scoring. No torch."""

import numpy as np
from numpy.typing import NDArray

from mlcore.formats.pictures import Grey

Array = NDArray[np.float32]

EIGHT_BITS = 255.0
# Added to the standard deviation, in 1/255 of the range: a picture of nothing stays quiet.
LEAST_DEVIATION = 1.0
# What the card says of it.
NORMALISATION: dict[str, object] = {"kind": "(x − mean) / (deviation + 1), x in 1/255 of the picture's range"}


def top_of_range(grey: Grey) -> int:
    """The brightest value that the picture could hold: 255, or of 16 bits the bits that it uses.

    Microscopes write 12 or 14 bits into files of 16; the range is the smallest 2ⁿ − 1 that holds the picture.
    """
    if grey.dtype == np.uint8:
        return 255
    return max(255, 2 ** int(grey.max()).bit_length() - 1)


def normalise(grey: Grey) -> Array:
    """What the network sees of a picture.

    Args:
        grey: Shape (height, width), uint8 or uint16.

    Returns:
        The same shape, float32, mean 0 and deviation just below 1: brightness, contrast and depth of the file
        fall out, grain and shape stay.
    """
    _, scale, values = _centred(grey)
    values *= scale
    return values


def moments(grey: Grey) -> tuple[np.float32, np.float32]:
    """For who normalises elsewhere: the mean, and the factor, of normalise(grey) = (grey − mean) · factor."""
    return _centred(grey)[:2]


def _centred(grey: Grey) -> tuple[np.float32, np.float32, Array]:
    """Mean, factor, and the values less the mean.

    Exact sums of whole numbers, and squares of what is left of the values: no pass in float64, which would
    take four times as long, a tenth of what scoring takes.
    """
    mean = np.float32(float(grey.sum(axis=1, dtype=np.uint32).sum(dtype=np.uint64)) / grey.size)
    values: Array = np.subtract(grey, mean, dtype=np.float32)
    deviation = np.sqrt(np.vecdot(values, values).sum(dtype=np.float64) / grey.size)
    return mean, np.float32(1.0 / (deviation + LEAST_DEVIATION * top_of_range(grey) / EIGHT_BITS)), values
