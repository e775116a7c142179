"""Datasets on the disk and their rows: whole or not at all, and the same content once."""

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError, transaction

from annotate.models import Campaign, Participant
from annotate.services.disk import full_in_words
from review.models import Dataset


class Manifest(Protocol):
    """What the systems' manifests have in common."""

    samples: int
    counts: dict[str, dict[str, int]]
    sha256: str


def folder_of(dataset: Dataset) -> Path:
    """The frozen folder."""
    return Path(settings.MEDIA_ROOT) / dataset.path


def keep(
    *,
    campaign: Campaign,
    system: str,
    created_by: Participant | None,
    as_of: datetime,
    what: str,
    write: Callable[[Path], Manifest],
) -> Dataset:
    """Freeze a dataset; where the campaign has one of the same content already, that one.

    Args:
        campaign: Whose.
        system: For which learning system.
        created_by: Who wanted it.
        as_of: When what it holds was looked up: what is settled while it is written is new afterwards.
        what: The subject of the sentence where the disk runs full.
        write: Writes the folder, which does not exist yet, and leaves it whole or as folder.half-done.

    Raises:
        NoRoom: The disk ran full; nothing half done is left.
    """
    uid = uuid4()
    path = f"datasets/{uid}"
    folder = Path(settings.MEDIA_ROOT) / path
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with full_in_words(what):
            manifest = write(folder)
    except BaseException:
        shutil.rmtree(folder.with_name(folder.name + ".half-done"), ignore_errors=True)
        raise
    dataset = _row(campaign, system, uid, path, manifest, created_by)
    Dataset.objects.filter(pk=dataset.pk, uid=uid).update(created_at=as_of)
    return dataset


def _row(
    campaign: Campaign,
    system: str,
    uid: UUID,
    path: str,
    manifest: Manifest,
    created_by: Participant | None,
) -> Dataset:
    """The dataset's row; the same content is kept once, under the row it had first."""
    counts = {**manifest.counts, "samples": manifest.samples}
    folder = Path(settings.MEDIA_ROOT) / path
    try:
        with transaction.atomic():
            return Dataset.objects.create(
                uid=uid,
                campaign=campaign,
                system=system,
                sha256=manifest.sha256,
                path=path,
                counts=counts,
                created_by=created_by,
            )
    except IntegrityError:
        known = Dataset.objects.get(campaign=campaign, system=system, sha256=manifest.sha256)
    if folder_of(known).is_dir():
        shutil.rmtree(folder)
    else:
        folder.rename(folder_of(known))
    return known
