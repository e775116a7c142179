"""A piece of foil: rolled aluminium, what handling did to it, and perhaps a crater."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d, zoom

from mlcore.errors import InvalidInput
from mlcore.simulate.foils.craters import Crater, Family, Near, around, relief

Floats = NDArray[np.float64]

SMALLEST_UM, LARGEST_UM = 0.2, 5.0
SMALLEST_PX = 4.0


@dataclass(frozen=True)
class FoilParameters:
    """One kind of foil.

    Attributes:
        width_px: Of the image.
        height_px: Of the image.
        um_per_px: Edge of a pixel; 0.05 is that of the survey.
        roughness_um: Of the ground between all else, standard deviation.
        rolling_um: Of the lines that rolling left.
        scratches: Mean number.
        pits: Mean number of hollows without a lip, which people and networks take for craters.
        dust: Mean number of grains.
    """

    width_px: int = 512
    height_px: int = 384
    um_per_px: float = 0.05
    roughness_um: float = 0.02
    rolling_um: float = 0.03
    scratches: float = 1.5
    pits: float = 1.5
    dust: float = 1.5

    def __post_init__(self) -> None:
        if not (32 <= self.width_px <= 8192 and 32 <= self.height_px <= 8192):
            raise InvalidInput(f"An image has 32 to 8192 px a side, not {self.width_px} × {self.height_px}.")
        if not 0.001 <= self.um_per_px <= 1.0:
            raise InvalidInput(f"A pixel has 0.001 to 1 µm, not {self.um_per_px}.")
        amounts = (self.roughness_um, self.rolling_um, self.scratches, self.pits, self.dust)
        if min(amounts) < 0.0:
            raise InvalidInput(f"There cannot be less than nothing of anything: {amounts}.")


@dataclass(frozen=True)
class LookAlike:
    """Something that is no crater.

    Attributes:
        x_px: Of the centre.
        y_px: Of the centre.
        diameter_um: About how large.
        kind: "pit" or "dust".
    """

    x_px: float
    y_px: float
    diameter_um: float
    kind: str


@dataclass(frozen=True)
class Scene:
    """What lies under the microscope.

    Attributes:
        height_um: Shape (height_px, width_px).
        charging: Shape as height_um, 0 to 1: where grains gather charge.
        craters: All of them.
        lookalikes: All pits and grains.
        um_per_px: Edge of a pixel.
    """

    height_um: Floats
    charging: Floats
    craters: list[Crater]
    lookalikes: list[LookAlike]
    um_per_px: float


def make_scene(parameters: FoilParameters, seed: int, families: Sequence[Family] = ()) -> Scene:
    """A piece of foil with one crater for each family given; the same seed gives the same one.

    Args:
        parameters: The kind of foil.
        seed: Of everything random.
        families: Kinds of the craters to be made; none for a blank.

    Raises:
        InvalidInput: A crater of 0.2 µm would be less than 4 px, or the image is too small for one of 5 µm.
    """
    random = np.random.default_rng(seed)
    shape = (parameters.height_px, parameters.width_px)
    ground = _ground(parameters, shape, random) + _scratches(parameters, shape, random)
    hollows, grains = np.zeros(shape), np.zeros(shape)
    charging = np.zeros(shape)
    lookalikes = []
    for kind, mean in (("pit", parameters.pits), ("dust", parameters.dust)):
        for _ in range(random.poisson(mean)):
            thing = _place_lookalike(kind, parameters, random)
            lookalikes.append(thing)
            near = around(thing.x_px, thing.y_px, thing.diameter_um, shape, parameters.um_per_px)
            if kind == "pit":
                hollows[near.part] += _pit(thing, near, random)
            else:
                grain = _grain(thing, near, random)
                grains[near.part] = np.maximum(grains[near.part], grain)
                charge = (grain > 0.0) * random.uniform(0.2, 1.0)
                charging[near.part] = np.maximum(charging[near.part], charge)
    craters = [_place_crater(family, parameters, random) for family in families]
    for crater in craters:
        near = around(crater.x_px, crater.y_px, crater.diameter_um, shape, parameters.um_per_px)
        hollows[near.part] += relief(crater, near, random)
    # What a particle or an acid has taken away has taken the roller's lines with it.
    kept = 1.0 - 0.85 * np.clip(-hollows / 0.1, 0.0, 1.0)
    height = ground * kept + hollows + grains
    return Scene(height, charging, craters, lookalikes, parameters.um_per_px)


def _place_crater(family: Family, parameters: FoilParameters, random: np.random.Generator) -> Crater:
    """Somewhere whole in the image, of a diameter as likely in each factor of two."""
    smallest = max(SMALLEST_UM, SMALLEST_PX * parameters.um_per_px)
    room_um = min(parameters.width_px, parameters.height_px) * parameters.um_per_px / 2.5
    largest = min(LARGEST_UM, room_um)
    if smallest >= largest:
        raise InvalidInput(
            f"{parameters.width_px} × {parameters.height_px} px at {parameters.um_per_px} µm/px have "
            f"no room for a crater of {smallest:.2f} µm."
        )
    diameter_um = float(np.exp(random.uniform(np.log(smallest), np.log(largest))))
    margin = 0.6 * diameter_um / parameters.um_per_px
    x_px = float(random.uniform(margin, parameters.width_px - margin))
    y_px = float(random.uniform(margin, parameters.height_px - margin))
    return Crater(x_px, y_px, diameter_um, family)


def _place_lookalike(kind: str, parameters: FoilParameters, random: np.random.Generator) -> LookAlike:
    largest = min(LARGEST_UM, min(parameters.width_px, parameters.height_px) * parameters.um_per_px / 4)
    diameter_um = float(np.exp(random.uniform(np.log(4 * parameters.um_per_px), np.log(largest))))
    x_px, y_px = random.uniform(0, parameters.width_px), random.uniform(0, parameters.height_px)
    return LookAlike(float(x_px), float(y_px), diameter_um, kind)


def _ground(parameters: FoilParameters, shape: tuple[int, int], random: np.random.Generator) -> Floats:
    """Grains of metal, gentle waves, and the lines of the roller in some direction."""
    grain = _unit(gaussian_filter(random.normal(size=shape), 1.2))
    return parameters.roughness_um * (
        grain + 3.0 * _smooth(shape, max(shape) / 25, random)
    ) + parameters.rolling_um * _rolling(shape, random)


def _rolling(shape: tuple[int, int], random: np.random.Generator) -> Floats:
    """Lines that come and go along the foil's length; mean 0, standard deviation 1."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    turn = random.uniform(0.0, np.pi)
    across = y * np.cos(turn) - x * np.sin(turn)
    along = x * np.cos(turn) + y * np.sin(turn)
    side = int(np.hypot(*shape)) + 2
    at = np.arange(-side, side)
    lines = np.zeros(shape)
    for width_px in (0.7, 2.0, 6.0):
        profiles = _unit(gaussian_filter1d(random.normal(size=(2, len(at))), width_px, axis=1))
        one, other = (np.interp(across, at, profile) for profile in profiles)
        mix = np.sin(2.0 * np.pi * (along / random.uniform(150.0, 600.0) + random.random()))
        lines += width_px**0.5 * (one * (1.0 + mix) + other * (1.0 - mix))
    return _unit(lines)


def _smooth(shape: tuple[int, int], scale_px: float, random: np.random.Generator) -> Floats:
    """A field without details below scale_px; mean 0, standard deviation 1. Made coarse and drawn out."""
    step = max(1.0, scale_px / 3.0)
    coarse = random.normal(size=[int(side / step) + 3 for side in shape])
    fine = zoom(gaussian_filter(coarse, scale_px / step), step, order=1)
    return _unit(fine[: shape[0], : shape[1]])


def _scratches(parameters: FoilParameters, shape: tuple[int, int], random: np.random.Generator) -> Floats:
    """Grooves with burrs, straight or slightly bent."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    height = np.zeros(shape)
    for _ in range(random.poisson(parameters.scratches)):
        x0, y0 = random.uniform(0, shape[1]), random.uniform(0, shape[0])
        turn, bend = random.uniform(0, np.pi), random.normal(0, 3e-4)
        width = np.exp(random.uniform(np.log(0.05), np.log(0.5))) / parameters.um_per_px
        along = (x - x0) * np.cos(turn) + (y - y0) * np.sin(turn)
        aside = ((y - y0) * np.cos(turn) - (x - x0) * np.sin(turn) - bend * along**2) / width
        length = random.uniform(40, 1.5 * max(shape))
        within = 1.0 / (1.0 + np.exp((np.abs(along) - length / 2) / 6.0))
        groove = -np.exp(-(aside**2)) + 0.4 * np.exp(-((np.abs(aside) - 1.5) ** 2) / 0.4)
        height += random.uniform(0.3, 0.8) * width * parameters.um_per_px * groove * within
    return height


def _pit(pit: LookAlike, near: Near, random: np.random.Generator) -> Floats:
    """A hollow with an uneven outline and a flat floor; every third has a burr on a part of its edge."""
    u, v = near.turned(random)
    angle = np.arctan2(v, u)
    waves = _waves(angle, 0.12, (2, 3, 4), random)
    r = np.hypot(u, v * random.uniform(1.0, 1.8)) / (pit.diameter_um / 2.0 * (1.0 + waves))
    hollow = -random.uniform(0.1, 0.4) * pit.diameter_um / (1.0 + np.exp(np.minimum((r - 1.0) / 0.1, 50.0)))
    burr = (
        0.08 * pit.diameter_um * np.exp(-(((r - 1.0) / 0.12) ** 2)) * np.clip(np.cos(angle) + 0.2, 0.0, 1.0)
    )
    return hollow + burr * (random.random() < 1 / 3)


def _grain(grain: LookAlike, near: Near, random: np.random.Generator) -> Floats:
    """One to four lumps that lie on the foil together."""
    u, v = near.turned(random)
    n = int(random.integers(1, 5))
    height = np.zeros(u.shape)
    for _ in range(n):
        radius = grain.diameter_um / 2.0 * random.uniform(0.5, 1.0) / n**0.4
        away, turn = (grain.diameter_um / 2.0 - radius) * random.random(), random.uniform(0.0, 2.0 * np.pi)
        du, dv = u - away * np.cos(turn), v - away * np.sin(turn)
        waves = _waves(np.arctan2(dv, du), 0.1, (2, 3, 5), random)
        r = np.hypot(du, dv * random.uniform(1.0, 1.5)) / (radius * (1.0 + waves))
        height = np.maximum(
            height, random.uniform(0.5, 1.1) * radius * np.sqrt(np.clip(1.0 - r**2, 0.0, None))
        )
    return height


def _waves(angle: Floats, size: float, orders: tuple[int, ...], random: np.random.Generator) -> Floats:
    """An uneven outline around 0."""
    waves = [random.uniform(0.0, size) * np.cos(k * angle + random.uniform(0.0, 2.0 * np.pi)) for k in orders]
    return np.sum(waves, axis=0)


def _unit(values: Floats) -> Floats:
    """With mean 0 and standard deviation 1."""
    return (values - values.mean()) / values.std()
