"""How fast answers may come: a bound for programs and for keys held down, beyond any eye.

Without Redis nothing is counted and nothing refused: an answer is worth more than a count.
"""

import logging
import math
import time

from django.conf import settings
from django.core.cache import cache
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from mlcore.errors import TooMany

log = logging.getLogger(__name__)

SHORT_S, LONG_S = 5, 60
# Within the short window up to twice the pace of the long one is taken: people are not machines.
BURST = 2.0
HOUR_S = 3600


def of_answers(person: int) -> None:
    """Count an answer of the person.

    Raises:
        TooMany: With the seconds until answers are taken again.
    """
    limit = settings.FOIL_ANSWERS_PER_MINUTE
    short = max(1, round(BURST * limit * SHORT_S / LONG_S))
    for window_s, most in ((SHORT_S, short), (LONG_S, limit)):
        wait_s = _wait_s(f"foil-answers:{person}", window_s, most)
        if wait_s:
            raise TooMany(
                _(
                    "More than %(most)d answers in %(window)d seconds are not taken: look at each picture. "
                    "This one can be sent again in %(wait)d s; nothing that was answered is lost."
                )
                % {"most": most, "window": window_s, "wait": wait_s},
                wait_s=wait_s,
            )


def of_visitors(network: str) -> None:
    """Count somebody who begins without a sign-in.

    Raises:
        TooMany: So many have begun from their network within the hour.
    """
    most = settings.FOIL_VISITORS_PER_HOUR
    wait_s = _wait_s(f"foil-visitors:{network}", HOUR_S, most)
    if wait_s:
        raise TooMany(
            _(
                "More than %(most)d people have begun from your network within an hour. Sign in, or come "
                "back in %(minutes)d minutes."
            )
            % {"most": most, "minutes": math.ceil(wait_s / 60)},
            wait_s=wait_s,
        )


def _wait_s(what: str, window_s: int, most: int) -> int:
    """Count one more; seconds until the window ends where that is too many, else 0."""
    now = time.time()
    key = f"{what}:{window_s}:{int(now // window_s)}"
    try:
        cache.add(key, 0, 2 * window_s)
        return 0 if cache.incr(key) <= most else math.ceil(window_s - now % window_s)
    except RedisError as error:
        log.warning("Answers are not counted, because Redis does not answer: %s", error)
    except ValueError:
        # Redis made room by dropping the count between the two calls.
        pass
    return 0
