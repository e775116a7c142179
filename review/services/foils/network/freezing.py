"""Freezing what a training of the foil network learns from: pixels of the lossless files, hashed."""

import contextlib
import filecmp
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Campaign
from mlcore.foil_classifier.dataset import (
    ARRAYS_FOLDER,
    LOOK_ALIKE,
    FoilManifest,
    FoilSample,
    write_foil_dataset,
)
from mlcore.foil_classifier.pasting import cut_box
from mlcore.formats.pictures import Grey
from mlcore.registry import get_system
from review.models import Classification, Dataset, Frame, Picture, Run
from review.services import frozen, room, runs
from review.services.foils.gold.gold import frames_of
from review.services.foils.network import dealing, inspecting
from review.services.foils.network.material import PEOPLE, REFERENCE, Cut, Item, Material, gather
from review.services.foils.results import candidates
from review.services.foils.rules import rules
from review.services.teaching import Progress

SYNTHETIC = "synthetic"
_CHUNK = 500


def freeze(run: Run, progress: Progress) -> Dataset:
    """The dataset of a run: what its campaign teaches now; the same material gives the same dataset.

    Raises:
        InvalidInput: The pixels cannot teach (inspecting.py), or a file is gone.
        NoRoom: Too little of the disk is free, or it ran full; nothing half done is left.
    """
    most = get_system(run.system).config(run.config["preset"], run.config["overrides"]).max_blanks
    as_of = timezone.now()
    everything = gather(run.campaign)
    material = everything.capped(most)
    inspecting.inspect(material, progress)
    room.require_for_pictures(_bytes(material))
    if material.n_synthetic:
        runs.log(run, _("%d of the pictures and cut-outs are synthetic.") % material.n_synthetic)

    def write(folder: Path) -> FoilManifest:
        samples = _samples(run.campaign, material, progress)
        manifest = write_foil_dataset(folder, samples, _provenance(run.campaign, everything, material, most))
        _share_arrays(run, folder)
        return manifest

    return frozen.keep(
        campaign=run.campaign,
        system=run.system,
        created_by=run.requested_by,
        as_of=as_of,
        what=_("Freezing the pictures"),
        write=write,
    )


def _share_arrays(run: Run, folder: Path) -> None:
    """Let what the dataset before holds too take no second room: trainings differ by a few pictures."""
    earlier = Dataset.objects.filter(campaign=run.campaign, system=run.system).order_by("-pk").first()
    if earlier is None:
        return
    for file in sorted((folder / ARRAYS_FOLDER).iterdir()):
        known = frozen.folder_of(earlier) / ARRAYS_FOLDER / file.name
        # Compared to the byte, so that what a disk has spoilt is not handed on.
        if known.is_file() and filecmp.cmp(known, file, shallow=False):
            link = file.with_name(f".{file.name}.link")
            # Not every disk knows links.
            with contextlib.suppress(OSError):
                link.hardlink_to(known)
                link.replace(file)


def sharpest(frames: Sequence[Grey]) -> Grey:
    """Of one place at several depths of focus, the image with most detail: what people call a crater by."""
    return max(frames, key=_detail)


def _detail(frame: Grey) -> float:
    # Means of four pixels: grain is halved, and shapes stay.
    height, width = (edge // 2 for edge in frame.shape)
    small = frame[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3), dtype=np.float32)
    return float(np.diff(small, axis=0).var() + np.diff(small, axis=1).var())


def _samples(campaign: Campaign, material: Material, progress: Progress) -> Iterator[FoilSample]:
    for start in range(0, len(material.items), _CHUNK):
        items = material.items[start : start + _CHUNK]
        clicked = _clicked(campaign, items)
        for item in items:
            progress()
            yield _whole(item, item.place or clicked.get(item.picture.pk, {}))
    by_picture = sorted(material.cuts, key=lambda cut: cut.picture.sha256)
    for _sha256, cuts in groupby(by_picture, key=lambda cut: cut.picture.sha256):
        progress()
        yield from _cut(list(cuts))


def _whole(item: Item, place: dict[str, float | None]) -> FoilSample:
    picture = item.picture
    diameter_um = place.get("diameter_um")
    return FoilSample(
        kind=item.kind,
        side=item.side,
        pixels=sharpest(frames_of(picture)),
        diameter_px=1000.0 * diameter_um / picture.nm_per_px if diameter_um and picture.nm_per_px else None,
        nm_per_px=picture.nm_per_px,
        origin=_origin(item.origin, picture),
        picture_sha256=picture.sha256,
        x_px=place.get("x_px"),
        y_px=place.get("y_px"),
    )


def _cut(cuts: Sequence[Cut]) -> Iterator[FoilSample]:
    """The cut-outs of one picture."""
    picture = cuts[0].picture
    frames = frames_of(picture)
    for cut in cuts:
        pixels, alpha, diameter_px = cut_box(frames[cut.cut_out.frame], cut.cut_out.polygon)
        yield FoilSample(
            kind=cut.kind,
            side=cut.side,
            pixels=pixels,
            alpha=alpha,
            diameter_px=diameter_px,
            nm_per_px=picture.nm_per_px,
            origin=_origin(REFERENCE, picture),
            picture_sha256=picture.sha256,
        )


def _origin(origin: str, picture: Picture) -> str:
    return f"{origin}, {SYNTHETIC}" if picture.synthetic else origin


def _clicked(campaign: Campaign, items: Iterable[Item]) -> dict[int, dict[str, float | None]]:
    """Where most people clicked in rejected pictures that some of them called a crater, by picture."""
    subjects = [item.subject for item in items if item.kind == LOOK_ALIKE and item.subject and not item.place]
    found = candidates.found_in_all(rules.workflow_of(campaign), subjects)
    return {
        subject.picture_id: {"x_px": place.x_px, "y_px": place.y_px}
        for subject in subjects
        for place in found[subject.pk].places[:1]
    }


def _bytes(material: Material) -> int:
    """About what the arrays take: cut-outs as much as half their pictures at most."""
    pks = {one.picture.pk for one in material}
    deep = set(Frame.objects.filter(picture__in=pks, bits__gt=8).values_list("picture_id", flat=True))
    return sum(
        one.picture.width_px * one.picture.height_px * (2 if one.picture.pk in deep else 1)
        for one in material
    )


def _provenance(campaign: Campaign, everything: Material, taken: Material, most: int) -> dict[str, object]:
    """Where the pictures are from; people under their pseudonyms only."""
    origins = Counter(item.origin for item in taken.items)
    n_left_out = len(everything.items) - len(taken.items)
    return {
        SYNTHETIC: {"samples": taken.n_synthetic, "of": len(taken.items) + len(taken.cuts)},
        "origins": dict(sorted(origins.items())),
        "cut": sorted({cut.cut_out.by.pseudonym for cut in taken.cuts if cut.cut_out.by}),
        "known_by": sorted({item.by for item in taken.items if item.by}),
        "judged": _judged(campaign, taken),
        "at_most": {"blanks and look-alikes, each": most, "left_out": n_left_out},
        "sides": {"rule": dealing.WORDS, "cut_outs_dealt": sum(cut.is_dealt for cut in taken.cuts)},
    }


def _judged(campaign: Campaign, material: Material) -> list[str]:
    """Who judged the pictures that people rejected."""
    pks = [item.subject.pk for item in material.items if item.subject and item.origin == PEOPLE]
    given = Classification.objects.filter(workflow__campaign=campaign, subject__in=pks).standing()
    return sorted(set(given.values_list("participant__pseudonym", flat=True)))
