"""The network somebody comes from, as a keyed hash: that two come from one can be seen, the address not."""

import hmac
import logging
import secrets
from datetime import timedelta
from ipaddress import ip_address, ip_network

from django.core.cache import cache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

# When the key is gone, nobody can tell any more, not even whoever has the whole database.
KEY_LIVES = timedelta(days=7)
KEY = "foil-network-key"
_PREFIX = {4: 24, 6: 48}


def hash_of(address: str | None) -> str:
    """Sixteen letters for the block (/24, IPv6: /48) of an address; "" where there is none, or no Redis."""
    try:
        ip = ip_address(address or "")
        key = cache.get_or_set(KEY, lambda: secrets.token_hex(32), KEY_LIVES.total_seconds())
    except ValueError:
        return ""
    except RedisError as error:
        log.warning("Networks are not told apart, because Redis does not answer: %s", error)
        return ""
    block = ip_network((ip, _PREFIX[ip.version]), strict=False)
    return hmac.new(key.encode(), str(block).encode(), "sha256").hexdigest()[:16]
