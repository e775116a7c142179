"""Files that were not taken in, and why: kept once each, told as a list."""

from collections.abc import Iterator

from mlcore.formats import csv_lines
from mlcore.formats.names import printable
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


def lines(batch: PictureImport) -> Iterator[str]:
    """All of them as CSV."""
    yield csv_lines.line(("file", "reason"))
    rows = batch.refused.order_by("pk").values_list("name", "reason")
    yield from map(csv_lines.line, rows.iterator(chunk_size=2000))
