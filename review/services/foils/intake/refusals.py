"""Files that were not taken in, and why: kept once each, told as a list."""

import csv
from collections.abc import Iterator

from mlcore.formats.names import guard_formula, printable
from review.models import PictureImport, RefusedFile

LONGEST_NAME = RefusedFile._meta.get_field("name").max_length


def refuse(batch: PictureImport, files: list[tuple[str, str]]) -> None:
    """Keep why files are not taken in, and how many there are."""
    reasons = {printable(name)[-LONGEST_NAME:]: reason for name, reason in files}
    RefusedFile.objects.bulk_create(
        [RefusedFile(batch=batch, name=name, reason=reason) for name, reason in reasons.items()],
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["batch", "name"],
        update_fields=["reason"],
    )
    batch.n_refused = batch.refused.count()


class _Line:
    """What csv writes a line to."""

    def write(self, line: str) -> str:
        return line


def lines(batch: PictureImport) -> Iterator[str]:
    """All of them as CSV, harmless in spreadsheets."""
    writer = csv.writer(_Line(), lineterminator="\r\n")
    yield writer.writerow(["file", "reason"])
    rows = batch.refused.order_by("pk").values_list("name", "reason")
    for row in rows.iterator(chunk_size=2000):
        yield writer.writerow([guard_formula(cell) for cell in row])
