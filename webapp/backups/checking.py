"""Whether a backup is what it says: every hash, and a dump that pg_restore can read."""

import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mlcore.errors import InvalidInput
from webapp.backups import manifest, postgres
from webapp.backups.manifest import Entry, Manifest

_NAMED = 5


def torn(folder: Path, names: list[str]) -> InvalidInput:
    """The refusal that names the files."""
    named = ", ".join(names[:_NAMED]) + ("" if len(names) <= _NAMED else ", …")
    return InvalidInput(
        f"“{folder}” is torn: {len(names)} of its files are not what its manifest says ({named}). Use "
        "another backup, or copy this one again from where it came.",
        code="torn",
    )


def verify(folder: Path) -> Manifest:
    """Read everything through.

    Raises:
        InvalidInput: A file is missing or has other bytes; the sentence names it.
    """
    said = manifest.read(folder)
    check_dump(folder, said)
    media = folder / manifest.MEDIA
    wrong = [name for name, entry in said.files.items() if not _is_whole(media / name, entry)]
    if wrong:
        raise torn(folder, wrong)
    return said


def check_dump(folder: Path, said: Manifest) -> None:
    """Refuse a dump with other bytes than were written, or one that pg_restore cannot read."""
    if not _is_whole(folder / manifest.DUMP, said.dump):
        raise torn(folder, [manifest.DUMP])
    postgres.check_dump(folder / manifest.DUMP, said.pg_dump)


def _is_whole(path: Path, entry: Entry) -> bool:
    if not path.is_file() or path.stat().st_size != entry.bytes:
        return False
    return manifest.hash_of(path).sha256 == entry.sha256


@contextmanager
def opened(path: Path, room: Path) -> Iterator[Path]:
    """The backup meant by a path: itself, the newest of a folder of them, or a .tar, unpacked into room."""
    if path.is_dir():
        newest = manifest.finished(path)
        yield newest[-1] if newest and not (path / manifest.NAME).exists() else path
        return
    if not path.is_file() or not tarfile.is_tarfile(path):
        raise InvalidInput(f"“{path}” is neither a folder nor a .tar of a backup: check the path.")
    require_room(room, path.stat().st_size, f"Unpacking {path}")
    room.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=room, prefix=".unpacked-") as unpacked:
        try:
            with tarfile.open(path) as archive:
                archive.extractall(unpacked, filter="data")
        except tarfile.TarError as error:
            raise InvalidInput(f"“{path}” is torn or no archive of a backup: {error}.", code="torn") from None
        inside = Path(unpacked)
        yield next((found.parent for found in inside.glob(f"*/{manifest.NAME}")), inside)


def require_room(folder: Path, needed: int, what: str) -> None:
    """Refuse what the disk has no room for; folder need not exist yet."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise InvalidInput(
            f"{what} needs about {needed / 1e9:.2f} GB and {free / 1e9:.2f} GB are free on the disk of "
            f"{folder}: free some, remove an old backup, or use a larger disk.",
            code="disk_full",
        )
