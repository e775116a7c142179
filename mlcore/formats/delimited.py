"""Delimited text as it really comes: any line end, byte-order marks, quoted line breaks, lost quotes."""

import csv
import io
from collections.abc import Iterator
from typing import NamedTuple

from mlcore.errors import InvalidInput

# A record over more lines than this is taken for a quotation mark that nobody closed.
_MAX_RECORD_LINES = 50
_SHOWN_CHARS = 200


class Record(NamedTuple):
    """One record of a delimited text.

    Attributes:
        line: Physical line on which it begins, 1-based; CR, LF and CRLF each end a line.
        text: As it stands in the file, shortened to some 200 characters, for reports.
        cells: Its cells; None where it cannot be taken apart.
    """

    line: int
    text: str
    cells: list[str] | None


def decode(content: bytes) -> tuple[str, str]:
    """Turn a file's bytes into text.

    Args:
        content: The whole file.

    Returns:
        The text without byte-order mark, and the encoding found: "UTF-8", "UTF-16" or "Latin-1".

    Raises:
        InvalidInput: The file is empty, or no text at all (a spreadsheet, an image, an archive).
    """
    if not content.strip():
        raise InvalidInput("The file is empty; give a text file with a header line and rows.", code="empty")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return content.decode("utf-16"), "UTF-16"
        except UnicodeDecodeError:
            pass
    # A stray NUL in a name is cleaned later; spreadsheets, images and archives are full of them.
    if content[:4096].count(b"\0") > 8:
        raise InvalidInput(
            "This is not a text file (perhaps a spreadsheet or an archive). Save the table as CSV, UTF-8.",
            code="not_text",
        )
    try:
        return content.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "Latin-1"


def records(text: str) -> Iterator[Record]:
    """Take a delimited text apart, whatever its line ends.

    The delimiter (comma, semicolon or tab) is the most frequent in the first line. A record that
    cannot be taken apart costs its first line only: reading goes on at the next.

    Args:
        text: See decode.

    Yields:
        Records in order, header included; lines without any content and lines that begin with #
        are left out.
    """
    # str.splitlines would also break at characters that may stand in a name, such as U+2028.
    lines = list(io.StringIO(text, newline=""))
    first = next((line for line in lines if not _is_skipped(line)), "")
    delimiter = max(",;\t", key=first.count)
    start = 0
    while start < len(lines):
        if _is_skipped(lines[start]):
            start += 1
            continue
        cells, used = _next_record(lines, start, delimiter)
        raw = "".join(lines[start : start + used]).strip()
        if cells is None or any(cell.strip() for cell in cells):
            yield Record(start + 1, raw[:_SHOWN_CHARS] + "…" * (len(raw) > _SHOWN_CHARS), cells)
        start += used


def _is_skipped(line: str) -> bool:
    return not line.strip() or line.startswith("#")


def _next_record(lines: list[str], start: int, delimiter: str) -> tuple[list[str] | None, int]:
    """The cells of the record at `start`, and how many lines it takes."""
    reader = csv.reader(lines[start : start + _MAX_RECORD_LINES], delimiter=delimiter, strict=True)
    try:
        return next(reader), reader.line_num
    except (csv.Error, StopIteration):
        return None, 1
