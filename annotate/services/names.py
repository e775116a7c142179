"""Names and texts that people type: cleaned, or refused with a sentence."""

import re
import unicodedata

from django.utils.translation import gettext as _

from mlcore.errors import InvalidInput

MAX_TEXT_LENGTH = 20_000
# They turn the direction of what stands after them; joiners (also of category Cf) are letters' business.
_DIRECTION_MARKS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def _is_control(character: str) -> bool:
    return character in _DIRECTION_MARKS or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def clean_name(text: str, *, max_length: int = 200) -> str:
    """A name in one line.

    Raises:
        InvalidInput: It is empty, too long, or holds markup, control characters or path separators.
    """
    name = unicodedata.normalize("NFC", str(text)).strip()
    if not name:
        raise InvalidInput(_("A name is needed: at least one visible character."), code="name_empty")
    if len(name) > max_length:
        raise InvalidInput(
            _("The name has %(length)d characters; at most %(limit)d are kept. Shorten it.")
            % {"length": len(name), "limit": max_length},
            code="name_long",
        )
    if any(_is_control(character) for character in name):
        raise InvalidInput(
            _("The name holds a control character (such as a line break or tab). Remove it."),
            code="name_characters",
        )
    if bad := sorted(set(name) & set("<>/\\")):
        raise InvalidInput(
            _("The name holds %(characters)s; a name may not hold < > / or \\. Write it without them.")
            % {"characters": " ".join(bad)},
            code="name_characters",
        )
    return name


def clean_label(text: str, *, max_length: int = 200) -> str:
    """A name that came in a file: control characters become blanks, and it is cut to size."""
    visible = "".join(" " if _is_control(c) else c for c in unicodedata.normalize("NFC", str(text)))
    return re.sub(r"\s+", " ", visible).strip()[:max_length]


def clean_text(text: str, *, max_length: int = MAX_TEXT_LENGTH) -> str:
    """A text of several lines: line breaks and tabs stay, other control characters go.

    Raises:
        InvalidInput: It is longer than max_length characters.
    """
    lines = unicodedata.normalize("NFC", str(text)).replace("\r\n", "\n").replace("\r", "\n")
    if len(lines) > max_length:
        raise InvalidInput(
            _("The text has %(length)d characters; at most %(limit)d are kept. Shorten it.")
            % {"length": len(lines), "limit": max_length},
            code="text_long",
        )
    return "".join(c for c in lines if c in "\n\t" or not _is_control(c)).strip()
