"""Delimited text as it really comes: any line end, encoding or separator, quoted line breaks, lost quotes.

Everything is read as a stream: a list of a million craters takes no more memory than one of ten.
"""

import codecs
import csv
import io
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple, TextIO

from mlcore.errors import InvalidInput

# A record over more lines than this is taken for a quotation mark that nobody closed.
_MAX_RECORD_LINES = 50
# A line longer than this belongs to no table.
_MAX_LINE_CHARS = 1_000_000
_CHUNK_BYTES = 1 << 20
_DELIMITERS = ",;\t|"
# How files begin that are often taken for tables: ZIP (spreadsheets too), old spreadsheets, gzip, pictures.
_NOT_TEXT = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"\x89PNG", b"\xff\xd8\xff", b"%PDF", b"SQLite")
# Bytes that mean nothing in Windows-1252.
_NO_CP1252 = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))


class Encoding(NamedTuple):
    """How a file's bytes are text.

    Attributes:
        codec: Python's name for it; takes a byte-order mark off.
        title: As people say it: "UTF-8", "UTF-8 with byte-order mark", "UTF-16", "Windows-1252", "Latin-1".
    """

    codec: str
    title: str

    @property
    def is_guess(self) -> bool:
        """Whether another encoding of single bytes would fit as well."""
        return self.codec in ("cp1252", "latin-1")


class Record(NamedTuple):
    """One record of a delimited text.

    Attributes:
        line: Physical line on which it begins, 1-based; CR, LF and CRLF each end a line.
        text: As it stands in the file, without the last line end.
        cells: Its cells; None where it cannot be taken apart.
    """

    line: int
    text: str
    cells: list[str] | None


def find_encoding(stream: BinaryIO) -> Encoding:
    """Find out how a file's bytes are text, from all of them; afterwards the stream is at its beginning.

    Args:
        stream: The file; can seek.

    Returns:
        UTF-8 or UTF-16 where every byte agrees; else Windows-1252, or Latin-1 where that has no such bytes.

    Raises:
        InvalidInput: The file is empty, or no text at all (a spreadsheet, an image, an archive).
    """
    stream.seek(0)
    head = stream.read(4096)
    if not head.strip() and not stream.read(_CHUNK_BYTES).strip():
        raise InvalidInput("The file is empty; give a text file with a header line and rows.", code="empty")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) and _decodes(stream, "utf-16"):
        return Encoding("utf-16", "UTF-16")
    # A stray NUL in a name is cleaned later; spreadsheets, images and archives are full of them.
    if head.startswith(_NOT_TEXT) or head.count(b"\0") > 8:
        raise InvalidInput(
            "This is not a text file (perhaps a spreadsheet, a picture or an archive). "
            "Save the table as CSV, UTF-8.",
            code="not_text",
        )
    if _decodes(stream, "utf-8"):
        has_mark = head.startswith(codecs.BOM_UTF8)
        return Encoding("utf-8-sig", "UTF-8 with byte-order mark" if has_mark else "UTF-8")
    return Encoding("cp1252", "Windows-1252") if _is_cp1252(stream) else Encoding("latin-1", "Latin-1")


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    stream.seek(0)
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk
    stream.seek(0)


def _decodes(stream: BinaryIO, codec: str) -> bool:
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        for chunk in _chunks(stream):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        stream.seek(0)
        return False
    return True


def _is_cp1252(stream: BinaryIO) -> bool:
    """Whether the bytes 0x80–0x9F, which Latin-1 has no letters for, occur and are all of Windows-1252."""
    seen: set[int] = set()
    for chunk in _chunks(stream):
        seen.update(byte for byte in chunk if 0x80 <= byte <= 0x9F)
    return bool(seen) and seen.isdisjoint(_NO_CP1252)


@contextmanager
def table(stream: BinaryIO) -> Iterator[Iterator[Record]]:
    """A table's records, the header first, in whatever encoding and with whatever separator it came.

    Args:
        stream: The file; can seek.

    Raises:
        InvalidInput: The file is empty, or no text.
    """
    encoding = find_encoding(stream)
    with as_text(stream, encoding) as text:
        delimiter = find_delimiter(first_line(text))
    with as_text(stream, encoding) as text:
        yield records(text, delimiter)


def cell_at(cells: list[str], at: int | None) -> str:
    """A cell without blanks around it; empty where there is no such column, or the record is short."""
    return cells[at].strip() if at is not None and at < len(cells) else ""


@contextmanager
def as_text(stream: BinaryIO, encoding: Encoding) -> Iterator[TextIO]:
    """The stream from its beginning as text with its line ends untouched; it stays open afterwards."""
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding.codec, newline="")
    try:
        yield text
    finally:
        text.detach()


def find_delimiter(header: str) -> str:
    """The separator that takes a header line apart into the most cells; those within quotes do not count.

    Args:
        header: The first line that is not empty and no remark.

    Returns:
        Comma, semicolon, tab or vertical bar.
    """

    def n_cells(delimiter: str) -> int:
        try:
            return len(next(csv.reader([header], delimiter=delimiter, strict=True), []))
        except csv.Error:
            # Quotation marks that do not fit this delimiter; if they fit none, the most frequent is taken.
            return 0

    return max(_DELIMITERS, key=lambda delimiter: (n_cells(delimiter), header.count(delimiter)))


def first_line(text: TextIO) -> str:
    """The first line that is not empty and no remark; "" where there is none. The text moves on."""
    while (line := _read_line(text)) and _is_skipped(line):
        pass
    return line


def records(text: TextIO, delimiter: str) -> Iterator[Record]:
    """Take a delimited text apart, whatever its line ends.

    A record that cannot be taken apart costs its first line only: reading goes on at the next.

    Args:
        text: See as_text.
        delimiter: See find_delimiter.

    Yields:
        Records in order, header included; lines without any content and lines that begin with #
        are left out.

    Raises:
        InvalidInput: A line is longer than a million characters.
    """
    ahead: deque[str] = deque()
    number = 0
    while line := ahead.popleft() if ahead else _read_line(text):
        number += 1
        if _is_skipped(line):
            continue
        if '"' not in line:
            plain = line.rstrip("\r\n")
            cells = plain.split(delimiter)
            if any(cell.strip() for cell in cells):
                yield Record(number, plain, cells)
            continue
        taken, quoted = _quoted_record(line, ahead, text, delimiter)
        if quoted is None or any(cell.strip() for cell in quoted):
            yield Record(number, taken.rstrip("\r\n"), quoted)
        number += _n_lines(taken) - 1


def _is_skipped(line: str) -> bool:
    return not line.strip() or line.startswith("#")


def _read_line(text: TextIO) -> str:
    line = text.readline(_MAX_LINE_CHARS)
    if len(line) == _MAX_LINE_CHARS:
        raise InvalidInput(
            f"A line of the file is longer than {_MAX_LINE_CHARS:,} characters; no table has such lines. "
            "Save the list as CSV with one crater on each line.",
            code="not_text",
        )
    return line


def _n_lines(text: str) -> int:
    return len(list(io.StringIO(text, newline="")))


def _quoted_record(
    line: str, ahead: deque[str], text: TextIO, delimiter: str
) -> tuple[str, list[str] | None]:
    """The lines and the cells of the record that begins with `line`; what it does not take stays ahead."""
    lines = [line]

    def supply() -> Iterator[str]:
        yield line
        while len(lines) < _MAX_RECORD_LINES and (more := ahead.popleft() if ahead else _read_line(text)):
            lines.append(more)
            yield more

    try:
        cells = next(csv.reader(supply(), delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        ahead.extendleft(reversed(lines[1:]))
        return line, None
    return "".join(lines), cells
