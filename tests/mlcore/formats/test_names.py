import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.formats.names import clean_name, guard_formula, printable, unguard_formula


def test_it_works():
    assert clean_name(" <b>Mo\u0308bius</b>\x00\n A ") == "Möbius A"
    assert guard_formula("=1+1") == "'=1+1"


@pytest.mark.parametrize("name", ["Abbe H", "O'Day", "'Aila", "Ångström", "Ch'ien", "3C 273"])
def test_ordinary_names_are_left_alone(name: str):
    assert clean_name(name) == guard_formula(name) == unguard_formula(name) == name


@given(st.text(max_size=40))
def test_a_guarded_text_comes_back_and_is_no_formula(text: str):
    assert unguard_formula(guard_formula(text)) == text
    assert not guard_formula(text).startswith(("=", "+", "-", "@"))


@given(st.text(max_size=300))
def test_a_clean_name_is_one_printable_line_and_stays_clean(text: str):
    name = clean_name(text)
    assert name.isprintable() and len(name) <= 200
    assert clean_name(name) == printable(name) == name
