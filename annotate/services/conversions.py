"""Basemaps made ready: converted to COGs, and elevation models given the layers derived from them.

    uploaded ──claim──▶ converting ──▶ ready
      ▲  ▲                │  └──▶ failed ──ask_again──▶ uploaded
      │  └──────lose──────┘

As with runs, the row is the truth and every step is a compare-and-set on (state, attempt):

1. A worker converts a basemap as attempt 1 and its machine dies; the row says "converting".
2. Its heartbeat grows old. The basemap waits again, a worker takes it as attempt 2, clears away what was left
   half done and goes on after the layers that are whole.
3. Had the first only been cut off, its next report of progress finds no row, and it stops.
"""

import logging
import shutil
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Basemap
from annotate.services import liveness
from annotate.services.basemaps import cog_file, facts_of
from annotate.services.disk import full_in_words, require_room
from annotate.services.liveness import patiently, unheard
from annotate.services.locks import alone_until_commit
from annotate.services.storage import file_of
from mlcore import durable
from mlcore.errors import TektiteError
from mlcore.raster import cog
from mlcore.raster.derive import derive_file

log = logging.getLogger(__name__)

State = Basemap.State
DERIVED_KINDS = (Basemap.Kind.HILLSHADE, Basemap.Kind.SLOPE, Basemap.Kind.CURVATURE)
MAX_SETBACKS = 3
ASKED_AGAIN_AFTER = timedelta(seconds=60)
# cog's work files in a basemap's folder.
HALF_DONE = ".cog-*"


class _Overtaken(Exception):
    """The attempt was given up for lost, so nothing may be written on its behalf."""


def convert(basemap_pk: int, worker: str = "") -> bool:
    """Make the COG and, of an elevation model, the layers derived from it; failures keep their reason.

    Once at a time per basemap, however often the task is delivered.

    Args:
        basemap_pk: Of a basemap that waits; otherwise nothing happens.
        worker: "host:…" of whoever works here; a host converts as many at once as CONVERSIONS_AT_ONCE says.

    Returns:
        Whether this call did something, so that there is room for another now.
    """
    basemap = patiently(_claim, basemap_pk, worker)
    if basemap is None:
        return False
    try:
        with liveness.beating(lambda: _mine(basemap).update(heartbeat_at=Now())):
            _clear_away(basemap)
            _convert(basemap)
    except _Overtaken:
        log.warning("Conversion of basemap %s was given up for lost and goes on elsewhere.", basemap.uid)
    except (OperationalError, InterfaceError):
        log.exception("Conversion of basemap %s was let go: the database does not answer.", basemap.uid)
    return True


def ask_again(basemap: Basemap) -> None:
    """Have a failed conversion wait for another try; the caller enqueues it."""
    Basemap.objects.filter(pk=basemap.pk, state=State.FAILED).update(
        state=State.UPLOADED, progress=0.0, error="", setbacks=0, enqueued_at=timezone.now()
    )


def requeue() -> list[Basemap]:
    """Basemaps to be enqueued now: those whose worker is gone, and those whose message may be lost."""
    with transaction.atomic():
        if not alone_until_commit("requeue conversions"):
            return []
        at_work = Basemap.objects.originals().filter(state=State.CONVERTING)
        silent = at_work.filter(unheard("heartbeat_at")) if liveness.database_has_listened() else ()
        for basemap in silent:
            _lose(basemap)
        lost = [basemap for basemap in silent if basemap.state == State.UPLOADED]
        due = waiting().filter(enqueued_at__lte=timezone.now() - ASKED_AGAIN_AFTER)
        again = [*lost, *due]
        Basemap.objects.filter(pk__in=[basemap.pk for basemap in again]).update(enqueued_at=timezone.now())
        return again


def waiting() -> QuerySet[Basemap]:
    """Basemaps that nobody converts yet, the longest waiting first."""
    return Basemap.objects.originals().filter(state=State.UPLOADED).order_by("pk")


def is_silent(basemap: Basemap) -> bool:
    """Whether the basemap is being converted by a worker that has not been heard of lately."""
    quiet = unheard("heartbeat_at", liveness.SILENT_AFTER)
    return Basemap.objects.filter(quiet, pk=basemap.pk, state=State.CONVERTING).exists()


def _claim(basemap_pk: int, worker: str) -> Basemap | None:
    with transaction.atomic():
        if worker and not _has_room(worker):
            return None
        claimed = Basemap.objects.filter(pk=basemap_pk, state=State.UPLOADED).update(
            state=State.CONVERTING,
            attempt=F("attempt") + 1,
            worker=worker,
            heartbeat_at=Now(),
            progress=0.0,
            error="",
        )
    return Basemap.objects.get(pk=basemap_pk) if claimed else None


def _has_room(worker: str) -> bool:
    """Whether another conversion may begin on this host, where workers are needed for other things too."""
    host = worker.split(":")[0]
    at_work = Basemap.objects.filter(state=State.CONVERTING, worker__startswith=f"{host}:")
    return at_work.exclude(unheard("heartbeat_at")).count() < settings.CONVERSIONS_AT_ONCE


def _mine(basemap: Basemap) -> QuerySet[Basemap]:
    return Basemap.objects.filter(pk=basemap.pk, attempt=basemap.attempt, state=State.CONVERTING)


def _write(basemap: Basemap, **changes: object) -> None:
    """Change the row of a basemap that this attempt converts."""
    if not patiently(_mine(basemap).update, **changes):
        raise _Overtaken
    for name, value in changes.items():
        setattr(basemap, name, value)


def _lose(basemap: Basemap) -> None:
    """Its worker is gone: let it wait for another, or fail after the last try."""
    setbacks = basemap.setbacks + 1
    changes: dict[str, object] = {"state": State.UPLOADED, "setbacks": setbacks}
    if setbacks >= MAX_SETBACKS:
        error = _(
            "Its worker was lost %(n)d times while it converted; too little memory is the usual cause. "
            "Give the machine more, or bring the raster in parts, then try again."
        ) % {"n": setbacks}
        changes |= {"state": State.FAILED, "error": error}
        basemap.derived.filter(state=State.CONVERTING).update(state=State.FAILED, error=error)
    if _mine(basemap).update(**changes):
        basemap.state = str(changes["state"])


def _clear_away(basemap: Basemap) -> None:
    """Remove what an attempt that was killed left half done."""
    for one in (basemap, *basemap.derived.all()):
        for left in file_of(f"basemaps/{one.uid}").glob(HALF_DONE):
            shutil.rmtree(left, ignore_errors=True)


def _convert(basemap: Basemap) -> None:
    is_elevation = basemap.kind == Basemap.Kind.ELEVATION
    share = 1.0 / (1 + len(DERIVED_KINDS)) if is_elevation else 1.0
    # An attempt before this one may have come so far.
    if not (basemap.cog_path and cog_file(basemap).is_file()):
        source, report = file_of(basemap.source_path), _reporter(basemap, 0.0, share)
        write = partial(cog.convert_to_cog, source, progress=report, name=basemap.name)
        facts, error = _make(basemap, write, partial(cog.work_bytes, source))
        if error:
            _write(basemap, state=State.FAILED, error=error)
            return
        _write(basemap, **facts, progress=share)
    if is_elevation:
        for number, kind in enumerate(DERIVED_KINDS, start=1):
            _derive(basemap, kind, _reporter(basemap, number * share, share))
    _write(basemap, state=State.READY, progress=1.0)


def _make(
    basemap: Basemap, write: Callable[[Path], None], need_bytes: Callable[[], int]
) -> tuple[dict[str, object], str]:
    """Write a basemap's COG if there is room; what is known of it, or why there is none."""
    what = _("The conversion of “%(name)s”") % {"name": basemap.name}
    path = f"basemaps/{basemap.uid}/basemap.tif"
    target = file_of(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        require_room(need_bytes(), what=what)
        with full_in_words(what):
            write(target)
        durable.sync(target)
        info = cog.inspect(target, basemap.body, max_px=settings.MAX_RASTER_PX, name=basemap.name)
        return facts_of(info, basemap.body) | {"statistics": cog.statistics(target), "cog_path": path}, ""
    except (_Overtaken, OperationalError, InterfaceError):
        raise
    except TektiteError as error:
        reason = error.message
    except Exception as error:
        log.exception("Conversion of basemap %s stopped.", basemap.uid)
        reason = _(
            "The conversion stopped (%(kind)s: %(reason)s). Try again; the worker's log says more."
        ) % {
            "kind": type(error).__name__,
            "reason": error,
        }
    target.unlink(missing_ok=True)
    return {}, reason


def _derive(basemap: Basemap, kind: str, report: Callable[[float], None]) -> None:
    """One derived layer as a basemap of its own; where it cannot be, its row says why."""
    azimuth_deg = 315.0 if basemap.sun_azimuth_deg is None else basemap.sun_azimuth_deg
    incidence_deg = 45.0 if basemap.sun_incidence_deg is None else basemap.sun_incidence_deg
    is_lit = kind == Basemap.Kind.HILLSHADE
    facts = {
        "name": f"{basemap.name[:170]} · {Basemap.Kind(kind).label.lower()}",
        "body": basemap.body,
        "added_by": basemap.added_by,
        "synthetic": basemap.synthetic,
        "sun_azimuth_deg": azimuth_deg if is_lit else None,
        "sun_incidence_deg": incidence_deg if is_lit else None,
    }
    layer = patiently(_layer, basemap, kind, facts)
    if layer.state == State.READY:
        return
    write = partial(
        derive_file,
        cog_file(basemap),
        kind=kind,
        body=basemap.body,
        azimuth_deg=azimuth_deg,
        altitude_deg=90.0 - incidence_deg,
        progress=report,
        name=basemap.name,
    )
    dtype = "uint8" if is_lit else "float32"
    found, error = _make(layer, write, partial(cog.work_bytes, cog_file(basemap), derived_as=dtype))
    report(1.0)
    ended = {"state": State.FAILED, "error": error} if error else {"state": State.READY, "progress": 1.0}
    patiently(Basemap.objects.filter(pk=layer.pk).update, **found, **ended)


def _layer(basemap: Basemap, kind: str, facts: dict[str, object]) -> Basemap:
    """The row of a derived layer, as an attempt before this one left it or about to be made."""
    made_already = Q(state=State.READY)
    basemap.derived.filter(kind=kind).exclude(made_already).update(
        state=State.CONVERTING, progress=0.0, error="", cog_path="", **facts
    )
    defaults = facts | {"state": State.CONVERTING}
    return Basemap.objects.get_or_create(derived_from=basemap, kind=kind, defaults=defaults)[0]


def _reporter(basemap: Basemap, start: float, share: float) -> Callable[[float], None]:
    """Keeps the basemap's progress in the database, in steps of a hundredth; ends an attempt given up."""
    kept = start

    def report(fraction: float) -> None:
        nonlocal kept
        now = start + share * fraction
        if now - kept >= 0.01:
            _write(basemap, progress=now)
            kept = now

    return report
