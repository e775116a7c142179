"""Background work of annotate: each task takes a primary key and calls one service."""

from celery import shared_task

from annotate.models import Tile
from annotate.services import consensus, conversions


@shared_task(soft_time_limit=6 * 3600, time_limit=6 * 3600 + 60)
def convert_basemap_task(basemap_pk: int) -> None:
    conversions.convert(basemap_pk)


@shared_task(soft_time_limit=300, time_limit=330)
def settle_tile_task(tile_pk: int) -> None:
    consensus.settle_tile(Tile.objects.get(pk=tile_pk))


@shared_task(soft_time_limit=600, time_limit=630)
def settle_due_tiles_task() -> None:
    consensus.settle_due_tiles()
