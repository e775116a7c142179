"""Names inside archives: what of them may become a path on our disk."""

import re
import unicodedata

from mlcore.errors import InvalidInput

MAX_NAME_BYTES = 1024
MAX_PART_BYTES = 255
MAX_DEPTH = 32
# What macOS and Windows put beside people's files.
_LITTER = re.compile(r"(^|/)(__MACOSX/|\._|\.DS_Store$|Thumbs\.db$|desktop\.ini$)")


class Names:
    """The names of one archive, each checked against those before it.

    Args:
        archive: What to call the archive in refusals.
    """

    def __init__(self, archive: str) -> None:
        self._archive = archive
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def folder(self, name: str) -> None:
        """Check a folder's name; folders are made where a file needs them, and come to nothing otherwise.

        Raises:
            InvalidInput: As in file; but the same folder may be named again.
        """
        self._enter_folders(self._key(self._parts(name)))

    def file(self, name: str) -> str:
        """Check a file's name.

        Args:
            name: As the archive has it.

        Returns:
            A relative path with `/`, in Unicode's composed form, without `.` and `..`.

        Raises:
            InvalidInput: It points outside, is no name, or is that of a file or folder before it, also
                where only case or the way of writing an accent differs.
        """
        parts = self._parts(name)
        key = self._key(parts)
        if not parts:
            raise self._refusal(name, "is none", "unsafe_name")
        if key in self._files or key in self._folders:
            raise self._refusal(name, "is there twice (perhaps once in capitals)", "duplicate_name")
        self._enter_folders(key.rpartition("/")[0])
        self._files.add(key)
        return "/".join(parts)

    def _enter_folders(self, key: str) -> None:
        while key and key not in self._folders:
            if key in self._files:
                raise self._refusal(key, "is both a file and a folder", "duplicate_name")
            self._folders.add(key)
            key = key.rpartition("/")[0]

    def _parts(self, name: str) -> list[str]:
        plain = unicodedata.normalize("NFC", name).replace("\\", "/")
        if plain.startswith("/") or re.match(r"[A-Za-z]:", plain):
            raise self._refusal(name, "is an absolute path", "unsafe_name")
        parts = [part for part in plain.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise self._refusal(name, "points out of the archive", "unsafe_name")
        if any(unicodedata.category(char) in ("Cc", "Cs") for char in plain):
            raise self._refusal(name, "holds control characters or is not in UTF-8", "unsafe_name")
        sizes = [len(part.encode()) for part in parts]
        if sum(sizes) > MAX_NAME_BYTES or max(sizes, default=0) > MAX_PART_BYTES or len(parts) > MAX_DEPTH:
            raise self._refusal(name, "is too long or too deep", "unsafe_name")
        return parts

    @staticmethod
    def _key(parts: list[str]) -> str:
        """Equal for names that some file system takes for the same."""
        return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", "/".join(parts)).casefold())

    def _refusal(self, name: str, what: str, code: str) -> InvalidInput:
        return InvalidInput(
            f"In '{self._archive}', the name {shown(name)} {what}. Pack the files anew, under plain names.",
            code=code,
        )


def is_litter(name: str) -> bool:
    """Whether an operating system put this file there, and no person."""
    return bool(_LITTER.search(name))


def shown(name: str) -> str:
    """A name from an archive as a refusal may show it: short, and with nothing that controls a screen."""
    printable = "".join(char if char.isprintable() else "?" for char in name)
    return f"'{printable[:80]}…'" if len(printable) > 80 else f"'{printable}'"
