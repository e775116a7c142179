"""Keeps the logs of bin/run small: `rotate_logs.py BYTES COPIES FILE_OR_FOLDER…`, until it is told to end.

A log that has grown beyond BYTES is copied to LOG.1 (LOG.1 becomes LOG.2, and so on) and emptied in place.
Those who write need not know: they append, so they go on at the new beginning. Killed at any moment this
loses no line (at worst a copy holds some twice), and without it the logs merely grow. Lines written in the
moment between the last look and the emptying are lost; what must lose none goes to journald
(docs/operators.md).
"""

import os
import signal
import sys
import time
from pathlib import Path

LOOK_EVERY_S = 5.0
CHUNK_BYTES = 1 << 20


def logs_in(places: list[Path]) -> list[Path]:
    """The logs named, and those in the folders named; not their copies."""
    found = [sorted(place.glob("*.log")) if place.is_dir() else [place] for place in places]
    return [path for paths in found for path in paths if path.is_file()]


def rotate(log: Path, copies: int) -> None:
    """Copy a log, then empty it; with the disk full the oldest copy makes room for the next attempt."""
    part = log.with_name(f"{log.name}.part")
    try:
        with log.open("r+b") as source, part.open("wb") as target:
            os.fchmod(target.fileno(), log.stat().st_mode & 0o777)
            _copy_on(source, target)
            for number in range(copies - 1, 0, -1):
                if _copy(log, number).exists():
                    _copy(log, number).replace(_copy(log, number + 1))
            part.replace(_copy(log, 1))
            # What was written meanwhile, and then at once:
            _copy_on(source, target)
            source.truncate(0)
    except OSError as error:
        part.unlink(missing_ok=True)
        oldest = max((n for n in range(1, copies + 1) if _copy(log, n).exists()), default=None)
        if oldest:
            _copy(log, oldest).unlink()
        sys.stderr.write(f"tektite: {log} cannot be rotated now: {error}\n")


def _copy(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")


def _copy_on(source: object, target: object) -> None:
    while chunk := source.read(CHUNK_BYTES):
        target.write(chunk)
    target.flush()


def main() -> None:
    """Look at the logs for ever."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    limit_bytes, copies, *places = sys.argv[1:]
    while True:
        for log in logs_in([Path(place) for place in places]):
            if log.stat().st_size > int(limit_bytes):
                rotate(log, int(copies))
        time.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    main()
