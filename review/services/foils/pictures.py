"""Pictures kept: their pixels without loss, as judges see them, and small; the same pixels only once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from annotate.models import Campaign
from annotate.services.disk import full_in_words
from annotate.services.storage import file_of
from mlcore.formats.pictures import Grey, encode_png, encode_shown
from mlcore.formats.pictures import Picture as Pixels
from mlcore.split import picture_side
from review.models import Frame, Picture

THUMBNAIL_PX = 160
# Of pictures `p`: those that people and the network search, as Picture.objects.survey() says it.
IS_SURVEY = f"p.purpose = '{Picture.Purpose.SURVEY}'"


@dataclass(frozen=True)
class Where:
    """What is known of a picture besides its pixels."""

    foil: str = ""
    x_um: float | None = None
    y_um: float | None = None
    nm_per_px: float | None = None


def add_picture(
    *,
    campaign: Campaign,
    name: str,
    frames: Sequence[Grey],
    where: Where,
    synthetic: bool = False,
    purpose: str = Picture.Purpose.SURVEY,
) -> tuple[Picture, bool]:
    """Keep a picture of one or more frames of one size; what the campaign has already stays as it is.

    Also in what it is for, but for its files: what a power cut or a disk has lost of them is written anew.

    Returns:
        The picture, and whether it is new.
    """
    hashes = [Pixels(pixels, 0).sha256 for pixels in frames]
    sha256 = hashlib.sha256("".join(hashes).encode()).hexdigest() if len(hashes) > 1 else hashes[0]
    if known := Picture.objects.filter(campaign=campaign, sha256=sha256).first():
        _restore(known, frames)
        return known, False
    files = [_write(campaign, sha256, number, pixels) for number, pixels in enumerate(frames)]
    height_px, width_px = frames[0].shape
    with transaction.atomic():
        picture, is_new = Picture.objects.get_or_create(
            campaign=campaign,
            sha256=sha256,
            defaults={
                "name": name,
                "foil": where.foil,
                "x_um": where.x_um,
                "y_um": where.y_um,
                "nm_per_px": where.nm_per_px,
                "width_px": width_px,
                "height_px": height_px,
                "side": picture_side(sha256),
                "synthetic": synthetic,
                "purpose": purpose,
            },
        )
        if is_new:
            Frame.objects.bulk_create(
                Frame(
                    picture=picture,
                    number=number,
                    sha256=sha256_of_frame,
                    bits=8 * pixels.dtype.itemsize,
                    path=path,
                    shown_path=shown_path,
                    thumbnail_path=thumbnail_path,
                )
                for number, (sha256_of_frame, pixels, (path, shown_path, thumbnail_path)) in enumerate(
                    zip(hashes, frames, files, strict=True)
                )
            )
    return picture, is_new


def _restore(picture: Picture, frames: Sequence[Grey]) -> None:
    for frame, pixels in zip(picture.frames.all(), frames, strict=False):
        if not all(map(_is_there, (frame.path, frame.shown_path, frame.thumbnail_path))):
            _write(picture.campaign, picture.sha256, frame.number, pixels)


def _is_there(path: str) -> bool:
    """Also not emptied: a file whose bytes were not on the disk yet when the power failed has none."""
    try:
        return file_of(path).stat().st_size > 0
    except FileNotFoundError:
        return False


def _write(campaign: Campaign, sha256: str, number: int, pixels: Grey) -> tuple[str, str, str]:
    """The frame's three files, as paths below MEDIA_ROOT."""
    stem = f"foils/{campaign.uid}/{sha256[:2]}/{sha256}-{number}"
    contents = {
        f"{stem}.png": encode_png(pixels),
        f"{stem}.jpg": encode_shown(pixels),
        f"{stem}-small.jpg": encode_shown(pixels, largest_px=THUMBNAIL_PX),
    }
    for path, content in contents.items():
        _replace(file_of(path), content)
    path, shown_path, thumbnail_path = contents
    return path, shown_path, thumbnail_path


def _replace(target: Path, content: bytes) -> None:
    """Whole or not at all: a worker that dies leaves no half file under the name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f".{target.name}.half")
    with full_in_words(target.name):
        half.write_bytes(content)
        half.replace(target)
