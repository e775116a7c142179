"""What became of the pictures that a run was to score."""

from dataclasses import dataclass, field
from typing import Any, Self

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

# So many files that cannot be read are named; all are counted.
MOST_NAMED = 100


@dataclass(frozen=True)
class RunReport:
    """Of a run of our own network.

    Attributes:
        n_scored: Pictures that have a score of it.
        n_unreadable: Pictures whose files the network could not read; they have none and go to people.
        unreadable: The names of the first of them.
        n_came_since: Pictures that came while it ran, and have none either.
        only_new: Whether it was to score only pictures that had none.
    """

    n_scored: int
    n_unreadable: int
    unreadable: list[str] = field(default_factory=list)
    n_came_since: int = 0
    only_new: bool = False

    @classmethod
    def of(cls, report: dict[str, Any]) -> Self | None:
        """From what a ScoreImport keeps; None where it is a file's."""
        return cls(**report) if "n_scored" in report else None

    def sentences(self) -> list[tuple[str, list[str]]]:
        """Each thing to know, with the names it is about; nothing of what did not happen."""
        told = [(_("%s pictures have their score.") % f"{self.n_scored:,}", [])]
        if self.only_new:
            told = [(_("%s pictures that had no score have one now.") % f"{self.n_scored:,}", [])]
        if self.n_unreadable:
            words = ngettext(
                "%s picture could not be read. It keeps no score, and people see it.",
                "%s pictures could not be read. They keep no score, and people see them all.",
                self.n_unreadable,
            )
            told.append((words % f"{self.n_unreadable:,}", self.unreadable))
        if self.n_came_since:
            words = ngettext(
                "%s picture came while it ran and has no score: people see it.",
                "%s pictures came while it ran and have no score: people see them all.",
                self.n_came_since,
            )
            told.append((words % f"{self.n_came_since:,}", []))
        return told
