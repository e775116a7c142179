"""Where an image was taken, from its file's name by a pattern that people write.

A pattern is the name as it is, with fields in braces: `{foil}_x{x_um}_y{y_um}_z{focus}.tif` reads
`I1061N_x1250.5_y-310_z2.tif`. A `*` stands for anything, letters' case and folders do not count.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from mlcore.errors import InvalidInput

# Each multiplies the ways in which a name can be tried.
MOST_STARS = 3
_NUMBER = r"[-+]?\d+(?:[.,]\d+)?"
# Each field, and what it may look like.
FIELDS = {"foil": r"[^/{}]+?", "x_um": _NUMBER, "y_um": _NUMBER, "nm_per_px": _NUMBER, "focus": r"\d+"}


@dataclass(frozen=True)
class Place:
    """What a name says; None where the pattern has no such field.

    Attributes:
        foil: Which foil.
        x_um: Stage position.
        y_um: Stage position.
        nm_per_px: Edge of a pixel.
        focus: Number in a focus series; images that agree in all else are one.
    """

    foil: str | None = None
    x_um: float | None = None
    y_um: float | None = None
    nm_per_px: float | None = None
    focus: int | None = None


@dataclass(frozen=True)
class Preview:
    """What a pattern makes of many names, before it is used.

    Attributes:
        n_read: Names that it reads.
        n_unread: Names that it does not.
        read: The first few of them, with what they say.
        unread: The first few of the others.
    """

    n_read: int = 0
    n_unread: int = 0
    read: list[tuple[str, Place]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


class NamePattern:
    """A pattern, checked once."""

    def __init__(self, pattern: str) -> None:
        """Check the pattern.

        Raises:
            InvalidInput: Empty, a field that does not exist or comes twice, a brace that is not closed,
                two fields with nothing between them, or more than MOST_STARS stars.
        """
        if not pattern.strip():
            raise InvalidInput("The pattern is empty; write a file's name with fields such as {foil} in it.")
        parts = re.split(r"(\{[^{}]*\})", pattern.strip())
        names = [part[1:-1] for part in parts if part.startswith("{")]
        for name in names:
            if name not in FIELDS:
                known = ", ".join(f"{{{known}}}" for known in FIELDS)
                raise InvalidInput(f"The pattern has a field {{{name}}}; there are {known}.")
            if names.count(name) > 1:
                raise InvalidInput(f"The field {{{name}}} comes twice in the pattern.")
        if not names:
            raise InvalidInput(
                "The pattern has no field; write {foil}, for example, where the foil's name stands."
            )
        if pattern.count("*") > MOST_STARS:
            raise InvalidInput(f"The pattern has more than {MOST_STARS} stars; write out what names share.")
        if any("{" in part or "}" in part for part in parts[::2]):
            raise InvalidInput("A brace in the pattern is not closed; a field is written {foil}.")
        if any(part == "" for part in parts[2:-2:2]):
            raise InvalidInput("Two fields follow each other with nothing between; a name cannot be read so.")
        self.pattern = pattern.strip()
        self._regex = re.compile("".join(_expression(part) for part in parts), re.IGNORECASE)

    def read(self, name: str) -> Place | None:
        """What a file's name says; None where the pattern does not fit it."""
        found = self._regex.fullmatch(name.replace("\\", "/").rpartition("/")[2])
        if found is None:
            return None
        said = found.groupdict()
        numbers = {
            key: float(said[key].replace(",", ".")) for key in ("x_um", "y_um", "nm_per_px") if key in said
        }
        if numbers.get("nm_per_px", 1.0) <= 0.0:
            return None
        focus = int(said["focus"]) if "focus" in said else None
        return Place(foil=said.get("foil"), focus=focus, **numbers)

    def series_of(self, name: str) -> str | None:
        """The name without its number in a focus series, in small letters: the same for all images of one.

        Args:
            name: Of a file; folders in it count, so that series in two folders stay apart.

        Returns:
            None where the pattern has no focus, or does not fit.
        """
        folder, slash, base = name.replace("\\", "/").rpartition("/")
        found = self._regex.fullmatch(base)
        if found is None or "focus" not in found.groupdict():
            return None
        start, end = found.span("focus")
        # A character that no name holds keeps the series apart from a file that is called like it.
        return f"{folder}{slash}{base[:start]}\x1f{base[end:]}".casefold()

    def preview(self, names: Iterable[str], *, shown: int = 10) -> Preview:
        """What it makes of many names; of each kind the first few are kept."""
        n_read = n_unread = 0
        read: list[tuple[str, Place]] = []
        unread: list[str] = []
        for name in names:
            place = self.read(name)
            if place is None:
                n_unread += 1
                unread += [name] if len(unread) < shown else []
            else:
                n_read += 1
                read += [(name, place)] if len(read) < shown else []
        return Preview(n_read, n_unread, read, unread)


def _expression(part: str) -> str:
    if part.startswith("{"):
        return f"(?P<{part[1:-1]}>{FIELDS[part[1:-1]]})"
    return ".*?".join(re.escape(piece) for piece in part.split("*"))
