from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from mlcore.errors import InvalidInput
from mlcore.foil_classifier.config import PRESETS
from mlcore.foil_classifier.pasting import CutOut, Patch, Warp, cut, cut_box, grain, paste, warp
from mlcore.foil_classifier.recipe import Recipe, own_size_px
from mlcore.formats.pictures import Grey
from mlcore.simulate.foils import SHOWN
from tests.mlcore.foil_classifier.conftest import NM_PER_PX, around, make_foil

seeds = st.integers(0, 10_000)
angles = st.floats(0.0, 2 * np.pi)


def flat_ground(seed: int, level: float, sigma: float, *, deep: bool = False) -> Grey:
    """Even foil with grain, 8 or 16 bits."""
    noise = np.random.default_rng(seed).normal(level, sigma, (80, 90))
    return np.rint(noise * 257).astype(np.uint16) if deep else np.rint(noise).astype(np.uint8)


def smooth_cut_out(size: int = 41) -> CutOut:
    """A dark bowl with a bright rim on a disc of ground, without grain."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    r = np.hypot(y, x) / (size / 2)
    contrast = 0.6 * np.exp(-(((r - 0.5) / 0.15) ** 2)) - 0.7 * np.exp(-((r / 0.35) ** 2))
    alpha = np.clip((0.9 - r) * size / 4, 0, 1)
    return CutOut(contrast.astype(np.float32), alpha.astype(np.float32), 0.9 * size, 0.0)


class TestCutting:
    def test_contrast_is_brightness_over_the_surroundings(self):
        pixels = flat_ground(1, 100, 3)
        pixels[30:40, 40:50] = 150
        found = cut(pixels, around(45, 35, 24), NM_PER_PX)
        height, width = found.contrast.shape
        assert found.contrast[height // 2, width // 2] == pytest.approx(0.5, abs=0.02)
        assert found.noise == pytest.approx(0.03, rel=0.15)
        assert found.diameter_px == pytest.approx(24, rel=0.02)
        assert found.alpha[height // 2, width // 2] == 1
        assert found.alpha.sum() == pytest.approx(np.pi * 12**2, rel=0.02)

    def test_a_cut_out_at_the_edge_is_what_the_picture_has_of_it(self):
        box, alpha, _ = cut_box(flat_ground(1, 100, 3), around(0, 40, 20))
        assert box.shape == alpha.shape
        assert alpha[:, 0].any()

    def test_one_without_surroundings_is_compared_with_itself(self):
        found = cut(flat_ground(1, 100, 3), [[-5, -5], [95, -5], [95, 85], [-5, 85]])
        assert abs(float(np.median(found.contrast))) < 0.01

    def test_an_outline_beside_the_picture_is_refused(self):
        with pytest.raises(InvalidInput, match="holds no pixel of the picture"):
            cut(flat_ground(1, 100, 3), around(200, 40, 20))

    @given(seeds, st.floats(1.5, 12.0), st.booleans())
    @settings(max_examples=20, deadline=None)
    def test_grain_is_measured(self, seed: int, sigma: float, deep: bool):
        scale = 257 if deep else 1
        assert grain(flat_ground(seed, 100, sigma, deep=deep)) == pytest.approx(sigma * scale, rel=0.08)

    def test_slopes_and_edges_are_no_grain(self):
        pixels = flat_ground(1, 60, 4).astype(float)
        pixels += np.arange(90)
        pixels[20:30] += 60
        assert grain(np.rint(pixels).astype(np.uint8)) == pytest.approx(4, rel=0.1)


class TestWarping:
    @given(st.floats(0.2, 4), st.floats(0.5, 2), angles, angles, st.booleans())
    @settings(deadline=None)
    def test_the_area_goes_with_the_square_of_the_factor(
        self, factor: float, aspect: float, lean: float, turn: float, mirrored: bool
    ):
        how = Warp(factor, aspect, lean, turn, mirrored)
        assert abs(np.linalg.det(how.matrix())) == pytest.approx(factor**2)
        assert (np.linalg.det(how.matrix()) < 0) == mirrored
        found = warp(smooth_cut_out(), how)
        area = smooth_cut_out().alpha.sum() * factor**2
        # Of some pixels, an edge is a large part.
        assert found.alpha.sum() == pytest.approx(area, rel=0.04, abs=8)

    def test_no_warp_changes_nothing(self):
        one = smooth_cut_out()
        found = warp(one, Warp())
        np.testing.assert_allclose(found.contrast, one.contrast, atol=1e-5)
        np.testing.assert_allclose(found.alpha, one.alpha, atol=1e-5)

    @given(st.floats(0.75, 3), st.floats(0.7, 1.4), angles, st.booleans())
    @settings(max_examples=30, deadline=None)
    def test_there_and_back_is_where_it_was(self, factor: float, aspect: float, turn: float, mirrored: bool):
        one = smooth_cut_out(81)
        there = warp(one, Warp(factor, aspect, 0.0, turn, mirrored))
        back = np.linalg.inv(Warp(factor, aspect, 0.0, turn, mirrored).matrix())
        # Every 2 × 2 matrix is a turn, a stretch and a turn: the way back as a Warp.
        u, s, vt = np.linalg.svd(back)
        is_mirrored = np.linalg.det(u) * np.linalg.det(vt) < 0
        mirror = np.diag([1.0, -1.0 if is_mirrored else 1.0])
        if np.linalg.det(u) < 0:
            u, vt = u @ np.diag([1.0, -1.0]), np.diag([1.0, -1.0]) @ vt
        lean = vt @ mirror
        how = Warp(
            float(np.sqrt(s[0] * s[1])), float(s[0] / s[1]), float(np.arctan2(lean[1, 0], lean[0, 0])),
            float(np.arctan2(u[1, 0], u[0, 0])), bool(is_mirrored),
        )  # fmt: skip
        np.testing.assert_allclose(how.matrix(), back, atol=1e-9)
        found = warp(CutOut(there.contrast, there.alpha, 1.0, 0.0), how)
        inner = _middle(found.contrast, 51) - _middle(one.contrast, 51)
        assert np.sqrt((inner**2).mean()) < 0.06

    @given(seeds, st.floats(3, 120))
    @settings(max_examples=30, deadline=None)
    def test_a_drawn_patch_is_as_large_as_it_says(self, seed: int, size_px: float):
        random = np.random.default_rng(seed)
        found = Recipe([smooth_cut_out()], PRESETS["paper"]).make(smooth_cut_out(), size_px, random)
        assert found.alpha.sum() == pytest.approx(np.pi / 4 * size_px**2, rel=0.15, abs=8)

    @pytest.mark.parametrize(("depth", "power"), [(0.5, 1.0), (1.2, 1.0), (1.0, 0.4), (1.0, 1.3)])
    def test_a_bent_floor_is_as_deep_and_as_flat_as_drawn(self, depth: float, power: float):
        y, x = np.mgrid[:81, :81] / 40 - 1.0
        r = np.hypot(y, x)
        contrast = 0.6 * np.exp(-(((r - 0.8) / 0.1) ** 2)) - 0.7 * np.clip(1 - (r / 0.65) ** 2, 0, None)
        one = CutOut(contrast.astype(np.float32), np.ones((81, 81), np.float32), 81.0, 0.0)
        as_it_is = replace(PRESETS["paper"], aspect=1.0)
        bent = replace(as_it_is, floor_share=1.0, floor_depth=(depth,) * 2, floor_power=(power,) * 2)
        before, after = (
            _middle(Recipe([one], config).make(one, 81.0, np.random.default_rng(1)).contrast, 81)
            for config in (as_it_is, bent)
        )
        middle, halfway = (40, 40), (40, 58)
        assert after[middle] == pytest.approx(depth * before[middle], rel=0.15)
        kept = (after[halfway] / after[middle]) / (before[halfway] / before[middle])
        # Halfway it is (share of the middle's darkness)^power, relative to the middle's.
        share = before[halfway] / before[middle]
        assert kept == pytest.approx(share ** (power - 1.0), rel=0.1)
        # Rim and ground stay.
        rim = before > 0.05
        np.testing.assert_allclose(after[rim], before[rim], atol=0.02)

    def test_the_own_size_is_the_one_on_the_ground(self):
        one = CutOut(*(np.ones((9, 9), np.float32),) * 2, diameter_px=9.0, noise=0.0, nm_per_px=25.0)
        assert own_size_px(one, 50.0) == 4.5
        assert own_size_px(one, None) == 9.0


def _middle(values: np.ndarray, edge: int) -> np.ndarray:
    """(edge, edge) around the middle, which lies between two pixels where there is an even number of them."""
    y, x = np.mgrid[:edge, :edge] - (edge - 1) / 2
    return map_coordinates(values, [y + (values.shape[0] - 1) / 2, x + (values.shape[1] - 1) / 2], order=3)


class TestPasting:
    @given(seeds, st.floats(-20, 110), st.floats(-20, 100), st.floats(0.2, 2), st.booleans())
    @settings(max_examples=50, deadline=None)
    def test_beyond_alphas_reach_the_ground_is_bit_equal(
        self, seed: int, x: float, y: float, factor: float, deep: bool
    ):
        ground = flat_ground(seed, 100, 5, deep=deep)
        before = ground.copy()
        patch = warp(smooth_cut_out(), Warp(factor, 1.2, 0.3, 0.4))
        random = np.random.default_rng(seed)
        found = paste(ground, patch, x, y, random, grain_of_ground=grain(ground))
        np.testing.assert_array_equal(ground, before)
        assert (found.dtype, found.shape) == (ground.dtype, ground.shape)
        reach = np.zeros(ground.shape, bool)
        height, width = patch.alpha.shape
        for row, column in np.argwhere(patch.alpha > 0):
            at = (round(y - height / 2) + row, round(x - width / 2) + column)
            if 0 <= at[0] < reach.shape[0] and 0 <= at[1] < reach.shape[1]:
                reach[at] = True
        np.testing.assert_array_equal(found[~reach], ground[~reach])

    @given(seeds, st.floats(0.0, 1.3), st.floats(2.0, 8.0), st.floats(0.8, 1.5), angles)
    @settings(max_examples=40, deadline=None)
    def test_grain_and_exposure_of_a_patch_are_those_of_its_ground(
        self, seed: int, grainier: float, sigma: float, factor: float, turn: float
    ):
        """Ground cut out of one picture and pasted on another cannot be told from it.

        Not where it came with much more grain: that is blurred, and what is left of it is coarser.
        """
        source, ground = flat_ground(seed, 140, 140 / 90 * sigma * grainier), flat_ground(seed + 1, 90, sigma)
        there = cut(source, around(45, 40, 60))
        patch = warp(there, Warp(factor, 1.1, 0.2, turn))
        found = paste(ground, patch, 45, 40, np.random.default_rng(seed), grain_of_ground=grain(ground))
        inside = found[25:56, 30:61]
        assert float(inside.mean()) == pytest.approx(90, abs=0.15 * sigma + 0.7)
        assert grain(inside) == pytest.approx(grain(ground), rel=0.3)
        assert float(inside.std()) == pytest.approx(sigma, rel=0.35)

    def test_a_slope_of_brightness_goes_on_beneath(self):
        ground = np.rint(60 + 1.0 * np.arange(90) + np.zeros((80, 1))).astype(np.uint8)
        patch = Patch(np.zeros((40, 40), np.float32), np.ones((40, 40), np.float32), 0.0)
        found = paste(ground, patch, 45, 40, np.random.default_rng(1), grain_of_ground=0.0)
        assert np.abs(found.astype(int) - ground).max() <= 1

    def test_contrast_is_kept_on_darker_and_brighter_ground(self):
        found = []
        for level in (50, 150):
            ground = np.full((80, 90), level, np.uint8)
            random = np.random.default_rng(1)
            pasted = paste(ground, warp(smooth_cut_out(), Warp()), 45, 40, random, grain_of_ground=0.0)
            found.append(pasted / level)
        np.testing.assert_allclose(found[0], found[1], atol=0.02)

    def test_what_would_be_brighter_than_white_is_white(self):
        patch = Patch(np.full((9, 9), 3.0, np.float32), np.ones((9, 9), np.float32), 0.0)
        for ground in (flat_ground(1, 100, 2), flat_ground(1, 100, 2, deep=True)):
            found = paste(ground, patch, 45, 40, np.random.default_rng(1), grain_of_ground=2.0)
            assert found.max() <= np.iinfo(ground.dtype).max
            assert found[40, 45] == found.max() > ground.max()

    def test_a_true_crater_keeps_its_looks(self):
        pixels, craters = make_foil(7, [SHOWN[0]], size=(120, 120))
        crater = craters[0]
        diameter_px = crater.diameter_um * 1000 / NM_PER_PX
        there = cut(pixels, around(crater.x_px, crater.y_px, 1.5 * diameter_px))
        ground, _ = make_foil(8, size=(120, 120))
        patch = warp(there, Warp())
        found = paste(ground, patch, 60, 60, np.random.default_rng(1), grain_of_ground=grain(ground))
        contrast = found / np.median(ground) - 1
        top, left = (round(60 - n / 2) for n in patch.alpha.shape)
        seen = contrast[top : top + patch.alpha.shape[0], left : left + patch.alpha.shape[1]]
        inside = patch.alpha == 1
        assert np.corrcoef(seen[inside], patch.contrast[inside])[0, 1] > 0.7
