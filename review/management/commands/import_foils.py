"""manage.py import_foils CAMPAIGN PATH: pictures of foils from a folder or archive of the server."""

from argparse import ArgumentParser
from pathlib import Path
from threading import Event, Thread

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from mlcore.errors import TektiteError
from review.management.foils import add_campaign, campaign_of
from review.models import Picture, PictureImport
from review.services.foils.intake import intake, places, preview, reading, refusals, sending
from review.tasks import worker_name

State = PictureImport.State
TOLD_EVERY_S = 5.0
REFUSED_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Take in all images of a folder (read where it lies) or archive; what is there already, by its "
        "pixels, is not taken twice, so an interrupted import is simply begun again. Exits with 1 where "
        "nothing could be taken in; single files that are refused are listed and counted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_campaign(parser)
        parser.add_argument("path", type=Path, nargs="?", help="left out, the table corrects known pictures")
        parser.add_argument(
            "--table", type=Path, metavar="CSV", help="columns file, and any of foil, x_um, y_um, nm_per_px"
        )
        parser.add_argument(
            "--pattern",
            default="",
            help="how names are read, for example '{foil}_x{x_um}_y{y_um}_z{focus}.tif'",
        )
        parser.add_argument(
            "--nm-per-px", type=float, help="of pictures of which neither table nor name says it"
        )
        parser.add_argument(
            "--pages",
            choices=PictureImport.Pages.values,
            default=PictureImport.Pages.FOCUS,
            help="what the pages of a TIFF stack are: one place in focus, or pictures each",
        )
        parser.add_argument(
            "--purpose",
            choices=Picture.Purpose.values,
            default=Picture.Purpose.SURVEY,
            help="what they are for: searched by people, cut out of for training, or blank ground for it",
        )
        parser.add_argument(
            "--preview", action="store_true", help="say how names and table are understood and store nothing"
        )
        parser.add_argument(
            "--refused", type=Path, metavar="FILE", help="write the refused files and their reasons there"
        )

    def handle(self, **options: object) -> None:
        campaign = campaign_of(options)
        try:
            batch = sending.take_in(
                campaign=campaign,
                requested_by=None,
                path=options["path"],
                table=options["table"],
                pattern=str(options["pattern"]),
                pages=str(options["pages"]),
                nm_per_px=options["nm_per_px"],
                purpose=str(options["purpose"]),
            )
        except TektiteError as error:
            raise CommandError(error.message) from error
        intake.look_through(batch.pk, worker_name())
        batch.refresh_from_db()
        self._refuse_failed(batch)
        self._tell_preview(batch)
        if options["preview"]:
            intake.discard(batch)
            self.stdout.write("Nothing was stored: this was a preview.")
            return
        self._read(batch)
        self._tell_result(batch, options["refused"])

    def _refuse_failed(self, batch: PictureImport) -> None:
        if batch.state == State.FAILED or batch.error:
            if not batch.n_pictures:
                intake.discard(batch)
            raise CommandError(batch.error)

    def _tell_preview(self, batch: PictureImport) -> None:
        if not batch.is_correction:
            self.stdout.write(f"{batch.n_files or 0:,} files; {batch.n_beside:,} others lie beside them.")
            found = preview.of(batch)
            if batch.pattern:
                self.stdout.write(
                    f"The pattern reads {found.n_fitting:,} of {found.n_looked:,} names looked at:"
                )
            for file in found.fitting:
                where = file.where
                said = [f"foil {where.foil}"] if where.foil else []
                said += [f"x {where.x_um:g} µm"] if where.x_um is not None else []
                said += [f"y {where.y_um:g} µm"] if where.y_um is not None else []
                said += [f"{where.nm_per_px:g} nm/px"] if where.nm_per_px is not None else []
                said += [f"focus {file.focus}"] if file.focus is not None else []
                self.stdout.write(f"  {file.name}: {', '.join(said) or 'nothing'}")
            self._list("Not read by the pattern:", found.others)
            self._list("Would be refused:", found.odd)
            if found.n_without_row:
                self._list(f"{found.n_without_row:,} files have no row in the table:", found.without_row)
        if report := places.report_of(batch):
            self.stdout.write(f"{report.n_used:,} of {report.n_rows:,} rows of the table are used.")
            for sentence, examples in report.problems():
                self._list(sentence, examples)

    def _list(self, heading: str, lines: list[str]) -> None:
        if lines:
            self.stdout.write(heading)
        for line in lines:
            self.stdout.write(f"  {line}")

    def _read(self, batch: PictureImport) -> None:
        try:
            intake.confirm(batch)
        except TektiteError as error:
            self._tell_refused(batch, None)
            intake.discard(batch)
            raise CommandError(error.message) from error
        over = Event()
        teller = Thread(target=self._tell_progress, args=(batch.pk, over), daemon=True)
        teller.start()
        try:
            while reading.read(batch.pk, worker_name()):
                pass
        finally:
            over.set()
            teller.join()
        batch.refresh_from_db()

    def _tell_progress(self, batch_pk: int, over: Event) -> None:
        try:
            while not over.wait(TOLD_EVERY_S):
                if now := PictureImport.objects.filter(pk=batch_pk).first():
                    self.stdout.write(
                        f"{now.n_read:,} of {now.n_files or 0:,} files: {now.n_pictures:,} new pictures, "
                        f"{now.n_known_already:,} there already, {now.n_refused:,} files refused"
                    )
        finally:
            connection.close()

    def _tell_result(self, batch: PictureImport, refused: Path | None) -> None:
        self._tell_refused(batch, refused)
        if batch.state != State.DONE:
            raise CommandError(
                batch.error
                or "Another worker goes on with this batch; its page on the site says how far it is."
            )
        if batch.is_correction:
            self.stdout.write(f"{batch.n_pictures:,} pictures corrected.")
            return
        self.stdout.write(
            f"{batch.n_pictures:,} new pictures, {batch.n_known_already:,} there already, "
            f"{batch.n_refused:,} files refused."
        )
        if batch.n_other_purpose:
            self.stdout.write(
                f"{batch.n_other_purpose:,} of those there already are for something else than "
                f"{batch.purpose} and stay so."
            )
        if not batch.n_pictures and not batch.n_known_already:
            raise CommandError("No picture was taken in.")

    def _tell_refused(self, batch: PictureImport, path: Path | None) -> None:
        rows = batch.refused.order_by("pk").values_list("name", "reason")
        if path is not None:
            with path.open("w", encoding="utf-8", newline="") as file:
                file.writelines(refusals.lines(batch))
        for name, reason in rows[:REFUSED_SHOWN]:
            self.stderr.write(f"refused: {name}: {reason}")
        if (n_more := batch.n_refused - REFUSED_SHOWN) > 0:
            self.stderr.write(f"… and {n_more:,} more; --refused FILE writes all of them.")
