"""How often something may be asked, and after what time again. The limits stand in the settings.

Apart from api.py, which loads what this must be ready for.
"""

import logging
import math
import time

from allauth.core.internal import ratelimit
from allauth.core.internal.httpkit import get_client_ip
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from redis.exceptions import RedisError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

ALLAUTH = "allauth.account"
WINDOW_S = 60

log = logging.getLogger(__name__)


def waiting_s(request: HttpRequest, action: str, key: str | None = None) -> int:
    """Seconds until one of allauth's counted actions is allowed again; 0 where it is allowed now."""
    longest = 0.0
    for rate in ratelimit.get_rates(app=ALLAUTH, action=action):
        if (rate.per == "key" and key is None) or (rate.per == "user" and not request.user.is_authenticated):
            continue
        name = ratelimit.get_cache_key(request, app=ALLAUTH, action=action, rate=rate, key=key)
        # The latest first; only what was allowed stands there.
        history = cache.get(name, [])
        if len(history) >= rate.amount:
            longest = max(longest, history[rate.amount - 1] + rate.duration - time.time())
    return math.ceil(longest)


def in_words(seconds: float) -> str:
    """A waiting time as people say it, never shorter than it is."""
    whole = max(1, math.ceil(seconds))
    if whole <= 90:
        return ngettext("%(n)d second", "%(n)d seconds", whole) % {"n": whole}
    minutes = math.ceil(whole / 60)
    if minutes <= 90:
        return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}
    hours = math.ceil(minutes / 60)
    return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}


def throttled_sentence(wait_s: float) -> str:
    """What the API says to a program that writes without pause."""
    return _(
        "More than %(limit)d changes in a minute are not taken from one person; go on in %(wait)s. "
        "Nothing that was answered is lost."
    ) % {"limit": settings.API_WRITES_PER_MINUTE, "wait": in_words(wait_s)}


class WriteThrottle(BaseThrottle):
    """Counts what each person changes in a minute: a bound for programs run wild that no hand reaches.

    Without Redis nothing is counted and nothing refused: a mark is worth more than a count.
    """

    def allow_request(self, request: Request, view: object) -> bool:
        if request.method in SAFE_METHODS:
            return True
        now = time.time()
        self._wait_s = WINDOW_S - now % WINDOW_S
        user = request.user
        who = f"user:{user.pk}" if user.is_authenticated else f"address:{get_client_ip(request)}"
        key = f"api-writes:{who}:{int(now // WINDOW_S)}"
        try:
            cache.add(key, 0, 2 * WINDOW_S)
            return cache.incr(key) <= settings.API_WRITES_PER_MINUTE
        except RedisError as error:
            log.warning("Changes are not counted, because Redis does not answer: %s", error)
            return True
        except ValueError:
            # Redis made room by dropping the count between the two calls.
            return True

    def wait(self) -> float:
        return self._wait_s
