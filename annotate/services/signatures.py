"""Signed map-tile addresses: who got one from a page may fetch that layer's tiles for a while.

A page shows hundreds of map tiles; with the signature each is served without asking the session or the
database. It is the same for all pages of an hour (of a day for a public campaign), so that the browser may
keep the tiles. Whoever loses a role can thus see a private campaign's tiles for two hours more at most;
once a signature has run out, the session is asked, so that a page left open goes on for its members.
"""

import time
from uuid import UUID

from django.utils.crypto import constant_time_compare, salted_hmac

_SALT = "annotate.map_tiles"
_HOUR_S, _DAY_S = 3600, 24 * 3600
_MOST_DIGITS = 11


def sign_layer(basemap_uid: UUID, campaign_uid: UUID, *, public: bool = False) -> str:
    """The value of the address's `s`, good until the end of the next hour, or day for a public campaign."""
    slot_s = _DAY_S if public else _HOUR_S
    return _signed(basemap_uid, campaign_uid, (_now_s() // slot_s + 2) * slot_s)


def is_signed(basemap_uid: UUID, campaign_uid: UUID, signature: str) -> bool:
    """Whether the signature is ours, for this layer of this campaign, and not run out."""
    until, _, _ = signature.partition(".")
    if not (until.isascii() and until.isdecimal() and len(until) <= _MOST_DIGITS):
        return False
    good = _signed(basemap_uid, campaign_uid, int(until))
    return int(until) > _now_s() and constant_time_compare(signature, good)


def _signed(basemap_uid: UUID, campaign_uid: UUID, until_s: int) -> str:
    digest = salted_hmac(_SALT, f"{basemap_uid} {campaign_uid} {until_s}", algorithm="sha256").hexdigest()
    return f"{until_s}.{digest[:32]}"


def _now_s() -> int:
    return int(time.time())
