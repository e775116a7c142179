"""How far a campaign on foils is and what it looks like, for its card in lists."""

import contextlib

from django import template
from django.core.cache import cache
from redis.exceptions import RedisError

from annotate.models import Campaign
from review.services.foils import summary

register = template.Library()

# Lists show many campaigns, and counting hundreds of thousands of pictures takes a while.
KEPT_S = 60


@register.inclusion_tag("review/foils/partials/progress.html")
def foil_progress(campaign: Campaign) -> dict[str, object]:
    """Pictures judged enough of those to be judged, as they were at most a minute ago."""
    key = f"foil-progress:{campaign.uid}"
    with contextlib.suppress(RedisError):
        if kept := cache.get(key):
            return kept
    now = summary.of(campaign)
    found = {"n_pictures": now.pictures, "to_judge": now.to_judge, "n_retired": now.n_retired}
    with contextlib.suppress(RedisError):
        cache.set(key, found, timeout=KEPT_S)
    return found


@register.inclusion_tag("review/foils/partials/picture.html")
def foil_picture(campaign: Campaign) -> dict[str, object]:
    """One of its pictures that have been judged enough; a drawing where there is none."""
    return {"campaign": campaign}
