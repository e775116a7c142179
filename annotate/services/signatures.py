"""Signed map-tile addresses: who got one from a page may fetch that layer's tiles for a day or two.

A page shows hundreds of map tiles; with the signature each is served without asking the session
or the database. It is the same all day, so that the browser may keep the tiles.
"""

from datetime import UTC, datetime
from uuid import UUID

from django.utils.crypto import constant_time_compare, salted_hmac

_SALT = "annotate.map_tiles"


def sign_layer(basemap_uid: UUID, campaign_uid: UUID) -> str:
    """The value of the address's `s`, good until the end of tomorrow (UTC)."""
    return _signed(basemap_uid, campaign_uid, _today() + 1)


def is_signed(basemap_uid: UUID, campaign_uid: UUID, signature: str) -> bool:
    """Whether the signature is ours, for this layer of this campaign, and not run out."""
    last_day, _, _ = signature.partition(".")
    if not (last_day.isascii() and last_day.isdecimal() and len(last_day) < 9):
        return False
    good = _signed(basemap_uid, campaign_uid, int(last_day))
    return int(last_day) >= _today() and constant_time_compare(signature, good)


def _signed(basemap_uid: UUID, campaign_uid: UUID, last_day: int) -> str:
    digest = salted_hmac(_SALT, f"{basemap_uid} {campaign_uid} {last_day}", algorithm="sha256").hexdigest()
    return f"{last_day}.{digest[:32]}"


def _today() -> int:
    return datetime.now(UTC).date().toordinal()
