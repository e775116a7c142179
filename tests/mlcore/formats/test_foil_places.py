"""Tables of places: rows in, rows and refusals out."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import InvalidInput
from mlcore.formats.foil_names import Place
from mlcore.formats.foil_places import BadPlace, PlaceRow, check_place, read_places


def read(text: str) -> list[PlaceRow | BadPlace]:
    return list(read_places(io.BytesIO(text.encode())))


def test_rows_say_foil_position_and_scale():
    assert read("file,foil,x_um,y_um,nm_per_px,score\na/b.tif,I1061N,12.5,-3,50,0.7\n") == [
        PlaceRow(2, "a/b.tif", Place("I1061N", 12.5, -3.0, 50.0))
    ]


def test_an_empty_cell_and_a_missing_column_say_nothing():
    assert read("file,foil,x_um\na.tif,,\n") == [PlaceRow(2, "a.tif", Place())]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("File Name;Stage X (mm);stage_y_mm\na.tif;1,25;-0,5", Place(None, 1250.0, -500.0)),
        ("image\tPixel size µm\na.tif\t0.05", Place(nm_per_px=50.0)),
        ("name|sample\na.tif|C2052N", Place("C2052N")),
    ],
)
def test_headers_units_and_separators_come_as_they_like(text: str, place: Place):
    [row] = read(text)
    assert isinstance(row, PlaceRow)
    assert row.name == "a.tif"
    assert row.place == place


@given(st.lists(st.tuples(st.from_regex(r"[a-z]{1,8}\.tif", fullmatch=True), st.floats(-1e6, 1e6))))
def test_what_was_written_is_read_back(rows: list[tuple[str, float]]):
    text = "file,x_um\n" + "\n".join(f"{name},{x!r}" for name, x in rows)
    found = [(row.name, row.place.x_um) for row in read(text) if isinstance(row, PlaceRow)]
    assert found == rows


@pytest.mark.parametrize(
    "row",
    [
        ",5,50",
        "x" * 301 + ",5,50",
        "a.tif,five,50",
        "a.tif,nan,50",
        'a.tif,"1,234",50',
        "a.tif,1e300,50",
        "a.tif,5,0",
        "a.tif,5,-1",
        "a.tif,5,1e300",
    ],
)
def test_a_bad_row_is_told_by_its_line_and_costs_no_other(row: str):
    bad, good = read(f"file,x_um,um_per_px\n{row}\nb.tif,1,1\n")
    assert isinstance(bad, BadPlace)
    assert bad.line == 2
    assert "ine 2" in bad.reason
    assert good == PlaceRow(3, "b.tif", Place(None, 1.0, None, 1000.0))


@pytest.mark.parametrize("text", ["", "file,score\na.tif,1", "foil,x_um\nI1061N,3", "\x00\x01" * 300])
def test_a_table_without_such_columns_is_refused(text: str):
    with pytest.raises(InvalidInput):
        read(text)


def test_a_foil_whose_name_does_not_fit_is_refused():
    with pytest.raises(InvalidInput, match="at most 100"):
        check_place(Place(foil="x" * 101))
