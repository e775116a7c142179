"""Bands in which there is nothing to see: all one value, or no data at all."""

import numpy as np
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from mlcore.errors import InvalidInput
from mlcore.raster.layout import Layout, known_pixels, value_bands
from mlcore.raster.source import broken

# Blocks that are looked at for a second value; conversion looks at all.
_SAMPLES, _SAMPLE_PX = 64, 512


def refuse_emptiness(dataset: DatasetReader, name: str) -> tuple[float, float]:
    """Look for two different values in each band, in a few dozen places.

    Args:
        dataset: Open, of an allowed dtype.
        name: What to call it in refusals.

    Returns:
        Smallest and largest value seen in the first band, scaled; not the whole range.

    Raises:
        InvalidInput: A band that could be looked through has at most one value, or pixels cannot be read.
    """
    columns, rows = (-(-size // _SAMPLE_PX) for size in (dataset.width, dataset.height))
    # The last block first: a file that ends early shows it there. The others in a fixed shuffle, for
    # corners are often empty.
    order = np.random.default_rng(1).permutation(columns * rows)[:_SAMPLES]
    blocks = [columns * rows - 1, *(int(block) for block in order)]
    ranges = []
    for band in value_bands(dataset):
        low, high = np.inf, -np.inf
        for block in blocks:
            column, row = (block % columns) * _SAMPLE_PX, (block // columns) * _SAMPLE_PX
            shape = min(_SAMPLE_PX, dataset.width - column), min(_SAMPLE_PX, dataset.height - row)
            try:
                values = dataset.read(band, window=Window(column, row, *shape), masked=True)
            except RasterioError as error:
                raise broken(name) from error
            known = values.compressed()[np.isfinite(values.compressed())].astype(float)
            if known.size:
                low, high = min(low, known.min()), max(high, known.max())
            if low < high:
                break
        if low >= high and columns * rows <= _SAMPLES:
            raise empty_band(name, band, low)
        ranges.append((low * dataset.scales[band - 1], high * dataset.scales[band - 1]))
    return ranges[0]


def empty_band(name: str, band: int, value: float) -> InvalidInput:
    """The refusal of a band in which there is nothing to see."""
    found = "no valid pixel" if not np.isfinite(value) else f"the value {value:g} everywhere"
    return InvalidInput(
        f"Band {band} of '{name}' has {found}: there is nothing to see. Check the file and its nodata value "
        "with gdalinfo -stats, or leave the band out with gdal_translate -b.",
        code="empty_band",
    )


class Range:
    """Smallest and largest value of each band of a raster that goes by in blocks."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.low = np.full(layout.bands, np.inf)
        self.high = np.full(layout.bands, -np.inf)

    def add(self, values: NDArray) -> None:
        """Take a block into account, as read_block gives it."""
        known = known_pixels(values, self.layout)
        for band in range(self.layout.bands):
            found = values[band][known[band]]
            if found.size:
                self.low[band] = min(self.low[band], found.min())
                self.high[band] = max(self.high[band], found.max())

    def refuse_empty(self, name: str) -> None:
        """Refuse the raster if one of its bands had at most one value in all blocks."""
        for band in range(self.layout.bands):
            if self.low[band] >= self.high[band]:
                raise empty_band(name, band + 1, float(self.low[band]))
