"""Pages of long lists that begin at a row's key."""

from django.http import HttpRequest


def key_in(request: HttpRequest, name: str) -> int | None:
    """The key that the address names; None where it names none, or nonsense."""
    given = request.GET.get(name, "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else None
