"""What stands in a tar file, packed or not; see archives, which opens it."""

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any, Self

from mlcore.formats.archive_limits import Budget, Entry

BROKEN = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)
# Long names and other notes stand before a file and are read as a whole.
_LONGEST_NOTE = 256 * 1024
_NOTES = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
# What the dictionary of `xz -9` takes is 64 MiB; a file may ask for 4 GiB.
_XZ_MEMORY = 128 * 1024**2
_CHUNK = 64 * 1024


def entries(file: IO[bytes], kind: str, budget: Budget) -> Iterator[Entry]:
    """Its entries in their order; each must be read before the next is asked for.

    Args:
        file: The archive.
        kind: tar, tar.gz, tar.bz2 or tar.xz.
        budget: Counts all that is unpacked.
    """
    with tarfile.open(fileobj=_Passing(_unpacked(file, kind), budget), mode="r|", tarinfo=_Header) as archive:
        while (info := archive.next()) is not None:
            # It would keep every header it has seen.
            archive.members = []  # type: ignore[attr-defined]
            if info.isdir():
                yield Entry(info.name, None)
            elif not info.isreg() or info.issparse():
                yield Entry(info.name, None, "a link, a device or a file with holes")
            else:
                yield Entry(info.name, partial(_opened, archive, info))


def _opened(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    return archive.extractfile(info) or io.BytesIO()


def _unpacked(file: IO[bytes], kind: str) -> IO[bytes]:
    readers: dict[str, Callable[[IO[bytes]], Any]] = {
        "tar.gz": _gunzip,
        "tar.bz2": bz2.BZ2File,
        "tar.xz": _Xz,
    }
    return readers[kind](file) if kind in readers else file


def _gunzip(file: IO[bytes]) -> gzip.GzipFile:
    return gzip.GzipFile(fileobj=file)


class _Header(tarfile.TarInfo):
    """A header whose notes are not read where they claim to be books, and whose damage is no end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except (
            tarfile.InvalidHeaderError,  # type: ignore[attr-defined]
            tarfile.TruncatedHeaderError,  # type: ignore[attr-defined]
            tarfile.EmptyHeaderError,  # type: ignore[attr-defined]
        ) as error:
            raise tarfile.ReadError(str(error)) from error

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _NOTES and self.size > _LONGEST_NOTE:
            raise tarfile.ReadError(f"a name or note of {self.size:,} bytes")
        return super()._proc_member(archive)  # type: ignore[misc]


class _Passing(io.RawIOBase):
    """Counts what is unpacked, whoever reads it: also names, padding and members that nobody wants."""

    def __init__(self, inner: IO[bytes], budget: Budget) -> None:
        self._inner, self._budget = inner, budget

    def read(self, size: int = -1) -> bytes:
        chunk = self._inner.read(_CHUNK if size < 0 else min(size, _CHUNK))
        self._budget.pass_by(len(chunk))
        return chunk


class _Xz(io.RawIOBase):
    """Unpacks xz within a bounded memory, which lzma.open does not offer."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._packed = file, b""
        self._unpack = self._fresh()

    @staticmethod
    def _fresh() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, size: int = -1) -> bytes:
        wanted = _CHUNK if size < 0 else size
        while True:
            if self._unpack.eof:
                # Several streams may follow each other, with zeros between them.
                rest = (self._unpack.unused_data or self._file.read(_CHUNK)).lstrip(b"\0")
                if not rest:
                    return b""
                self._unpack, self._packed = self._fresh(), rest
            elif self._unpack.needs_input and not self._packed:
                self._packed = self._file.read(_CHUNK)
                if not self._packed:
                    raise EOFError("the xz stream ends early")
            found = self._unpack.decompress(self._packed, wanted)
            self._packed = b""
            if found:
                return found
