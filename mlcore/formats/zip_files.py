"""What stands in a zip file; see archives, which opens it."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from typing import IO

from mlcore.errors import InvalidInput
from mlcore.formats.archive_limits import Budget, Entry

BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error, NotImplementedError, ValueError)
# Others may ask for gigabytes of memory before they give a byte.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_ENCRYPTED = 0x1
_UNIX = 3
# The table of contents is read as a whole: what one entry of it may take, name and extras included.
_ENTRY_BYTES = 2048
_END, _END_BYTES, _LONGEST_COMMENT = b"PK\x05\x06", 22, 65_535
_LOCATOR, _LOCATOR_BYTES, _END64, _END64_BYTES = b"PK\x06\x07", 20, b"PK\x06\x06", 56


def entries(file: IO[bytes], budget: Budget) -> Iterator[Entry]:
    """Its entries in the order of the table of contents.

    Args:
        file: The archive, seekable.
        budget: Its limits.

    Raises:
        InvalidInput: The table of contents is larger than the most entries could fill.
    """
    _refuse_table(file, budget)
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            # What zipfile shows ends at a NUL, and so may hide what it is.
            name = info.orig_filename
            if name.endswith("/"):
                yield Entry(name, None, _refused(info))
            else:
                yield Entry(name, partial(archive.open, info), _refused(info))


def _refused(info: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == _UNIX else 0
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or a device"
    if info.flag_bits & _ENCRYPTED:
        return "encrypted"
    if info.compress_type not in _METHODS:
        return f"compressed by method {info.compress_type}, which is not opened here"
    return ""


def _refuse_table(file: IO[bytes], budget: Budget) -> None:
    most = budget.limits.members * _ENTRY_BYTES
    if _table_bytes(file) > most:
        raise InvalidInput(
            f"'{budget.archive}' lists more than the {budget.limits.members:,} files that are taken. Pack "
            "only what is needed, or several archives.",
            code="too_many_files",
        )


def _table_bytes(file: IO[bytes]) -> int:
    """How long the table of contents says it is; 0 where there is none, which zipfile will say."""
    size = file.seek(0, 2)
    start = max(0, size - _LONGEST_COMMENT - _END_BYTES)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        return 0
    (found,) = struct.unpack_from("<L", tail, at + 12)
    if at >= _LOCATOR_BYTES and tail[at - _LOCATOR_BYTES :].startswith(_LOCATOR):
        # zipfile looks for the large form right before its locator.
        file.seek(max(0, start + at - _LOCATOR_BYTES - _END64_BYTES))
        large = file.read(_END64_BYTES)
        if large.startswith(_END64) and len(large) == _END64_BYTES:
            (found,) = struct.unpack_from("<Q", large, 40)
    return found
