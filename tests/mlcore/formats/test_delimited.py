import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import InvalidInput
from mlcore.formats.delimited import Record, as_text, find_delimiter, find_encoding, records


def taken_apart(text: str, delimiter: str = ",") -> list[Record]:
    return list(records(io.StringIO(text, newline=""), delimiter))


def decode(content: bytes) -> tuple[str, str]:
    stream = io.BytesIO(content)
    encoding = find_encoding(stream)
    with as_text(stream, encoding) as text:
        return text.read(), encoding.title


def test_it_works():
    assert [(r.line, r.cells) for r in taken_apart("lon,lat\n1,2\n3,4\n")] == [
        (1, ["lon", "lat"]),
        (2, ["1", "2"]),
        (3, ["3", "4"]),
    ]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_any_line_end_is_one_and_lines_are_counted_as_an_editor_does(end: str):
    text = end.join(['a,"b', 'still b",c', "", "# a remark", "1,2,3"])
    found = [(r.line, r.cells and len(r.cells)) for r in taken_apart(text)]
    assert found == [(1, 3), (5, 3)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_that_of_the_header(delimiter: str):
    text = f"a{delimiter}b{delimiter}c\n1{delimiter}2{delimiter}3\n"
    assert find_delimiter(text.splitlines()[0]) == delimiter
    assert [r.cells for r in taken_apart(text, delimiter)] == [["a", "b", "c"], ["1", "2", "3"]]


def test_commas_within_quotes_are_no_delimiters():
    assert find_delimiter('"Longitude, deg, east";"Latitude, deg, north";Diameter') == ";"


def test_a_lost_quotation_mark_costs_its_own_line_only():
    text = 'a,b\n1,"open\n2,x\n' + "3,y\n" * 100 + '4,"z"\n'
    found = taken_apart(text)
    assert [r.line for r in found if r.cells is None] == [2]
    assert len(found) == 104


def test_other_separators_of_unicode_end_no_line():
    assert len(taken_apart("name\na\u2028b\x0bc\x85d\n")) == 2


def test_a_line_without_end_is_no_table():
    with pytest.raises(InvalidInput, match="longer than 1,000,000 characters"):
        taken_apart("x" * 2_000_000)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xef\xbb\xbflon", ("lon", "UTF-8 with byte-order mark")),
        ("Möbius".encode(), ("Möbius", "UTF-8")),
        ("Möbius".encode("latin-1"), ("Möbius", "Latin-1")),
        ("lön".encode("utf-16"), ("lön", "UTF-16")),
        ("d’Arrest – Möbius".encode("cp1252"), ("d’Arrest – Möbius", "Windows-1252")),
        (("lön\n" * 700_000).encode(), ("lön\n" * 700_000, "UTF-8")),
    ],
)
def test_the_encoding_is_found(content: bytes, expected: tuple[str, str]):
    assert decode(content) == expected


@pytest.mark.parametrize(
    "content", [b"", b" \r\n ", b"PK\x03\x04" + bytes(20), b"\x89PNG\r\n\x1a\n" + bytes(20)]
)
def test_what_is_no_text_is_refused(content: bytes):
    with pytest.raises(InvalidInput, match=r"empty|not a text file"):
        decode(content)


@given(st.binary(max_size=300))
def test_no_bytes_bring_it_down(content: bytes):
    try:
        text, _ = decode(content)
    except InvalidInput:
        return
    last = 0
    for record in taken_apart(text):
        assert record.line > last
        last = record.line
