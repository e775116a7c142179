"""Settings of the foil classifier. Importing this loads no torch.

The published recipe (seeds/stardust-foils.txt) leaves its layer list, rates and ranges of warping open;
what is said there is kept: eight convolutions, seven dense layers, 216,465 weights, dropout, L2, Nadam,
binary cross-entropy, crops of 150 × 150 px and then of 384 × 512 px, half of them with a crater.
"""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from mlcore.errors import InvalidInput

PRECISIONS = ("float32", "bfloat16")
# Of batch normalisation: a batch's share in the running means, and what is added to variances.
NORM_MOMENTUM, NORM_EPSILON = 0.02, 1e-5
# As the smallest picture that is read.
SMALLEST_CROP_PX = 32


@dataclass(frozen=True)
class Config:
    """One complete set of settings. A range is (lowest, highest); "share" is a probability from 0 to 1.

    Sizes are across a cut-out, which holds a crater with its rim and a little ground: the crater within
    measures about two thirds of it.

    Attributes:
        channels: Maps of each convolution; all kernels but the first are 3 × 3.
        first_kernel_px: Edge of the first kernel, odd.
        first_stride: Its step, in pixels.
        pool_after: Numbers (from 0) of the convolutions that a 2 × 2 maximum follows; one over the whole
            image follows the last one.
        dense: Width of each dense layer; the last is 1.
        batch_norm: Whether the maps of each convolution are brought to mean 0 and deviation 1 over the batch
            (Ioffe & Szegedy 2015), without a trained scale: it trains faster, adds no weight, and is folded
            into the kernels where pictures are scored.
        dropout: Share of the values dropped after the first two dense layers.
        l2: Of Keras: l2 · Σ w² over all kernels, biases apart, is added to the loss.
        precision: Of training on a CPU, "float32" (bit-equal) or "bfloat16" (faster where the processor knows
            it). A GPU always takes bfloat16.
        crop_1_px: Edge of the square crops of the first step.
        steps_1: Optimiser steps of the first step.
        batch_1: Crops per optimiser step, half of them with a crater.
        rate_1: Peak learning rate; it warms up, then falls along a cosine.
        crop_2_px: Height and width of the second step's crops, at most the usual picture's.
        steps_2: As steps_1, of the second step, from the first one's weights.
        batch_2: As batch_1.
        rate_2: As rate_1.
        size_px: Range of drawn sizes, each factor of two as likely; (0, 0) keeps to each cut-out's own size.
        scale: Range of factors on the own size where sizes are not drawn; with nm_per_px known on both sides
            the own size is that on the ground.
        aspect: A cut-out is stretched one way and squeezed the other, up to this ratio of the two.
        fit: Where sizes are drawn, a cut-out need be enlarged at most by the first and shrunk at most by the
            second of these; where there is none, one of the ten nearest.
        gain: Range of factors on the contrast.
        elastic: Smooth displacements of up to about this share of the radius make other shapes.
        broken_share: Of pasted craters, with parts worn away.
        worn: Contrast kept there: this share in the mean, with this deviation over the crater, from 0 to 1.
        floor_share: Of pasted craters, with another floor than the cut-out's.
        floor_depth: Range of factors on how dark it is.
        floor_power: Range of exponents of the darkness: below 1 the floor is flat and its walls are steep,
            above 1 it is pointed.
        residue_share: Of pasted craters, with something bright left inside, a Gaussian spot.
        residue_off: At most so far from the middle, as a share of the cut-out's radius.
        residue_width: Range of its widths, likewise.
        residue_contrast: Range of its brightness, as a share of the ground's.
        blur_share: Of pasted craters, blurred by blur_px.
        blur_px: Range of standard deviations of that blur.
        easy_share: Of the first step, in which the smallest size falls from easy_factor times size_px[0].
        easy_factor: See easy_share.
        paired: Share of the blank crops, in the first and in the second step, that are the very ground on
            which the crater beside them in the batch is pasted: what differs is the crater alone.
        hard_share: Of blank crops, from a known look-alike, where there are any.
        decoy_share: Of grounds, with a crater to come or without, those on which a look-alike whose place is
            known is pasted first: warped as craters are, so that neither seams nor warps tell the two apart.
        crater_share: Of crops with a crater, from a confirmed crater's own picture; reached from 20 of them
            on, and in proportion below, so that a few are not learned by heart.
        mine_every: In the second step, the blanks that the network believes most are looked for anew after so
            many optimiser steps; 0: never.
        mine_pool: Blanks looked at each time.
        mine_share: Of these, the share that counts as hard.
        mine_weight: A hard blank is drawn this many times as often as another.
        max_blanks: No more blanks than this are frozen into a dataset.
        n_validation: At most so many pasted images of a held-out side are measured on.
        sensitivity: The threshold keeps this share of the validation side's pasted craters.
    """

    channels: tuple[int, ...] = (8, 16, 16, 32, 32, 64, 64, 64)
    first_kernel_px: int = 7
    first_stride: int = 2
    pool_after: tuple[int, ...] = (1, 3, 5)
    dense: tuple[int, ...] = (320, 160, 160, 40, 40, 8, 1)
    batch_norm: bool = True
    dropout: float = 0.1
    l2: float = 1e-5
    precision: str = "float32"
    crop_1_px: int = 150
    steps_1: int = 9000
    batch_1: int = 32
    rate_1: float = 2e-3
    crop_2_px: tuple[int, ...] = (384, 512)
    steps_2: int = 4000
    batch_2: int = 8
    rate_2: float = 1e-3
    size_px: tuple[float, ...] = (9.0, 150.0)
    scale: tuple[float, ...] = (0.7, 1.4)
    aspect: float = 1.8
    fit: tuple[float, ...] = (1.25, 4.0)
    gain: tuple[float, ...] = (0.75, 1.4)
    elastic: float = 0.2
    broken_share: float = 0.3
    worn: tuple[float, ...] = (0.9, 0.3)
    floor_share: float = 0.8
    floor_depth: tuple[float, ...] = (0.4, 1.2)
    floor_power: tuple[float, ...] = (0.25, 1.3)
    residue_share: float = 0.6
    residue_off: float = 0.27
    residue_width: tuple[float, ...] = (0.1, 0.35)
    residue_contrast: tuple[float, ...] = (0.2, 1.0)
    blur_share: float = 0.5
    blur_px: tuple[float, ...] = (0.3, 1.2)
    easy_share: float = 0.3
    easy_factor: float = 4.0
    paired: tuple[float, ...] = (0.5, 0.3)
    hard_share: float = 0.3
    decoy_share: float = 0.5
    crater_share: float = 0.2
    mine_every: int = 400
    mine_pool: int = 1000
    mine_share: float = 0.1
    mine_weight: float = 5.0
    max_blanks: int = 4000
    n_validation: int = 500
    sensitivity: float = 0.98

    @property
    def steps(self) -> int:
        """Optimiser steps of both steps together."""
        return self.steps_1 + self.steps_2

    def layout(self) -> dict[str, Any]:
        """What weights must share to fit: JSON-serialisable."""
        names = ("channels", "first_kernel_px", "first_stride", "pool_after", "dense", "batch_norm")
        return {name: value for name, value in self.to_json().items() if name in names}

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict with the attributes as keys."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Config":
        """Inverse of to_json."""
        return make_config("quick", value)


# `quick` is for a first look and for tests of the whole; `full` is the same with patience. `paper` is the
# published recipe: as many images as ten passes over 20,000 and one, craters warped in aspect, scale and
# rotation around their own size, and nothing else.
PRESETS: dict[str, Config] = {
    "quick": Config(steps_1=1500, steps_2=300),
    "full": Config(),
    "paper": Config(
        channels=(8, 16, 16, 16, 24, 40, 80, 128),
        dense=(256, 128, 64, 32, 16, 8, 1),
        batch_norm=False,
        steps_1=6250,
        rate_1=1e-3,
        steps_2=2500,
        rate_2=5e-4,
        size_px=(0.0, 0.0),
        aspect=1.2,
        gain=(1.0, 1.0),
        elastic=0.0,
        broken_share=0.0,
        floor_share=0.0,
        residue_share=0.0,
        blur_share=0.0,
        easy_share=0.0,
        paired=(0.0, 0.0),
        hard_share=0.0,
        decoy_share=0.0,
        crater_share=0.0,
        mine_every=0,
    ),
}

# Of lists: how many entries, where that is fixed.
_RANGES = {
    "size_px", "scale", "gain", "blur_px", "floor_depth", "floor_power", "residue_width", "residue_contrast",
}  # fmt: skip
_LENGTHS = {**dict.fromkeys([*_RANGES, "crop_2_px", "fit", "worn", "paired"], 2)}
# These may be 0.
_FROM_ZERO = {"mine_every", "pool_after", "size_px", "steps_1", "steps_2"}
_SHARES = {
    "dropout", "broken_share", "floor_share", "residue_share", "blur_share", "easy_share", "hard_share",
    "decoy_share", "crater_share",
    "mine_share", "sensitivity", "paired", "residue_off", "worn",
}  # fmt: skip


def make_config(preset: str, overrides: dict[str, Any]) -> Config:
    """A preset with some settings changed.

    Raises:
        InvalidInput: No such preset or setting, a value of another type or out of its range, or a layout that
            cannot be built.
    """
    if preset not in PRESETS:
        raise InvalidInput(f"There is no preset '{preset}'; the foil classifier has {', '.join(PRESETS)}.")
    base = PRESETS[preset]
    names = {f.name for f in fields(Config)}
    values: dict[str, Any] = {}
    for name, value in overrides.items():
        if name not in names:
            raise InvalidInput(
                f"There is no setting '{name}'; the foil classifier has {', '.join(sorted(names))}."
            )
        values[name] = _checked(name, value, getattr(base, name))
    config = replace(base, **values)
    _check_whole(config)
    return config


def _checked(name: str, value: Any, like: Any) -> Any:
    """The value in the setting's type and within its range."""
    if isinstance(like, bool):
        if isinstance(value, bool):
            return value
        raise InvalidInput(f"{name} is true or false, not {value!r}.")
    if isinstance(like, str):
        if value in PRECISIONS:
            return value
        raise InvalidInput(f"{name} is one of {', '.join(PRECISIONS)}, not {value!r}.")
    if not isinstance(like, tuple):
        return _number(name, value, whole=isinstance(like, int))
    length = _LENGTHS.get(name)
    if not isinstance(value, list | tuple) or (not value and name != "pool_after"):
        raise InvalidInput(f"{name} is a list of numbers, not {value!r}.")
    if length and len(value) != length:
        raise InvalidInput(f"{name} is {length} numbers, not {value!r}.")
    numbers = tuple(_number(name, v, whole=isinstance(like[0], int)) for v in value)
    if name in _RANGES and numbers[0] > numbers[1]:
        raise InvalidInput(f"{name} is the lowest and then the highest value, not {value!r}.")
    return numbers


def _number(name: str, value: Any, *, whole: bool) -> int | float:
    right_type = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    lowest = 1 if whole and name not in _FROM_ZERO else 0
    highest = 1.0 if name in _SHARES else 1e9
    if not right_type or not lowest <= value <= highest:
        kind = "a whole number" if whole else "a number"
        up_to = f" to {highest:.0f}" if name in _SHARES else " up"
        raise InvalidInput(f"{name} is {kind} from {lowest}{up_to}, not {value!r}.")
    return value if whole else float(value)


def _check_whole(config: Config) -> None:
    """What settings must hold together."""
    if config.dense[-1] != 1:
        raise InvalidInput(f"The last dense layer has width 1, not {config.dense[-1]}; mend `dense`.")
    if config.first_kernel_px % 2 == 0:
        raise InvalidInput(f"first_kernel_px is odd, not {config.first_kernel_px}.")
    beyond = [number for number in config.pool_after if number >= len(config.channels)]
    if beyond:
        raise InvalidInput(
            f"pool_after names convolution {beyond[0]}, and the last of {len(config.channels)} is "
            f"{len(config.channels) - 1}; they are counted from 0."
        )
    if min(config.batch_1, config.batch_2) < 2:
        raise InvalidInput("batch_1 and batch_2 are 2 or more: every second crop shows a crater.")
    if config.steps < 1:
        raise InvalidInput("steps_1 and steps_2 are both 0; a training takes at least one step.")
    # What the smallest picture becomes on its way down.
    left = SMALLEST_CROP_PX // config.first_stride // 2 ** len(set(config.pool_after))
    if left < 1:
        raise InvalidInput(
            f"Nothing is left of a picture of {SMALLEST_CROP_PX} px after steps of {config.first_stride} px "
            f"and {len(set(config.pool_after))} maxima; take fewer maxima or smaller steps."
        )
    lowest = min(config.scale[0], config.floor_depth[0], config.floor_power[0], config.residue_width[0])
    if not lowest or (config.size_px[1] and not config.size_px[0]):
        raise InvalidInput(
            "size_px, scale, floor_depth, floor_power and residue_width begin above 0; (0, 0) as size_px "
            "keeps each cut-out's own size."
        )
    if min(config.aspect, config.easy_factor, config.mine_weight, *config.fit) < 1:
        raise InvalidInput("aspect, easy_factor, mine_weight and fit are 1 or more.")
    for edge in (config.crop_1_px, *config.crop_2_px):
        if edge < SMALLEST_CROP_PX:
            raise InvalidInput(f"A crop of {edge} px is too small; take {SMALLEST_CROP_PX} px or more.")


def other_layout(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """The sentence for weights of a layout (Config.layout) that is not the one to be trained."""
    return (
        f"The weights to continue from are of another layout ({_told(theirs)}) than the network to be "
        f"trained ({_told(ours)}); take the settings of the model that is continued, or start from scratch."
    )


def _told(layout: dict[str, Any]) -> str:
    def listed(name: str) -> str:
        return ", ".join(str(value) for value in layout.get(name, [])) or "none"

    return (
        f"convolutions {listed('channels')}, first kernel {layout.get('first_kernel_px')} px in steps of "
        f"{layout.get('first_stride')} px, {'with' if layout.get('batch_norm') else 'without'} batch "
        f"normalisation, maxima after {listed('pool_after')}, dense {listed('dense')}"
    )
