"""The files' side: which there are, which the rows refer to, and copies that share what has not changed."""

import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection, models

from mlcore.errors import InvalidInput
from review.models import Run
from webapp.backups import manifest
from webapp.backups.checking import torn
from webapp.backups.manifest import Entry, Manifest

# Work that is not done yet: packing (.cog-…), what a restoration put aside (.before-…), half-written folders.
HALF_DONE = ".half-done"
# An import of pictures says where in its own folder, or on the server, its images lie until they are read;
# the folder is copied like all others.
NAMED_FROM_ELSEWHERE = {"review.PictureImport"}


@dataclass(frozen=True, slots=True)
class Found:
    """A file below MEDIA_ROOT."""

    name: str
    bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Reference:
    """A row that names a file or a folder below MEDIA_ROOT."""

    path: str
    table: str
    column: str
    pk: object

    def __str__(self) -> str:
        return f"{self.path} ({self.table}.{self.column} of row {self.pk})"


def root() -> Path:
    return Path(settings.MEDIA_ROOT)


def references() -> set[Reference]:
    """What the rows refer to: every text field of ours called `path` or `…_path`, and every file field.

    Asked of the tables as they are, so that a database of an earlier version can be backed up too.
    """
    found = set()
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        for model in (model for app in ("annotate", "review", "webapp") for model in _models(app)):
            table = model._meta.db_table
            if table not in tables:
                continue
            columns = {
                column.name for column in connection.introspection.get_table_description(cursor, table)
            }
            for field in model._meta.concrete_fields:
                if _names_a_file(field) and field.column in columns:
                    key = model._meta.pk.column
                    cursor.execute(
                        f'SELECT "{key}", "{field.column}" FROM "{table}" WHERE "{field.column}" <> %s', [""]
                    )
                    found |= {Reference(path, table, field.column, pk) for pk, path in cursor.fetchall()}
    return found


def _models(app: str) -> Iterable[type[models.Model]]:
    return apps.get_app_config(app).get_models()


def _names_a_file(field: models.Field) -> bool:
    if field.model._meta.label in NAMED_FROM_ELSEWHERE:
        return False
    if isinstance(field, models.FileField):
        return True
    is_text = isinstance(field, models.CharField | models.TextField)
    return is_text and (field.name == "path" or field.name.endswith("_path"))


def attempts() -> dict[str, int]:
    """Run → its attempt: what a later attempt has written is of a later moment than the snapshot."""
    return {str(uid): attempt for uid, attempt in Run.objects.values_list("uid", "attempt")}


def walk(of_runs: dict[str, int]) -> Iterator[Found]:
    """The files that are there now, without half-done work and attempts that began after the snapshot."""
    pending = [root()]
    while pending:
        try:
            entries = sorted(os.scandir(pending.pop()), key=lambda entry: entry.name)
        except FileNotFoundError:
            continue
        for entry in entries:
            name = Path(entry.path).relative_to(root()).as_posix()
            if entry.name.startswith(".") or entry.name.endswith(HALF_DONE) or _is_later(name, of_runs):
                continue
            try:
                status = entry.stat(follow_symlinks=True)
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(status.st_mode) and not entry.is_symlink():
                pending.append(Path(entry.path))
            elif stat.S_ISREG(status.st_mode):
                yield Found(name, status.st_size, status.st_mtime_ns)


def _is_later(name: str, of_runs: dict[str, int]) -> bool:
    kind, _slash, rest = name.partition("/")
    uid, _slash, rest = rest.partition("/")
    attempt = rest.partition("/")[0]
    if kind != "runs" or not uid:
        return False
    return uid not in of_runs or (attempt.isdigit() and int(attempt) > of_runs[uid])


def missing(wanted: Iterable[Reference], names: Iterable[str]) -> set[Reference]:
    """Those that name neither a file nor a folder with files among the names."""
    there: set[str] = set()
    for name in names:
        there.add(name)
        parts = name.split("/")[:-1]
        there |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    return {reference for reference in wanted if reference.path.rstrip("/") not in there}


class Copier:
    """Copies files into a backup, or links them to the one before it, where nothing has changed since."""

    def __init__(self, target: Path, previous: Path | None, reread_days: int) -> None:
        self.target = target
        self.previous = previous
        self.reread_days = reread_days
        self.today = datetime.now(UTC).toordinal()
        self.linked_bytes = 0
        # Files of the previous backup that no longer have the bytes it says.
        self.rotten: list[str] = []
        self.known = self._read(previous) if previous else {}

    def _read(self, previous: Path) -> dict[str, Entry]:
        """What the previous backup has; nothing where that cannot be read, so that everything is copied."""
        try:
            return manifest.read(previous).files
        except InvalidInput:
            self.rotten.append(manifest.NAME)
            return {}

    def is_known(self, file: Found) -> bool:
        entry = self.known.get(file.name)
        return entry is not None and (entry.bytes, entry.modified_ns) == (file.bytes, file.modified_ns)

    def take(self, file: Found) -> Entry | None:
        """Have the file in the backup; None where it is gone."""
        target = self.target / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.is_known(file) and self._link(file.name, target):
            self.linked_bytes += file.bytes
            return self.known[file.name]
        try:
            return manifest.copy(root() / file.name, target)
        except FileNotFoundError:
            target.unlink(missing_ok=True)
            return None

    def _link(self, name: str, target: Path) -> bool:
        """Share the previous backup's file; not where it is gone, rotten, or on a disk without links."""
        before = self.previous / manifest.MEDIA / name
        try:
            if before.stat().st_size != self.known[name].bytes or (
                self._is_due(name) and self._is_rotten(name)
            ):
                self.rotten.append(name)
                return False
            os.link(before, target)
        except OSError:
            return False
        return True

    def _is_due(self, name: str) -> bool:
        """Each file is read through again once in so many days, a like share of them on each."""
        return (zlib.crc32(name.encode()) + self.today) % self.reread_days == 0

    def _is_rotten(self, name: str) -> bool:
        found = manifest.hash_of(self.previous / manifest.MEDIA / name)
        return replace(found, modified_ns=self.known[name].modified_ns) != self.known[name]


def put_back(backup: Path, of: Manifest, target: Path) -> None:
    """Copy a backup's files to where MEDIA_ROOT will be, each checked while it is copied.

    Raises:
        InvalidInput: One is not what the manifest says.
    """
    for name, entry in of.files.items():
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        copied = manifest.copy(backup / manifest.MEDIA / name, file)
        if (copied.bytes, copied.sha256) != (entry.bytes, entry.sha256):
            raise torn(backup, [name])
        os.utime(file, ns=(entry.modified_ns, entry.modified_ns))


def content(folder: Path) -> list[Path]:
    """What lies in MEDIA_ROOT, apart from work and what was put aside."""
    return (
        sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
    )


def exchange(fresh: Path, aside: Path) -> None:
    """MEDIA_ROOT's content goes aside and the fresh content takes its place, by renaming alone.

    MEDIA_ROOT itself may be a mounted disk and stays; `fresh` and `aside` are folders in it.
    """
    for path in content(root()):
        aside.mkdir(exist_ok=True)
        path.rename(aside / path.name)
    for path in content(fresh):
        path.rename(root() / path.name)
    fresh.rmdir()
