"""Files as people bring them: images, stacks and archives, made on the spot."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from annotate.models import Campaign
from review.models import PictureImport
from review.services.foils.intake import intake, reading, sending


def noise(seed: int, *, shape: tuple[int, int] = (40, 50), dtype: type = np.uint8) -> np.ndarray:
    """A grey picture like no other of another seed."""
    top = 200 if dtype == np.uint8 else 60_000
    return np.random.default_rng(seed).integers(10, top, shape, dtype)


def encoded(*pages: np.ndarray, kind: str = "TIFF", **options: object) -> bytes:
    """Pages as a file's bytes; several only as TIFF or GIF."""
    out = io.BytesIO()
    first, *others = (Image.fromarray(page) for page in pages)
    more = {"save_all": True, "append_images": others} if others else {}
    first.save(out, kind, **more, **options)
    return out.getvalue()


def image(seed: int, **options: object) -> bytes:
    """One grey picture as TIFF."""
    return encoded(noise(seed), **options)


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files: dict[str, bytes], *, mode: str = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def laid(folder: Path, files: dict[str, bytes]) -> Path:
    """A folder with these files in it."""
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder


def upload(name: str, content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def look(campaign: Campaign, files: dict[str, bytes] | Path, **settings: object) -> PictureImport:
    """A batch that has been sent and looked through."""
    if isinstance(files, Path):
        sent: dict[str, object] = {"path": files}
    else:
        sent = {"uploads": [upload(name, content) for name, content in files.items()]}
    table = settings.pop("table", None)
    if isinstance(table, str):
        settings["table"] = upload("places.csv", table.encode())
    batch = sending.take_in(campaign=campaign, requested_by=None, **sent, **settings)
    intake.look_through(batch.pk)
    batch.refresh_from_db()
    return batch


def bring(campaign: Campaign, files: dict[str, bytes] | Path, **settings: object) -> PictureImport:
    """A batch that has been read to its end."""
    batch = look(campaign, files, **settings)
    assert intake.confirm(batch)
    while reading.read(batch.pk):
        pass
    batch.refresh_from_db()
    return batch
