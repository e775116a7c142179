"""A campaign's grid: a projection, an origin and a square pixel, cut into map tiles and windows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer

MAP_TILE_PX = 256


@dataclass(frozen=True)
class Grid:
    """Pixels (x right, y down, 0 at the outer corner of the first pixel) on a body.

    Attributes:
        body: Key of mlcore.bodies.BODIES.
        crs_wkt: WKT of the projection (geographic or projected) of the basemap that gave the grid.
        proj4: The same for the browser, in proj4js's words, with +R or +a/+b.
        origin_x: Projected x of the left edge of pixel 0, in the CRS's units.
        origin_y: Projected y of the top edge of pixel 0.
        pixel_size: Edge of a pixel in the CRS's units (metres or degrees).
        width_px: Pixels that carry imagery, rightwards.
        height_px: Pixels that carry imagery, downwards.
        resolution_m_per_px: Ground size of a pixel at the middle of the grid.
    """

    body: str
    crs_wkt: str
    proj4: str
    origin_x: float
    origin_y: float
    pixel_size: float
    width_px: int
    height_px: int
    resolution_m_per_px: float

    @classmethod
    def from_json(cls, value: dict[str, object]) -> Self:
        """Inverse of to_json."""
        return cls(**value)  # type: ignore[arg-type]

    def to_json(self) -> dict[str, object]:
        """A JSON-serialisable dict with the attributes as keys."""
        return asdict(self)

    @property
    def max_zoom(self) -> int:
        """The zoom of native pixels: at zoom 0 the whole grid, padded to 256·2ⁿ, is one map tile."""
        return max(0, int(np.ceil(np.log2(max(self.width_px, self.height_px) / MAP_TILE_PX))))

    @cached_property
    def _to_lonlat(self) -> Transformer:
        crs = CRS.from_wkt(self.crs_wkt)
        return Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)

    def lonlat(
        self, x_px: NDArray[np.float64] | float, y_px: NDArray[np.float64] | float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitude and latitude, degrees, east-positive −180…180, of pixel positions (arrays or numbers)."""
        x = self.origin_x + np.asarray(x_px, dtype=float) * self.pixel_size
        y = self.origin_y - np.asarray(y_px, dtype=float) * self.pixel_size
        lon, lat = self._to_lonlat.transform(x, y)
        return (np.asarray(lon) + 180.0) % 360.0 - 180.0, np.asarray(lat)

    def pixel(
        self,
        lon: NDArray[np.float64] | float | Sequence[float],
        lat: NDArray[np.float64] | float | Sequence[float],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixel positions of longitudes and latitudes in degrees; inverse of lonlat up to whole turns."""
        x, y = self._to_lonlat.transform(
            np.asarray(lon, dtype=float), np.asarray(lat, dtype=float), direction="INVERSE"
        )
        return (np.asarray(x) - self.origin_x) / self.pixel_size, (
            self.origin_y - np.asarray(y)
        ) / self.pixel_size
