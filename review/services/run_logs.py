"""What a learning process prints, runs/<uid>/<attempt>/…/log.txt: kept small while it runs, its end told."""

import os
from collections import deque
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

LINES_TOLD = 40


def keep_small(log: Path) -> None:
    """Cut a log that has outgrown RUN_LOG_BYTES to its latest half; the process appends, so it goes on."""
    if not log.exists() or log.stat().st_size <= settings.RUN_LOG_BYTES:
        return
    with log.open("rb") as file:
        file.seek(-settings.RUN_LOG_BYTES // 2, os.SEEK_END)
        # The first line is cut somewhere in its middle.
        latest = file.read().partition(b"\n")[2]
    note = _("… earlier lines were cut: a run's log may have %(n)d bytes (RUN_LOG_BYTES).")
    os.truncate(log, 0)
    with log.open("ab") as file:
        file.write((note % {"n": settings.RUN_LOG_BYTES}).encode() + b"\n" + latest)


def tail(log: Path) -> list[str]:
    """Its last lines; none where there is no log."""
    if not log.exists():
        return []
    with log.open(encoding="utf-8", errors="replace") as lines:
        return [line.rstrip("\n") for line in deque(lines, maxlen=LINES_TOLD)]
