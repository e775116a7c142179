"""The bodies that can be mapped. The only radii in the repository are here."""

from dataclasses import dataclass

from mlcore.errors import InvalidInput


@dataclass(frozen=True)
class Body:
    """A planet, moon or asteroid taken as a sphere, or the plane of plain pictures.

    Attributes:
        name: Lower-case key, as stored and as given on command lines.
        title: The name as people write it.
        radius_m: Radius of the sphere on which every metric quantity is computed.
        iau_code: IAU_2015 code of its longitude/latitude system; None for `picture`.
    """

    name: str
    title: str
    radius_m: float
    iau_code: int | None


# Sources: IAU WGCCRE 2015 mean radii; Mercury as in the MESSENGER map products (not the IAU's
# 2,440,530 m), Mars the equatorial radius its map products use.
BODIES: dict[str, Body] = {
    body.name: body
    for body in (
        Body("moon", "Moon", 1_737_400.0, 30100),
        Body("mercury", "Mercury", 2_439_400.0, 19900),
        Body("mars", "Mars", 3_396_190.0, 49900),
        Body("venus", "Venus", 6_051_800.0, 29900),
        Body("ceres", "Ceres", 470_000.0, 2000001),
        Body("vesta", "Vesta", 255_000.0, 2000004),
        # Images that lie on no planet: lon = 1e-5·x, lat = -1e-5·y, and 1e-5 degrees are 1 m.
        Body("picture", "Picture", 5_729_577.951308232, None),
    )
}

# The sphere on which PostGIS keeps the features of every body (see annotate's first migration).
BODY_SPHERE_SRID = 900001
BODY_SPHERE_RADIUS_M = 6_371_008.7714


def get_body(name: str) -> Body:
    """Look a body up by its key.

    Args:
        name: A key of BODIES, in any case.

    Returns:
        The body.

    Raises:
        InvalidInput: The name is not known; the message lists those that are.
    """
    try:
        return BODIES[name.strip().lower()]
    except KeyError:
        known = ", ".join(BODIES)
        raise InvalidInput(
            f"There is no body called '{name}'. Tektite knows {known}; others are added in mlcore/bodies.py.",
            code="unknown_body",
        ) from None
