"""Refusals, in the words of the field. Each names the thing, the limit and the remedy.

Raised in mlcore and in the apps' services; translated to HTTP once, in webapp/api.py.
"""


class TektiteError(Exception):
    """A refusal that a person can act on.

    Args:
        message: One or two full sentences: what, which limit, what to do.
        code: A stable word for programs; the class's own when not given.
    """

    code = "refused"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code


class InvalidInput(TektiteError):
    """What was given cannot be used as it is."""

    code = "invalid"


class NotFound(TektiteError):
    """What was asked for does not exist, or not for this person."""

    code = "not_found"


class NotAllowed(TektiteError):
    """The person may see the thing but not do this with it."""

    code = "not_allowed"


class Conflict(TektiteError):
    """The thing has changed since the asker last saw it.

    Args:
        message: As for TektiteError.
        current: JSON-serialisable present state, so that the asker can choose.
    """

    code = "conflict"

    def __init__(
        self, message: str, *, current: dict[str, object] | None = None, code: str | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.current = current


class TooLarge(InvalidInput):
    """It is larger than is taken."""

    code = "too_large"


class NoRoom(TektiteError):
    """The disk has no room for it."""

    code = "disk_full"


class TooMany(TektiteError):
    """It is asked more often than is taken.

    Args:
        message: As for TektiteError.
        wait_s: Seconds until it may be asked again.
    """

    code = "throttled"

    def __init__(self, message: str, *, wait_s: int, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.wait_s = wait_s


class Cancelled(TektiteError):
    """A run was asked to stop and has stopped."""

    code = "cancelled"
