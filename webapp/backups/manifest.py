"""What a backup says of itself: manifest.json beside database.dump and media/."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from mlcore.errors import InvalidInput

FORMAT = 1
NAME = "manifest.json"
DUMP = "database.dump"
MEDIA = "media"
PREFIX = "tektite-"
UNFINISHED = ".unfinished"
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its size and hash, and when the original was last changed."""

    bytes: int
    sha256: str
    modified_ns: int = 0


@dataclass
class Manifest:
    """All that is needed to judge a backup without opening its database."""

    made_at: str
    version: str
    commit: str
    # Major version of the server, and of the pg_dump that wrote the dump.
    postgres: int
    pg_dump: int
    # App → names of its applied migrations.
    migrations: dict[str, list[str]]
    # Table → number of rows in the snapshot.
    rows: dict[str, int]
    dump: Entry
    # Path below media/ → file.
    files: dict[str, Entry]
    # What rows referred to and was not on the disk any more: "path (table, row id)".
    lost: list[str] = field(default_factory=list)
    format: int = FORMAT

    @property
    def size(self) -> int:
        """Bytes of everything, as if nothing were shared with another backup."""
        return self.dump.bytes + sum(entry.bytes for entry in self.files.values())

    def write(self, folder: Path) -> None:
        with (folder / NAME).open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())


def read(folder: Path) -> Manifest:
    """The manifest of the backup in folder.

    Raises:
        InvalidInput: There is none, it is torn, or a newer Tektite wrote it in another form.
    """
    path = folder / NAME
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if value["format"] != FORMAT:
            raise InvalidInput(
                f"“{folder}” is a backup of form {value['format']} and this Tektite reads form {FORMAT}: "
                f"restore it with the version that made it, {value['version']}."
            )
        files = {_inside(name): Entry(**entry) for name, entry in value.pop("files").items()}
        return Manifest(dump=Entry(**value.pop("dump")), files=files, **value)
    except FileNotFoundError:
        raise InvalidInput(
            f"“{folder}” is no backup: it has no {NAME}. Name a folder or a .tar of what bin/backup made."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"{path} is torn ({error!r}), so this backup cannot be trusted: take another one."
        ) from None


def _inside(name: str) -> str:
    """Refuse a name that would lead out of the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"“{name}” leads out of it")
    return name


def is_finished(folder: Path) -> bool:
    """Whether the folder is a backup that came to its end."""
    named = folder.name.startswith(PREFIX) and not folder.name.endswith(UNFINISHED)
    return named and (folder / NAME).is_file()


def finished(folder: Path) -> list[Path]:
    """The backups in a folder of backups, oldest first."""
    return sorted(path for path in folder.iterdir() if is_finished(path)) if folder.is_dir() else []


def hash_of(path: Path) -> Entry:
    """Read a file through."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return Entry(size, digest.hexdigest())


def copy(source: Path, target: Path) -> Entry:
    """Copy a file and say what was written; of one that grows meanwhile, what it had until then."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reading, target.open("wb") as writing:
        modified_ns = os.fstat(reading.fileno()).st_mtime_ns
        while chunk := reading.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            writing.write(chunk)
    return Entry(size, digest.hexdigest(), modified_ns)
