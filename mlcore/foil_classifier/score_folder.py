"""A folder of pictures as a job, and its scores as a table."""

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mlcore import durable
from mlcore.api import PictureWindow, ScoreJob
from mlcore.errors import InvalidInput

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")
WINDOW_PICTURES = 1000


def job_of(images: Path, out_dir: str, **asked: Any) -> ScoreJob:
    """A job that scores every picture below a folder.

    Args:
        images: The folder; a picture's key is its path below it.
        out_dir: For the job's events.
        asked: The other attributes of ScoreJob.

    Raises:
        InvalidInput: There is no such folder, or no picture in it.
    """
    if not images.is_dir():
        raise InvalidInput(f"There is no folder {images}; name the one that holds the pictures.")
    paths = sorted(path for path in images.rglob("*") if _is_picture(path))
    if not paths:
        raise InvalidInput(
            f"There is no picture in {images} ({', '.join(SUFFIXES)}); name the folder that holds them."
        )
    pictures: list[list[Any]] = [[path.relative_to(images).as_posix(), [str(path)]] for path in paths]
    starts = range(0, len(pictures), WINDOW_PICTURES)
    windows = [
        PictureWindow(index, pictures[start : start + WINDOW_PICTURES]) for index, start in enumerate(starts)
    ]
    return ScoreJob(windows=windows, out_dir=out_dir, **asked)


def _is_picture(path: Path) -> bool:
    """What a Macintosh or an editor leaves beside a picture begins with a dot."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def check_table(table: Path) -> None:
    """Refuse a table that could not be written in the end."""
    folder = table.absolute().parent
    if table.is_dir() or not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise InvalidInput(f"{table} cannot be written; name a file in a folder that is there and is yours.")


def write_table(events: Iterable[dict[str, Any]], table: Path) -> None:
    """Write the scores of a job's events, whole or not at all.

    Args:
        events: Of a job that is done.
        table: Gets the columns name and score, which mlcore.formats.foil_scores reads.

    Raises:
        InvalidInput: The disk is full, or the folder is gone.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["name", "score"])
    for event in events:
        if event["kind"] == "window":
            rows.writerows([one["picture"], f"{one['score']:.9g}"] for one in event["detections"])
    try:
        durable.write(table, text.getvalue().encode())
    except OSError as error:
        raise InvalidInput(f"{table} cannot be written ({error.strerror or error}); score again.") from None
