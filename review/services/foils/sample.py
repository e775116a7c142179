"""A picture that stands for a campaign in lists: one that has been judged enough, and nothing about it."""

import contextlib

from django.core.cache import cache
from redis.exceptions import RedisError

from annotate.models import Campaign
from mlcore.consensus.answers.stopping import Outcome
from review.models import Frame, Subject

# Finding one may take a look at many subjects, and lists are asked for often.
KEPT_S = 600
NONE = "none"


def of(campaign: Campaign) -> str | None:
    """The path below MEDIA_ROOT of a picture as judges saw it; None where none has been judged enough.

    Nobody is to judge it any more, so whoever sees it here is told nothing that would sway an answer.
    """
    key = f"foil-sample:{campaign.uid}"
    with contextlib.suppress(RedisError):
        if kept := cache.get(key):
            return None if kept == NONE else str(kept)
    path = _find(campaign)
    with contextlib.suppress(RedisError):
        cache.set(key, path or NONE, timeout=KEPT_S)
    return path


def _find(campaign: Campaign) -> str | None:
    """The newest candidate's, since there is something to be seen; else that of any other."""
    retired = Subject.objects.filter(
        workflow__campaign=campaign, stratum=Subject.Stratum.QUEUE, retired_at__isnull=False
    ).order_by("-pk")
    subject = retired.filter(outcome=Outcome.CANDIDATE).first() or retired.first()
    if subject is None:
        return None
    frame = Frame.objects.filter(picture=subject.picture_id).order_by("-number").first()
    return frame.shown_path if frame else None
