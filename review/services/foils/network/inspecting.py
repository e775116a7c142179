"""A look at some of the pixels that a training would learn from, before all of them are copied.

Scale bars burnt in and ranges that clip are mostly a fault of a whole export: a few dozen pictures tell it in
seconds. What was found is remembered, so that the page says it beside the button until the pictures have
changed. The training looks at all of them once more (mlcore.foil_classifier.checks) and leaves out a few.
"""

import contextlib
import hashlib
from collections.abc import Callable

from django.core.cache import cache
from redis.exceptions import RedisError

from mlcore.errors import InvalidInput
from mlcore.foil_classifier import checks
from mlcore.formats.pictures import Grey
from review.models import Picture
from review.services.foils.gold.gold import frames_of
from review.services.foils.network.material import Material

DRAWN = 60
# From this share of those drawn it is no matter of a few pictures.
MANY = 0.25
KEPT_S = 30 * 86_400
# Changes whenever what is looked for does.
EDITION = 1
FINE = "fine"


def inspect(material: Material, progress: Callable[[], None] = lambda: None) -> None:
    """Look at the pictures drawn, unless that was done already.

    Raises:
        InvalidInput: Many of them carry a scale bar or clip.
    """
    known = _remembered(material)
    sentence = _look(_drawn(material), progress) if known is None else known
    _remember(material, sentence)
    if sentence:
        raise InvalidInput(sentence, code="cannot_learn")


def known_refusal(material: Material) -> str:
    """What was found of these pictures before; empty where they were fine, or nobody has looked."""
    return _remembered(material) or ""


def _drawn(material: Material) -> list[Picture]:
    """The same of the same material: it is in the order of the pixels' hashes."""
    return [item.picture for item in material.items[:DRAWN]]


def _look(pictures: list[Picture], progress: Callable[[], None]) -> str:
    def reader(picture: Picture) -> Callable[[], Grey]:
        def read() -> Grey:
            progress()
            return frames_of(picture)[0]

        return read

    shown = [checks.Shown(picture.name, reader(picture)) for picture in pictures]
    for found, say in (
        (checks.with_overlays(shown), checks.overlay_refusal),
        (checks.clipping(shown), checks.clipping_refusal),
    ):
        if len(found) >= max(2, MANY * len(shown)):
            return say(found, len(shown))
    return ""


def _remembered(material: Material) -> str | None:
    with contextlib.suppress(RedisError):
        kept = cache.get(_key(material))
        return None if kept is None else str(kept).removeprefix(FINE)
    return None


def _remember(material: Material, sentence: str) -> None:
    with contextlib.suppress(RedisError):
        cache.set(_key(material), sentence or FINE, timeout=KEPT_S)


def _key(material: Material) -> str:
    hashes = "".join(picture.sha256 for picture in _drawn(material))
    return f"foil-inspected:{EDITION}:{hashlib.sha256(hashes.encode()).hexdigest()}"
