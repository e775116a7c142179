"""Rasters that people bring become COGs in the normal form, and what is shown of them is counted."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window
from shapely.geometry import MultiPolygon

from mlcore.errors import InvalidInput
from mlcore.raster import packing
from mlcore.raster.inspection import RasterInfo, grid_of, inspect
from mlcore.raster.layout import Layout, layout_of, read_block
from mlcore.raster.outline import footprint_of
from mlcore.raster.packing import Progress, windows, write_cog
from mlcore.raster.source import open_source

__all__ = [
    "PERCENTILES",
    "RasterInfo",
    "convert_to_cog",
    "footprint",
    "grid_of",
    "inspect",
    "statistics",
    "work_bytes",
]

# Percentages whose values are kept for contrast stretches; keys "p0_1", "p1", … "p99_9".
PERCENTILES = (0.1, 1.0, 2.0, 5.0, 50.0, 95.0, 98.0, 99.0, 99.9)


def convert_to_cog(
    source: Path, target: Path, *, progress: Progress = lambda fraction: None, name: str | None = None
) -> None:
    """Bring an inspected raster to its normal form (see layout) and store it as a COG.

    Args:
        source: Passed inspect.
        target: Written at the end, in one step; its folder holds the work files until then.
        progress: Called with the fraction done, 0–1, at least once every few seconds.
        name: What to call the source in refusals.

    Raises:
        InvalidInput: Part of the pixels cannot be read, or a band is empty or constant throughout.
    """
    name = name or source.name
    with open_source(source, name=name) as dataset:
        layout = layout_of(dataset)
        if not layout.warped:
            write_cog(target, layout, _blocks(dataset, dataset, layout), name=name, progress=progress)
            return
        bare = layout.alpha and len(dataset.indexes) == layout.bands
        with WarpedVRT(
            dataset,
            crs=layout.crs,
            transform=layout.transform,
            width=layout.width_px,
            height=layout.height_px,
            resampling=Resampling.bilinear,
            nodata=layout.nodata,
            add_alpha=bare,
        ) as square:
            write_cog(target, layout, _blocks(square, dataset, layout), name=name, progress=progress)


def work_bytes(source: Path, *, derived_as: str | None = None) -> int:
    """What convert_to_cog, or deriving a layer, has on the disk at most while it works, in bytes.

    Args:
        source: Passed inspect.
        derived_as: The dtype of the one band of a derived layer of the same size; None for the raster itself.
    """
    with open_source(source, name=source.name) as dataset:
        layout = layout_of(dataset)
    if derived_as is not None:
        layout = replace(layout, dtype=derived_as, bands=1, alpha=False)
    return packing.work_bytes(layout)


def statistics(path: Path) -> list[dict[str, float]]:
    """What contrast stretches need to know of each band, from at most some four million pixels.

    Args:
        path: A COG of convert_to_cog.

    Returns:
        For each band that carries values: min, max, mean, std and the PERCENTILES as p0_1 … p99_9.
    """
    with rasterio.open(path) as dataset:
        layout = layout_of(dataset)
        factors = dataset.overviews(1)
    # The finest level of at most 2,048² pixels.
    level = next(
        (
            k
            for k, factor in enumerate([1, *factors])
            if layout.width_px * layout.height_px / factor**2 <= 2**22
        ),
        len(factors),
    )
    options: dict[str, Any] = {"overview_level": level - 1} if level else {}
    with rasterio.open(path, **options) as dataset:
        values = dataset.read(list(range(1, layout.bands + 1)))
        valid = dataset.read_masks(list(range(1, layout.bands + 1))) > 0
    return [_band_statistics(band[known].astype(float)) for band, known in zip(values, valid, strict=True)]


def footprint(info: RasterInfo, body: str) -> MultiPolygon:
    """The area a raster covers, in longitude and latitude within ±180°.

    Args:
        info: Of inspect.
        body: Key of BODIES.
    """
    return footprint_of(grid_of(info, body))


def _blocks(
    reader: DatasetReader | WarpedVRT, source: DatasetReader, layout: Layout
) -> Iterator[tuple[Window, NDArray]]:
    for window in windows(layout.width_px, layout.height_px, tiled=source.profile.get("tiled", False)):
        yield window, read_block(reader, layout, window)


def _band_statistics(values: NDArray[np.float64]) -> dict[str, float]:
    if not values.size:
        raise InvalidInput("A band has no valid pixel, so it has no statistics; convert the raster again.")
    found = np.percentile(values, PERCENTILES)
    named = {
        f"p{percent:g}".replace(".", "_"): float(v) for percent, v in zip(PERCENTILES, found, strict=True)
    }
    return {
        "min": float(values.min()),
        "max": float(values.max()),
        "mean": float(values.mean()),
        "std": float(values.std()),
        **named,
    }
