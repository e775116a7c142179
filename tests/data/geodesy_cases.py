"""Makes geodesy_cases.json, the cases on which Python, node and PostGIS must agree.

Every value is computed with 50 digits (mpmath, which comes with torch) from plain vectors, not with
the formulas under test. Run `python tests/data/geodesy_cases.py` after a change here and commit both.
"""

import itertools
import json
from pathlib import Path

from mpmath import acos, asin, atan2, cos, degrees, mp, mpf, pi, radians, sin, sqrt

mp.dps = 50
MOON, MARS, PICTURE = 1_737_400.0, 3_396_190.0, 5_729_577.951308232
# Latitudes 0, 60 and -80, the neighbourhood of both poles, and both sides of ±180°.
CENTERS = [
    (0.0, 0.0),
    (12.5, 60.0),
    (-101.25, -80.0),
    (179.9, 0.0),
    (-179.95, 60.0),
    (179.99, -80.0),
    (180.0, -5.0),
    (33.0, 89.5),
    (-140.0, -89.9),
]
Vector = list[mpf]


def vector(lon: float, lat: float) -> Vector:
    lam, phi = radians(mpf(lon)), radians(mpf(lat))
    return [cos(phi) * cos(lam), cos(phi) * sin(lam), sin(phi)]


def lonlat(v: Vector) -> list[float]:
    return [float(degrees(atan2(v[1], v[0]))), float(degrees(asin(v[2] / sqrt(dot(v, v)))))]


def dot(a: Vector, b: Vector) -> mpf:
    return sum(x * y for x, y in zip(a, b, strict=True))


def cross(a: Vector, b: Vector) -> Vector:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def north_east(lon: float, lat: float) -> tuple[Vector, Vector]:
    lam, phi = radians(mpf(lon)), radians(mpf(lat))
    return [-sin(phi) * cos(lam), -sin(phi) * sin(lam), cos(phi)], [-sin(lam), cos(lam), mpf(0)]


def distance_case(start: tuple[float, float], end: tuple[float, float], radius_m: float) -> dict[str, object]:
    a, b = vector(*start), vector(*end)
    north, east = north_east(*start)
    normal = cross(a, b)
    return {
        "radius_m": radius_m,
        "from": start,
        "to": end,
        "distance_m": float(atan2(sqrt(dot(normal, normal)), dot(a, b)) * mpf(radius_m)),
        "bearing_deg": float(degrees(atan2(dot(b, east), dot(b, north))) % 360),
    }


def reached(start: tuple[float, float], bearing: float, distance_m: float, radius_m: float) -> list[float]:
    angle, azimuth = mpf(distance_m) / mpf(radius_m), radians(mpf(bearing))
    north, east = north_east(*start)
    return lonlat(
        [
            cos(angle) * c + sin(angle) * (cos(azimuth) * n + sin(azimuth) * e)
            for c, n, e in zip(vector(*start), north, east, strict=True)
        ]
    )


def ring_case(center: tuple[float, float], diameter_m: float, radius_m: float) -> dict[str, object]:
    bearings = [15.0 * i for i in range(24)]
    cap = 2 * pi * mpf(radius_m) ** 2 * (1 - cos(mpf(diameter_m) / 2 / mpf(radius_m)))
    return {
        "radius_m": radius_m,
        "center": center,
        "diameter_m": diameter_m,
        "bearings_deg": bearings,
        "points": [reached(center, bearing, diameter_m / 2, radius_m) for bearing in bearings],
        "cap_area_m2": float(cap),
    }


def rim_case(ring: dict[str, object], picked: tuple[int, int, int]) -> dict[str, object]:
    """The circle through three ring points as rounded to floats; so it is not quite the ring's own."""
    points = [ring["points"][i] for i in picked]  # type: ignore[index]
    a, b, c = (vector(*point) for point in points)
    normal = cross([y - x for x, y in zip(a, b, strict=True)], [y - x for x, y in zip(a, c, strict=True)])
    length = sqrt(dot(normal, normal)) * (1 if dot(normal, a) > 0 else -1)
    center = [x / length for x in normal]
    return {
        "radius_m": ring["radius_m"],
        "points": points,
        "center": lonlat(center),
        "diameter_m": float(2 * acos(dot(center, a)) * mpf(ring["radius_m"])),
    }


def cases() -> dict[str, object]:
    ends = [*CENTERS, (0.001, 0.0005), (-179.9, 0.0), (180.0, 0.0), (0.0, 90.0)]
    bodies = [(10.0, PICTURE), (900.0, MOON), (100_000.0, MOON), (1_500_000.0, MARS)]
    rings = [ring_case(center, d, radius) for center, (d, radius) in itertools.product(CENTERS, bodies)]
    return {
        "about": "Made by geodesy_cases.py; [lon, lat] in degrees; right to the last digits of a double.",
        "distance": [distance_case(a, b, MOON) for a, b in itertools.product(CENTERS, ends) if a != b],
        "destination": [
            {
                "radius_m": MOON,
                "from": center,
                "bearing_deg": bearing,
                "distance_m": metres,
                "to": reached(center, bearing, metres, MOON),
            }
            for center in CENTERS
            for bearing in (0.0, 37.0, 90.0, 200.0, 315.5)
            for metres in (5.0, 20_000.0, 400_000.0)
        ],
        "ring": rings,
        "circle_from_rim": [
            rim_case(ring, picked) for ring in rings for picked in ((0, 8, 16), (1, 5, 20), (3, 4, 6))
        ],
        "circle_refused": [
            {"points": [(1.0, 2.0), (1.0, 2.0), (3.0, 4.0)], "why": "two are the same place"},
            {"points": [(179.9, 1.0), (-180.1, 1.0), (0.0, 4.0)], "why": "the same place by another turn"},
            {"points": [(10.0, 0.0), (11.0, 0.0), (13.0, 0.0)], "why": "all on the equator"},
            {"points": [(40.0, 10.0), (40.0, 12.0), (40.0, 20.0)], "why": "all on a meridian"},
        ],
    }


if __name__ == "__main__":
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(cases(), indent=1) + "\n", encoding="utf-8")
