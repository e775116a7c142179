import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.foil_classifier.normalise import moments, normalise, top_of_range
from tests.mlcore.foil_classifier.conftest import make_foil

FOIL, _ = make_foil(1)


def test_brightness_and_contrast_fall_out():
    seen = normalise(FOIL)
    assert seen.dtype == np.float32
    assert abs(float(seen.mean())) < 1e-4
    assert 0.8 < float(seen.std()) < 1.0
    darker = np.rint(0.5 * FOIL.astype(float) + 20).astype(np.uint8)
    assert np.corrcoef(normalise(darker).ravel(), seen.ravel())[0, 1] > 0.99
    assert abs(float(normalise(darker).std()) - float(seen.std())) < 0.1


@given(st.sampled_from([8, 10, 12, 16]))
@settings(deadline=None)
def test_the_same_picture_in_more_bits_is_seen_as_the_same(bits: int):
    # The brightest pixel says which bits are used.
    pixels = FOIL.copy()
    pixels[0, 0] = 255
    deeper = np.rint(pixels * ((2**bits - 1) / 255.0)).astype(np.uint16)
    np.testing.assert_allclose(normalise(deeper), normalise(pixels), atol=0.02)
    assert top_of_range(deeper) == 2**bits - 1


@given(
    st.sampled_from([np.uint8, np.uint16]),
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.integers(0, 2**32 - 1),
)
def test_it_is_what_the_card_says_to_the_last_digits(kind: type, shape: tuple[int, int], seed: int):
    random = np.random.default_rng(seed)
    low, high = sorted(random.integers(0, np.iinfo(kind).max, 2))
    pixels = random.integers(low, high + 1, shape).astype(kind)
    exact = pixels.astype(float)
    said = (exact - exact.mean()) / (exact.std() + top_of_range(pixels) / 255)
    np.testing.assert_allclose(normalise(pixels), said, atol=1e-5, rtol=1e-5)
    mean, scale = moments(pixels)
    np.testing.assert_array_equal((pixels.astype(np.float32) - mean) * scale, normalise(pixels))


def test_a_picture_of_nothing_stays_quiet():
    assert not normalise(np.full((40, 40), 200, np.uint8)).any()
    assert np.isfinite(normalise(np.zeros((40, 40), np.uint16))).all()
