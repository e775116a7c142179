import numpy as np
import pytest

from mlcore.errors import InvalidInput
from mlcore.raster import terrain


def plane(east: float, north: float, size: int = 16, resolution_m: float = 100.0):
    """A plane rising by `east` and `north` metres per metre."""
    y, x = np.mgrid[:size, :size].astype(np.float32) * resolution_m
    return (east * x - north * y).astype(np.float32)


def test_it_works():
    shaded = terrain.hillshade(plane(0, 0), 100.0, 315, 30)
    assert shaded.shape == (16, 16) and shaded.dtype == np.float32
    np.testing.assert_allclose(shaded, 0.5, atol=1e-6)


def test_a_slope_that_faces_the_sun_is_bright():
    falls_to_the_west = plane(0.5, 0)
    assert terrain.hillshade(falls_to_the_west, 100.0, 270, 45).mean() > 0.9
    assert terrain.hillshade(falls_to_the_west, 100.0, 90, 45).mean() < 0.4
    falls_to_the_south = plane(0, 0.5)
    assert terrain.hillshade(falls_to_the_south, 100.0, 180, 45).mean() > 0.9


def test_slope_of_a_plane_is_its_slope():
    np.testing.assert_allclose(terrain.slope_deg(plane(1, 0), 100.0), 45, atol=1e-3)
    np.testing.assert_allclose(
        terrain.slope_deg(plane(0.3, 0.4), 100.0), np.degrees(np.arctan(0.5)), atol=1e-3
    )


def test_pixels_may_be_narrower_than_high_and_differ_by_row():
    _, x = np.mgrid[:8, :8].astype(np.float32)
    width_m = np.linspace(50, 100, 8)
    steep = terrain.slope_deg(x * 50, (width_m, 100.0))
    np.testing.assert_allclose(steep[0], 45, atol=1e-3)
    np.testing.assert_allclose(steep[-1], np.degrees(np.arctan(0.5)), atol=1e-3)


def test_rims_are_convex_and_bowls_hollow():
    y, x = np.mgrid[-32:33, -32:33] * 100.0
    r = np.hypot(x, y)
    ridge = (-((r - 1600) ** 2) / 4e4).astype(np.float32) * 20
    curvature = terrain.profile_curvature_per_m(ridge, 100.0)
    assert curvature[32, 32 + 18] > 0  # just outside the crest
    bowl = (r**2 / 4e4).astype(np.float32)
    assert terrain.profile_curvature_per_m(bowl, 100.0)[32, 48] < 0


def test_flat_ground_has_no_curvature():
    steps = np.zeros((16, 16), np.float32)
    steps[5, 5] = 0.01
    assert np.abs(terrain.profile_curvature_per_m(steps, 100.0)).max() == 0


def test_holes_stay_holes_and_do_not_leak():
    elevation = plane(0.1, 0) - 4000
    elevation[:, :5] = np.nan
    smoothed = terrain.smooth(elevation, 2.0)
    assert np.array_equal(np.isnan(smoothed), np.isnan(elevation))
    assert np.nanmax(np.abs(smoothed - elevation)) < 40
    for derived in (
        terrain.hillshade(elevation, 100.0),
        terrain.slope_deg(elevation, 100.0),
        terrain.profile_curvature_per_m(elevation, 100.0),
    ):
        assert np.isnan(derived[:, :5]).all() and np.isfinite(derived[:, 8:]).all()


@pytest.mark.parametrize("resolution", [0.0, -1.0, float("nan"), (100.0, 0.0)])
def test_a_pixel_without_size_is_refused(resolution: object):
    with pytest.raises(InvalidInput, match="edges are finite and above 0 m"):
        terrain.slope_deg(plane(0, 0), resolution)


def test_a_sun_below_the_horizon_is_refused():
    with pytest.raises(InvalidInput, match="0 to 90°"):
        terrain.hillshade(plane(0, 0), 100.0, 315, -1)


def test_a_single_row_is_refused():
    with pytest.raises(InvalidInput, match="at least 2 × 2"):
        terrain.slope_deg(np.zeros((1, 9), np.float32), 100.0)


def test_pixels_may_differ_from_place_to_place_in_both_directions():
    y, x = np.mgrid[:8, :8].astype(np.float32)
    edges_m = np.linspace(50, 100, 64).reshape(8, 8)
    steep = terrain.slope_deg(x * 50 + y * 50, (edges_m, edges_m))
    np.testing.assert_allclose(steep[0, 0], np.degrees(np.arctan(np.sqrt(2))), atol=1e-3)
    np.testing.assert_allclose(steep[-1, -1], np.degrees(np.arctan(np.sqrt(2) / 2)), atol=1e-3)
