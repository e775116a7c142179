"""What has just been appended to the log."""

from dataclasses import dataclass

from review.models import Classification


@dataclass(frozen=True)
class Change:
    """One person's newest row on a subject, and the one before it.

    Attributes:
        last: Their newest row until now; None where they had never answered.
        new: What was appended.
    """

    last: Classification | None
    new: Classification

    @property
    def before(self) -> Classification | None:
        """The answer that stood."""
        return None if self.last is None or _is_withdrawn(self.last) else self.last

    @property
    def after(self) -> Classification | None:
        """The answer that stands now."""
        return None if _is_withdrawn(self.new) else self.new


def _is_withdrawn(row: Classification) -> bool:
    return row.answer == Classification.Answer.WITHDRAWN
