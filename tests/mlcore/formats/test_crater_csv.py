import csv
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.bodies import BODIES
from mlcore.errors import InvalidInput
from mlcore.formats import crater_csv
from mlcore.formats.crater_table import CraterTable
from mlcore.formats.names import clean_name

MOON_M = BODIES["moon"].radius_m
DATA = Path(os.environ.get("TEKTITE_DATA", Path(__file__).parents[4] / "shared" / "data"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="shared/data is absent")


def read(text: str | bytes, **options: str) -> CraterTable:
    content = text.encode() if isinstance(text, str) else text
    return crater_csv.read(io.BytesIO(content), radius_m=MOON_M, **options)


def only(table: CraterTable) -> list[tuple[float, float, float]]:
    (rows,) = table.rows_by_source.values()
    return [row[:3] for row in rows]


def test_it_works():
    table = read(
        "lon,lat,diam_km,source,name\n-20.08,9.62,96.07,iau,Copernicus\n-11.4,-43.3,85.3,head,Tycho\n"
    )
    assert {source: [row.name for row in rows] for source, rows in table.rows_by_source.items()} == {
        "iau": ["Copernicus"],
        "head": ["Tycho"],
    }
    assert table.rows_by_source["iau"][0] == (-20.08, 9.62, pytest.approx(96_070.0), "Copernicus", 2)
    assert table.report()["accepted_by_source"] == {"iau": 1, "head": 1}
    assert table.report()["rejected"] == []


@pytest.mark.parametrize(
    "header",
    [
        "Lon,Lat,Diam_km",
        "LONG,LAT,Diameter (km)",
        "Longitude,Latitude,Diameter",
        "Center_Longitude,Center_Latitude,Diameter",
        "Longitude (°E),Latitude (°N),D [km]",
        "LON_CIRC_IMG,LAT_CIRC_IMG,DIAM_CIRC_IMG",
        " lon , lat , diam ",
        "lon;lat;diam",
        "lon\tlat\tdiam",
        '"lon","lat","diam"',
    ],
)
def test_header_names_are_understood_in_many_spellings(header: str):
    between = next((char for char in ";\t" if char in header), ",")
    assert only(read(f"{header}\n{between.join(['10.5', '-20', '7.5'])}\n")) == [(10.5, -20.0, 7500.0)]


def test_columns_come_in_any_order_and_others_are_left_alone():
    table = read(",Unnamed: 0,Diameter (km),Long,Lat,tag\n0,0,7.5,103.6,-58.9,standard\n")
    assert only(table) == [(103.6, -58.9, 7500.0)]
    assert table.columns == {"lon": "Long", "lat": "Lat", "diameter": "Diameter (km)"}


def test_a_diameter_in_metres_is_read_as_such_and_said():
    table = read("lon,lat,diameter_m\n1,2,850\n")
    assert only(table) == [(1.0, 2.0, 850.0)]
    assert "metres" in table.notes[0]


def test_missing_columns_are_explained_by_what_was_found_and_what_is_needed():
    with pytest.raises(InvalidInput) as refusal:
        read("id,x,diam_km\n1,2,3\n")
    assert "longitude and latitude" in refusal.value.message
    assert "'id', 'x', 'diam_km'" in refusal.value.message
    assert "lon, lat and diam_km" in refusal.value.message


@pytest.mark.parametrize("content", ["", "\n\n", "# only a remark\n", '"', b"\x89PNG" + bytes(20)])
def test_what_is_no_crater_list_is_refused(content: str | bytes):
    with pytest.raises(InvalidInput):
        read(content)


@pytest.mark.parametrize(
    ("row", "code", "said"),
    [
        ("1,95,3", "bad_lat", "Latitude 95"),
        ("400,5,3", "bad_lon", "Longitude 400"),
        ("-181,5,3", "bad_lon", "Longitude -181"),
        ("1,5,-1", "bad_diameter", "Diameter -1"),
        ("1,5,0", "bad_diameter", "Diameter 0"),
        ("1,5,3475", "bad_diameter", "more than the body's own, 3474.8 km"),
        ("1,5,NaN", "not_a_number", "'NaN'"),
        ("1,inf,3", "not_a_number", "'inf'"),
        ("1,5,1e999", "not_a_number", "'1e999'"),
        ("1,5,1_000", "not_a_number", "'1_000'"),
        ("1,5,about 3", "not_a_number", "'about 3'"),
        ("1,5,٣", "not_a_number", "'٣'"),
        ("lon,lat,diam", "not_a_number", "'lat'"),
        ("1,,3", "missing_number", "latitude is missing"),
        ("1,5", "too_short", "2 cells, the header 3"),
        ("1,5,3,Abbe, H", "too_long", "5 cells, the header 3"),
        ('1,5,"3', "bad_quotes", "quotation mark"),
    ],
)
def test_bad_rows_are_rejected_with_line_reason_hint_and_text(row: str, code: str, said: str):
    table = read(f"lon,lat,diam\n10,20,30\n\n{row}\n11,21,31\n")
    assert only(table) == [(10.0, 20.0, 30_000.0), (11.0, 21.0, 31_000.0)]
    (rejected,) = table.rejected
    assert (rejected.row, rejected.code) == (4, code)
    assert said in rejected.reason
    assert rejected.hint.endswith((".", "?"))
    assert rejected.text == row
    assert table.report()["rejected_by_reason"] == {code: 1}
    json.dumps(table.report(), allow_nan=False)


def test_when_most_rows_are_rejected_the_columns_are_put_in_doubt():
    assert any("columns" in note for note in read("lon,lat,diam\n1,700,3\n2,800,3\n3,4,5\n").notes)


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_line_ends_quoted_breaks_and_trailing_commas(end: str):
    text = end.join(["lon,lat,diam,name,", '1,2,3,"Möbius', 'crater",', "1,95,3,,", "4,5,6,Abbe,,,", ""])
    table = read("\ufeff" + text)
    assert [row.name for row in table.rows_by_source[""]] == ["Möbius crater", "Abbe"]
    assert [row.row for row in table.rejected] == [4]


def test_latin_1_is_read_and_said():
    table = read("lon,lat,diam,name\n1,2,3,Möbius\n".encode("latin-1"))
    assert table.rows_by_source[""][0].name == "Möbius"
    assert "Latin-1" in table.notes[0]


@pytest.mark.parametrize(
    ("text", "options", "lons", "said"),
    [
        ("lon,lat,diam\n-10,0,1\n10,0,1\n", {}, [-10.0, 10.0], "kept"),
        (
            "lon,lat,diam\n350,0,1\n10,0,1\n180,0,1\n",
            {},
            [-10.0, 10.0, -180.0],
            "0 to 360 degrees, counted eastwards",
        ),
        ("lon,lat,diam\n350,0,1\n", {"lon_positive": "west"}, [10.0], "counted westwards"),
        ("Longitude_W,lat,diam\n31.32,0,1\n", {}, [-31.32], "counted westwards"),
        ("lon,lat,diam\n-10,0,1\n350,0,1\n", {}, [-10.0, -10.0], "−180 to 360"),
    ],
)
def test_longitudes_are_brought_home_and_the_convention_is_said(
    text: str, options: dict[str, str], lons: list[float], said: str
):
    table = read(text, **options)
    assert [row[0] for row in only(table)] == lons
    assert said in table.longitudes


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("<script>alert(1)</script>Abbe", "alert(1) Abbe"),
        ("Ab\x07be\x1b[31m", "Abbe[31m"),
        ("Abbe\u202eebbA", "AbbeebbA"),
        ("a < b", "a b"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("x" * 300, "x" * 200),
    ],
)
def test_names_are_cleaned_and_that_is_said(given: str, kept: str):
    table = read(f"lon,lat,diam,name,source\n1,2,3,{given},{given}\n")
    (rows,) = table.rows_by_source.items()
    assert rows[0] == kept and rows[1][0].name == kept
    assert table.n_cleaned == (2 if given != kept else 0)
    assert not table.cleaned or table.cleaned[0]["row"] == 2


def test_a_report_of_a_million_bad_rows_stays_small():
    table = read("lon,lat,diam\n" + "1,95,3\n" * 5000)
    assert len(table.rejected) == 1000
    assert table.report()["rejected_count"] == 5000


texts = st.text(max_size=30).map(clean_name)
craters = st.lists(
    st.fixed_dictionaries(
        {
            "lon": st.floats(-180.0, 180.0),
            "lat": st.floats(-90.0, 90.0),
            "diameter_m": st.floats(0.001, 3e6),
            "source": texts | st.sampled_from(["=1+1", "'=x", "''@x", "+", "-5", "a,b", 'c"d', "e;f"]),
            "name": texts | st.sampled_from(["=HYPERLINK(1)", "@x", "'Aila", "Möbius", "O'Day"]),
        }
    ),
    max_size=8,
)


@given(craters)
def test_what_is_written_is_read_back(features: list[dict]):
    table = read("".join(crater_csv.write(features)))
    assert table.n_rows == len(features)
    assert not table.rejected and not table.n_cleaned
    rows = sorted(
        ((row.line, source, row) for source, rows in table.rows_by_source.items() for row in rows),
    )
    for feature, (_, source, row) in zip(features, rows, strict=True):
        assert (source, row.name) == (feature["source"], feature["name"])
        assert abs((row.lon - feature["lon"] + 180.0) % 360.0 - 180.0) <= 1e-8
        assert row.lat == pytest.approx(feature["lat"], abs=1e-8)
        assert row.diameter_m == pytest.approx(feature["diameter_m"], rel=1e-11)


@given(texts)
def test_no_name_becomes_a_formula_and_numbers_stay_numbers(name: str):
    feature = {"lon": -12.5, "lat": -0.5, "diameter_m": 1000.0, "name": name, "score": -0.25}
    header, row = crater_csv.write([feature], extra_columns=["score", "status"])
    assert header == "lon,lat,diam_km,source,name,score,status\r\n"
    (cells,) = csv.reader([row])
    assert cells[:3] == ["-12.50000000", "-0.50000000", "1"]
    assert not cells[4].startswith(("=", "+", "-", "@"))
    assert cells[5:] == ["-0.25", ""]


@given(st.text(max_size=200))
def test_no_text_brings_it_down(text: str):
    table = read("lon,lat,diam,name\n" + text)
    json.dumps(table.report(), allow_nan=False)


@pytest.mark.data
@needs_data
@pytest.mark.parametrize(
    ("file", "body", "accepted", "rejected"),
    [
        ("catalogues/head2010_HeadCraters_ge20km.csv", "moon", 5185, {}),
        ("catalogues/povilaitis2018_LROCCraters_5_20km.csv", "moon", 19_335, {}),
        ("catalogues/robbins2018_ge20km.csv", "moon", 6973, {}),
        ("catalogues/iau_moon_gazetteer_2015.csv", "moon", 9021, {"bad_diameter": 95}),
        ("catalogues/iau_moon_named_craters_2025.csv", "moon", 786, {}),
        ("catalogues/iau_mercury_craters_2025.csv", "mercury", 337, {}),
        ("dem/gld100_copernicus_craters.csv", "moon", 58, {}),
        ("dem/gld100_farside_craters.csv", "moon", 91, {}),
        ("dem/gld100_tycho_craters.csv", "moon", 13, {}),
        ("dem/gld100_gassendi_large_craters.csv", "moon", 426, {}),
        # Pixels, not degrees: nearly everything is rejected, with its reason.
        ("mars_hrsc/holdout_tile_labels.csv", "mars", 9, {"bad_lat": 378, "bad_lon": 22}),
    ],
)
def test_real_crater_lists_are_read_whole(file: str, body: str, accepted: int, rejected: dict[str, int]):
    west = {"lon_positive": "west"} if body == "mercury" else {}
    with (DATA / file).open("rb") as stream:
        table = crater_csv.read(stream, radius_m=BODIES[body].radius_m, **west)
    assert table.n_rows == accepted
    assert dict(table.n_rejected) == rejected
    assert table.n_cleaned == 0


@pytest.mark.data
@needs_data
def test_known_craters_lie_where_they_are():
    with (DATA / "catalogues/iau_moon_gazetteer_2015.csv").open("rb") as stream:
        names = {row.name: row for row in crater_csv.read(stream, radius_m=MOON_M).rows_by_source[""]}
    assert names["Tycho"][:3] == (-11.22, -43.3, pytest.approx(85_290.0))
    assert "Möbius" in names
    with (DATA / "catalogues/iau_mercury_craters_2025.csv").open("rb") as stream:
        table = crater_csv.read(stream, radius_m=BODIES["mercury"].radius_m, lon_positive="west")
    # Kuiper, whose longitude the file counts westwards as 31.32.
    assert any(
        row.lon == pytest.approx(-31.32) and row.lat == pytest.approx(-11.3, abs=0.1)
        for row in table.rows_by_source[""]
    )


@pytest.mark.data
@needs_data
def test_sources_become_one_list_each():
    with (DATA / "dem/gld100_gassendi_large_craters.csv").open("rb") as stream:
        table = crater_csv.read(stream, radius_m=MOON_M)
    assert {source: len(rows) for source, rows in table.rows_by_source.items()} == {
        "head2010_ge20km": 41,
        "iau_gazetteer_2015": 161,
        "povilaitis2018_lroc_5-20km": 171,
        "robbins2018_ge20km": 53,
    }
