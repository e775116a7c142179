"""Archives that people bring, opened with limits that count what really comes out of them.

    with open_archive(path, limits) as members:
        for member in members:
            ...  # member.name, member.stream

One member after the other is read; nothing is held in memory but the names, so an archive of hundreds of
thousands of images is read like one of three. An archive inside an archive is a file like any other.
"""

import io
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mlcore.errors import InvalidInput
from mlcore.formats import tar_files, zip_files
from mlcore.formats.archive_limits import Budget, Entry, Limits, size_words
from mlcore.formats.archive_names import Names, is_litter, shown

__all__ = ["KINDS", "Limits", "Member", "extract", "kind_of", "open_archive"]

KINDS = ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz")
_MAGIC = {b"PK\x03\x04": "zip", b"PK\x05\x06": "zip", b"\x1f\x8b": "tar.gz", b"BZh": "tar.bz2"}
_MAGIC_XZ, _MAGIC_TAR, _TAR_AT = b"\xfd7zXZ\x00", b"ustar", 257
_CHUNK = 1024**2


@dataclass(frozen=True)
class Member:
    """A file in an archive.

    Attributes:
        name: Its relative path with `/`, safe to be joined to a folder of ours.
        stream: Its bytes, to be read before the next member is asked for.
    """

    name: str
    stream: IO[bytes]


def kind_of(path: Path) -> str | None:
    """One of KINDS by the file's first bytes; None where it is no archive."""
    with path.open("rb") as file:
        head = file.read(_TAR_AT + len(_MAGIC_TAR))
    if head.startswith(_MAGIC_XZ):
        return "tar.xz"
    if head[_TAR_AT:] == _MAGIC_TAR:
        return "tar"
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)


@contextmanager
def open_archive(
    path: Path, limits: Limits | None = None, *, name: str | None = None
) -> Iterator[Iterator[Member]]:
    """Open a zip or a tar, the latter plain or packed by gzip, bzip2 or xz.

    Args:
        path: The file.
        limits: How much may come out of it; Limits() where not given.
        name: What to call it in refusals; the file's name when not given.

    Yields:
        Its files one after the other, without what operating systems add. Whatever was handed out before a
        refusal is to be thrown away by whoever asked.

    Raises:
        InvalidInput: It is none of KINDS, damaged, encrypted, larger than the limits, or holds links,
            devices, names that point elsewhere, or one name twice. Also while members are read.
    """
    name = name or path.name
    kind = kind_of(path)
    if kind is None:
        raise InvalidInput(
            f"'{name}' is no archive that Tektite opens; pack the files as .zip, .tar.gz or .tar.xz.",
            code="not_an_archive",
        )
    budget = Budget(limits or Limits(), name, path.stat().st_size)
    with path.open("rb") as file:
        yield _members(
            zip_files.entries(file, budget) if kind == "zip" else tar_files.entries(file, kind, budget),
            budget,
        )


def extract(
    path: Path,
    folder: Path,
    limits: Limits | None = None,
    *,
    name: str | None = None,
    place: Callable[[str], str | None] = lambda member: member,
) -> list[Path]:
    """Unpack an archive into an empty folder of ours; when refused, the folder is to be thrown away.

    Args:
        path: The file.
        folder: Where to.
        limits: As in open_archive.
        name: As in open_archive.
        place: Gives the relative path at which to store a member of this name; None leaves it out.

    Returns:
        What was stored, in the archive's order; readable by all, executable by nobody.

    Raises:
        InvalidInput: As in open_archive; also where two members have one place.
    """
    stored = []
    with open_archive(path, limits, name=name) as members:
        for member in members:
            wanted = place(member.name)
            if wanted is None:
                continue
            target = folder / wanted
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with target.open("xb") as file:
                    shutil.copyfileobj(member.stream, file, _CHUNK)
            except FileExistsError:
                raise InvalidInput(
                    f"'{name or path.name}' holds two files for one place, {shown(wanted)}. Leave one of "
                    "them out.",
                    code="duplicate_name",
                ) from None
            target.chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IROTH)
            stored.append(target)
    return stored


def _members(entries: Iterator[Entry], budget: Budget) -> Iterator[Member]:
    names = Names(budget.archive)
    while True:
        with _sound(budget.archive):
            entry = next(entries, None)
        if entry is None:
            return
        budget.enter()
        if entry.refused:
            raise InvalidInput(
                f"In '{budget.archive}', {shown(entry.name)} is {entry.refused}. Pack plain files only.",
                code="not_a_file",
            )
        if entry.open is None:
            names.folder(entry.name)
            continue
        name = names.file(entry.name)
        if not is_litter(name):
            with _sound(budget.archive):
                raw = entry.open()
            with raw:
                yield Member(name, io.BufferedReader(_Counted(raw, budget, name), _CHUNK))


@contextmanager
def _sound(name: str) -> Iterator[None]:
    """What the archive's own reading raises; errors of whoever writes its members elsewhere stay theirs."""
    try:
        yield
    except (*zip_files.BROKEN, *tar_files.BROKEN) as error:
        raise InvalidInput(
            f"'{name}' is damaged, cut short or packed in an unusual way ({error}). Copy or pack it again.",
            code="broken_archive",
        ) from error


class _Counted(io.RawIOBase):
    """The bytes of one member, counted as they come."""

    def __init__(self, raw: IO[bytes], budget: Budget, name: str) -> None:
        self._raw, self._budget, self._name, self._n = raw, budget, name, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with _sound(self._budget.archive):
            chunk = self._raw.read(len(buffer))
        self._n += len(chunk)
        if self._n > self._budget.limits.member_bytes:
            raise InvalidInput(
                f"In '{self._budget.archive}', {shown(self._name)} is larger than "
                f"{size_words(self._budget.limits.member_bytes)}, the most that one file may be.",
                code="member_too_large",
            )
        self._budget.spend(len(chunk))
        buffer[: len(chunk)] = chunk
        return len(chunk)
