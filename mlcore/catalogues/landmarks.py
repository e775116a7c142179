"""Large craters that everybody's lists hold: by them a list whose longitudes run the other way is seen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlcore.bodies import BODIES

# A list's crater is the landmark within these: its own measure is from another rim and another year.
_MAX_OFFSET_DIAMETERS = 0.25
_MIN_OFFSET_DEG = 0.5
_MAX_SIZE_RATIO = 1.35


@dataclass(frozen=True)
class Landmark:
    """A crater that is on every map of its body.

    Attributes:
        name: As the IAU writes it.
        lon: Degrees east, -180 to 180.
        lat: Degrees.
        diameter_km: Kilometres.
    """

    name: str
    lon: float
    lat: float
    diameter_km: float


# IAU/USGS Gazetteer of Planetary Nomenclature (Moon 2015, Mercury 2025); none lies where its mirror image
# about the prime meridian would be taken for it.
LANDMARKS: dict[str, tuple[Landmark, ...]] = {
    "moon": (
        Landmark("Hertzsprung", -128.66, 1.37, 536.37),
        Landmark("Apollo", -151.48, -35.69, 524.23),
        Landmark("Korolev", -157.41, -4.19, 423.41),
        Landmark("Mendeleev", 141.17, 5.38, 325.13),
        Landmark("Planck", 135.34, -57.27, 319.46),
        Landmark("Bailly", -68.90, -66.82, 300.56),
        Landmark("Gagarin", 149.35, -19.66, 261.83),
        Landmark("Milne", 112.78, -31.00, 259.97),
        Landmark("Clavius", -14.73, -58.62, 230.77),
        Landmark("Deslandres", -5.57, -32.55, 227.02),
        Landmark("Schickard", -55.11, -44.38, 212.18),
        Landmark("Humboldt", 80.96, -27.02, 199.46),
        Landmark("Tsiolkovskiy", 128.97, -20.38, 184.39),
        Landmark("Petavius", 60.78, -25.39, 184.06),
        Landmark("Grimaldi", -68.36, -5.38, 173.49),
        Landmark("Langrenus", 61.04, -8.86, 131.98),
        Landmark("Gassendi", -39.96, -17.55, 111.39),
        Landmark("Plato", -9.38, 51.62, 100.68),
        Landmark("Theophilus", 26.28, -11.45, 98.59),
        Landmark("Copernicus", -20.08, 9.62, 96.07),
        Landmark("Tycho", -11.22, -43.30, 85.29),
    ),
    "mercury": (
        Landmark("Caloris", 161.98, 31.65, 1500.0),
        Landmark("Rembrandt", 87.87, -32.89, 716.0),
        Landmark("Beethoven", -124.21, -20.86, 630.0),
        Landmark("Tolstoj", -164.64, -16.23, 355.0),
        Landmark("Raphael", -76.35, -20.42, 342.0),
        Landmark("Homer", -36.62, -1.30, 319.0),
        Landmark("Rachmaninoff", 57.37, 27.66, 305.0),
        Landmark("Haydn", -71.64, -27.22, 251.0),
        Landmark("Vivaldi", -85.92, 13.76, 213.0),
    ),
    "mars": (
        Landmark("Huygens", 55.58, -13.88, 467.0),
        Landmark("Schiaparelli", 16.77, -2.71, 459.0),
        Landmark("Cassini", 32.11, 23.35, 408.0),
        Landmark("Antoniadi", 60.83, 21.38, 394.0),
        Landmark("Herschel", 129.89, -14.48, 298.0),
        Landmark("Newton", -158.06, -40.44, 300.0),
        Landmark("Galle", -31.0, -50.6, 224.0),
        Landmark("Lyot", 29.34, 50.46, 222.0),
        Landmark("Gale", 137.81, -5.37, 154.0),
    ),
    "venus": (
        Landmark("Mead", 57.2, 12.5, 270.0),
        Landmark("Isabella", -155.8, -29.8, 175.0),
        Landmark("Klenova", 104.5, 78.1, 141.0),
        Landmark("Meitner", -38.4, -55.6, 149.0),
    ),
    "ceres": (
        Landmark("Kerwan", 123.99, -10.77, 280.0),
        Landmark("Yalode", -67.52, -42.58, 260.0),
        Landmark("Urvara", -110.76, -45.66, 170.0),
        Landmark("Dantu", 138.23, 24.30, 126.0),
        Landmark("Occator", -120.67, 19.82, 92.0),
    ),
}

Floats = NDArray[np.float64]


def found(body: str, lon: Floats, lat: Floats, diameter_km: Floats) -> list[Landmark]:
    """The landmarks of a body that a list holds.

    Args:
        body: Key of mlcore.bodies.BODIES; those without landmarks give none.
        lon: Degrees east, any range, (n,).
        lat: Degrees, (n,).
        diameter_km: Kilometres, (n,).

    Returns:
        Those with a crater of about their size at about their place, largest first.
    """
    return [
        landmark for landmark in LANDMARKS.get(body, ()) if _is_there(landmark, body, lon, lat, diameter_km)
    ]


def _is_there(landmark: Landmark, body: str, lon: Floats, lat: Floats, diameter_km: Floats) -> bool:
    degrees_per_km = 180.0 / (np.pi * BODIES[body].radius_m / 1000.0)
    reach = max(_MIN_OFFSET_DEG, _MAX_OFFSET_DIAMETERS * landmark.diameter_km * degrees_per_km)
    sized = np.flatnonzero(
        (diameter_km > landmark.diameter_km / _MAX_SIZE_RATIO)
        & (diameter_km < landmark.diameter_km * _MAX_SIZE_RATIO)
        & (np.abs(lat - landmark.lat) < reach)
    )
    around = np.abs((lon[sized] - landmark.lon + 180.0) % 360.0 - 180.0)
    return bool((around * np.cos(np.radians(landmark.lat)) < reach).any())
