"""Every text colour of tokens.css is readable on every ground it may stand on (WCAG AA)."""

import re
from itertools import product
from pathlib import Path

import pytest
from django.conf import settings

TOKENS = (Path(settings.BASE_DIR) / "static/css/tokens.css").read_text()
COLOURS = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", TOKENS))
GROUNDS = ("ground", "surface", "raised")
TEXTS = ("text", "muted", "faint", "accent", "link", "good", "bad", "warn", "info")
EDGES = ("line-strong", "focus", "mine", "proposed", "confirmed", "rejected", "others")


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(COLOURS[one]), luminance(COLOURS[other])))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("text", "ground"), list(product(TEXTS, GROUNDS)))
def test_text_can_be_read(text: str, ground: str):
    assert contrast(text, ground) >= 4.5


@pytest.mark.parametrize(("edge", "ground"), list(product(EDGES, GROUNDS)))
def test_edges_can_be_seen(edge: str, ground: str):
    assert contrast(edge, ground) >= 3.0


@pytest.mark.parametrize(
    ("text", "ground"),
    [("accent-ink", "accent"), ("good", "good-ground"), ("bad", "bad-ground"), ("warn", "warn-ground")],
)
def test_text_on_its_own_ground_can_be_read(text: str, ground: str):
    assert contrast(text, ground) >= 4.5
