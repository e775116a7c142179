"""What may come out of an archive, and the count of what has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from mlcore.errors import InvalidInput

# Below this much nobody is harmed, however well it was packed: text and empty rasters pack by hundreds.
_HARMLESS_BYTES = 16 * 1024**2


@dataclass(frozen=True)
class Limits:
    """How much may come out of an archive.

    Attributes:
        members: Files and folders at most.
        member_bytes: Of one file at most.
        total_bytes: Of all files together at most.
        ratio: Bytes that come out for each byte of the archive at most, once it is more than 16 MiB.
    """

    members: int = 10_000
    member_bytes: int = 4 * 1024**3
    total_bytes: int = 8 * 1024**3
    ratio: float = 200.0


@dataclass(frozen=True)
class Entry:
    """One thing in an archive, before anything of it is believed.

    Attributes:
        name: As the archive has it.
        open: Gives its bytes; None for a folder.
        refused: What it is where it is neither file nor folder, or cannot be read; else empty.
    """

    name: str
    open: Callable[[], IO[bytes]] | None
    refused: str = ""


class Budget:
    """Counts what has come out of one archive.

    Args:
        limits: How much may.
        archive: What to call it in refusals.
        archive_bytes: Its own size.
    """

    def __init__(self, limits: Limits, archive: str, archive_bytes: int) -> None:
        self.limits, self.archive = limits, archive
        self._by_ratio = max(_HARMLESS_BYTES, limits.ratio * archive_bytes)
        self._members = self._bytes = self._passed = 0

    def enter(self) -> None:
        """One more file or folder."""
        self._members += 1
        if self._members > self.limits.members:
            raise InvalidInput(
                f"'{self.archive}' holds more than {self.limits.members:,} files. Pack only what is needed, "
                "or several archives.",
                code="too_many_files",
            )

    def spend(self, n_bytes: int) -> None:
        """So many bytes more."""
        self._bytes += n_bytes
        if self._bytes > self.limits.total_bytes:
            raise InvalidInput(
                f"'{self.archive}' unpacks to more than {size_words(self.limits.total_bytes)}, the most that "
                "is taken. Pack less into it.",
                code="archive_too_large",
            )
        self._refuse_ratio(self._bytes)

    def pass_by(self, n_bytes: int) -> None:
        """So many bytes more had to be unpacked, wanted or not, headers and padding included."""
        self._passed += n_bytes
        self._refuse_ratio(self._passed)

    def _refuse_ratio(self, n_bytes: int) -> None:
        if n_bytes > self._by_ratio:
            raise InvalidInput(
                f"'{self.archive}' unpacks to more than {self.limits.ratio:g} times its size, as archives do "
                "that are made to fill a disk. If it is honest, send what is in it unpacked.",
                code="archive_bomb",
            )


def size_words(n_bytes: int) -> str:
    """A number of bytes as people say it."""
    return f"{n_bytes / 1e9:.3g} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.3g} MB"
