"""Craters of imported lists, a million at a time: rims computed in batches and copied into the table."""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from uuid import uuid4

import numpy as np
import shapely
from django.db import connection

from annotate.models import Campaign, Feature
from mlcore import geodesy
from mlcore.bodies import BODY_SPHERE_SRID, get_body
from mlcore.formats.crater_csv import CraterRow

# Some 20 MB of rims at a time.
_BATCH = 10_000
_COLUMNS = ("uid", "catalogue_id", "kind", "name", "lon", "lat", "diameter_m", "geom", "status", "provenance")

Owned = tuple[int, CraterRow]


def copy_craters(body: str, craters: Iterable[Owned], progress: Callable[[int], None] | None = None) -> int:
    """Store confirmed craters; to be called in a transaction.

    Args:
        body: Key of mlcore.bodies.BODIES.
        craters: Each with its catalogue's primary key.
        progress: Told how many are stored after each batch.

    Returns:
        How many were stored.
    """
    stored, left = 0, iter(craters)
    statement = f"COPY {Feature._meta.db_table} ({', '.join(_COLUMNS)}) FROM STDIN"
    with connection.cursor() as cursor:
        while batch := list(islice(left, _BATCH)):
            with cursor.copy(statement) as copy:
                for row in _rows(batch, get_body(body).radius_m):
                    copy.write_row(row)
            stored += len(batch)
            if progress is not None:
                progress(stored)
    return stored


def _rows(batch: list[Owned], radius_m: float) -> Iterator[tuple[object, ...]]:
    places = np.array([(crater.lon, crater.lat, crater.diameter_m) for _pk, crater in batch], dtype=float)
    rims = np.asarray(geodesy.rim_polygons(*places.T, radius_m), dtype=object)
    whole = shapely.get_type_id(rims) == shapely.GeometryType.POLYGON
    rims[whole] = shapely.multipolygons(rims[whole], indices=np.arange(whole.sum()))
    stamped = shapely.to_wkb(shapely.set_srid(rims, BODY_SPHERE_SRID), hex=True, include_srid=True)
    for (catalogue_pk, crater), geom in zip(batch, stamped, strict=True):
        yield (
            uuid4(),
            catalogue_pk,
            Campaign.Kind.CRATER.value,
            crater.name,
            crater.lon,
            crater.lat,
            crater.diameter_m,
            geom,
            Feature.Status.CONFIRMED.value,
            json.dumps({"line": crater.line}),
        )
