import json
import math
import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import shape

from mlcore.bodies import BODIES
from mlcore.errors import InvalidInput
from mlcore.formats import geojson
from mlcore.geodesy import polygon_area_m2

MOON = BODIES["moon"]
craters = st.lists(
    st.fixed_dictionaries(
        {"lon": st.floats(-180.0, 180.0), "lat": st.floats(-90.0, 90.0), "diameter_m": st.floats(10.0, 5e6)}
    ),
    max_size=5,
)


def written(features: list[dict]) -> dict:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads("".join(geojson.write(features, MOON)), parse_constant=refuse)


def test_it_works():
    uid = uuid.uuid4()
    crater = {"uid": uid, "lon": -11.22, "lat": -43.3, "diameter_m": 85_290.0, "score": 0.93, "name": "Tycho"}
    collection = written([crater])
    assert collection["type"] == "FeatureCollection"
    assert collection["body"] == {"name": "moon", "title": "Moon", "radius_m": 1_737_400.0}
    (feature,) = collection["features"]
    assert (feature["type"], feature["id"]) == ("Feature", str(uid))
    assert feature["properties"] == {key: value for key, value in crater.items() if key != "uid"}
    rim = shape(feature["geometry"])
    assert polygon_area_m2(rim, MOON.radius_m) == pytest.approx(math.pi * 42_645.0**2, rel=3e-3)


def test_none_are_an_empty_collection():
    assert written([])["features"] == []


def test_counts_in_are_counts_out_over_many_batches():
    features = [{"lon": i / 10.0, "lat": 0.0, "diameter_m": 100.0, "n": i} for i in range(1203)]
    assert [feature["properties"]["n"] for feature in written(features)["features"]] == list(range(1203))


def test_it_is_written_piece_by_piece():
    def endless() -> object:
        while True:
            yield {"lon": 0.0, "lat": 0.0, "diameter_m": 100.0}

    pieces = geojson.write(endless(), MOON)
    assert len([next(pieces) for _ in range(100)]) == 100


def test_values_that_json_does_not_know_are_brought_into_it():
    crater = {
        "lon": 0.0,
        "lat": 0.0,
        "diameter_m": 9.0,
        "score": math.nan,
        "sd": np.float64(2.5),
        "n": np.int64(3),
    }
    properties = written([{**crater, "parent": uuid.UUID(int=7), "name": 'Ma"ri\nä</script>', "none": None}])[
        "features"
    ][0]["properties"]
    assert properties["score"] is None and properties["none"] is None
    assert (properties["sd"], properties["n"]) == (2.5, 3)
    assert properties["parent"] == str(uuid.UUID(int=7))
    assert properties["name"] == 'Ma"ri\nä</script>'


@given(craters)
def test_geometries_are_as_rfc_7946_wants_them(features: list[dict]):
    for feature in written(features)["features"]:
        rim = shape(feature["geometry"])
        assert rim.geom_type == "MultiPolygon" and rim.is_valid
        west, south, east, north = rim.bounds
        assert west >= -180.0 and east <= 180.0 and south >= -90.0 and north <= 90.0
        # Exterior rings run counter-clockwise, and are closed.
        assert all(part.exterior.is_ccw for part in rim.geoms)
        for part in feature["geometry"]["coordinates"]:
            assert part[0][0] == part[0][-1]


def test_a_rim_across_the_antimeridian_is_cut_there():
    (feature,) = written([{"lon": 180.0, "lat": 60.0, "diameter_m": 50_000.0}])["features"]
    assert len(feature["geometry"]["coordinates"]) == 2


def test_what_is_no_circle_is_refused():
    with pytest.raises(InvalidInput, match="Latitude 95"):
        written([{"lon": 0.0, "lat": 95.0, "diameter_m": 10.0}])
