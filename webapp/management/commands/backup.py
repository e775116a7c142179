"""manage.py backup FOLDER: what bin/backup calls."""

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from tempfile import gettempdir

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from mlcore.errors import TektiteError
from webapp.backups import checking, making


def at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"“{text}” is no whole number of 1 or more")
    return int(text)


class Command(BaseCommand):
    help = "Back up database and media, consistent with each other, while the site is in use."
    # Neither the queue nor the code of the pages has to be whole for a backup.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "folder", nargs="?", type=Path, default=Path(settings.VAR_DIR) / "backups",
            help="where the backups are; var/backups where not given",
        )  # fmt: skip
        parser.add_argument(
            "--keep", type=at_least_one, help="leave so many of the newest; all where not given"
        )
        parser.add_argument(
            "--reread-days", type=at_least_one, default=making.REREAD_DAYS,
            help="read each file of the backup before once in so many days before it is linked",
        )  # fmt: skip
        parser.add_argument("--verify", action="store_true", help="make none: read the one there through")

    def handle(
        self, *, folder: Path, keep: int | None, reread_days: int, verify: bool, **options: object
    ) -> None:
        try:
            if verify:
                self._verify(folder)
            else:
                self._make(folder, keep, reread_days)
        except TektiteError as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(f"The backup stopped: {error}. Nothing of it is left.") from error

    def _verify(self, folder: Path) -> None:
        with checking.opened(folder, Path(gettempdir())) as backup:
            said = checking.verify(backup)
        self.stdout.write(f"{backup} is whole: {len(said.files)} files and the database of {said.made_at}.")

    def _make(self, folder: Path, keep: int | None, reread_days: int) -> None:
        made = making.make(folder, keep=keep, reread_days=reread_days, say=self._say)
        size_gb, linked_gb = made.manifest.size / 1e9, made.linked_bytes / 1e9
        for name in made.rotten:
            self.stderr.write(
                f"{name} of the backup before is damaged on its disk; what it held was copied anew."
            )
        for backup in made.pruned:
            self._say(f"removed {backup.name}")
        self.stdout.write(
            f"{made.folder}: {sum(made.manifest.rows.values())} rows, {len(made.manifest.files)} files, "
            f"{size_gb:.2f} GB, of which {linked_gb:.2f} GB are shared with the backup before."
        )
        if made.manifest.lost:
            named = "; ".join(made.manifest.lost[:10])
            raise CommandError(
                f"The backup is made, but {len(made.manifest.lost)} files that rows refer to were gone "
                f"before: {named}. Look for them in an earlier backup."
            )

    def _say(self, line: str) -> None:
        self.stdout.write(f"{line} …")
