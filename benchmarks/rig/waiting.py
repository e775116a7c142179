"""Waiting for something to become true: generously, because machines are busy, and never for a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 240.0
PAUSE_S = 0.1


class Impatient(AssertionError):
    """Something has not become true in time."""


def until(
    what: str,
    condition: Callable[[], T],
    *,
    patience_s: float = PATIENCE_S,
    pause_s: float = PAUSE_S,
    despite: tuple[type[Exception], ...] = (),
    explain: Callable[[], str] = lambda: "",
) -> T:
    """The first value of the condition that counts as true.

    Args:
        what: What is waited for, for the complaint.
        condition: Asked again and again.
        patience_s: How long at most.
        pause_s: Between two questions.
        despite: Errors of the condition that mean "not yet".
        explain: Added to the complaint.

    Raises:
        Impatient: It has not become true.
    """
    deadline, last = time.monotonic() + patience_s, ""
    while True:
        try:
            if value := condition():
                return value
        except despite as error:
            last = f" (last: {type(error).__name__}: {error})"
        if time.monotonic() > deadline:
            raise Impatient(f"Not within {patience_s:.0f} s: {what}{last}.\n{explain()}")
        time.sleep(pause_s)
