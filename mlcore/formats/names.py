"""Names from files: fit to show, to store, and to open in a spreadsheet."""

import re
import unicodedata

MAX_NAME_CHARS = 200
_TAG = re.compile(r"<[^<>]*>|[<>]")
# A spreadsheet takes a cell that begins so for a formula. An apostrophe goes before it on the way out
# and comes off on the way in; apostrophes that are there already count in, so the way back is unique.
_FORMULA = re.compile(r"'*[=+\-@＝＋－＠]")


def printable(text: str) -> str:
    """Drop control and direction characters; any run of white space becomes one blank.

    Args:
        text: Anything.

    Returns:
        One line without blanks at its ends.
    """
    kept = (char for char in text if char.isspace() or unicodedata.category(char)[0] != "C")
    return " ".join("".join(kept).split())


def clean_name(text: str) -> str:
    """Make a name fit to be shown and stored.

    Args:
        text: As it came.

    Returns:
        Composed (NFC), without markup, control and direction characters, white space collapsed, at
        most 200 characters.
    """
    return printable(_TAG.sub(" ", unicodedata.normalize("NFC", text)))[:MAX_NAME_CHARS].rstrip()


def guard_formula(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would run as a formula.

    Args:
        text: A name, never a number.

    Returns:
        The text as it is safe to write; `unguard_formula` gives it back.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguard_formula(text: str) -> str:
    """Inverse of guard_formula."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
