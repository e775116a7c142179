"""Grey pictures from microscopes: read with suspicion, known by their pixels, shown without their history.

What a file says of itself decides nothing: the format is told by its content, the size is checked before a
pixel is unpacked, and two files with the same pixels are the same picture whatever they are called.
"""

import hashlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence, UnidentifiedImageError

from mlcore.errors import InvalidInput

FORMATS = ("TIFF", "PNG", "JPEG", "BMP")
SMALLEST_PX, LARGEST_PX = 32, 50_000
MOST_PIXELS = 400_000_000
MOST_PAGES = 200
# Larger differences between the channels than compression makes are colour.
GREY_TOLERANCE = 8

Grey = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class Picture:
    """One grey picture.

    Attributes:
        pixels: Shape (height, width), uint8 or uint16, as they are in the file.
        page: Its number in a stack, from 0.
    """

    pixels: Grey
    page: int

    @property
    def sha256(self) -> str:
        """Of size, depth and pixels; the same for every file that holds this picture without loss."""
        head = f"{self.pixels.dtype.name} {self.pixels.shape[0]} {self.pixels.shape[1]}\n".encode()
        little_endian = np.ascontiguousarray(self.pixels, self.pixels.dtype.newbyteorder("<"))
        return hashlib.sha256(head + little_endian.tobytes()).hexdigest()


def read_pictures(path: Path, *, name: str = "", most_pixels: int = MOST_PIXELS) -> Iterator[Picture]:
    """The pictures of a file: one, or each page of a TIFF stack.

    Args:
        path: The file.
        name: What people call it, for the refusals; by default the file's own name.
        most_pixels: That a page may have.

    Raises:
        InvalidInput: Not an image of FORMATS, torn, in colour, animated, too small or too large. Pages before
            a torn one have been given already.
    """
    name = name or path.name
    try:
        with warnings.catch_warnings(), Image.open(path, formats=FORMATS) as image:
            # Pillow's own limit only warns; ours refuses below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            _check_pages(image, name)
            for number, page in enumerate(ImageSequence.Iterator(image)):
                _check_size(page.size, name, most_pixels)
                yield Picture(_grey(page, name), number)
    except UnidentifiedImageError:
        raise InvalidInput(
            f"{name} is not an image of a kind read here ({', '.join(FORMATS)}); export it as TIFF or PNG."
        ) from None
    except Image.DecompressionBombError:
        raise InvalidInput(f"{name} {_too_large(most_pixels)}") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InvalidInput(f"{name} is damaged and cannot be read to its end ({error}).") from None


def encode_png(pixels: Grey) -> bytes:
    """A lossless copy that carries pixels and nothing else."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=3)
    return out.getvalue()


def encode_shown(pixels: Grey, *, largest_px: int | None = None, quality: int = 85) -> bytes:
    """A JPEG as people see it: 8 bits, its darkest and brightest thousandth clipped, smaller where asked.

    The same settings for every picture, so that nothing but the pixels tells two apart.
    """
    low, high = np.percentile(pixels, (0.1, 99.9))
    scale = 255.0 / max(float(high - low), 1.0)
    grey = np.clip((pixels.astype(np.float32) - low) * scale, 0.0, 255.0)
    image = Image.fromarray((grey + 0.5).astype(np.uint8))
    if largest_px and max(image.size) > largest_px:
        image.thumbnail((largest_px, largest_px), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _check_pages(image: Image.Image, name: str) -> None:
    pages = getattr(image, "n_frames", 1)
    if pages > 1 and image.format != "TIFF":
        raise InvalidInput(f"{name} is animated ({pages} frames); a focus series comes as a TIFF stack.")
    if pages > MOST_PAGES:
        raise InvalidInput(f"{name} has {pages} pages, and a stack may have {MOST_PAGES}; split it.")


def _check_size(size: tuple[int, int], name: str, most_pixels: int) -> None:
    if min(size) < SMALLEST_PX:
        raise InvalidInput(
            f"{name} is {size[0]} × {size[1]} px; a picture has at least {SMALLEST_PX} px a side."
        )
    if max(size) > LARGEST_PX or size[0] * size[1] > most_pixels:
        raise InvalidInput(f"{name} is {size[0]} × {size[1]} px and {_too_large(most_pixels)}")


def _too_large(most_pixels: int) -> str:
    return f"is too large: at most {LARGEST_PX:,} px a side and {most_pixels:,} px in all; cut it up."


def _grey(image: Image.Image, name: str) -> Grey:
    """The pixels of a grey page, or of a colour page that is grey in all but name."""
    match image.mode:
        case "L":
            return np.asarray(image)
        case "I;16" | "I;16L" | "I;16B":
            return np.asarray(image).astype(np.uint16)
        case "I":
            return _sixteen_bits(np.asarray(image), name)
        case "LA" | "RGB" | "RGBA" | "P" | "PA":
            return _same_channels(np.asarray(image.convert("RGB")), name)
    raise InvalidInput(
        f"{name} has pixels of a kind not read here ({image.mode}); export it as grey of 8 or 16 bits."
    )


def _sixteen_bits(pixels: NDArray[np.int32], name: str) -> NDArray[np.uint16]:
    if pixels.min() < 0 or pixels.max() > 65_535:
        raise InvalidInput(
            f"{name} has values from {pixels.min()} to {pixels.max()}; grey of 16 bits goes from 0 to 65535."
        )
    return pixels.astype(np.uint16)


def _same_channels(pixels: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    spread = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)
    if (spread > GREY_TOLERANCE).any():
        share = float((spread > GREY_TOLERANCE).mean())
        raise InvalidInput(
            f"{name} is in colour ({share:.1%} of its pixels are not grey; a label or scale bar may be); "
            "export the image without overlays as grey of 8 or 16 bits."
        )
    return np.ascontiguousarray(pixels[:, :, 1])
