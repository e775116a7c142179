"""Tables on their way out: any reader of CSV takes them back, and no spreadsheet runs them."""

import csv
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.formats.csv_lines import line, table
from mlcore.formats.names import guard_formula, printable


def read(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines(keepends=True)))


def test_a_table_is_its_header_and_its_rows():
    rows = [{"a": 1, "b": "x, y", "more": 0}, {"a": None, "b": 'say; "z"'}]
    assert "".join(table(("a", "b"), rows)) == 'a,b\r\n1,"x, y"\r\n,"say; ""z"""\r\n'


@given(st.lists(st.text(), min_size=2, max_size=5))
def test_texts_come_back_as_they_can_be_shown(cells: list[str]):
    [found] = read(line(cells))
    assert found == [guard_formula(printable(cell)) for cell in cells]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_to_the_last_digit(number: float):
    assert float(read(line([number]))[0][0]) == number


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-x", "@sum", "  =1", "'=1", "＝1"])
def test_no_text_is_a_formula(formula: str):
    assert read(line([formula]))[0][0].startswith("'")


@pytest.mark.parametrize(
    ("value", "cell"), [(None, ""), (math.nan, ""), (math.inf, ""), (True, "true"), (-1.5, "-1.5")]
)
def test_what_is_no_text(value: object, cell: str):
    assert line([value, 0]) == f"{cell},0\r\n"
