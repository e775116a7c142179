import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.foil_classifier.cutting import alpha_of, box_of, coverage

SQUARE = [[10.0, 20.0], [30.0, 20.0], [30.0, 40.0], [10.0, 40.0]]
SHAPE = (64, 80)


def star(radii_px: list[float], x_px: float = 40.0, y_px: float = 32.0) -> list[list[float]]:
    """A polygon that does not cross itself: one corner in each direction."""
    angles = np.linspace(0.0, 2.0 * np.pi, len(radii_px), endpoint=False)
    return [
        [x_px + r * float(np.cos(a)), y_px + r * float(np.sin(a))]
        for r, a in zip(radii_px, angles, strict=True)
    ]


def area_px2(polygon: list[list[float]]) -> float:
    x, y = np.asarray(polygon).T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2.0


stars = st.lists(st.floats(2.0, 28.0), min_size=3, max_size=24).map(star)


def test_it_works():
    alpha = alpha_of(SQUARE, SHAPE)
    assert alpha.dtype == np.uint8 and alpha.shape == SHAPE
    assert (alpha[22:38, 12:28] == 255).all()
    assert alpha[:18].max() == alpha[43:].max() == alpha[:, 33:].max() == 0
    # Across an edge it fades: an eighth of what is beyond, an eighth of what is within is missing.
    assert alpha[30, 8:13].tolist() == [0, 32, 223, 255, 255]


def test_a_pixel_has_the_share_that_is_covered():
    triangle = [[1.0, 1.0], [3.0, 1.0], [1.0, 3.0]]
    assert coverage(triangle, (4, 4)).tolist() == [[0, 0, 0, 0], [0, 1, 0.5, 0], [0, 0.5, 0, 0], [0, 0, 0, 0]]
    half = [[0.25, 0.5], [0.75, 0.5], [0.75, 1.0], [0.25, 1.0]]
    assert coverage(half, (1, 1)).tolist() == [[0.25]]


@given(stars)
def test_its_area_is_the_polygons(polygon: list[list[float]]):
    assert coverage(polygon, SHAPE).sum() == pytest.approx(area_px2(polygon), abs=1e-6)
    # A 255th's rounding per pixel of the outline is all that the fading adds.
    assert alpha_of(polygon, SHAPE).sum() / 255.0 == pytest.approx(area_px2(polygon), abs=1.0)


@given(stars, st.integers(0, 23), st.booleans())
def test_neither_direction_nor_beginning_matters(polygon: list[list[float]], first: int, turned: bool):
    first %= len(polygon)
    other = polygon[first:] + polygon[:first]
    other = other[::-1] if turned else other
    assert np.abs(coverage(other, SHAPE) - coverage(polygon, SHAPE)).max() < 1e-9
    difference = alpha_of(other, SHAPE).astype(int) - alpha_of(polygon, SHAPE)
    assert np.abs(difference).max() <= 1


@given(stars, st.integers(-3, 3), st.integers(-3, 3))
def test_it_moves_with_the_polygon(polygon: list[list[float]], dx: int, dy: int):
    moved = [[x + dx, y + dy] for x, y in polygon]
    expected = np.roll(coverage(polygon, SHAPE), (dy, dx), axis=(0, 1))
    assert np.abs(coverage(moved, SHAPE) - expected).max() < 1e-9


def test_what_lies_beyond_the_image_is_left_out():
    beyond = [[-10.0, -10.0], [90.0, -10.0], [90.0, 70.0], [-10.0, 70.0]]
    assert (coverage(beyond, SHAPE) == 1.0).all()
    outside = [[100.0, 10.0], [120.0, 10.0], [120.0, 30.0]]
    assert coverage(outside, SHAPE).max() == 0.0
    assert coverage([[x - 200.0, y] for x, y in SQUARE], SHAPE).max() == 0.0


def test_a_box_holds_the_polygon_and_stays_in_the_image():
    assert box_of(SQUARE, SHAPE) == (10, 20, 30, 40)
    assert box_of([[10.5, 20.2], [29.7, 20.2], [12.0, 39.1]], SHAPE) == (10, 20, 30, 40)
    assert box_of(SQUARE, SHAPE, 15.0) == (0, 5, 45, 55)
    assert box_of(SQUARE, SHAPE, 100.0) == (0, 0, 80, 64)


def test_the_browser_shows_the_same():
    """The numbers of tests/js/cut_out.test.js, which holds static/js/geo/alpha.js to them."""
    polygon = [[1.3, 2.2], [6.7, 0.9], [10.4, 5.5], [5.2, 8.6], [4.1, 5.0]]
    alpha = alpha_of(polygon, (10, 12))
    assert alpha[4].tolist() == [0, 2, 23, 114, 230, 254, 255, 254, 236, 140, 22, 1]
    assert alpha.sum() == 8671
