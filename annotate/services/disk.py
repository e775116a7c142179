"""Room on the disks: work that would fill one is refused before it begins, and a reserve stays free."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _
from psycopg import errors as postgres

from mlcore.errors import NoRoom

# Of MIN_FREE_BYTES where the operator has not set it: the smaller of the two.
RESERVE_BYTES, RESERVE_SHARE = 2 * 1024**3, 0.05
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Disk:
    """The disk of a folder.

    Attributes:
        total_bytes: Its size.
        free_bytes: What may still be written to it.
        reserve_bytes: What has to stay free for the database, logs and work under way.
    """

    total_bytes: int
    free_bytes: int
    reserve_bytes: int

    @property
    def used_bytes(self) -> int:
        """What is written, by whomever."""
        return self.total_bytes - self.free_bytes

    @property
    def room_bytes(self) -> int:
        """What new work may take."""
        return max(0, self.free_bytes - self.reserve_bytes)

    @property
    def is_nearly_full(self) -> bool:
        """Whether nothing new is begun any more."""
        return self.free_bytes <= self.reserve_bytes


def disk_of(folder: Path | str | None = None) -> Disk:
    """The disk of a folder, or of the nearest above it that exists; of MEDIA_ROOT where none is given."""
    wanted = Path(folder or settings.MEDIA_ROOT).absolute()
    existing = next(path for path in (wanted, *wanted.parents) if path.exists())
    usage = shutil.disk_usage(existing)
    reserve = settings.MIN_FREE_BYTES
    if reserve is None:
        reserve = min(RESERVE_BYTES, int(RESERVE_SHARE * usage.total))
    return Disk(usage.total, usage.free, reserve)


def require_room(need_bytes: int, *, what: str, folder: Path | str | None = None) -> None:
    """Refuse work that the disk has no room for.

    Args:
        need_bytes: About how much it will write.
        what: The subject of the sentence: "The conversion of “Gassendi”".
        folder: Where it writes; MEDIA_ROOT where None.

    Raises:
        NoRoom: The sentence says how much is needed and how much may be taken.
    """
    disk = disk_of(folder)
    if need_bytes > disk.room_bytes:
        raise NoRoom(
            _(
                "%(what)s needs about %(need)s of disk, and the server has room for %(room)s "
                "(%(reserve)s are kept free for the database). Whoever runs this site can make room; "
                "then try again."
            )
            % {
                "what": what,
                "need": in_words(need_bytes),
                "room": in_words(disk.room_bytes),
                "reserve": in_words(disk.reserve_bytes),
            }
        )


@contextmanager
def full_in_words(what: str) -> Iterator[None]:
    """Turn the error of a disk that ran full in the middle into a refusal; who calls it cleans up.

    Raises:
        NoRoom: In place of the error.
    """
    try:
        yield
    except Exception as error:
        if not is_full(error):
            raise
        raise NoRoom(ran_full(what)) from error


def is_full(error: BaseException | None) -> bool:
    """Whether it comes from a disk without room: of the media, of temporary files or of the database."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        # GDAL says it in words only.
        if isinstance(error, postgres.DiskFull) or os.strerror(errno.ENOSPC) in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def ran_full(what: str) -> str:
    """The sentence for work that the disk had no room for after all."""
    return _(
        "%(what)s stopped because the server's disk ran full; what it had written is removed again. Whoever "
        "runs this site can make room; then try again."
    ) % {"what": what}


def in_words(n_bytes: int) -> str:
    """1.5 GB, 20 MB."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
