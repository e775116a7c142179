"""Where an image was taken, read from its name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import InvalidInput
from mlcore.formats.foil_names import NamePattern, Place

numbers = st.floats(-1e5, 1e5).map(lambda x: round(x, 2))


def test_a_pattern_reads_foil_position_scale_and_focus():
    pattern = NamePattern("{foil}_x{x_um}_y{y_um}_{nm_per_px}nm_z{focus}.tif")
    assert pattern.read("I1061N,1_x1250.5_y-310_50nm_z02.TIF") == Place("I1061N,1", 1250.5, -310.0, 50.0, 2)


@given(st.from_regex(r"[A-Z][A-Z0-9]{0,6}", fullmatch=True), numbers, numbers)
def test_what_was_written_into_a_name_is_read_back(foil: str, x_um: float, y_um: float):
    name = f"scan 7/{foil}_x{x_um:.2f}_y{y_um:.2f}.tif"
    assert NamePattern("{foil}_x{x_um}_y{y_um}.tif").read(name) == Place(foil, x_um, y_um)


def test_a_star_stands_for_anything_and_a_comma_for_a_point():
    assert NamePattern("{foil}-*-{x_um}.*").read("C2052N-anything.at-all-12,5.jpeg") == Place("C2052N", 12.5)


def test_what_does_not_fit_is_none():
    pattern = NamePattern("{foil}_{x_um}.tif")
    assert pattern.read("readme.txt") is None
    assert pattern.read("I1061N_twelve.tif") is None
    assert NamePattern("{nm_per_px}.tif").read("0.tif") is None


def test_a_preview_counts_all_and_shows_a_few():
    names = [f"F_{n}.tif" for n in range(30)] + ["notes.txt", "F_x.tif"]
    preview = NamePattern("{foil}_{x_um}.tif").preview(names, shown=3)
    assert (preview.n_read, preview.n_unread) == (30, 2)
    assert preview.read[2] == ("F_2.tif", Place("F", 2.0))
    assert preview.unread == ["notes.txt", "F_x.tif"]


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("", "empty"),
        ("image.tif", "no field"),
        ("{foil}_{stage}.tif", "has a field {stage}; there are {foil}"),
        ("{foil}_{foil}.tif", "twice"),
        ("{foil}{x_um}.tif", "nothing between"),
        ("{foil}_{x_um.tif", "not closed"),
    ],
)
def test_a_pattern_that_cannot_work_says_why(pattern: str, sentence: str):
    with pytest.raises(InvalidInput, match=sentence):
        NamePattern(pattern)


def test_images_of_one_series_share_a_name_without_its_number():
    pattern = NamePattern("z{focus}_{foil}_*.tif")
    series = {pattern.series_of(f"scan/z{n}_F_a.tif") for n in (1, 2, 30)}
    assert len(series) == 1
    assert pattern.series_of("scan/z1_F_b.tif") not in series
    assert pattern.series_of("other/z1_F_a.tif") not in series
    assert pattern.series_of("notes.txt") is None
    assert NamePattern("{foil}_*.tif").series_of("F_1.tif") is None


def test_a_pattern_that_could_be_tried_for_ever_is_refused():
    with pytest.raises(InvalidInput, match="stars"):
        NamePattern("*a*a*a*{foil}")
