"""What a batch would become, before anything of it is taken in."""

from dataclasses import dataclass, field

from django.db.models import Max, Min

from mlcore.errors import InvalidInput
from mlcore.formats.foil_names import NamePattern
from review.models import IncomingFile, PictureImport
from review.services.foils.intake import decoding
from review.services.foils.pictures import Where

# So many names are looked at: the first half of them, and as many spread over all the others.
LOOKED_AT = 2000
SHOWN = 8


@dataclass(frozen=True)
class FileShown:
    """A file as it is understood."""

    name: str
    where: Where
    focus: int | None
    has_row: bool


@dataclass
class Preview:
    """What names and table say of a batch's files.

    Attributes:
        n_looked: Names that were looked at.
        n_fitting: Those that the pattern reads; all of them where there is no pattern.
        n_series: Pictures that the names looked at make.
        fitting: The first of them as understood.
        others: The first that the pattern does not read.
        odd: Files of which name or table say what cannot be, with the reason.
        without_row: The first files that the table does not name.
        n_without_row: How many there are.
    """

    n_looked: int = 0
    n_fitting: int = 0
    n_series: int = 0
    fitting: list[FileShown] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    without_row: list[str] = field(default_factory=list)
    n_without_row: int = 0

    @property
    def is_all(self) -> bool:
        """Whether every name was looked at."""
        return self.n_looked < LOOKED_AT


def of(batch: PictureImport) -> Preview:
    """Look at names, evenly over the batch, with the batch's own pattern and table."""
    pattern = NamePattern(batch.pattern) if batch.pattern else None
    preview, series = Preview(), set()
    for file in _sample(batch):
        preview.n_looked += 1
        place = pattern.read(file.name) if pattern else None
        series.add((pattern and pattern.series_of(file.name)) or file.name)
        if pattern and place is None:
            _add(preview.others, file.name)
        else:
            preview.n_fitting += 1
        try:
            where = decoding.where_of(batch, [file], pattern)
        except InvalidInput as error:
            _add(preview.odd, f"{file.name}: {error.message}")
            continue
        if len(preview.fitting) < SHOWN and (place is not None or not pattern):
            shown = FileShown(file.name, where, place.focus if place else None, file.has_row)
            preview.fitting.append(shown)
    preview.n_series = len(series)
    if batch.table.get("report"):
        lacking = batch.incoming.filter(has_row=False)
        preview.n_without_row = lacking.count()
        preview.without_row = list(lacking.order_by("pk").values_list("name", flat=True)[:SHOWN])
    return preview


def _add(shown: list[str], words: str) -> None:
    if len(shown) < SHOWN:
        shown.append(words)


def _sample(batch: PictureImport) -> list[IncomingFile]:
    first = list(batch.incoming.order_by("pk")[: LOOKED_AT // 2])
    if len(first) < LOOKED_AT // 2:
        return first
    ends = batch.incoming.filter(pk__gt=first[-1].pk).aggregate(low=Min("pk"), high=Max("pk"))
    if ends["low"] is None:
        return first
    step = max(1, (ends["high"] - ends["low"] + 1) // (LOOKED_AT // 2))
    spread = list(range(ends["low"], ends["high"] + 1, step))[: LOOKED_AT // 2]
    return [*first, *batch.incoming.filter(pk__in=spread).order_by("pk")]
