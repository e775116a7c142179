"""Rows of tables that name pictures or files: those that cannot be used, counted, the first of them shown."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.backends.utils import CursorWrapper
from django.utils.translation import gettext as _

EXAMPLES = 5


@dataclass
class Problem:
    """Rows that are not used for one reason: how many, and the first of them in words."""

    n: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, words: str) -> None:
        self.n += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(words)

    def find(self, cursor: CursorWrapper, table: str, condition: str) -> None:
        """Fill in what a table of matched rows, with `line` and `called`, holds under a condition of ours."""
        cursor.execute(f"SELECT count(DISTINCT line) FROM {table} WHERE {condition}")
        (self.n,) = cursor.fetchone()
        cursor.execute(
            f"SELECT DISTINCT line, called FROM {table} WHERE {condition} ORDER BY line LIMIT {EXAMPLES}"
        )
        self.examples = [
            _("line %(line)d: %(name)s") % {"line": line, "name": called}
            for line, called in cursor.fetchall()
        ]


def with_problems(stored: dict[str, Any], kinds: Iterable[str]) -> dict[str, Any]:
    """A report as JSON keeps it, its problems of these kinds made whole again."""
    return stored | {kind: Problem(**stored[kind]) for kind in kinds}
