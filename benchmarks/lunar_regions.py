"""The four real regions, their craters, and the global picture, as the crater benchmarks use them."""

import csv
import os
import re
import struct
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from pyproj import CRS
from rasterio.transform import from_origin
from scipy.ndimage import gaussian_filter, zoom

from benchmarks.record import FOLDER
from mlcore.bodies import get_body
from mlcore.errors import NotFound
from mlcore.raster.grid import Grid

DATA = Path(os.environ.get("TEKTITE_DATA", FOLDER.parent.parent / "shared" / "data"))
MOON_M = get_body("moon").radius_m
DEGREE_M = np.pi / 180 * MOON_M
REGIONS = {
    "gassendi": "gld100_gassendi_large",
    "farside": "gld100_farside",
    "copernicus": "gld100_copernicus",
    "tycho": "gld100_tycho",
}
TRUTH_SOURCES = ("povilaitis2018_lroc_5-20km", "head2010_ge20km")
MIN_DIAMETER_M = 5_000.0
HEAD_MIN_DIAMETER_M = 20_000.0
PICTURE_PX_PER_DEG = 16
# Of the global picture only these latitudes are used: nearer the poles its pixels hold little.
PICTURE_MAX_LAT = 65.0

Circles = NDArray[np.float64]


@dataclass(frozen=True)
class Region:
    """One elevation model with its lists.

    Attributes:
        name: Key of REGIONS.
        path: The GeoTIFF.
        grid: Of its pixels.
        truth: (n, 3) lon, lat, diameter_m of Povilaitis and Head, from 5 km, also those cut by an edge.
        lists: Source → (m, 3) of each of the four lists; of the IAU's features craters only.
    """

    name: str
    path: Path
    grid: Grid
    truth: Circles
    lists: dict[str, Circles]

    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        lon, lat = self.grid.lonlat(np.array([0, self.grid.width_px]), np.array([self.grid.height_px, 0]))
        return float(lon[0]), float(lat[0]), float(lon[1]), float(lat[1])

    def whole(self, circles: Circles) -> NDArray[np.bool_]:
        """Which circles lie wholly inside."""
        west, south, east, north = self.bounds()
        reach = circles[:, 2] / 2 / DEGREE_M
        reach_lon = reach / np.cos(np.radians(circles[:, 1]))
        return (
            (circles[:, 0] - reach_lon >= west)
            & (circles[:, 0] + reach_lon <= east)
            & (circles[:, 1] - reach >= south)
            & (circles[:, 1] + reach <= north)
        )


def _need(path: Path) -> Path:
    if not path.exists():
        raise NotFound(f"{path.name} is not there; set TEKTITE_DATA to the folder of the real data.")
    return path


def iau_craters() -> set[str]:
    """Names of the IAU's features whose type says crater, from the nomenclature shapefile's table."""
    with zipfile.ZipFile(_need(DATA / "catalogues" / "MOON_nomenclature_usgs_shapefile.zip")) as archive:
        name = next(n for n in archive.namelist() if n.lower().endswith(".dbf"))
        raw = archive.read(name)
    count, head, size = struct.unpack("<IHH", raw[4:12])
    columns, offset = {}, 1
    for start in range(32, head - 1, 32):
        title = raw[start : start + 11].split(b"\0")[0].decode()
        columns[title] = (offset, offset + raw[start + 16])
        offset += raw[start + 16]
    names = set()
    for number in range(count):
        row = raw[head + number * size : head + (number + 1) * size]
        cell = {title: row[a:b].decode("utf-8", "replace").strip() for title, (a, b) in columns.items()}
        if cell["type"] in ("Crater, craters", "Crater", "Satellite Feature"):
            names.add(cell["name"])
    return names


def load_region(name: str) -> Region:
    """One region with its lists."""
    stem = _need(DATA / "dem" / f"{REGIONS[name]}_256ppd.tif").with_suffix("").name
    path = DATA / "dem" / f"{stem}.tif"
    with rasterio.open(path) as source:
        wkt, transform = source.crs.to_wkt(), source.transform
        edge = transform.a * (DEGREE_M if source.crs.is_geographic else 1.0)
        grid = Grid("moon", wkt, "", transform.c, transform.f, transform.a, source.width, source.height, edge)
    craters = iau_craters()
    truth: list[tuple[float, float, float]] = []
    lists: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    with (DATA / "dem" / f"{REGIONS[name]}_craters.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            circle = (float(row["lon"]), float(row["lat"]), float(row["diam_km"]) * 1000)
            if row["source"] in TRUTH_SOURCES and circle[2] >= MIN_DIAMETER_M:
                truth.append(circle)
            if not row["source"].startswith("iau") or row["name"] in craters:
                lists[row["source"]].append(circle)
    return Region(name, path, grid, np.array(truth), {key: np.array(rows) for key, rows in lists.items()})


def head_craters() -> Circles:
    """(n, 3) of the global list of craters from 20 km; its lines end in bare carriage returns."""
    text = _need(DATA / "catalogues" / "head2010_HeadCraters_ge20km.csv").read_text()
    rows = [line.split(",") for line in re.split(r"[\r\n]+", text)[1:] if line]
    return np.array([(float(lon), float(lat), float(km) * 1000) for lon, lat, km in rows])


def write_picture(target: Path, hidden: list[tuple[float, float, float, float]]) -> Grid:
    """The global picture of elevation as a raster of twice its pixels, with some regions blanked out.

    Its greys rise with elevation by an unknown factor; the network sees relief only relative to itself.

    Args:
        target: GeoTIFF to write.
        hidden: Boxes west, south, east, north, blanked with half a degree around them.

    Returns:
        Its grid: 0 to 360° of longitude, as the picture lies.
    """
    picture = _need(DATA / "global" / "WAC_GLD100_E000N1800_016P.jpg")
    grey = gaussian_filter(np.asarray(Image.open(picture).convert("L"), np.float32), 0.6, mode="wrap")
    # About 80 m a grey: 20 km of relief over 255 greys, so that gentle ground stays gentle.
    elevation = zoom(grey, 2, order=1) * 80.0
    edge = 1 / (2 * PICTURE_PX_PER_DEG)
    height, width = elevation.shape
    lon = (np.arange(width) + 0.5) * edge
    lat = 90 - (np.arange(height) + 0.5) * edge
    for west, south, east, north in hidden:
        columns = ((lon - west + 0.5) % 360) <= (east - west) + 1
        rows = (lat >= south - 0.5) & (lat <= north + 0.5)
        elevation[np.ix_(rows, columns)] = -32768
    wkt = CRS.from_proj4(f"+proj=longlat +R={MOON_M:.0f} +no_defs").to_wkt()
    with rasterio.open(
        target, "w", driver="GTiff", width=width, height=height, count=1, dtype="float32", nodata=-32768,
        crs=wkt, transform=from_origin(0, 90, edge, edge), tiled=True,
    ) as file:  # fmt: skip
        file.write(elevation, 1)
    return Grid("moon", wkt, "", 0.0, 90.0, edge, width, height, edge * DEGREE_M)
