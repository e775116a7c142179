"""What a run's page says while something is killed: asked as the page asks, over HTTP, all the time."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from benchmarks.rig.people import NO_ANSWER, Person

ASK_EVERY_S = 0.2


@dataclass(frozen=True)
class Look:
    """One answer.

    Attributes:
        at: When it came, by time.monotonic().
        run: What review.serializers.run_out says; None where nothing or an error came.
    """

    at: float
    run: dict[str, Any] | None


class Watcher:
    """Somebody who keeps a run's page open, until the block ends.

    Args:
        person: Who.
        path: What the page asks.
    """

    def __init__(self, person: Person, path: str) -> None:
        self.person, self.path = person, path
        self.looks: list[Look] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def first(self, since: float, is_so: Callable[[dict[str, Any]], bool]) -> float | None:
        """Seconds from a moment until the page first said so; None where it has not yet."""
        for look in list(self.looks):
            if look.at >= since and look.run is not None and is_so(look.run):
                return look.at - since
        return None

    def _watch(self) -> None:
        while not self._over.wait(ASK_EVERY_S):
            asked_at = time.monotonic()
            try:
                answer = self.person.get(self.path)
            except NO_ANSWER:
                self.looks.append(Look(asked_at, None))
            else:
                self.looks.append(Look(asked_at, answer.data if answer.status == 200 else None))
