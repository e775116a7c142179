import csv
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.bodies import BODIES
from mlcore.catalogues.landmarks import LANDMARKS
from mlcore.errors import InvalidInput
from mlcore.formats import crater_csv, longitudes
from mlcore.formats.crater_csv import CraterRow, Rejected
from mlcore.formats.crater_survey import MAX_LISTED, MAX_SOURCES, Survey, survey
from mlcore.formats.names import clean_name, guard_formula

DATA = Path(os.environ.get("TEKTITE_DATA", Path(__file__).parents[4] / "shared" / "data"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="shared/data is absent")


@dataclass(frozen=True)
class Reading:
    """A list looked through, and then its rows by what was found."""

    found: Survey
    rows: list[CraterRow]
    rejected: list[Rejected]
    to_mend: str

    @property
    def places(self) -> list[tuple[float, float, float]]:
        return [(row.lon, row.lat, row.diameter_m) for row in self.rows]

    def by_source(self) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        for row in self.rows:
            names.setdefault(row.source, []).append(row.name)
        return names


def read(text: str | bytes, *, body: str = "moon", longitude: str = "detect") -> Reading:
    return read_stream(io.BytesIO(text.encode() if isinstance(text, str) else text), body, longitude)


def read_stream(stream: BinaryIO, body: str = "moon", longitude: str = "detect") -> Reading:
    to_mend = io.StringIO(newline="")
    found = survey(stream, body=BODIES[body], longitude=longitude, rejected=to_mend)
    passed = list(
        crater_csv.rows(
            stream,
            crater_csv.examine(stream),
            radius_m=BODIES[body].radius_m,
            convention=longitudes.convention(found.finding.convention.key),
        )
    )
    rows = [row for row in passed if isinstance(row, CraterRow)]
    rejected = [row for row in passed if isinstance(row, Rejected)]
    # What is shown before an import is what the import takes: never more, never less, never elsewhere.
    assert found.n_rows == len(rows) == sum(found.counts.values())
    assert sum(found.n_rejected.values()) == len(rejected)
    assert list(zip(found.lon, found.lat, found.diameter_m, strict=True)) == [row[:3] for row in rows]
    return Reading(found, rows, rejected, to_mend.getvalue())


def test_it_works():
    table = read(
        "lon,lat,diam_km,source,name\n-20.08,9.62,96.07,iau,Copernicus\n-11.4,-43.3,85.3,head,Tycho\n"
    )
    assert table.by_source() == {"iau": ["Copernicus"], "head": ["Tycho"]}
    assert table.rows[0][:6] == (-20.08, 9.62, pytest.approx(96_070.0), "Copernicus", "iau", 2)
    assert table.found.report()["accepted_by_source"] == {"iau": 1, "head": 1}
    assert table.found.report()["rejected"] == []


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
    assert read(f"{header}\n{between.join(['10.5', '-20', '7.5'])}\n").places == [(10.5, -20.0, 7500.0)]


def test_columns_come_in_any_order_and_others_are_left_alone():
    table = read(",Unnamed: 0,Diameter (km),Long,Lat,tag\n0,0,7.5,103.6,-58.9,standard\n")
    assert table.places == [(103.6, -58.9, 7500.0)]
    assert table.found.layout.columns.mapping() == {"lon": "Long", "lat": "Lat", "diameter": "Diameter (km)"}


def test_a_diameter_in_metres_is_read_as_such_and_said():
    table = read("lon,lat,diameter_m\n1,2,850\n")
    assert table.places == [(1.0, 2.0, 850.0)]
    assert "metres" in table.found.notes()[0]


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
        ("1,5,-1", "bad_diameter", "diameter -1"),
        ("1,5,0", "bad_diameter", "diameter 0"),
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
    assert table.places == [(10.0, 20.0, 30_000.0), (11.0, 21.0, 31_000.0)]
    (rejected,) = table.rejected
    assert (rejected.line, rejected.code) == (4, code)
    assert said in rejected.reason
    assert rejected.hint.endswith((".", "?"))
    assert rejected.text == row
    assert table.found.report()["rejected_by_reason"] == {code: 1}
    json.dumps(table.found.report(), allow_nan=False)


def test_when_most_rows_are_rejected_the_columns_are_put_in_doubt():
    assert any("columns" in note for note in read("lon,lat,diam\n1,700,3\n2,800,3\n3,4,5\n").found.notes())


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_line_ends_quoted_breaks_and_trailing_commas(end: str):
    text = end.join(["lon,lat,diam,name,", '1,2,3,"Möbius', 'crater",', "1,95,3,,", "4,5,6,Abbe,,,", ""])
    table = read("\ufeff" + text)
    assert [row.name for row in table.rows] == ["Möbius crater", "Abbe"]
    assert [row.line for row in table.rejected] == [4]


def test_latin_1_is_read_and_said():
    table = read("lon,lat,diam,name\n1,2,3,Möbius\n".encode("latin-1"))
    assert table.rows[0].name == "Möbius"
    assert "Latin-1" in table.found.notes()[0]


@pytest.mark.parametrize(
    ("text", "longitude", "lons", "convention"),
    [
        ("lon,lat,diam\n-10,0,1\n10,0,1\n", "detect", [-10.0, 10.0], "−180 to 180, positive east"),
        ("lon,lat,diam\n350,0,1\n180,0,1\n", "detect", [-10.0, -180.0], "0 to 360, positive east"),
        ("lon,lat,diam\n350,0,1\n0,0,1\n", "west360", [10.0, 0.0], "0 to 360, positive west"),
        ("lon,lat,diam\n-10,0,1\n180,0,1\n", "west180", [10.0, -180.0], "−180 to 180, positive west"),
        ("Longitude_W,lat,diam\n31.32,0,1\n", "detect", [-31.32], "0 to 360, positive west"),
        ("Longitude (°E),lat,diam\n31.32,0,1\n", "detect", [31.32], "0 to 360, positive east"),
        ("lon,lat,diam\n-10,0,1\n350,0,1\n", "detect", [-10.0, -10.0], "−180 to 360, positive east"),
    ],
)
def test_longitudes_are_brought_home_and_the_convention_is_said(
    text: str, longitude: str, lons: list[float], convention: str
):
    table = read(text, longitude=longitude)
    assert [row[0] for row in table.places] == lons
    assert table.found.report()["longitudes"].startswith(convention + ". ")


def test_a_chosen_convention_refuses_what_lies_outside_its_range():
    table = read("lon,lat,diam\n-10,0,1\n350,0,1\n", longitude="east360")
    assert table.places == [(-10.0, 0.0, 1000.0)]
    (rejected,) = table.rejected
    assert rejected.code == "bad_lon"
    assert "outside 0 to 360" in rejected.reason
    assert "another convention" in rejected.hint


def test_an_unknown_convention_is_refused_by_naming_those_there_are():
    with pytest.raises(InvalidInput, match="east180, east360, west180, west360 or detect"):
        read("lon,lat,diam\n1,2,3\n", longitude="upwards")


class TestLandmarks:
    """Nothing in most lists says which way their longitudes grow; large craters do."""

    def listed(self, sign: int = 1, header: str = "lon") -> str:
        marks = LANDMARKS["mercury"]
        rows = "".join(f"{sign * mark.lon % 360},{mark.lat},{mark.diameter_km}\n" for mark in marks)
        return f"{header},lat,diam_km\n{rows}"

    def test_they_tell_the_direction(self):
        for sign, key in ((1, "east360"), (-1, "west360")):
            found = read(self.listed(sign), body="mercury").found
            assert (found.finding.convention.key, found.finding.certainty) == (key, "recognised")
            assert "Caloris" in found.finding.reason
            assert found.lon[0] == pytest.approx(161.98)

    @pytest.mark.parametrize("longitude", ["east360", "detect"])
    def test_they_put_a_wrong_choice_or_header_in_doubt(self, longitude: str):
        header = "lon" if longitude == "east360" else "lon_e"
        finding = read(self.listed(-1, header), body="mercury", longitude=longitude).found.finding
        assert not finding.convention.west
        assert "only when longitudes are counted westwards" in finding.doubt

    def test_a_choice_against_the_header_is_doubted_too(self):
        finding = read("Longitude_W,lat,diam\n31,0,1\n", longitude="east360").found.finding
        assert finding.convention.key == "east360"
        assert "grow westwards" in finding.doubt

    def test_without_them_the_direction_is_assumed_and_that_is_said(self):
        finding = read("lon,lat,diam\n1,2,3\n").found.finding
        assert (finding.convention.west, finding.certainty) == (False, "assumed")
        assert "Eastwards is assumed" in finding.reason

    def test_those_of_another_body_put_the_body_in_doubt(self):
        notes = read(self.listed(), body="moon").found.notes()
        assert any("landmarks of Mercury" in note for note in notes)
        assert not any("landmarks" in note for note in read(self.listed(), body="mercury").found.notes())


def test_a_column_that_names_the_system_says_the_direction():
    table = read('lon,lat,diam,Coordinate_System\n10,0,1,"Planetographic +West 0 - 360"\n')
    assert (table.places[0][0], table.found.finding.certainty) == (-10.0, "stated")


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("lon;lat;diam\n-10,5;20,25;7,5\n11;21;8\n", [(-10.5, 20.25, 7500.0), (11.0, 21.0, 8000.0)]),
        ('lon,lat,diam\n"-10,5","20,25","7,5"\n', [(-10.5, 20.25, 7500.0)]),
        ("lon|lat|diam\n-10.5|20.25|7.5\n", [(-10.5, 20.25, 7500.0)]),
    ],
)
def test_decimal_commas_are_read_where_they_can_mean_nothing_else(text: str, places: list[tuple]):
    assert read(text).places == places


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('lon,lat,diam\n1.5,2.5,"1,234"\n', "thousands"),
        ('lon,lat,diam\n1.5,2.5,"1,234.5"\n', "thousands"),
        ("lon;lat;diam\n1,5;2,5;1.234,5\n", "thousands"),
        ("lon;lat;diam\n1,5;2,5;1 234,5\n", "thousands"),
        ("lon,lat,diam\n1.5,2.5,1'234\n", "thousands"),
        ('lon,lat,diam\n1.5,2.5,"3,5"\n', "decimal_mark"),
        ("lon,lat,diam\n1.5W,2.5,3\n", "not_a_number"),
    ],
)
def test_marks_that_could_mean_two_numbers_are_refused(text: str, code: str):
    (rejected,) = read(text).rejected
    assert rejected.code == code
    assert rejected.hint


def test_a_radius_is_doubled_and_said():
    table = read("lon,lat,radius_m\n1,2,850\n")
    assert table.places == [(1.0, 2.0, 1700.0)]
    assert any("doubled" in note for note in table.found.notes())


def test_craters_said_twice_are_counted_and_taken():
    text = "id,lon,lat,diam,source\n1,10,5,12,a\n1,10,5,12,a\n2,10.001,5,12.1,a\n3,10,5,12,b\n4,10,5,20,a\n"
    table = read(text)
    assert (table.found.n_rows, table.found.n_repeats, table.found.n_same_ids) == (5, 2, 1)
    assert any("identifier" in note for note in table.found.notes())


def test_a_column_of_remarks_is_not_taken_for_sources():
    rows = "".join(f"1,2,3,remark {n}\n" for n in range(MAX_SOURCES + 1))
    with pytest.raises(InvalidInput, match="give it another name"):
        read("lon,lat,diam,source\n" + rows)


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
    (row,) = table.rows
    assert (row.source, row.name) == (kept, kept)
    assert table.found.n_cleaned == (2 if given != kept else 0)
    assert not table.found.cleaned or table.found.cleaned[0]["row"] == 2


def test_a_report_of_very_many_bad_rows_stays_small_and_the_file_to_mend_holds_all():
    table = read("lon,lat,diam\n" + "1,95,3\n" * 5000)
    assert len(table.found.rejected) == MAX_LISTED
    assert table.found.report()["rejected_by_reason"] == {"bad_lat": 5000}
    assert len(table.to_mend.splitlines()) == 5001


class TestRowsToMend:
    def cells(self, table: Reading, delimiter: str = ",") -> list[list[str]]:
        return list(csv.reader(io.StringIO(table.to_mend, newline=""), delimiter=delimiter))

    def test_it_works(self):
        header, row = self.cells(read("name,lon,lat,diam\nAbbe,1,95,3\nTycho,1,5,3\n"))
        assert header == ["rejected_line", "rejected_reason", "rejected_hint", "name", "lon", "lat", "diam"]
        assert row[0] == "2"
        assert "95" in row[1] and "swapped" in row[2]
        assert row[3:] == ["Abbe", "1", "95", "3"]

    def test_mended_it_comes_in_with_the_same_columns_and_delimiter(self):
        table = read('Name;Länge;Breite;Durchmesser\n"Möbius; A";1,5;95,5;3\n;x;1;1\n')
        mended = table.to_mend.replace("95,5", "9,5").replace(";x;", ";7;")
        again = read(mended)
        assert again.places == [(1.5, 9.5, 3000.0), (7.0, 1.0, 1000.0)]
        assert [row.name for row in again.rows] == ["Möbius; A", ""]

    def test_refused_once_more_it_does_not_grow(self):
        first = read("lon,lat,diam\n1,95,3\n")
        assert self.cells(read(first.to_mend))[0] == self.cells(first)[0]

    @pytest.mark.parametrize("name", ["=cmd()", "'=cmd()", "+1+1", "@x", "-x", "＝x"])
    def test_a_spreadsheet_runs_nothing_of_it_and_names_come_back(self, name: str):
        text = f"lon,lat,diam,name\n-1.5,95,3,{name}\n"
        row = self.cells(read(text))[1]
        assert row[3] == "-1.5"
        assert row[6].startswith("'")
        mended = read(read(text).to_mend.replace("95,3", "9,3"))
        assert mended.rows[0].name == read(text.replace("95,3", "9,3")).rows[0].name

    def test_a_row_with_too_many_cells_or_a_lost_quote_pushes_nothing_over_them(self):
        table = read('lon,lat,diam,name\n1,5,3,Abbe, H\n1,5,3,"Abbe\n2,2,2,x\n')
        assert [row[3:] for row in self.cells(table)[1:]] == [
            ["1", "5", "3", "Abbe", "H"],
            ["1", "5", "3", '"Abbe'],
        ]
        assert len(table.rows) == 1


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
    assert len(table.rows) == len(features)
    assert not table.rejected and not table.found.n_cleaned
    for feature, row in zip(features, table.rows, strict=True):
        assert (row.source, row.name) == (feature["source"], feature["name"])
        assert abs((row.lon - feature["lon"] + 180.0) % 360.0 - 180.0) <= 1e-8
        assert row.lat == pytest.approx(feature["lat"], abs=1e-8)
        assert row.diameter_m == pytest.approx(feature["diameter_m"], rel=1e-11)


GIVEN = {
    "east180": lambda lon: lon,
    "east360": lambda lon: lon % 360.0,
    "west180": lambda lon: -lon,
    "west360": lambda lon: -lon % 360.0,
}


@given(
    craters,
    st.sampled_from(sorted(GIVEN)),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.booleans(),
)
@settings(deadline=None)
def test_every_convention_delimiter_line_end_and_encoding_comes_to_the_same(
    features: list[dict], convention: str, delimiter: str, end: str, encoding: str, comma: bool
):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["Name", "Longitude", "Latitude", "Diameter (m)", "Source"])
    # One number whose comma can be no mark of thousands says what all the commas are.
    features = [*features, {"name": "", "lon": 0.0, "lat": 0.0, "diameter_m": 1.5, "source": ""}]
    for feature in features:
        numbers = [
            f"{value:.9f}".replace(".", "," if comma else ".")
            for value in (GIVEN[convention](feature["lon"]), feature["lat"], feature["diameter_m"])
        ]
        writer.writerow([guard_formula(feature["name"]), *numbers, guard_formula(feature["source"])])
    table = read(text.getvalue().encode(encoding), longitude=convention)
    assert not table.rejected
    for feature, row in zip(features, table.rows, strict=True):
        assert (row.source, row.name) == (feature["source"], feature["name"])
        assert abs((row.lon - feature["lon"] + 180.0) % 360.0 - 180.0) <= 1e-8
        assert (row.lat, row.diameter_m) == pytest.approx((feature["lat"], feature["diameter_m"]), abs=1e-8)


lines = st.lists(
    st.sampled_from(
        [
            "1,2,3",
            "1,95,3",
            "x,2,3",
            "1,2",
            "400,2,3",
            "1,2,-3",
            "1,2,3,a",
            "",
            "# a remark",
            ",,",
            "1,2,3,,",
        ]
    )
    | st.text(alphabet="0123456789.,-# ax", max_size=12),
    max_size=12,
)


@given(lines, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_rows_are_taken_or_rejected_whatever_their_order(rows: list[str], random: Random):
    n = sum(any(cell.strip() for cell in row.split(",")) and not row.startswith("#") for row in rows)
    header = "lon,lat,diam,name\n"
    table = read(header + "\n".join(rows) + "\n")
    assert len(table.rows) + len(table.rejected) == n
    shuffled = rows[:]
    random.shuffle(shuffled)
    again = read(header + "\n".join(shuffled) + "\n")
    assert sorted(again.places) == sorted(table.places)
    assert again.found.n_rejected == table.found.n_rejected


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
    json.dumps(table.found.report(), allow_nan=False)


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
    with (DATA / file).open("rb") as stream:
        table = read_stream(stream, body)
    assert table.found.n_rows == accepted
    assert dict(table.found.n_rejected) == rejected
    assert table.found.n_cleaned == 0
    assert table.found.finding.convention.west == (body == "mercury")


@pytest.mark.data
@needs_data
def test_known_craters_lie_where_they_are():
    with (DATA / "catalogues/iau_moon_gazetteer_2015.csv").open("rb") as stream:
        names = {row.name: row for row in read_stream(stream).rows}
    assert names["Tycho"][:3] == (-11.22, -43.3, pytest.approx(85_290.0))
    assert "Möbius" in names
    with (DATA / "catalogues/iau_mercury_craters_2025.csv").open("rb") as stream:
        table = read_stream(stream, "mercury")
    # Kuiper, whose longitude the file counts westwards as 31.32, without saying so.
    assert table.found.finding.certainty == "recognised"
    assert any(
        row.lon == pytest.approx(-31.32) and row.lat == pytest.approx(-11.3, abs=0.1) for row in table.rows
    )


@pytest.mark.data
@needs_data
def test_sources_become_one_list_each():
    with (DATA / "dem/gld100_gassendi_large_craters.csv").open("rb") as stream:
        table = read_stream(stream)
    assert table.found.counts == {
        "head2010_ge20km": 41,
        "iau_gazetteer_2015": 161,
        "povilaitis2018_lroc_5-20km": 171,
        "robbins2018_ge20km": 53,
    }
