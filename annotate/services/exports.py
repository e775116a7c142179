"""Catalogues as files, streamed; as many features come out as the catalogue held when it began."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

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
    """How many features there are, and their fields; nothing is read before the first is asked for."""
    total = catalogue.features.count()
    return total, _counted(catalogue, total)


def _counted(catalogue: Catalogue, total: int) -> Iterator[Mapping[str, object]]:
    n, source = 0, catalogue.source or catalogue.name
    if catalogue.synthetic and "synthetic" not in source.lower():
        source = f"{source} (synthetic)"
    fields = ("lon", "lat", "diameter_m", "name", *_EXTRA_COLUMNS)
    for row in catalogue.features.order_by("pk").values(*fields).iterator(chunk_size=2000):
        n += 1
        yield {**row, "source": source}
    if n != total:
        # Breaks the download off, so that a short file cannot pass for a whole one.
        raise RuntimeError(f"The export holds {n} of {total} features.")
