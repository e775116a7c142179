"""manage.py restore FOLDER: what bin/restore calls."""

from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from mlcore.errors import TektiteError
from webapp.backups import restoring


class Command(BaseCommand):
    help = "Bring back database and media from a backup, and migrate them to this version."
    # The queue need not run; PostGIS is asked for by the restoration itself.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "path", type=Path, help="a backup, a folder of backups (the newest), or a .tar of one"
        )
        parser.add_argument(
            "--replace",
            action="store_true",
            help="put aside, and keep, the database and files that are there",
        )

    def handle(self, *, path: Path, replace: bool, **options: object) -> None:
        try:
            done = restoring.restore(path, replace=replace, say=lambda line: self.stdout.write(f"{line} …"))
        except TektiteError as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(
                f"The restoration stopped: {error}. What was there before is still in use."
            ) from error
        said = done.manifest
        rows = sum(said.rows.values())
        self.stdout.write(f"Restored {rows} rows and {len(said.files)} files as they were at {said.made_at}.")
        if done.old_database:
            self.stdout.write(f"The database before is kept as “{done.old_database}”.")
        if done.old_media:
            self.stdout.write(f"The files before are kept in {done.old_media}.")
        if said.lost:
            self.stdout.write(f"Missing in this backup already: {'; '.join(said.lost[:10])}")
