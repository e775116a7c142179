"""Numbers as people read them: units always, a true minus, no more digits than are known."""

import pytest

from annotate.templatetags import planet


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.5, "0.5 m"),
        (850, "850 m"),
        (9710, "9.71 km"),
        (111_400, "111 km"),
        (-1500, "−1.50 km"),
    ],
)
def test_lengths(value: float | None, shown: str):
    assert planet.metres(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(1200, "1.2 km"), (4000, "4 km"), (500, "500 m"), (0, "0 m"), (707.1, "707.1 m")]
)
def test_round_lengths_have_no_idle_zeros(value: float, shown: str):
    assert planet.about(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(-53.8481, "−53.848°"), (0.0, "0.000°"), (-0.0001, "0.000°")])
def test_angles(value: float, shown: str):
    assert planet.degrees(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), (0.0, "0 %"), (0.999, "99 %"), (1.0, "100 %"), (0.42, "42 %")]
)
def test_all_is_said_only_when_it_is_all(value: float | None, shown: str):
    assert planet.percent(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-3450.2, "−3,450"),
        (0.03125, "0.0312"),
        (7, "7"),
        (-433.72, "−433.7"),
        (2e-6, "2e−06"),
        (-3.4e38, "−3.4e+38"),
    ],
)
def test_pixel_values_keep_four_digits(value: float, shown: str):
    assert planet.figure(value) == shown
