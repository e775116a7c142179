"""Catalogues as files, streamed; as many features come out as the catalogue held when it began."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from django.db.models import Count, Window

from annotate.models import Catalogue
from mlcore.bodies import get_body
from mlcore.formats import crater_csv, geojson

_EXTRA_COLUMNS = (
    "uid",
    "status",
    "score",
    "uncertainty",
    "center_sd_m",
    "diameter_sd_m",
    "n_marks",
    "n_visits",
)


@dataclass(frozen=True)
class Export:
    """A file to be, and the number of features in it."""

    count: int
    chunks: Iterator[str]


def csv_lines(catalogue: Catalogue) -> Export:
    """The catalogue as a crater list; an import takes it back."""
    count, rows = _rows(catalogue)
    return Export(count, crater_csv.write(rows, extra_columns=_EXTRA_COLUMNS))


def geojson_chunks(catalogue: Catalogue) -> Export:
    """The catalogue as a FeatureCollection of rims, with lon, lat and diameter_m as properties."""
    count, rows = _rows(catalogue)
    return Export(count, geojson.write(rows, get_body(catalogue.body)))


def file_name(catalogue: Catalogue, ending: str) -> str:
    """A name of plain letters for the download."""
    stem = re.sub(r"[^A-Za-z0-9]+", "_", catalogue.name).strip("_") or "catalogue"
    return f"{stem[:80]}_v{catalogue.version}.{ending}"


def _rows(catalogue: Catalogue) -> tuple[int, Iterator[Mapping[str, object]]]:
    """The features' fields, and how many there are by the very query that reads them."""
    source = catalogue.source or catalogue.name
    if catalogue.synthetic and "synthetic" not in source.lower():
        source = f"{source} (synthetic)"
    found = (
        catalogue.features.order_by("pk")
        .annotate(total=Window(Count("*")))
        .values("lon", "lat", "diameter_m", "name", "total", *_EXTRA_COLUMNS)
        .iterator(chunk_size=2000)
    )
    first = next(found, None)
    total = 0 if first is None else first["total"]
    rows = found if first is None else chain([first], found)
    return total, _counted(rows, total, source)


def _counted(rows: Iterator[dict[str, object]], total: int, source: str) -> Iterator[Mapping[str, object]]:
    n = 0
    for row in rows:
        n += 1
        yield {**{name: value for name, value in row.items() if name != "total"}, "source": source}
    if n != total:
        # Breaks the download off, so that a short file cannot pass for a whole one.
        raise RuntimeError(f"The export holds {n} of {total} features.")
