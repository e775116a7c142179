"""The database's side: one snapshot, PostgreSQL's own programs, and databases put aside."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from mlcore.errors import Conflict, InvalidInput

DEBIAN = Path("/usr/lib/postgresql")
# Ordinary tables of ours: not the system's, and not those that an extension brought.
TABLES = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""
OTHERS = """
SELECT coalesce(nullif(application_name, ''), 'pid ' || pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


@contextmanager
def snapshot() -> Iterator[str]:
    """All that is read in the block is of one moment; yields the name by which pg_dump joins it."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT pg_export_snapshot()")
        yield cursor.fetchone()[0]


def server_version() -> int:
    """The server's major version."""
    connection.ensure_connection()
    return connection.pg_version // 10_000


def database_bytes() -> int:
    return _ask("SELECT pg_database_size(current_database())")[0][0]


def rows_of_tables() -> dict[str, int]:
    """How many rows each table of ours has."""
    return {table: _ask(f"SELECT count(*) FROM {table}")[0][0] for (table,) in _ask(TABLES)}


def is_empty() -> bool:
    """Whether the database has no table of anybody's yet."""
    return not _ask(TABLES)


def applied_migrations() -> dict[str, list[str]]:
    applied: dict[str, list[str]] = {}
    for app, name in sorted(MigrationRecorder(connection).applied_migrations()):
        applied.setdefault(app, []).append(name)
    return applied


def other_programs() -> list[str]:
    """Who else is connected to this database."""
    return [name for (name,) in _ask(OTHERS)]


def program(name: str, *, at_least: int, rather: int) -> tuple[Path, int]:
    """One of PostgreSQL's programs and its major version, of the version wanted where it is installed.

    Raises:
        InvalidInput: There is none that is new enough.
    """
    folders = [*(path.parent for path in DEBIAN.glob(f"*/bin/{name}")), *os.get_exec_path()]
    found = {_version_of(Path(f, name)): Path(f, name) for f in folders if os.access(Path(f, name), os.X_OK)}
    fitting = sorted(version for version in found if version >= at_least)
    if not fitting:
        seen = ", ".join(str(version) for version in sorted(found)) or "none at all"
        raise InvalidInput(
            f"{name} of PostgreSQL {at_least} or later is needed, because the server or the backup is "
            f"of that version, and here is {seen} (Debian: apt-get install postgresql-client-{at_least})."
        )
    version = rather if rather in fitting else fitting[0]
    return found[version], version


def _version_of(path: Path) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
    match = re.search(r"\) (\d+)", said)
    return int(match.group(1)) if match else 0


def dump(snapshot_name: str, target: Path) -> int:
    """Write the snapshot as a dump in pg_dump's own form; the major version of pg_dump."""
    server = server_version()
    pg_dump, version = program("pg_dump", at_least=server, rather=server)
    _run([pg_dump, "--format=custom", f"--snapshot={snapshot_name}", f"--file={target}"], "pg_dump")
    return version


def check_dump(path: Path, written_by: int) -> None:
    """Refuse a dump whose table of contents pg_restore cannot read."""
    pg_restore, _version = program("pg_restore", at_least=written_by, rather=written_by)
    _run([pg_restore, "--list", path], "pg_restore --list", database=False)


def load(path: Path, written_by: int) -> None:
    """Fill the empty database of the present connection; all of it or nothing."""
    pg_restore, _version = program("pg_restore", at_least=written_by, rather=server_version())
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-comments"]
    connection.close()
    _run([pg_restore, *options, path], "pg_restore")


def _run(command: list[str | Path], name: str, *, database: bool = True) -> None:
    """Run one of PostgreSQL's programs on our database; the password is in its environment only."""
    environment = dict(os.environ)
    if database:
        address = connection.get_connection_params()
        password = address.get("password")
        if password:
            environment["PGPASSWORD"] = str(password)
        command = [*command, f"--dbname={make_conninfo(**_address(address))}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        reason = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise Conflict(f"{name} failed: {reason}")


def _address(parameters: dict[str, object]) -> dict[str, object]:
    """What libpq has to know of Django's parameters, without the password."""
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()} - {"password"}
    return {key: value for key, value in parameters.items() if key in known and value not in (None, "")}


@contextmanager
def at(database: str) -> Iterator[None]:
    """Django's connection goes to another database of the same server while the block runs."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = database
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def create(database: str) -> None:
    """Make an empty database on the same server.

    Raises:
        Conflict: Our role may not.
    """
    try:
        with at("postgres"), connection.cursor() as cursor:
            cursor.execute(SQL("CREATE DATABASE {} TEMPLATE template0").format(Identifier(database)))
    except Exception as error:
        raise Conflict(
            f"The role of DATABASE_URL cannot make the database “{database}” ({str(error).strip()}). Have an "
            "empty one made with CREATE EXTENSION postgis, let DATABASE_URL name it, and restore there "
            "without --replace."
        ) from error


def drop(database: str) -> None:
    with at("postgres"), connection.cursor() as cursor:
        cursor.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(database)))


def exchange(old: str, new: str, aside: str) -> None:
    """In one step: the old database is called `aside`, and the new one is called as the old one was."""
    with at("postgres"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(SQL("ALTER DATABASE {} RENAME TO {}").format(Identifier(old), Identifier(aside)))
        cursor.execute(SQL("ALTER DATABASE {} RENAME TO {}").format(Identifier(new), Identifier(old)))


def _ask(query: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()
