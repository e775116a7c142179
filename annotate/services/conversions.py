"""Basemaps made ready: converted to COGs, and elevation models given the layers derived from them."""

import logging
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from annotate.models import Basemap
from annotate.services.basemaps import cog_file, facts_of
from annotate.services.locks import exclusive
from annotate.services.storage import file_of
from mlcore.errors import TektiteError
from mlcore.raster import cog
from mlcore.raster.derive import derive_file

log = logging.getLogger(__name__)

DERIVED_KINDS = (Basemap.Kind.HILLSHADE, Basemap.Kind.SLOPE, Basemap.Kind.CURVATURE)


def convert(basemap_pk: int) -> None:
    """Make the COG and, of an elevation model, the layers derived from it; failures keep their reason.

    Once at a time per basemap, however often the task is delivered; a basemap that failed, or whose
    worker died, is begun anew.
    """
    with exclusive(f"basemap {basemap_pk}") as is_mine:
        basemap = Basemap.objects.get(pk=basemap_pk)
        if not is_mine or basemap.state == Basemap.State.READY:
            return
        source = file_of(basemap.source_path)
        is_elevation = basemap.kind == Basemap.Kind.ELEVATION
        share = 1.0 / (1 + len(DERIVED_KINDS)) if is_elevation else 1.0
        report = _reporter(basemap, 0.0, share)
        _make(
            basemap,
            lambda target: cog.convert_to_cog(source, target, progress=report, name=basemap.name),
            then=(Basemap.State.CONVERTING if is_elevation else Basemap.State.READY, share),
        )
        if basemap.state != Basemap.State.CONVERTING:
            return
        for number, kind in enumerate(DERIVED_KINDS, start=1):
            _derive(basemap, kind, _reporter(basemap, number * share, share))
        Basemap.objects.filter(pk=basemap.pk).update(state=Basemap.State.READY, progress=1.0)


def ask_again(basemap: Basemap) -> None:
    """Have a failed conversion wait for another try; the caller enqueues it."""
    Basemap.objects.filter(pk=basemap.pk, state=Basemap.State.FAILED).update(
        state=Basemap.State.UPLOADED, progress=0.0, error=""
    )


def _make(basemap: Basemap, write: Callable[[Path], None], *, then: tuple[str, float]) -> None:
    """Write a basemap's COG and what is known of it (then: its state and progress), or why there is none."""
    basemap.state, basemap.progress, basemap.error = Basemap.State.CONVERTING, 0.0, ""
    basemap.save(update_fields=["state", "progress", "error"])
    basemap.cog_path = f"basemaps/{basemap.uid}/basemap.tif"
    target = cog_file(basemap)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        write(target)
        info = cog.inspect(target, basemap.body, max_px=settings.MAX_RASTER_PX, name=basemap.name)
        for name, value in facts_of(info, basemap.body).items():
            setattr(basemap, name, value)
        basemap.statistics = cog.statistics(target)
        basemap.state, basemap.progress = then
    except TektiteError as error:
        _fail(basemap, error.message)
    except Exception as error:
        log.exception("Conversion of basemap %s stopped.", basemap.uid)
        _fail(
            basemap,
            _("The conversion stopped (%(kind)s: %(reason)s). Try again; the worker's log says more.")
            % {"kind": type(error).__name__, "reason": error},
        )
    basemap.save()


def _fail(basemap: Basemap, reason: str) -> None:
    cog_file(basemap).unlink(missing_ok=True)
    basemap.state, basemap.error, basemap.cog_path = Basemap.State.FAILED, reason, ""


def _derive(basemap: Basemap, kind: str, report: Callable[[float], None]) -> None:
    """One derived layer as a basemap of its own; where it cannot be, its row says why."""
    azimuth_deg = 315.0 if basemap.sun_azimuth_deg is None else basemap.sun_azimuth_deg
    incidence_deg = 45.0 if basemap.sun_incidence_deg is None else basemap.sun_incidence_deg
    is_lit = kind == Basemap.Kind.HILLSHADE
    layer, _made = Basemap.objects.update_or_create(
        derived_from=basemap,
        kind=kind,
        defaults={
            "name": f"{basemap.name[:170]} · {Basemap.Kind(kind).label.lower()}",
            "body": basemap.body,
            "added_by": basemap.added_by,
            "synthetic": basemap.synthetic,
            "sun_azimuth_deg": azimuth_deg if is_lit else None,
            "sun_incidence_deg": incidence_deg if is_lit else None,
        },
    )

    def write(target: Path) -> None:
        derive_file(
            cog_file(basemap),
            target,
            kind,
            body=basemap.body,
            azimuth_deg=azimuth_deg,
            altitude_deg=90.0 - incidence_deg,
            progress=report,
            name=basemap.name,
        )

    _make(layer, write, then=(Basemap.State.READY, 1.0))


def _reporter(basemap: Basemap, start: float, share: float) -> Callable[[float], None]:
    """Keeps the basemap's progress in the database, in steps of a hundredth."""
    kept = start

    def report(fraction: float) -> None:
        nonlocal kept
        now = start + share * fraction
        if now - kept >= 0.01:
            Basemap.objects.filter(pk=basemap.pk).update(progress=now)
            kept = now

    return report
