"""Scores of pictures from a table: one row a picture, named as it was called or by the hash of its pixels."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mlcore.errors import InvalidInput
from mlcore.formats.delimited import Record, cell_at, table
from mlcore.formats.names import printable
from mlcore.formats.numbers import BadNumber, read_number

NAME_COLUMNS = ("name", "picture", "image", "file", "filename", "file_name", "path")
HASH_COLUMNS = ("sha256", "sha_256", "hash")
SCORE_COLUMNS = ("score", "probability", "prob", "p", "prediction", "output")
LONGEST_NAME = 300
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ScoreRow:
    """What a row says.

    Attributes:
        line: On which it begins, 1-based.
        name: Of the picture, or "" where the hash names it.
        sha256: Of the picture's pixels in small hexadecimal digits, or "".
        score: 0 to 1.
    """

    line: int
    name: str
    sha256: str
    score: float


@dataclass(frozen=True)
class BadScore:
    """A row that says nothing usable.

    Attributes:
        line: On which it begins, 1-based.
        code: "out_of_range", "no_number" or "no_name".
        reason: A sentence.
    """

    line: int
    code: str
    reason: str


@dataclass(frozen=True)
class _Columns:
    name: int | None
    sha256: int | None
    score: int


def read_scores(stream: BinaryIO) -> Iterator[ScoreRow | BadScore]:
    """Read a table of scores as a stream; its header names a column of names or hashes, and one of scores.

    Args:
        stream: The file; can seek. Comma, semicolon, tab or bar between the cells.

    Yields:
        One item a row, in order; a row with both a hash and a name goes by its hash.

    Raises:
        InvalidInput: The file is empty or no text, or its header names no such columns.
    """
    with table(stream) as rows:
        columns = _columns(next(rows, None))
        for row in rows:
            yield _read(row, columns)


def _columns(header: Record | None) -> _Columns:
    names = [re.sub(r"[^a-z0-9]+", "_", cell.strip().lower()) for cell in (header and header.cells) or []]

    def find(known: tuple[str, ...]) -> int | None:
        return next((names.index(name) for name in known if name in names), None)

    name, sha256, score = find(NAME_COLUMNS), find(HASH_COLUMNS), find(SCORE_COLUMNS)
    if score is None or (name is None and sha256 is None):
        found = ", ".join(printable(cell)[:40] for cell in ((header and header.cells) or [])[:8])
        raise InvalidInput(
            "The first line must name the columns: “name” or “sha256” for the picture, and “score”. "
            f"Here it reads: {found}.",
            code="no_columns",
        )
    return _Columns(name, sha256, score)


def _read(row: Record, columns: _Columns) -> ScoreRow | BadScore:
    if row.cells is None:
        return BadScore(row.line, "no_name", f"Line {row.line} has a quotation mark that nobody closed.")
    sha256 = cell_at(row.cells, columns.sha256).lower()
    name = "" if sha256 else cell_at(row.cells, columns.name)
    if sha256 and not _SHA256.fullmatch(sha256):
        shown = printable(sha256)[:20]
        return BadScore(row.line, "no_name", f"Line {row.line}: “{shown}” is no SHA-256 (64 digits).")
    if not sha256 and not 0 < len(name) <= LONGEST_NAME:
        return BadScore(row.line, "no_name", f"Line {row.line} names no picture.")
    cell = cell_at(row.cells, columns.score)
    try:
        score = read_number(cell, "score")
    except BadNumber as error:
        return BadScore(row.line, "no_number", f"Line {row.line}: {' '.join(error.args[1:])}")
    if not 0.0 <= score <= 1.0:
        return BadScore(row.line, "out_of_range", f"Line {row.line}: the score {score:g} is not in 0 to 1.")
    return ScoreRow(row.line, name, sha256, score)
