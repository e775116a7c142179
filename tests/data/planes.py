"""Map projections of a sphere by the textbook (Snyder 1987, USGS Professional Paper 1395), with 50 digits.

What the tests of grids compare PROJ, proj4js and the map on the screen with; nothing here knows any of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mpmath import acos, asin, atan2, cos, degrees, floor, log, mp, mpf, pi, radians, sin, sqrt, tan

mp.dps = 50
MOON_M = 1_737_400.0
# x and y over the radius, of longitude and latitude in degrees.
Formula = Callable[[mpf, mpf], tuple[mpf, mpf]]


@dataclass(frozen=True)
class Plane:
    """A grid of square pixels on the Moon: x right, y down, 0 at the outer corner of the first pixel.

    Attributes:
        crs: In PROJ's words.
        formula: The same by the book.
        unit: Units of the CRS in a radius.
        origin: Projected x and y of the upper left corner.
        pixel: Edge in the CRS's units.
        size: Width and height in pixels.
        spots: Places (lon, lat) that lie on it, some where it is hard.
    """

    crs: str
    formula: Formula
    unit: mpf
    origin: tuple[float, float]
    pixel: float
    size: tuple[int, int]
    spots: tuple[tuple[float, float], ...]

    def pixel_of(self, lon: float, lat: float) -> tuple[float, float]:
        """Where a place lies, in pixels; of places a turn apart the one nearest to the middle."""
        x, y = self.formula(mpf(lon), mpf(lat))
        return (
            float((x * self.unit - mpf(self.origin[0])) / mpf(self.pixel)),
            float((mpf(self.origin[1]) - y * self.unit) / mpf(self.pixel)),
        )


def _away(lon: mpf, lon_0: float) -> mpf:
    """Radians east of the middle meridian, −π to π."""
    turn = lon - mpf(lon_0) + 180
    return radians(turn - 360 * floor(turn / 360) - 180)


def longlat(middle_lon: float) -> Formula:
    """Degrees, on the turn nearest to the grid's middle (in radians: the unit turns them back)."""
    return lambda lon, lat: (radians(mpf(middle_lon)) + _away(lon, middle_lon), radians(lat))


def equirectangular(lon_0: float, lat_ts: float = 0.0) -> Formula:
    """Equations 12-1 and 12-2."""
    return lambda lon, lat: (_away(lon, lon_0) * cos(radians(mpf(lat_ts))), radians(lat))


def mercator(lon_0: float, lat_ts: float = 0.0) -> Formula:
    """Equations 7-1 and 7-2, scaled to be true at lat_ts."""

    def plane(lon: mpf, lat: mpf) -> tuple[mpf, mpf]:
        k = cos(radians(mpf(lat_ts)))
        return k * _away(lon, lon_0), k * log(tan(pi / 4 + radians(lat) / 2))

    return plane


def lambert(lon_0: float, lat_0: float, lat_1: float, lat_2: float) -> Formula:
    """Lambert conformal conic, equations 14-1 to 15-3."""
    up = [tan(pi / 4 + radians(mpf(lat)) / 2) for lat in (lat_0, lat_1, lat_2)]
    cosines = [cos(radians(mpf(lat))) for lat in (lat_1, lat_2)]
    n = log(cosines[0] / cosines[1]) / log(up[2] / up[1])
    f = cosines[0] * up[1] ** n / n

    def plane(lon: mpf, lat: mpf) -> tuple[mpf, mpf]:
        rho, rho_0 = f / tan(pi / 4 + radians(lat) / 2) ** n, f / up[0] ** n
        theta = n * _away(lon, lon_0)
        return rho * sin(theta), rho_0 - rho * cos(theta)

    return plane


def polar_stereographic(pole: int, lon_0: float = 0.0, lat_ts: float | None = None) -> Formula:
    """Equations 21-5 to 21-12, true at the pole or at lat_ts."""
    k = (1 + abs(sin(radians(mpf(lat_ts))))) / 2 if lat_ts is not None else mpf(1)

    def plane(lon: mpf, lat: mpf) -> tuple[mpf, mpf]:
        rho = 2 * k * tan(pi / 4 - pole * radians(lat) / 2)
        theta = radians(lon - mpf(lon_0))
        return rho * sin(theta), -pole * rho * cos(theta)

    return plane


def azimuthal_equidistant(lon_0: float, lat_0: float) -> Formula:
    """Equations 22-4, 22-5 and 25-2, 25-3."""

    def plane(lon: mpf, lat: mpf) -> tuple[mpf, mpf]:
        phi, phi_0, lam = radians(lat), radians(mpf(lat_0)), radians(lon - mpf(lon_0))
        c = acos(sin(phi_0) * sin(phi) + cos(phi_0) * cos(phi) * cos(lam))
        k = c / sin(c) if c else mpf(1)
        return (
            k * cos(phi) * sin(lam),
            k * (cos(phi_0) * sin(phi) - sin(phi_0) * cos(phi) * cos(lam)),
        )

    return plane


def lonlat_of(vector: tuple[mpf, mpf, mpf]) -> tuple[float, float]:
    """Degrees of a direction."""
    x, y, z = vector
    return float(degrees(atan2(y, x))), float(degrees(asin(z / sqrt(x * x + y * y + z * z))))


_DEGREES = 180 / pi
_TURN_M = float(2 * pi * mpf(MOON_M))
_R = mpf(MOON_M)
_SPHERE = f"+R={MOON_M:.0f} +no_defs"
_ALL_ROUND = ((0.0, 0.0), (-0.4, 31.0), (179.6, -20.0), (-179.4, 12.0), (-90.0, 60.0), (123.4, -66.5))

# Every kind of grid that campaigns are drawn on, so small that a whole one is drawn in no time.
PLANES: dict[str, Plane] = {
    "degrees −180…180": Plane(
        f"+proj=longlat {_SPHERE}",
        longlat(0.0),
        _DEGREES,
        (-180.0, 90.0),
        0.25,
        (1440, 720),
        (*_ALL_ROUND, (45.0, 88.5), (-120.0, -88.5)),
    ),
    "degrees 0…360": Plane(
        f"+proj=longlat {_SPHERE}",
        longlat(180.0),
        _DEGREES,
        (0.0, 90.0),
        0.25,
        (1440, 720),
        (*_ALL_ROUND, (45.0, 88.5), (-120.0, -88.5)),
    ),
    "equirectangular metres": Plane(
        f"+proj=eqc +lat_ts=25 +lon_0=120 {_SPHERE} +units=m",
        equirectangular(120.0, 25.0),
        _R,
        (-_TURN_M / 2 * float(cos(radians(mpf(25)))), _TURN_M / 4),
        _TURN_M / 1440 * float(cos(radians(mpf(25)))),
        (1440, 794),
        (*_ALL_ROUND, (-59.5, 40.0), (-60.5, -40.0)),
    ),
    "Lambert conformal conic": Plane(
        f"+proj=lcc +lat_1=20 +lat_2=60 +lat_0=40 +lon_0=175 {_SPHERE} +units=m",
        lambert(175.0, 40.0, 20.0, 60.0),
        _R,
        (-900_000.0, 700_000.0),
        1_500.0,
        (1200, 900),
        ((175.0, 40.0), (179.9, 55.0), (-179.9, 22.0), (-161.0, 44.0), (152.0, 33.3)),
    ),
    "Mercator": Plane(
        f"+proj=merc +lon_0=150 +lat_ts=33 {_SPHERE} +units=m",
        mercator(150.0, 33.0),
        _R,
        (-1_400_000.0, 1_200_000.0),
        2_200.0,
        (1300, 1100),
        ((150.0, 0.0), (179.9, -30.0), (-179.9, 35.0), (-170.0, 10.0), (110.0, -40.0)),
    ),
    "polar stereographic north": Plane(
        f"+proj=stere +lat_0=90 +lon_0=-30 {_SPHERE} +units=m",
        polar_stereographic(1, -30.0),
        _R,
        (-650_000.0, 600_000.0),
        1_000.0,
        (1280, 1150),
        ((0.0, 90.0), (10.0, 87.0), (180.0, 80.0), (-179.9, 74.0), (-30.0, 77.0), (61.0, 84.0)),
    ),
    "polar stereographic south": Plane(
        f"+proj=stere +lat_0=-90 +lat_ts=-75 +lon_0=0 {_SPHERE} +units=m",
        polar_stereographic(-1, 0.0, -75.0),
        _R,
        (-600_000.0, 620_000.0),
        1_000.0,
        (1200, 1240),
        ((0.0, -90.0), (120.0, -87.0), (180.0, -80.0), (-179.9, -75.0), (0.0, -77.0), (-45.0, -84.0)),
    ),
    "azimuthal equidistant": Plane(
        f"+proj=aeqd +lat_0=-50 +lon_0=-170 {_SPHERE} +units=m",
        azimuthal_equidistant(-170.0, -50.0),
        _R,
        (-1_500_000.0, 1_400_000.0),
        2_300.0,
        (1290, 1250),
        ((-170.0, -50.0), (179.9, -40.0), (-179.9, -62.0), (30.0, -88.0), (-120.0, -30.0), (160.0, -75.0)),
    ),
}
