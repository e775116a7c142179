"""Shapes in longitude and latitude: cut at ±180°, and their area on the sphere."""

import numpy as np
import shapely
import shapely.affinity
from shapely.geometry import MultiPolygon, Polygon

from mlcore.errors import InvalidInput
from mlcore.geodesy.sphere import Floats, normalise_lon

_TURNS = (-720.0, -360.0, 0.0, 360.0, 720.0)
_WORLD = shapely.box(-180.0, -90.0, 180.0, 90.0)


def _unwrapped(coordinates: Floats) -> tuple[Floats, float]:
    """A closed ring with longitudes made continuous, and by how much it ends east of where it began."""
    steps = np.diff(coordinates[:, 0])
    # Whole turns are added, so that longitudes which need none keep every digit.
    turns = -360.0 * np.concatenate([[0.0], np.cumsum(np.round(steps / 360.0))])
    return coordinates + np.column_stack([turns, np.zeros_like(turns)]), float(turns[-1])


def _strip_over_pole(outline: Floats, turn: float) -> Polygon:
    """Close a ring that goes round a pole along that pole, three times round so that a cut has no seam."""
    pole = 90.0 if outline[:, 1].mean() > 0.0 else -90.0
    path = outline[:-1] if turn > 0.0 else outline[:0:-1]
    home = float(normalise_lon(path[0, 0])) - path[0, 0]
    path = np.concatenate([path + np.array([home + turns, 0.0]) for turns in _TURNS])
    return Polygon([*path, (path[-1, 0], pole), (path[0, 0], pole)])


def split_at_antimeridian(polygon: Polygon | MultiPolygon) -> MultiPolygon:
    """Bring a shape that crosses ±180° or goes round a pole within ±180°.

    A step of more than 180° between neighbouring points is taken to go the short way, over ±180°;
    so are longitudes beyond ±180°. An outline that ends a whole turn from where it began goes
    round the pole nearer to its mean latitude. A step of a whole turn goes all round, as in the box of
    the whole world, so that cutting what was cut before changes nothing.

    Args:
        polygon: Longitude and latitude in degrees, straight edges between points.

    Returns:
        Valid parts within ±180°; holes are kept.

    Raises:
        InvalidInput: Not finite, beyond a pole, empty, or crossing itself.
    """
    parts = []
    for whole in shapely.get_parts(polygon):
        outline = shapely.get_coordinates(whole.exterior)
        if len(outline) < 4 or not np.isfinite(outline).all() or np.abs(outline[:, 1]).max() > 90.0:
            raise InvalidInput(
                "The shape has no area, or a point that is not a longitude and latitude in degrees.",
                code="bad_shape",
            )
        parts.extend(_split_one(whole))
    joined = shapely.union_all(parts)
    return MultiPolygon([p for p in shapely.get_parts(joined) if p.geom_type == "Polygon" and p.area > 0.0])


def _is_cut_already(whole: Polygon) -> bool:
    """Whether it lies within ±180° and its only long edges go all the way round."""
    lon = shapely.get_coordinates(whole.exterior)[:, 0]
    steps = np.abs(np.diff(lon))
    long = steps[steps > 180.0]
    return bool(long.size and (long == 360.0).all() and np.abs(lon).max() <= 180.0 and whole.is_valid)


def _split_one(whole: Polygon) -> list[shapely.Geometry]:
    if _is_cut_already(whole):
        return [whole]
    outline, turn = _unwrapped(shapely.get_coordinates(whole.exterior))
    shape = _strip_over_pole(outline, turn) if turn else Polygon(outline)
    holes = [_unwrapped(shapely.get_coordinates(hole))[0] for hole in whole.interiors]
    copies = [shape] if turn else [shapely.affinity.translate(shape, xoff=x) for x in _TURNS]
    cut_out = [shapely.affinity.translate(Polygon(hole), xoff=x) for hole in holes for x in _TURNS]
    if not all(part.is_valid for part in (*copies, *cut_out)):
        raise InvalidInput("The shape crosses itself; draw its outline without loops.", code="bad_shape")
    hole_area = shapely.union_all(cut_out)
    return [shapely.difference(shapely.intersection(part, _WORLD), hole_area) for part in copies]


def polygon_area_m2(geom: Polygon | MultiPolygon, radius_m: float) -> float:
    """Area on the sphere, holes taken off.

    Edges are straight in longitude and latitude (RFC 7946), for which the sum is exact.

    Args:
        geom: Degrees, within ±180° (see split_at_antimeridian).
        radius_m: The body's radius, metres.

    Returns:
        Square metres, 0 or more.
    """
    area = 0.0
    for part in shapely.get_parts(geom):
        area += _ring_steradians(part.exterior) - sum(_ring_steradians(hole) for hole in part.interiors)
    return area * radius_m**2


def _ring_steradians(line: shapely.LinearRing) -> float:
    lam, phi = np.radians(shapely.get_coordinates(line)).T
    # Along an edge the mean of sin(lat) is sin(middle)·sinc(half the step).
    mean_sine = np.sin((phi[1:] + phi[:-1]) / 2.0) * np.sinc(np.diff(phi) / 2.0 / np.pi)
    return abs(float(np.sum(np.diff(lam) * mean_sine)))
