"""What an elevation model shows: hillshade, slope and profile curvature, on plain arrays.

Pixels are x right, y down. Where an elevation is NaN, or too few neighbours are known, results are NaN.
A pixel may be wider than high: on a grid in degrees its width shrinks with the cosine of the latitude,
so every function takes one number, or (width, height), each of which may differ from row to row or from
pixel to pixel.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from mlcore.errors import InvalidInput

Array = NDArray[np.float32]
# Metres: one number, (H,) row by row, or (H, W).
Edge = float | NDArray[np.floating]
# Metres per pixel: a square's edge, or (width, height).
Resolution = float | tuple[Edge, Edge]

# Below this squared gradient (0.06°) ground has no direction of steepest descent to be curved along.
FLAT_SQUARED_GRADIENT = 1e-6


def _edges_m(resolution_m_per_px: Resolution) -> tuple[Edge, Edge]:
    """Width and height of a pixel in metres, in shapes that (H, W) values can be divided by."""
    width, height = (
        resolution_m_per_px
        if isinstance(resolution_m_per_px, tuple)
        else (resolution_m_per_px, resolution_m_per_px)
    )
    return _edge_m(width), _edge_m(height)


def _edge_m(edge: Edge) -> Edge:
    metres = np.asarray(edge, np.float32)
    if not (np.isfinite(metres).all() and (metres > 0).all()):
        raise InvalidInput(
            f"A pixel of {edge} m cannot be: its edges are finite and above 0 m; check the raster's "
            "transform."
        )
    return metres.reshape(-1, 1) if metres.ndim == 1 else metres


def _gradient(values: Array, resolution_m_per_px: Resolution) -> tuple[Array, Array]:
    """Central differences of (H, W) values: eastward and northward, per metre, both (H, W)."""
    if min(values.shape) < 2:
        raise InvalidInput(
            f"Terrain of {values.shape[1]} × {values.shape[0]} px has no slope; give at least 2 × 2 px."
        )
    width_m, height_m = _edges_m(resolution_m_per_px)
    down, right = np.gradient(values)
    return np.asarray(right / width_m, np.float32), np.asarray(-down / height_m, np.float32)


def smooth(elevation_m: Array, sigma_px: float) -> Array:
    """Gaussian smoothing that neither spreads nor fills holes.

    Args:
        elevation_m: (H, W), NaN where unknown.
        sigma_px: Standard deviation in pixels; 0 returns the input.

    Returns:
        (H, W) float32, NaN exactly where the input is.
    """
    if sigma_px <= 0:
        return np.asarray(elevation_m, np.float32)
    known = np.isfinite(elevation_m)
    # In doubles, so that a pixel's result does not depend on holes far from it, nor on the block it is in.
    total = gaussian_filter(np.where(known, elevation_m, 0.0).astype(np.float64), sigma_px, mode="nearest")
    if known.all():
        return total.astype(np.float32)
    weight = gaussian_filter(known.astype(np.float64), sigma_px, mode="nearest")
    return np.where(known, total / np.maximum(weight, 1e-6), np.nan).astype(np.float32)


def hillshade(
    elevation_m: Array,
    resolution_m_per_px: Resolution,
    azimuth_deg: float = 315.0,
    altitude_deg: float = 45.0,
) -> Array:
    """Brightness of a grey Lambertian surface under one sun, without cast shadows.

    Args:
        elevation_m: (H, W), NaN where unknown.
        resolution_m_per_px: Metres per pixel, or (width, height).
        azimuth_deg: Where the sun stands, clockwise from north (up).
        altitude_deg: Its height above the horizon, 0–90.

    Returns:
        (H, W) float32 in 0–1; level ground has sin(altitude).

    Raises:
        InvalidInput: The sun is outside the sky, or a pixel has no size.
    """
    if not 0 <= altitude_deg <= 90:
        raise InvalidInput(f"The sun stands 0 to 90° above the horizon, not {altitude_deg}°.")
    azimuth, altitude = np.radians(azimuth_deg), np.radians(altitude_deg)
    east, north = _gradient(elevation_m, resolution_m_per_px)
    facing = np.sin(altitude) - np.cos(altitude) * (east * np.sin(azimuth) + north * np.cos(azimuth))
    return np.clip(facing / np.sqrt(1 + east**2 + north**2), 0, 1).astype(np.float32)


def slope_deg(elevation_m: Array, resolution_m_per_px: Resolution) -> Array:
    """Steepness in degrees.

    Args:
        elevation_m: (H, W), NaN where unknown.
        resolution_m_per_px: Metres per pixel, or (width, height).

    Returns:
        (H, W) float32 in 0–90.
    """
    east, north = _gradient(elevation_m, resolution_m_per_px)
    return np.degrees(np.arctan(np.hypot(east, north))).astype(np.float32)


def profile_curvature_per_m(
    elevation_m: Array, resolution_m_per_px: Resolution, *, sigma_px: float = 1.0
) -> Array:
    """How the ground bends along the line of steepest descent (Evans; Zevenbergen and Thorne 1987).

    The elevation is smoothed first: second differences of a quantised model are mostly steps.

    Args:
        elevation_m: (H, W), NaN where unknown.
        resolution_m_per_px: Metres per pixel, or (width, height).
        sigma_px: Standard deviation of the smoothing.

    Returns:
        (H, W) float32 in 1/m: positive where the ground is convex (rims), negative where it is hollow
        (feet of walls), 0 on flat ground, which has no direction of descent.
    """
    east, north = _gradient(smooth(elevation_m, sigma_px), resolution_m_per_px)
    east_east, east_north = _gradient(east, resolution_m_per_px)
    _, north_north = _gradient(north, resolution_m_per_px)
    squared = east**2 + north**2
    bending = east**2 * east_east + 2 * east * north * east_north + north**2 * north_north
    flat = squared < FLAT_SQUARED_GRADIENT
    divisor = np.where(flat, 1, squared) * (1 + squared) ** 1.5
    return np.where(flat, 0, -bending / divisor).astype(np.float32)
