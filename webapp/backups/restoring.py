"""Restoring a backup: all of it or nothing, and what was there before is kept aside.

Files are copied into a folder inside MEDIA_ROOT and rows into a database of their own, checked, and brought
up to date there; only then does everything change places, by renaming. An empty database is filled as it is,
in one transaction, because its role may not be allowed to make another one.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from mlcore.bodies import BODY_SPHERE_SRID
from mlcore.errors import Conflict, InvalidInput
from webapp import checks
from webapp.backups import manifest, media, postgres
from webapp.backups.checking import check_dump, opened, require_room
from webapp.backups.manifest import Manifest


@dataclass(frozen=True)
class Restored:
    """What was brought back, and where what it replaced is now."""

    folder: Path
    manifest: Manifest
    old_database: str | None
    old_media: Path | None


def restore(path: Path, *, replace: bool = False, say: Callable[[str], None] = lambda line: None) -> Restored:
    """Bring back database and media, and migrate them to the present version.

    Args:
        path: A backup, a folder of backups (the newest is meant), or a .tar of a backup.
        replace: Whether a database or files that are there may be put aside.
        say: Told what is being done.

    Raises:
        InvalidInput: The backup is torn or of a newer version, or this machine lacks something.
        Conflict: Something is there already, or somebody is still connected to it.
    """
    _check_postgis()
    with opened(path, media.root()) as backup:
        said = manifest.read(backup)
        _check_versions(said)
        _check_place(replace)
        require_room(media.root(), said.size, f"Restoring {backup}")
        check_dump(backup, said)
        moment = f"{datetime.now(UTC):%Y%m%dt%H%M%S}"
        with _fresh_folder(f".restoring-{moment}") as fresh:
            say(f"copying and checking {len(said.files)} files")
            media.put_back(backup, said, fresh)
            say("filling the database")
            old_database = _restore_database(backup, said, moment)
            old_media = media.root() / f".before-{moment}"
            media.exchange(fresh, old_media)
        return Restored(backup, said, old_database, old_media if old_media.exists() else None)


def _check_postgis() -> None:
    for problem in checks.postgis_is_there(None, ["default"]):
        raise InvalidInput(f"{problem.msg} {problem.hint}")


def _check_versions(said: Manifest) -> None:
    """Refuse what this code or this server is too old for."""
    known = MigrationLoader(None).disk_migrations
    unknown = [
        f"{app} {name}"
        for app, names in said.migrations.items()
        for name in names
        if (app, name) not in known
    ]
    if unknown:
        raise InvalidInput(
            f"The backup was made by a newer Tektite ({said.version}, commit {said.commit[:12]}): this one "
            f"does not know its migration {unknown[-1]}. Install that version or a later one first.",
            code="newer",
        )
    server = postgres.server_version()
    if said.postgres > server:
        raise InvalidInput(
            f"The backup is of PostgreSQL {said.postgres} and this server is version {server}: restore it "
            f"into PostgreSQL {said.postgres} or later.",
            code="newer",
        )


def _check_place(replace: bool) -> None:
    """Refuse to touch what is there, unless told; and then, while somebody works with it."""
    name = connection.settings_dict["NAME"]
    there = [] if postgres.is_empty() else [f"the database “{name}” has tables"]
    if media.content(media.root()):
        there.append(f"“{media.root()}” has files")
    if there and not replace:
        raise Conflict(
            f"There is something already: {' and '.join(there)}. With --replace it is put aside and kept.",
            code="not_empty",
        )
    if others := postgres.other_programs():
        raise Conflict(
            f"{len(others)} other programs are connected to the database “{name}” "
            f"({', '.join(sorted(set(others))[:5])}): stop web, workers and beat first.",
            code="in_use",
        )


@contextmanager
def _fresh_folder(name: str) -> Iterator[Path]:
    folder = media.root() / name
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _restore_database(backup: Path, said: Manifest, moment: str) -> str | None:
    """Fill the empty database, or one beside the old, which is then called otherwise; that name."""
    if postgres.is_empty():
        _fill(backup, said)
        return None
    name = str(connection.settings_dict["NAME"])
    fresh, aside = f"{name}_restoring_{moment}", f"{name}_before_{moment}"
    postgres.create(fresh)
    try:
        with postgres.at(fresh):
            _fill(backup, said)
        connection.close()
        postgres.exchange(name, fresh, aside)
    except BaseException:
        postgres.drop(fresh)
        raise
    return aside


def _fill(backup: Path, said: Manifest) -> None:
    postgres.load(backup / manifest.DUMP, said.pg_dump)
    rows = postgres.rows_of_tables()
    wrong = [table for table in said.rows if rows.get(table) != said.rows[table]]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM spatial_ref_sys WHERE srid = %s", [BODY_SPHERE_SRID])
        if cursor.fetchone() != (1,):
            wrong.append("spatial_ref_sys")
    if wrong:
        raise InvalidInput(
            f"After filling the database these tables have not the rows of the backup: {', '.join(wrong)}. "
            "What was there before is untouched; empty the database before you try again.",
            code="torn",
        )
    call_command("migrate", interactive=False, verbosity=0)
