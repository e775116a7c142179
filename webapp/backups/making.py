"""Making a backup while the site is in use.

The snapshot of the database comes first and the files after it. A file is there, under its own uid, before
a row refers to it, and is not changed after; so what the snapshot refers to can be copied at leisure. Only a
deletion in between can break that. It is found by looking for every file that the snapshot refers to, and
the backup is begun again, which costs little: what was copied is linked.
"""

import fcntl
import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from mlcore.errors import Conflict
from webapp.backups import manifest, media, postgres
from webapp.backups.checking import require_room
from webapp.backups.manifest import UNFINISHED, Entry, Manifest

TRIES = 4
REREAD_DAYS = 30
# Room beside what is known to be needed, for what grows meanwhile.
SPARE_BYTES = 50_000_000


@dataclass(frozen=True)
class Made:
    """A backup that is in its place."""

    folder: Path
    manifest: Manifest
    linked_bytes: int
    rotten: list[str]
    pruned: list[Path]


@dataclass(frozen=True)
class _Snapshot:
    """What the database was at one moment, beside its dump."""

    made_at: datetime
    pg_dump: int
    migrations: dict[str, list[str]]
    rows: dict[str, int]
    references: set[media.Reference]
    attempts: dict[str, int]


def make(
    folder: Path,
    *,
    keep: int | None = None,
    reread_days: int = REREAD_DAYS,
    say: Callable[[str], None] = lambda line: None,
) -> Made:
    """Put a new backup into a folder of backups.

    Args:
        folder: Where the backups are; those there are shared by hard links.
        keep: How many finished ones to leave, the new one among them; None leaves all.
        reread_days: In so many days each file of the backup before is read through once before it is linked.
        say: Told what is being done.

    Raises:
        InvalidInput: No room on the disk, or no pg_dump that is new enough.
        Conflict: Another backup is being made there, or files vanish as fast as they are copied.
    """
    # Password hashes are in it: for the owner alone, whatever the umask was.
    before = os.umask(0o077)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _only_one(folder):
            for left in folder.glob(f"*{UNFINISHED}"):
                shutil.rmtree(left)
            made = _make(folder, reread_days, say)
            _stamp(made)
            return replace(made, pruned=_prune(folder, keep))
    finally:
        os.umask(before)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"A backup into “{folder}” is being made now: wait for its end.") from None
        yield


def _make(folder: Path, reread_days: int, say: Callable[[str], None]) -> Made:
    newest = manifest.finished(folder)[-1:]
    work = folder / f"{manifest.PREFIX}{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}{UNFINISHED}"
    work.mkdir()
    try:
        copier = media.Copier(work / manifest.MEDIA, newest[0] if newest else None, reread_days)
        copied: dict[str, Entry] = {}
        for _try in range(TRIES):
            said, gone = _attempt(work, copier, copied, say)
            if not gone:
                return _finish(work, said, copier)
            say(f"{min(gone)} was deleted before it was copied: once more")
        raise Conflict(
            f"Files that rows refer to were deleted in each of {TRIES} tries, last {min(gone)}: stop what "
            "deletes them and start again."
        )
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _attempt(
    work: Path, copier: media.Copier, copied: dict[str, Entry], say: Callable[[str], None]
) -> tuple[Manifest, set[str]]:
    """Dump, then copy; with what was deleted in between and still belongs to the dump."""
    _check_room(work, copier, copied)
    say("dumping the database")
    taken = _dump(work / manifest.DUMP)
    found = list(media.walk(taken.attempts))
    say(f"copying {len(found)} files, {sum(file.bytes for file in found) / 1e9:.2f} GB")
    files = _copy(found, copier, copied)
    missing = media.missing(taken.references, files)
    # Lost before we came: the row names it still. Deleted just now: the row is gone or names another file.
    lost = missing & media.references() if missing else set()
    said = Manifest(
        made_at=taken.made_at.isoformat(timespec="seconds"),
        version=version(),
        commit=commit(),
        postgres=postgres.server_version(),
        pg_dump=taken.pg_dump,
        migrations=taken.migrations,
        rows=taken.rows,
        dump=manifest.hash_of(work / manifest.DUMP),
        files=files,
        lost=sorted(map(str, lost)),
    )
    return said, {str(reference) for reference in missing - lost}


def _dump(target: Path) -> _Snapshot:
    with postgres.snapshot() as name:
        made_at = datetime.now(UTC)
        return _Snapshot(
            pg_dump=postgres.dump(name, target),
            made_at=made_at,
            migrations=postgres.applied_migrations(),
            rows=postgres.rows_of_tables(),
            references=media.references(),
            attempts=media.attempts(),
        )


def _copy(found: list[media.Found], copier: media.Copier, copied: dict[str, Entry]) -> dict[str, Entry]:
    """Bring the work folder to what was found; what an earlier try has copied already stays."""
    files = {}
    for file in found:
        entry = copied.get(file.name)
        if entry is None or (entry.bytes, entry.modified_ns) != (file.bytes, file.modified_ns):
            (copier.target / file.name).unlink(missing_ok=True)
            entry = copier.take(file)
        if entry is not None:
            files[file.name] = entry
    for name in copied.keys() - files.keys():
        (copier.target / name).unlink(missing_ok=True)
    copied.clear()
    copied.update(files)
    return files


def _check_room(work: Path, copier: media.Copier, copied: dict[str, Entry]) -> None:
    fresh = (f.bytes for f in media.walk(media.attempts()) if f.name not in copied and not copier.is_known(f))
    needed = postgres.database_bytes() + sum(fresh) + SPARE_BYTES
    require_room(work, needed, "The backup")


def _finish(work: Path, said: Manifest, copier: media.Copier) -> Made:
    """Everything on the disk first, the manifest then, the name last."""
    _sync(work)
    said.write(work)
    _sync(work)
    place = work.with_name(work.name.removesuffix(UNFINISHED))
    work.rename(place)
    _sync(place.parent)
    return Made(place, said, copier.linked_bytes, copier.rotten, [])


def _sync(folder: Path) -> None:
    """Until this returns, the folder's file system may hold in memory what a power cut takes."""
    subprocess.run(["sync", "--file-system", folder], check=True)


def _prune(folder: Path, keep: int | None) -> list[Path]:
    old = manifest.finished(folder)[:-keep] if keep else []
    for backup in old:
        # Unfinished first, so that one that is half removed is not taken for a whole one.
        doomed = backup.with_name(backup.name + UNFINISHED)
        backup.rename(doomed)
        shutil.rmtree(doomed)
    return old


def _stamp(made: Made) -> None:
    """Tell the operator page."""
    stamp = Path(settings.BACKUP_STAMP)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    written = stamp.with_name(stamp.name + ".new")
    written.write_text(
        json.dumps({"at": made.manifest.made_at, "path": str(made.folder), "bytes": made.manifest.size})
    )
    # The web server may be another user than the one who makes backups.
    written.chmod(0o644)
    written.replace(stamp)


def version() -> str:
    """Tektite's own."""
    return tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]["version"]


def commit() -> str:
    """The commit that runs, as the environment says or, in a checkout, git."""
    if told := os.environ.get("TEKTITE_COMMIT"):
        return told
    git = ["git", "-C", str(settings.BASE_DIR), "rev-parse", "HEAD"]
    try:
        return subprocess.run(git, capture_output=True, text=True).stdout.strip() or "unknown"
    except FileNotFoundError:
        return "unknown"
