"""Files of a batch as pictures: decoded with suspicion, put together to series, each with its place."""

import logging
from collections.abc import Iterator

from mlcore.errors import InvalidInput
from mlcore.formats.archives import kind_of
from mlcore.formats.foil_names import NamePattern, Place
from mlcore.formats.foil_places import check_place
from mlcore.formats.pictures import MOST_PAGES, Grey, read_pictures
from review.models import IncomingFile, PictureImport
from review.services.foils.intake import incoming
from review.services.foils.pictures import Where

log = logging.getLogger(__name__)

MOST_FRAMES = MOST_PAGES
# What judges look at is no mosaic; larger ones would also take a worker's memory.
MOST_PIXELS = 50_000_000
MOST_PIXELS_OF_SERIES = 200_000_000


def where_of(batch: PictureImport, files: list[IncomingFile], pattern: NamePattern | None) -> Where:
    """What table, name and the batch itself say of a picture, in this order."""
    row = next((file for file in files if file.has_row), files[0])
    said = (pattern and pattern.read(files[0].name)) or Place()

    def first(*values: float | None) -> float | None:
        return next((value for value in values if value is not None), None)

    place = Place(
        foil=row.foil or said.foil or "",
        x_um=first(row.x_um, said.x_um),
        y_um=first(row.y_um, said.y_um),
        nm_per_px=first(row.nm_per_px, said.nm_per_px, batch.nm_per_px),
    )
    check_place(place)
    return Where(foil=place.foil or "", x_um=place.x_um, y_um=place.y_um, nm_per_px=place.nm_per_px)


def pictures_of(batch: PictureImport, files: list[IncomingFile]) -> Iterator[tuple[str, list[Grey]]]:
    """The pictures that files make: names with their frames.

    Raises:
        InvalidInput: A file is no image, or those of a series do not go together.
    """
    if batch.pages == PictureImport.Pages.PICTURES and len(files) == 1:
        for number, pixels in enumerate(_images(batch, files[0]), start=1):
            page = f"#{number}" if number > 1 else ""
            yield f"{files[0].name[: incoming.LONGEST_NAME - len(page)]}{page}", [pixels]
        return
    frames: list[Grey] = []
    for file in files:
        for pixels in _images(batch, file):
            frames.append(pixels)
            _check_series(file.name, frames)
    yield files[0].name, frames


def _check_series(name: str, frames: list[Grey]) -> None:
    first, last = frames[0], frames[-1]
    if last.shape != first.shape:
        raise InvalidInput(
            f"{name} is {last.shape[1]} × {last.shape[0]} px and the first of its focus series "
            f"{first.shape[1]} × {first.shape[0]} px; the images of one place have one size."
        )
    if len(frames) > MOST_FRAMES or len(frames) * first.size > MOST_PIXELS_OF_SERIES:
        raise InvalidInput(
            f"{name} belongs to a focus series of {len(frames)} images or more, with {first.size:,} px each; "
            f"at most {MOST_FRAMES} images and {MOST_PIXELS_OF_SERIES:,} px in all are taken."
        )


def _images(batch: PictureImport, file: IncomingFile) -> Iterator[Grey]:
    path = incoming.root_of(batch) / file.name
    if not path.is_file():
        raise InvalidInput(f"{file.name} is not there any more; bring it again.")
    try:
        for picture in read_pictures(path, name=file.name, most_pixels=MOST_PIXELS):
            yield picture.pixels
    except InvalidInput:
        if kind_of(path):
            raise InvalidInput(
                f"{file.name} is an archive inside another archive or a folder; bring it by itself."
            ) from None
        raise
    except Exception as error:
        # Whatever a decoder does with what nobody has thought of: this file is refused, the others go on.
        log.exception("An image could not be read: %s", path)
        raise InvalidInput(
            f"{file.name} cannot be read ({type(error).__name__}); export it again as TIFF or PNG."
        ) from error
