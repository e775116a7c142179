"""Tables of scores: rows in, rows and refusals out."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import InvalidInput
from mlcore.formats.foil_scores import BadScore, ScoreRow, read_scores

HASH = "ab" * 32


def read(text: str) -> list[ScoreRow | BadScore]:
    return list(read_scores(io.BytesIO(text.encode())))


def test_pictures_are_named_or_known_by_hash():
    assert read(f"name,sha256,score\na.tif,,0.25\nb.tif,{HASH.upper()},1\n") == [
        ScoreRow(2, "a.tif", "", 0.25),
        ScoreRow(3, "", HASH, 1.0),
    ]


@pytest.mark.parametrize(
    "text",
    ["File Name;P\na.tif;0.5", "image\tprediction\r\na.tif\t5e-1\r\n", "# made by\npath|score\na.tif|.5"],
)
def test_headers_and_separators_come_as_they_like(text: str):
    [row] = read(text)
    assert isinstance(row, ScoreRow)
    assert (row.name, row.score) == ("a.tif", 0.5)


@given(st.lists(st.tuples(st.from_regex(r"[a-z]{1,8}\.tif", fullmatch=True), st.floats(0, 1)), min_size=1))
def test_what_was_written_is_read_back(rows: list[tuple[str, float]]):
    text = "name,score\n" + "\n".join(f"{name},{score!r}" for name, score in rows)
    assert [(row.name, row.score) for row in read(text)] == rows


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("a.tif,1.01", "out_of_range"),
        ("a.tif,-0.01", "out_of_range"),
        ("a.tif,nan", "no_number"),
        ("a.tif,", "no_number"),
        ("a.tif", "no_number"),
        ("a.tif,high", "no_number"),
        (",0.5", "no_name"),
        ("x" * 301 + ",0.5", "no_name"),
    ],
)
def test_a_bad_row_is_told_by_its_line_and_costs_no_other(row: str, code: str):
    bad, good = read(f"name,score\n{row}\nb.tif,0.5\n")
    assert isinstance(bad, BadScore)
    assert (bad.line, bad.code) == (2, code)
    assert "ine 2" in bad.reason
    assert good == ScoreRow(3, "b.tif", "", 0.5)


def test_a_hash_has_64_digits():
    [bad] = read("sha256,score\nabc,0.5\n")
    assert isinstance(bad, BadScore)
    assert "no SHA-256" in bad.reason


@pytest.mark.parametrize("text", ["a.tif,0.5\nb.tif,0.1\n", "name,confidence\na.tif,0.5\n", "score\n0.5\n"])
def test_a_header_without_name_and_score_is_refused(text: str):
    with pytest.raises(InvalidInput, match="The first line must name the columns"):
        read(text)


def test_an_empty_file_is_refused():
    with pytest.raises(InvalidInput, match="empty"):
        read("")
