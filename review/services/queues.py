"""The queues: which there are, who serves them, and how many messages wait in each."""

import logging

from celery import current_app
from django.conf import settings
from kombu.exceptions import ChannelError, OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

ANSWER_WITHIN_S = 2.0


def names() -> tuple[str, ...]:
    """Every queue that a worker has to serve."""
    routed = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    return tuple(sorted({settings.CELERY_TASK_DEFAULT_QUEUE, *routed}))


def lengths() -> dict[str, int] | None:
    """Messages that no worker has taken yet, by queue; None where the broker does not answer."""
    impatient = {"socket_timeout": ANSWER_WITHIN_S, "socket_connect_timeout": ANSWER_WITHIN_S}
    connection = current_app.connection(transport_options=impatient)
    try:
        with connection, connection.channel() as channel:
            return {name: _length(channel, name) for name in names()}
    except (OperationalError, RedisError, OSError) as error:
        logger.warning("The broker does not say how long its queues are: %s", error)
        return None


def _length(channel: object, name: str) -> int:
    try:
        return channel.queue_declare(queue=name, passive=True).message_count
    except ChannelError:
        # Redis keeps no empty lists, so an empty queue is none.
        return 0
