"""The tutorial of foil triage: what craters look like, what only looks like them, and how to answer.

Its pictures come from the frozen simulator at fixed seeds, so every installation shows the same ones and
their rings are where the simulator put the craters. There are no real images to show.
"""

from dataclasses import dataclass, field
from functools import lru_cache

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mlcore.errors import NotFound
from mlcore.formats.pictures import encode_shown
from mlcore.simulate.foils import Exposure, Family, FoilParameters, Scene, expose, make_scene

WIDTH_PX, HEIGHT_PX = 480, 360
UM_PER_PX = 0.02
# A ring lies a little outside what it shows.
RING = 1.35


@dataclass(frozen=True)
class Recipe:
    """How a picture of the tutorial is made."""

    seed: int
    families: tuple[Family, ...] = ()
    scratches: float = 0.5
    pits: float = 0.0
    dust: float = 0.0


@dataclass(frozen=True)
class Lesson:
    """One card."""

    key: str
    title: str | Promise
    text: str | Promise
    recipe: Recipe
    rings_craters: bool = True


@dataclass(frozen=True)
class Ring:
    """A circle in the picture's pixels, around a crater or around what is none."""

    x_px: float
    y_px: float
    radius_px: float
    is_crater: bool


@dataclass(frozen=True)
class Drawing:
    """A picture of the tutorial with what is in it."""

    content: bytes = field(repr=False)
    rings: tuple[Ring, ...]


LESSONS = (
    Lesson(
        "craters",
        gettext_lazy("What you look for"),
        gettext_lazy(
            "A grain of dust that hits foil at kilometres per second melts a bowl into it: a dark, smooth "
            "floor with a bright raised rim all around. Most are small, and most pictures hold none."
        ),
        Recipe(6, (Family.ROUND, Family.ROUND, Family.ROUND)),
    ),
    Lesson(
        "shapes",
        gettext_lazy("Not all are round"),
        gettext_lazy(
            "Grains come in pieces and aslant: craters may be oval, made of several lobes, or deeper on "
            "one side. The rim and the smooth floor tell them."
        ),
        Recipe(8, (Family.ELLIPTICAL, Family.LOBED, Family.TILTED)),
    ),
    Lesson(
        "pits",
        gettext_lazy("Pits are not craters"),
        gettext_lazy(
            "Rolling and etching leave hollows in the foil. They are dark too, but flat, with uneven or "
            "angular edges and without a raised rim: at most a burr on one side."
        ),
        Recipe(9, pits=5.0),
    ),
    Lesson(
        "dust",
        gettext_lazy("Nor are dust and scratches"),
        gettext_lazy(
            "Grains that lie on the foil are bright lumps, higher than the ground and without a dark floor. "
            "Scratches and the lines of the roller are long."
        ),
        Recipe(10, dust=5.0),
    ),
    Lesson(
        "answers",
        gettext_lazy("How to answer"),
        gettext_lazy(
            "Tap every crater, then press “Crater here”. Tap a ring again to take it away, drag it to move "
            "it. No crater: “Nothing”. Blurred, too dark, or you do not know: “Cannot tell” is a good "
            "answer. Enlarge the picture and turn up the contrast as you like; small craters hide well."
        ),
        Recipe(3, (Family.ROUND,), scratches=1.0, pits=2.0, dust=2.0),
    ),
    Lesson(
        "known",
        gettext_lazy("Some pictures are known"),
        gettext_lazy(
            "Now and then you see a picture whose answer is known. Nobody can tell before answering which; "
            "sometimes you are told afterwards and shown the right place. That is how we learn how far the "
            "answers can be relied on. What it says of you only you and the project's leads see."
        ),
        Recipe(10, (Family.ROUND,), scratches=1.0, pits=2.0, dust=2.0),
        rings_craters=False,
    ),
)
BY_KEY = {lesson.key: lesson for lesson in LESSONS}
EXPOSURE = Exposure(contrast=1.1, dose=500.0, defocus_px=0.7)


def draw(key: str) -> Drawing:
    """The picture of a lesson, as judges would see it, and its rings.

    Raises:
        NotFound: There is no such lesson.
    """
    if key not in BY_KEY:
        raise NotFound(_("The tutorial has no picture of this name."))
    return _drawn(key)


@lru_cache(maxsize=len(LESSONS))
def _drawn(key: str) -> Drawing:
    lesson = BY_KEY[key]
    recipe = lesson.recipe
    parameters = FoilParameters(
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        um_per_px=UM_PER_PX,
        scratches=recipe.scratches,
        pits=recipe.pits,
        dust=recipe.dust,
    )
    scene = make_scene(parameters, recipe.seed, recipe.families)
    rings = _rings(scene, with_craters=lesson.rings_craters)
    return Drawing(encode_shown(expose(scene, EXPOSURE, recipe.seed)), rings)


def _rings(scene: Scene, *, with_craters: bool) -> tuple[Ring, ...]:
    """Around the craters; where there are none, around what looks like one."""
    things = scene.craters or scene.lookalikes
    if not with_craters:
        return ()
    return tuple(
        Ring(
            round(thing.x_px, 1),
            round(thing.y_px, 1),
            round(RING * thing.diameter_um / scene.um_per_px / 2 + 3.0, 1),
            bool(scene.craters),
        )
        for thing in things
        if thing.diameter_um / scene.um_per_px >= 10.0
    )
