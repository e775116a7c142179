"""PostGIS on the body sphere agrees with mlcore.geodesy, with an index or without, and survives a dump."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from django.db import connection

from annotate.body_sphere import geography_index
from mlcore import geodesy
from mlcore.bodies import BODIES, BODY_SPHERE_RADIUS_M

MOON_M = BODIES["moon"].radius_m
CASES = json.loads((Path(__file__).parents[1] / "data" / "geodesy_cases.json").read_text(encoding="utf-8"))
PLACES = [(0.0, 0.0), (12.5, 60.0), (-101.25, -80.0), (180.0, 10.0), (0.0, 90.0), (77.0, -90.0)]
POINT = "ST_SetSRID(ST_MakePoint(%s, %s), 900001)::geography"
WITHIN = f"SELECT array_agg(id ORDER BY id) FROM {{table}} WHERE ST_DWithin(geom::geography, {POINT}, %s)"

pytestmark = pytest.mark.django_db


def ask(sql: str, *values: object) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()[0]


def scatter(place: tuple[float, float], n: int) -> tuple[list[tuple[int, str]], np.ndarray]:
    """Crater rims around a place as rows (id, WKT), and how far from it the nearest point of each is."""
    rng = np.random.default_rng(7)
    away_m, diameter_m = rng.uniform(0, 300_000, n), 10 ** rng.uniform(3, 4.5, n)
    lon, lat = geodesy.destination(*place, rng.uniform(0, 360, n), away_m, MOON_M)
    rims = geodesy.rim_polygons(lon, lat, diameter_m, MOON_M)
    return [(i, rim.wkt) for i, rim in enumerate(rims)], np.maximum(away_m - diameter_m / 2.0, 0.0)


@pytest.mark.parametrize("case", CASES["distance"][::3])
def test_distances_agree(case: dict[str, Any]):
    on_sphere_m = ask(f"SELECT ST_Distance({POINT}, {POINT})", *case["from"], *case["to"])
    assert on_sphere_m * MOON_M / BODY_SPHERE_RADIUS_M == pytest.approx(
        case["distance_m"], rel=1e-6, abs=1e-3
    )


@pytest.mark.parametrize("case", CASES["destination"][::4])
def test_destinations_agree(case: dict[str, Any]):
    metres = geodesy.on_body_sphere(case["distance_m"], MOON_M)
    sql = f"SELECT ST_AsGeoJSON(ST_Project({POINT}, %s, radians(%s)), 15)"
    lon, lat = json.loads(ask(sql, *case["from"], metres, case["bearing_deg"]))["coordinates"]
    off_m = geodesy.distance_m(lon, lat, *case["to"], MOON_M)
    assert off_m < 1e-6 * case["distance_m"] + 1e-6


@pytest.mark.parametrize("case", CASES["ring"][1::2])
def test_rims_lie_at_their_radius_and_have_their_area(case: dict[str, Any]):
    lon, lat = case["center"]
    rim = geodesy.rim_polygon(lon, lat, case["diameter_m"], case["radius_m"])
    scale = case["radius_m"] / BODY_SPHERE_RADIUS_M
    area_m2 = ask("SELECT ST_Area(ST_GeomFromText(%s, 900001)::geography)", rim.wkt) * scale**2
    # Its edges are great circles, ours straight in longitude and latitude.
    assert area_m2 == pytest.approx(geodesy.polygon_area_m2(rim, case["radius_m"]), rel=2e-3)
    for bearing, (rim_lon, rim_lat) in zip(case["bearings_deg"], case["points"], strict=True):
        if bearing % 90.0 == 0.0:
            to_rim_m = ask(f"SELECT ST_Distance({POINT}, {POINT})", lon, lat, rim_lon, rim_lat) * scale
            assert to_rim_m == pytest.approx(case["diameter_m"] / 2.0, rel=1e-6)


@pytest.mark.parametrize("place", PLACES)
def test_what_lies_within_100_km_is_the_same_with_and_without_the_index(place: tuple[float, float]):
    make_index, _ = geography_index("near")
    within_m = geodesy.on_body_sphere(100_000.0, MOON_M)
    rows, nearest_m = scatter(place, 1500)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE near (id int, geom geometry(MultiPolygon, 900001))")
        cursor.executemany("INSERT INTO near VALUES (%s, ST_GeomFromText(%s, 900001))", rows)
        cursor.execute("SET LOCAL enable_indexscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        unindexed = ask(WITHIN.format(table="near"), *place, within_m)
        cursor.execute(make_index)
        cursor.execute("SET LOCAL enable_bitmapscan = on")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + WITHIN.format(table="near"), (*place, within_m))
        assert "near_geom_geography" in str(cursor.fetchall())
        indexed = ask(WITHIN.format(table="near"), *place, within_m)
    assert indexed == unindexed
    # A rim is a polygon of 72 points: up to 0.1 % of its radius inside the circle.
    assert set(np.flatnonzero(nearest_m < 99_950.0)) <= set(indexed)
    assert set(indexed) <= set(np.flatnonzero(nearest_m < 100_050.0))


@pytest.mark.parametrize("table", ["annotate_feature", "annotate_mark"])
def test_the_tables_have_the_index_and_no_geography_column(table: str):
    indexes = ask("SELECT string_agg(indexdef, ' ') FROM pg_indexes WHERE tablename = %s", table)
    assert "USING gist (((geom)::geography))" in indexes
    columns = (
        "SELECT count(*) FROM information_schema.columns WHERE table_name = %s AND udt_name = 'geography'"
    )
    assert ask(columns, table) == 0


@contextmanager
def scratch_database(name: str) -> Iterator[dict[str, Any]]:
    """An empty database beside the test database, dropped at the end; gives psycopg's arguments."""
    here = {
        k: v
        for k, v in connection.get_connection_params().items()
        if k in ("host", "port", "user", "password")
    }
    with psycopg.connect(**here, dbname="postgres", autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}"')
        admin.execute(f'CREATE DATABASE "{name}"')
        try:
            yield {**here, "dbname": name}
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def tool(name: str) -> str:
    """A client program of PostgreSQL, where Debian keeps it if it is not on the path."""
    kept = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))]
    found = shutil.which(name) or next(iter(reversed(kept)), None)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def copy_database(source: dict[str, Any], target: dict[str, Any]) -> None:
    """pg_dump of one into psql on the other, stopping at the first error."""

    def options(database: dict[str, Any]) -> list[str]:
        kept = {"host": "-h", "port": "-p", "user": "-U"}
        found = [(flag, str(database[key])) for key, flag in kept.items() if database.get(key)]
        return [word for pair in found for word in pair] + ["-d", database["dbname"]]

    dump = subprocess.run([tool("pg_dump"), *options(source)], check=True, capture_output=True)
    restore = [tool("psql"), "-q", "-X", "-v", "ON_ERROR_STOP=1", *options(target)]
    done = subprocess.run(restore, input=dump.stdout, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_a_dump_restores_with_its_index_and_answers_the_same():
    own = connection.settings_dict["NAME"]
    source = {**connection.get_connection_params(), "dbname": own}
    within = (180.0, 10.0, geodesy.on_body_sphere(100_000.0, MOON_M))
    with scratch_database(f"{own}_filled") as filled, scratch_database(f"{own}_restored") as restored:
        copy_database(source, filled)
        with psycopg.connect(**filled) as rows:
            # A table of the same making: the real ones need half the other tables filled.
            rows.execute("CREATE TABLE near (id int, geom geometry(MultiPolygon, 900001))")
            rows.execute(geography_index("near")[0])
            with rows.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO near VALUES (%s, ST_GeomFromText(%s, 900001))",
                    scatter((180.0, 10.0), 500)[0],
                )
            before = rows.execute(WITHIN.format(table="near"), within).fetchone()
        copy_database(filled, restored)
        with psycopg.connect(**restored) as rows:
            rows.execute("SET enable_seqscan = off")
            after = rows.execute(WITHIN.format(table="near"), within).fetchone()
            indexes = rows.execute("SELECT count(*) FROM pg_indexes WHERE indexname LIKE '%_geom_geography'")
            assert indexes.fetchone() == (3,)
    assert before == after
    assert len(before[0]) > 100
