"""Background work of annotate: each task takes a primary key and calls one service."""

import os
import socket

from celery import shared_task

from annotate.models import CatalogueImport, Tile
from annotate.services import consensus, conversions, imports, rights


@shared_task(soft_time_limit=6 * 3600, time_limit=6 * 3600 + 60)
def convert_basemap_task(basemap_pk: int) -> None:
    if conversions.convert(basemap_pk, f"{socket.gethostname()}:{os.getpid()}"):
        # This host has room again for one that was sent away meanwhile.
        for basemap in conversions.waiting()[:1]:
            convert_basemap_task.delay_on_commit(basemap.pk)


@shared_task(soft_time_limit=25, time_limit=30)
def requeue_conversions_task() -> None:
    for basemap in conversions.requeue():
        convert_basemap_task.delay_on_commit(basemap.pk)


@shared_task(soft_time_limit=300, time_limit=330)
def settle_tile_task(tile_pk: int) -> None:
    consensus.settle_tile(Tile.objects.get(pk=tile_pk))


@shared_task(soft_time_limit=600, time_limit=630)
def settle_due_tiles_task() -> None:
    consensus.settle_due_tiles()


@shared_task(soft_time_limit=3600, time_limit=3660)
def look_through_list_task(import_pk: int) -> None:
    imports.look_through(import_pk)


@shared_task(soft_time_limit=2 * 3600, time_limit=2 * 3600 + 60)
def import_list_task(import_pk: int) -> None:
    imports.import_list(import_pk)


@shared_task(soft_time_limit=300, time_limit=330)
def tend_imports_task() -> None:
    """Forget lists that nobody imported, and take up again what a dead worker left."""
    imports.forget_expired()
    for waiting in imports.left_behind():
        is_reading = waiting.state == CatalogueImport.State.READING
        (look_through_list_task if is_reading else import_list_task).delay_on_commit(waiting.pk)


@shared_task(soft_time_limit=600, time_limit=630)
def forget_ended_sessions_task() -> None:
    rights.forget_ended_sessions()
