"""Rasters become COGs whose blocks are the map tiles: 256 px, with an overview for every zoom.

Overviews are made here and not by GDAL, whose levels are stretched by up to a pixel where a size
is odd: pixel (i, j) of a level is the mean of the known ones among its four pixels of the level below.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.io import DatasetReader, DatasetWriter
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window
from shapely.geometry import MultiPolygon

from mlcore.errors import InvalidInput
from mlcore.raster.grid import MAP_TILE_PX
from mlcore.raster.inspection import RasterInfo, empty_band, grid_of, inspect
from mlcore.raster.layout import Layout, layout_of, read_block
from mlcore.raster.outline import footprint_of
from mlcore.raster.overview_vrt import write_vrt
from mlcore.raster.source import open_source

__all__ = [
    "PERCENTILES",
    "RasterInfo",
    "convert_to_cog",
    "footprint",
    "grid_of",
    "inspect",
    "statistics",
    "write_cog",
]

Progress = Callable[[float], None]
# Percentages whose values are kept for contrast stretches; keys "p0_1", "p1", … "p99_9".
PERCENTILES = (0.1, 1.0, 2.0, 5.0, 50.0, 95.0, 98.0, 99.0, 99.9)
_WINDOW_PX, _STRIP_PX = 2048, 32_000_000
# Shares of the work: the pixels, the overviews, the COG.
_BASE_DONE, _OVERVIEWS_DONE = 0.6, 0.8


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


def write_cog(
    target: Path,
    layout: Layout,
    blocks: Iterable[tuple[Window, NDArray]],
    *,
    name: str,
    progress: Progress,
) -> None:
    """Store blocks of pixels as a COG with its overviews.

    Args:
        target: The COG; replaced in one step when all is well.
        layout: Of the pixels; not warped (the blocks are in its frame).
        blocks: Windows that cover the layout, each with (bands, or bands + 1 with alpha, H, W) values.
        name: What to call the raster in refusals.
        progress: Called with the fraction done, 0–1.

    Raises:
        InvalidInput: A band is empty or constant.
    """
    with TemporaryDirectory(dir=target.parent, prefix=".cog-") as folder:
        levels = [Path(folder) / "0.tif"]
        _write_base(levels[0], layout, blocks, name=name, progress=progress)
        while max(_level_size(layout, len(levels) - 1)) > MAP_TILE_PX:
            levels.append(Path(folder) / f"{len(levels)}.tif")
            _halve_file(levels[-2], levels[-1], layout, len(levels) - 1)
            # Each level is a quarter of the work of the one before.
            progress(_OVERVIEWS_DONE - (_OVERVIEWS_DONE - _BASE_DONE) * 0.25 ** (len(levels) - 1))
        vrt = Path(folder) / "cog.vrt"
        write_vrt(vrt, levels)
        finished = Path(folder) / "cog.tif"
        rasterio.shutil.copy(
            vrt,
            finished,
            driver="COG",
            compress="DEFLATE",
            predictor="YES",
            blocksize=MAP_TILE_PX,
            bigtiff="IF_SAFER",
            sparse_ok=True,
            overviews="FORCE_USE_EXISTING" if len(levels) > 1 else "NONE",
        )
        finished.replace(target)
    progress(1.0)


def _write_base(
    path: Path, layout: Layout, blocks: Iterable[tuple[Window, NDArray]], *, name: str, progress: Progress
) -> None:
    seen, done = _Range(layout), 0
    with _create(path, layout, 0) as base:
        for window, values in blocks:
            base.write(values, window=window)
            seen.add(values)
            done += window.width * window.height
            progress(_BASE_DONE * done / (layout.width_px * layout.height_px))
    seen.refuse_empty(name)


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


def halve(values: NDArray, layout: Layout) -> NDArray:
    """One overview step: means of two by two pixels, of the known ones among them.

    Args:
        values: (bands, or bands + 1 with alpha, H, W) in the layout's dtype and nodata.
        layout: Says how absence is stored.

    Returns:
        (same, ceil(H/2), ceil(W/2)); nodata where none of the four is known.
    """
    height, width = values.shape[1:]
    known = _known(values, layout)
    pixels = values[: layout.bands].astype(np.float64 if values.dtype.itemsize > 2 else np.float32)
    odd = ((0, 0), (0, height % 2), (0, width % 2))
    total = _sum_of_four(np.pad(np.where(known, pixels, 0), odd))
    count = _sum_of_four(np.pad(known.astype(np.float32), odd))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
    if layout.dtype == "float32":
        return mean.astype(np.float32)
    found = np.where(count > 0, np.rint(mean), 0 if layout.nodata is None else layout.nodata)
    halved = found.astype(layout.dtype)
    if layout.alpha:
        opaque = np.iinfo(layout.dtype).max
        halved = np.concatenate([halved, np.where(count[:1] > 0, opaque, 0).astype(layout.dtype)])
    return halved


def _known(values: NDArray, layout: Layout) -> NDArray[np.bool_]:
    pixels = values[: layout.bands]
    if layout.alpha:
        return np.broadcast_to(values[-1] > 0, pixels.shape)
    if layout.nodata is None:
        return np.ones(pixels.shape, bool)
    return ~np.isnan(pixels) if np.isnan(layout.nodata) else pixels != layout.nodata


def _sum_of_four(values: NDArray) -> NDArray:
    pairs = values[:, ::2] + values[:, 1::2]
    return pairs[:, :, ::2] + pairs[:, :, 1::2]


class _Range:
    """Smallest and largest value of each band so far."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.low = np.full(layout.bands, np.inf)
        self.high = np.full(layout.bands, -np.inf)

    def add(self, values: NDArray) -> None:
        known = _known(values, self.layout)
        for band in range(self.layout.bands):
            found = values[band][known[band]]
            if found.size:
                self.low[band] = min(self.low[band], found.min())
                self.high[band] = max(self.high[band], found.max())

    def refuse_empty(self, name: str) -> None:
        for band in range(self.layout.bands):
            if self.low[band] >= self.high[band]:
                raise empty_band(name, band + 1, float(self.low[band]))


def _blocks(
    reader: DatasetReader | WarpedVRT, source: DatasetReader, layout: Layout
) -> Iterator[tuple[Window, NDArray]]:
    for window in windows(layout.width_px, layout.height_px, tiled=source.profile.get("tiled", False)):
        yield window, read_block(reader, layout, window)


def windows(width_px: int, height_px: int, *, tiled: bool = True) -> Iterator[Window]:
    """Windows that cover a raster, aligned to the COG's blocks; whole strips where it is stored in strips."""
    across = _WINDOW_PX if tiled else width_px
    rows = _WINDOW_PX if tiled else max(1, _STRIP_PX // width_px // MAP_TILE_PX) * MAP_TILE_PX
    for top in range(0, height_px, rows):
        for left in range(0, width_px, across):
            yield Window(left, top, min(across, width_px - left), min(rows, height_px - top))


def _level_size(layout: Layout, level: int) -> tuple[int, int]:
    return -(-layout.width_px // 2**level), -(-layout.height_px // 2**level)


def _create(path: Path, layout: Layout, level: int) -> DatasetWriter:
    width, height = _level_size(layout, level)
    a, _, c, _, e, f = layout.transform[:6]
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": layout.bands + layout.alpha,
        "dtype": layout.dtype,
        "crs": layout.crs,
        "transform": Affine(a * 2**level, 0.0, c, 0.0, e * 2**level, f),
        "nodata": layout.nodata,
        "tiled": True,
        "blockxsize": MAP_TILE_PX,
        "blockysize": MAP_TILE_PX,
        "bigtiff": "IF_SAFER",
        "sparse_ok": True,
        **({"photometric": "RGB"} if layout.bands == 3 and layout.dtype in ("uint8", "uint16") else {}),
        **({"alpha": "YES"} if layout.alpha else {}),
    }
    dataset = rasterio.open(path, "w", **profile)
    if layout.unit:
        dataset.units = [layout.unit] * dataset.count
    return dataset


def _halve_file(source: Path, target: Path, layout: Layout, level: int) -> None:
    with rasterio.open(source) as finer, _create(target, layout, level) as coarser:
        for window in windows(finer.width, finer.height):
            values = halve(finer.read(window=window), layout)
            half = Window(window.col_off // 2, window.row_off // 2, values.shape[2], values.shape[1])
            coarser.write(values, window=half)


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
