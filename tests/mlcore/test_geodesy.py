import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import assume, example, given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon

from mlcore import geodesy
from mlcore.bodies import BODIES
from mlcore.errors import InvalidInput

MOON_M = BODIES["moon"].radius_m
CASES = json.loads((Path(__file__).parents[1] / "data" / "geodesy_cases.json").read_text(encoding="utf-8"))

lons = st.floats(-180.0, 180.0)
lats = st.floats(-90.0, 90.0)
bearings = st.floats(0.0, 360.0, exclude_max=True)
# From a metre to just under the hemisphere.
diameters_m = st.floats(0.0, 1.0).map(lambda share: 1.0 * (0.999 * np.pi * MOON_M) ** share)


def cap_area_m2(diameter_m: float, radius_m: float = MOON_M) -> float:
    return 4.0 * np.pi * radius_m**2 * np.sin(diameter_m / 4.0 / radius_m) ** 2


def degrees_apart(a: float, b: float) -> float:
    return abs((a - b + 180.0) % 360.0 - 180.0)


def test_it_works():
    # One degree of latitude on the Moon, the number every lunar mapper knows: 30.3 km.
    assert geodesy.distance_m(10.0, 0.0, 10.0, 1.0, MOON_M) == pytest.approx(30_323.35, abs=0.01)
    assert geodesy.bearing_deg(10.0, 0.0, 11.0, 0.0) == pytest.approx(90.0)
    rim = geodesy.rim_polygon(10.0, -80.0, 50_000.0, MOON_M)
    assert geodesy.polygon_area_m2(rim, MOON_M) == pytest.approx(cap_area_m2(50_000.0), rel=2e-3)


@pytest.mark.parametrize("case", CASES["distance"])
def test_distance_and_bearing_are_right_to_the_last_digits(case: dict[str, Any]):
    (lon1, lat1), (lon2, lat2) = case["from"], case["to"]
    found_m = geodesy.distance_m(lon1, lat1, lon2, lat2, case["radius_m"])
    assert found_m == pytest.approx(case["distance_m"], rel=1e-12)
    bearing = geodesy.bearing_deg(lon1, lat1, lon2, lat2)
    assert degrees_apart(bearing, case["bearing_deg"]) < 1e-9


@pytest.mark.parametrize("case", CASES["destination"])
def test_destination_is_right_to_the_last_digits(case: dict[str, Any]):
    lon, lat = geodesy.destination(*case["from"], case["bearing_deg"], case["distance_m"], case["radius_m"])
    off_m = geodesy.distance_m(lon, lat, *case["to"], case["radius_m"])
    assert off_m < 1e-8


@pytest.mark.parametrize("case", CASES["ring"])
def test_rings_are_right_at_the_poles_and_across_the_antimeridian(case: dict[str, Any]):
    points = geodesy.ring(*case["center"], case["diameter_m"], case["radius_m"], n=24)
    expected = np.array([*case["points"], case["points"][0]])
    off_m = geodesy.distance_m(points[:, 0], points[:, 1], expected[:, 0], expected[:, 1], case["radius_m"])
    assert off_m.max() < 1e-7
    rim = geodesy.rim_polygon(*case["center"], case["diameter_m"], case["radius_m"])
    assert geodesy.polygon_area_m2(rim, case["radius_m"]) == pytest.approx(case["cap_area_m2"], rel=3e-3)


@pytest.mark.parametrize("case", CASES["circle_from_rim"])
def test_three_rim_points_give_the_circle(case: dict[str, Any]):
    lon, lat, diameter_m = geodesy.circle_from_rim(case["points"], case["radius_m"])
    assert diameter_m == pytest.approx(case["diameter_m"], rel=1e-7)
    assert geodesy.distance_m(lon, lat, *case["center"], case["radius_m"]) < 1e-7 * case["diameter_m"] + 1e-7


@pytest.mark.parametrize("case", CASES["circle_refused"], ids=lambda case: case["why"])
def test_three_points_that_give_no_circle_are_refused(case: dict[str, Any]):
    with pytest.raises(InvalidInput, match="rim points"):
        geodesy.circle_from_rim(case["points"], MOON_M)


@pytest.mark.parametrize(
    "points", [[(0, 0), (1, 1)], [(0, 0), (1, 1), (float("nan"), 0)], [(0, 0), (1, 91), (2, 0)]]
)
def test_points_that_are_no_places_are_refused(points: list[tuple[float, float]]):
    with pytest.raises(InvalidInput, match="point"):
        geodesy.circle_from_rim(points, MOON_M)


@pytest.mark.parametrize(
    ("circle", "named"),
    [
        ((181.0, 0.0, 1000.0), "Longitude 181.0"),
        ((float("nan"), 0.0, 1000.0), "Longitude nan"),
        ((0.0, 95.0, 1000.0), "Latitude 95.0"),
        ((0.0, 0.0, -1.0), "-1.0 m"),
        ((0.0, 0.0, 0.0), "0.0 m"),
        ((0.0, 0.0, float("inf")), "inf m"),
        ((0.0, 0.0, np.pi * MOON_M), "half the way round"),
    ],
)
def test_circles_beyond_the_limits_are_refused(circle: tuple[float, float, float], named: str):
    for build in (geodesy.ring, geodesy.rim_polygon):
        with pytest.raises(InvalidInput, match=named):
            build(*circle, MOON_M)
    with pytest.raises(InvalidInput, match=named):
        geodesy.rim_polygons(*([value, value] for value in circle), MOON_M)


@given(lons, lats, bearings, st.floats(0.0, 1.0))
@example(0.0, 90.0, 123.0, 0.3)
@example(-180.0, -90.0, 123.0, 0.3)
def test_going_there_and_measuring_back_agree(lon: float, lat: float, bearing: float, share: float):
    metres = share * 0.999 * np.pi * MOON_M
    lon2, lat2 = geodesy.destination(lon, lat, bearing, metres, MOON_M)
    assert -180.0 <= lon2 < 180.0
    assert geodesy.distance_m(lon, lat, lon2, lat2, MOON_M) == pytest.approx(metres, rel=1e-9, abs=1e-7)
    # Too short a way has no direction, and at a pole a longitude is none.
    assume(metres > 10_000.0 and abs(lat) < 89.0 and share < 0.9)
    assert degrees_apart(geodesy.bearing_deg(lon, lat, lon2, lat2), bearing) < 1e-6


@given(lons, lats, lons, lats)
def test_distance_is_the_same_both_ways(lon1: float, lat1: float, lon2: float, lat2: float):
    there, back = (
        geodesy.distance_m(lon1, lat1, lon2, lat2, MOON_M),
        geodesy.distance_m(lon2, lat2, lon1, lat1, MOON_M),
    )
    assert there == pytest.approx(back, rel=1e-9, abs=1e-6)


@given(lons, lats, diameters_m)
def test_every_ring_point_lies_at_the_radius(lon: float, lat: float, diameter_m: float):
    points = geodesy.ring(lon, lat, diameter_m, MOON_M)
    assert points.shape == (73, 2)
    assert (points[0] == points[-1]).all()
    at_m = geodesy.distance_m(lon, lat, points[:, 0], points[:, 1], MOON_M)
    assert at_m == pytest.approx(diameter_m / 2.0, rel=1e-9, abs=1e-7)


@given(lons, lats, diameters_m, st.sampled_from([(0, 24, 48), (5, 20, 60), (10, 16, 30)]))
def test_three_points_of_a_ring_give_back_centre_and_diameter(
    lon: float, lat: float, diameter_m: float, picked: tuple[int, int, int]
):
    assume(diameter_m > 100.0)
    points = geodesy.ring(lon, lat, diameter_m, MOON_M)[list(picked)]
    found_lon, found_lat, found_m = geodesy.circle_from_rim([tuple(point) for point in points], MOON_M)
    assert found_m == pytest.approx(diameter_m, rel=1e-6)
    assert geodesy.distance_m(lon, lat, found_lon, found_lat, MOON_M) < 1e-6 * diameter_m


@given(lons, lats, diameters_m)
@example(100.0, 60.0, np.pi / 3.0 * MOON_M)  # the rim runs through the pole
@example(180.0, 0.0, 1000.0)
@example(-180.0, 0.0, 1000.0)
@example(0.0, 90.0, 1.0)
@example(0.0, 0.0, 0.9999999 * np.pi * MOON_M)
def test_a_rim_polygon_is_valid_and_has_the_area_of_the_cap(lon: float, lat: float, diameter_m: float):
    rim = geodesy.rim_polygon(lon, lat, diameter_m, MOON_M)
    assert isinstance(rim, MultiPolygon)
    assert rim.is_valid
    west, south, east, north = rim.bounds
    assert west >= -180.0 and east <= 180.0 and south >= -90.0 and north <= 90.0
    # A polygon of 72 points has 0.13 % less; a metre at the pole is near the last digits of a degree.
    assert geodesy.polygon_area_m2(rim, MOON_M) == pytest.approx(cap_area_m2(diameter_m), rel=0.01)


@pytest.mark.parametrize("diameter_m", [1000.0, 100_000.0, 2_000_000.0])
@pytest.mark.parametrize("lat", [0.0, 60.0, -80.0])
def test_the_area_of_a_fine_ring_is_that_of_the_cap(lat: float, diameter_m: float):
    outline = Polygon(geodesy.ring(20.0, lat, diameter_m, MOON_M, n=7200))
    area_m2 = geodesy.polygon_area_m2(geodesy.split_at_antimeridian(outline), MOON_M)
    assert area_m2 == pytest.approx(cap_area_m2(diameter_m), rel=1e-6)


@pytest.mark.parametrize("lon", [179.99, -179.99, 180.0, -180.0])
def test_a_rim_across_the_antimeridian_comes_in_two_parts_that_meet_there(lon: float):
    east, west = sorted(geodesy.rim_polygon(lon, 60.0, 20_000.0, MOON_M).geoms, key=lambda p: -p.bounds[0])
    assert east.bounds[2] == 180.0
    assert west.bounds[0] == -180.0
    edges = [
        sorted(lat for x, lat in shapely.get_coordinates(part)[:-1] if abs(x) == 180.0)
        for part in (east, west)
    ]
    assert edges[0] == edges[1]
    for seam_lat in edges[0]:
        assert geodesy.distance_m(lon, 60.0, 180.0, seam_lat, MOON_M) == pytest.approx(10_000.0)


@pytest.mark.parametrize("pole", [90.0, -90.0])
def test_a_rim_round_a_pole_covers_it(pole: float):
    rim = geodesy.rim_polygon(33.0, pole * 0.99, 100_000.0, MOON_M)
    assert shapely.intersects_xy(rim, [-180.0, 0.0, 33.0, 180.0], [pole] * 4).all()
    assert not shapely.intersects_xy(rim, 0.0, pole * 0.9)


def test_rims_in_bulk_are_the_same_as_one_by_one():
    rng = np.random.default_rng(5)
    lon, lat, d_m = rng.uniform(-180, 180, 400), rng.uniform(-90, 90, 400), 10 ** rng.uniform(1, 6.5, 400)
    bulk = geodesy.rim_polygons(lon, lat, d_m, MOON_M)
    single = [geodesy.rim_polygon(*circle, MOON_M) for circle in zip(lon, lat, d_m, strict=True)]
    assert all(shapely.equals_exact(a, b, 1e-9) for a, b in zip(bulk, single, strict=True))
    assert shapely.is_valid(bulk).all()
    assert geodesy.rim_polygons([], [], [], MOON_M).shape == (0,)


def test_splitting_keeps_shapes_that_need_none():
    shape = Polygon([(0, 0), (10, 0), (10, 10), (0, 10)], holes=[[(2, 2), (4, 2), (4, 4), (2, 4)]])
    assert geodesy.split_at_antimeridian(shape).equals(shape)


@pytest.mark.parametrize("shift", [0.0, 360.0, -360.0])
def test_splitting_takes_steps_over_180_the_short_way_and_keeps_holes(shift: float):
    shape = Polygon(
        [(170, 0), (-170, 0), (-170, 10), (170, 10)], holes=[[(-178, 2), (-176, 2), (-176, 4), (-178, 4)]]
    )
    unwrapped = Polygon([(x % 360 + shift, y) for x, y in shape.exterior.coords])
    assert geodesy.split_at_antimeridian(unwrapped).area == pytest.approx(200.0)
    parts = geodesy.split_at_antimeridian(shape)
    assert len(parts.geoms) == 2
    assert parts.is_valid
    assert parts.area == pytest.approx(196.0)
    assert parts.bounds == (-180.0, 0.0, 180.0, 10.0)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("pole", [90.0, -90.0])
def test_splitting_closes_an_outline_round_a_pole(order: int, pole: float):
    outline = [(lon, pole * 8 / 9) for lon in (-140, -50, 40, 130)][::order]
    cap = geodesy.split_at_antimeridian(Polygon(outline))
    assert len(cap.geoms) == 1
    assert cap.bounds == (-180.0, *sorted((pole, pole * 8 / 9))[:1], 180.0, *sorted((pole, pole * 8 / 9))[1:])
    assert cap.area == pytest.approx(3600.0)


@pytest.mark.parametrize("box", [(-180, -90, 180, 90), (-180, -60, 180, 60), (-180, 60, 180, 90)])
def test_splitting_keeps_what_goes_all_the_way_round(box: tuple[float, float, float, float]):
    assert geodesy.split_at_antimeridian(shapely.box(*box)).equals(shapely.box(*box))


def test_splitting_twice_is_splitting_once():
    cap = geodesy.split_at_antimeridian(Polygon([(lon, -80) for lon in (-140, -50, 40, 130)]))
    assert geodesy.split_at_antimeridian(cap).equals(cap)


@pytest.mark.parametrize(
    "shape",
    [
        Polygon([(0, 0), (10, 10), (10, 0), (0, 10)]),
        Polygon([(0, 0), (10, 0), (10, 95)]),
    ],
)
def test_splitting_refuses_broken_shapes(shape: Polygon):
    with pytest.raises(InvalidInput, match="shape"):
        geodesy.split_at_antimeridian(shape)


def test_area_takes_holes_off():
    whole = Polygon([(0, 0), (10, 0), (10, 10), (0, 10)])
    hole = Polygon([(2, 2), (4, 2), (4, 4), (2, 4)])
    with_hole = Polygon(whole.exterior, [hole.exterior])
    area = geodesy.polygon_area_m2
    assert area(with_hole, MOON_M) == pytest.approx(area(whole, MOON_M) - area(hole, MOON_M))
    sphere = Polygon([(-180, -90), (180, -90), (180, 90), (-180, 90)])
    assert area(sphere, MOON_M) == pytest.approx(4.0 * np.pi * MOON_M**2)


@given(st.floats(-1e6, 1e6))
@example(np.nextafter(-180.0, -181.0))
def test_longitudes_are_brought_home(lon: float):
    home = geodesy.normalise_lon(lon)
    assert -180.0 <= home < 180.0
    assert degrees_apart(home, lon) < 1e-6


def test_the_body_sphere_spans_the_same_angle():
    assert geodesy.on_body_sphere(MOON_M, MOON_M) == pytest.approx(6_371_008.7714)
