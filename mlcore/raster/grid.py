"""A campaign's grid: a projection, an origin and a square pixel, cut into map tiles and windows."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from mlcore.bodies import get_body

MAP_TILE_PX = 256
# Projections in which x grows evenly with longitude, so that a turn of 360° is a step in x.
_CYLINDRICAL = re.compile(r"^(mercator|(?!.*(transverse|oblique)).*cylindrical)", re.IGNORECASE)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """Pixels (x right, y down, 0 at the outer corner of the first pixel) on a body.

    Attributes:
        body: Key of mlcore.bodies.BODIES.
        crs_wkt: WKT of the projection (geographic or projected) of the basemap that gave the grid.
        proj4: The same for the browser, in proj4js's words, with +a and +b.
        origin_x: Projected x of the left edge of pixel 0, in the CRS's units.
        origin_y: Projected y of the top edge of pixel 0.
        pixel_size: Edge of a pixel in the CRS's units (metres or degrees).
        width_px: Pixels that carry imagery, rightwards.
        height_px: Pixels that carry imagery, downwards.
        resolution_m_per_px: Ground size of a pixel at the middle of the grid (root of its area).
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

    @cached_property
    def turn_px(self) -> float | None:
        """Pixels in 360° of longitude; None where x does not grow evenly with longitude."""
        crs = CRS.from_wkt(self.crs_wkt)
        if crs.is_geographic:
            return 360.0 / self.pixel_size
        operation = crs.coordinate_operation
        if operation is None or not _CYLINDRICAL.match(operation.method_name):
            return None
        # Twice, because the projection's own seam may lie between one of the pairs.
        x, _ = self._to_lonlat.transform([0.0, 60.0, 90.0, 150.0], [0.0] * 4, direction="INVERSE")
        return 6.0 * min(abs(x[1] - x[0]), abs(x[3] - x[2])) / self.pixel_size

    @cached_property
    def wrap_px(self) -> int | None:
        """Pixels after which the grid begins anew, where it goes all the way round the body; else None."""
        if self.turn_px is None or self.width_px < self.turn_px - 0.5:
            return None
        return round(self.turn_px)

    def lonlat(self, x_px: Floats | float, y_px: Floats | float) -> tuple[Floats, Floats]:
        """Places of pixel positions.

        Args:
            x_px: Pixels, array or number.
            y_px: Pixels, in the same shape.

        Returns:
            Longitudes in [-180, 180) and latitudes, degrees; inf outside what the projection shows.
        """
        x = self.origin_x + np.asarray(x_px, dtype=float) * self.pixel_size
        y = self.origin_y - np.asarray(y_px, dtype=float) * self.pixel_size
        lon, lat = self._to_lonlat.transform(x, y)
        lon, lat = np.asarray(lon), np.asarray(lat)
        with np.errstate(invalid="ignore"):
            # Equirectangular maps go on beyond the poles, as numbers.
            shown = np.isfinite(lon) & (np.abs(lat) <= 90.0 + 1e-9)
            wrapped = (lon + 180.0) % 360.0 - 180.0
            # A hair west of −180° would round up to 180°.
            wrapped = np.where(wrapped >= 180.0, -180.0, wrapped)
            return np.where(shown, wrapped, np.inf), np.where(shown, np.clip(lat, -90.0, 90.0), np.inf)

    def pixel(
        self, lon: Floats | float | Sequence[float], lat: Floats | float | Sequence[float]
    ) -> tuple[Floats, Floats]:
        """Pixel positions of places; inverse of lonlat.

        Of positions a whole turn apart (a grid that runs from 0° to 360°, or across ±180°) the one
        nearest to the grid's middle is taken.

        Args:
            lon: Degrees, array or number, any number of turns.
            lat: Degrees, in the same shape.

        Returns:
            x and y in pixels; not finite where the projection does not show the place.
        """
        x, y = self._to_lonlat.transform(
            np.asarray(lon, dtype=float), np.asarray(lat, dtype=float), direction="INVERSE"
        )
        x_px = (np.asarray(x) - self.origin_x) / self.pixel_size
        if self.turn_px:
            with np.errstate(invalid="ignore"):
                x_px = x_px - np.floor((x_px - self.width_px / 2.0) / self.turn_px + 0.5) * self.turn_px
        return x_px, (self.origin_y - np.asarray(y)) / self.pixel_size

    def edges_m(self, x_px: Floats | float, y_px: Floats | float) -> tuple[Floats, Floats]:
        """True ground size of pixels: on most grids it differs from place to place and between x and y.

        Args:
            x_px: Positions of pixel centres, array or number.
            y_px: In a shape that broadcasts with x_px.

        Returns:
            Metres along x and along y, in the broadcast shape; NaN outside what the projection shows.
        """
        # Here, because training reads grids where there is no shapely.
        from mlcore.geodesy import distance_m

        x, y = np.broadcast_arrays(np.asarray(x_px, dtype=float), np.asarray(y_px, dtype=float))
        radius_m = get_body(self.body).radius_m
        with np.errstate(invalid="ignore"):
            width_m = distance_m(*self.lonlat(x - 0.5, y), *self.lonlat(x + 0.5, y), radius_m)
            height_m = distance_m(*self.lonlat(x, y - 0.5), *self.lonlat(x, y + 0.5), radius_m)
        return width_m, height_m
