"""Blocks of pixels become a COG whose blocks are the map tiles: 256 px, with an overview for every zoom.

Overviews are made here and not by GDAL, whose levels are stretched by up to a pixel where a size
is odd: pixel (i, j) of a level is the mean of the known ones among its four pixels of the level below.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from mlcore.errors import NoRoom
from mlcore.raster.emptiness import Range
from mlcore.raster.grid import MAP_TILE_PX
from mlcore.raster.layout import Layout, known_pixels
from mlcore.raster.overview_vrt import write_vrt

Progress = Callable[[float], None]
_WINDOW_PX, _STRIP_PX = 2048, 32_000_000
# Bytes; a write of this size may fail halfway.
_FULL_BELOW = 1 << 20
# Shares of the work: the pixels, the overviews; the rest is packing them into the COG.
_BASE_DONE, _OVERVIEWS_DONE = 0.2, 0.4
# What packing leaves of the bytes, roughly: only progress depends on it.
_PACKED = 0.7


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
        NoRoom: The disk ran full; nothing is left of the work.
    """
    with TemporaryDirectory(dir=target.parent, prefix=".cog-") as folder, _told_when_full(folder, name):
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
        expected = _PACKED * sum(level.stat().st_size for level in levels)
        _pack(vrt, finished, expected, has_overviews=len(levels) > 1, progress=progress)
        finished.replace(target)
    progress(1.0)


@contextmanager
def _told_when_full(folder: str, name: str) -> Iterator[None]:
    """GDAL only whispers that a disk is full: what it reads back looks damaged, and files may lack an end."""
    try:
        yield
    finally:
        if disk_usage(folder).free < _FULL_BELOW:
            raise NoRoom(
                f"The server's disk ran full while '{name}' was converted; what was written is removed. "
                "Whoever runs this site can make room; then try again."
            )


def work_bytes(layout: Layout) -> int:
    """What write_cog has on the disk at most, in bytes: every level unpacked, and a COG that is not smaller.

    Args:
        layout: Of the pixels.
    """
    width_px, height_px = (
        -(-edge // MAP_TILE_PX) * MAP_TILE_PX for edge in (layout.width_px, layout.height_px)
    )
    samples = width_px * height_px * (layout.bands + layout.alpha)
    # The overviews add a third, and blocks are whole also in the smallest of them.
    return 2 * (samples * np.dtype(layout.dtype).itemsize * 4 // 3 + 16 * MAP_TILE_PX**2)


def _pack(vrt: Path, target: Path, expected: float, *, has_overviews: bool, progress: Progress) -> None:
    """Run GDAL's COG driver, which does not say how far it is, beside a look at its file every second."""
    with ThreadPoolExecutor(1) as pool:
        packing = pool.submit(
            rasterio.shutil.copy,
            vrt,
            target,
            driver="COG",
            compress="DEFLATE",
            predictor="YES",
            blocksize=MAP_TILE_PX,
            bigtiff="IF_SAFER",
            sparse_ok=True,
            overviews="FORCE_USE_EXISTING" if has_overviews else "NONE",
        )
        while wait([packing], timeout=1.0).not_done:
            done = target.stat().st_size / expected if target.exists() else 0.0
            progress(_OVERVIEWS_DONE + (1.0 - _OVERVIEWS_DONE) * min(done, 0.99))
        packing.result()


def _write_base(
    path: Path, layout: Layout, blocks: Iterable[tuple[Window, NDArray]], *, name: str, progress: Progress
) -> None:
    seen, done = Range(layout), 0
    with _create(path, layout, 0) as base:
        for window, values in blocks:
            base.write(values, window=window)
            seen.add(values)
            done += window.width * window.height
            progress(_BASE_DONE * done / (layout.width_px * layout.height_px))
    seen.refuse_empty(name)


def halve(values: NDArray, layout: Layout) -> NDArray:
    """One overview step: means of two by two pixels, of the known ones among them.

    Args:
        values: (bands, or bands + 1 with alpha, H, W) in the layout's dtype and nodata.
        layout: Says how absence is stored.

    Returns:
        (same, ceil(H/2), ceil(W/2)); nodata where none of the four is known.
    """
    height, width = values.shape[1:]
    known = known_pixels(values, layout)
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


def _sum_of_four(values: NDArray) -> NDArray:
    pairs = values[:, ::2] + values[:, 1::2]
    return pairs[:, :, ::2] + pairs[:, :, 1::2]


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
