"""The verb score: windows of pictures in, an event of probabilities for each window out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mlcore.api import PictureWindow, ScoreJob
from mlcore.artifact import read_card
from mlcore.events import EventLog
from mlcore.foil_classifier.engines import choose
from mlcore.foil_classifier.probability import probability
from mlcore.foil_classifier.scoring import Scored, score_files

# So many files that cannot be read are named; of the others it is said how many they are.
MOST_NAMED = 1000


def score(job: ScoreJob, events: EventLog) -> dict[str, Any]:
    """Score windows of pictures; each is reported as soon as it is done, so that nothing scored is lost.

    Args:
        job: What to score, and with what.
        events: Progress, windows, what cannot be read, cancellation.

    Returns:
        {"windows", "pictures", "unreadable", "above_threshold"} in numbers, and "engine" in words.

    Raises:
        InvalidInput: The artifact cannot be used, or nothing here can do what the job asks for.
        Cancelled: On request.
    """
    artifact = Path(job.artifact_dir)
    card = read_card(artifact)
    choice = choose(
        artifact,
        card,
        device=job.device,
        precision=job.precision,
        engine=job.engine,
        thresholds=() if job.threshold is None else (job.threshold,),
    )
    events.log(choice.why)
    files = (Path(path) for window in job.windows for _, paths in window.pictures for path in paths)
    found = score_files(files, choice.engine, events.check_cancelled)
    counted = _Counted(events, sum(len(window.pictures) for window in job.windows))
    for window in job.windows:
        scores = []
        for key, logit in _pictures(window, found, counted):
            p = float(probability(np.array(logit), card.calibration))
            counted.n_above += p >= card.threshold
            scores.append({"picture": key, "score": p})
        events.window(window.index, scores)
    counted.close()
    return {
        "windows": len(job.windows),
        "pictures": counted.n_done,
        "unreadable": counted.n_unreadable,
        "above_threshold": counted.n_above,
        "engine": f"{choice.engine.name}, {choice.engine.precision}, {choice.engine.device}",
    }


def _pictures(
    window: PictureWindow, found: Iterator[Scored], counted: "_Counted"
) -> Iterator[tuple[Any, float]]:
    """Key and highest raw logit of each picture that has a frame that can be read."""
    for key, paths in window.pictures:
        frames = [next(found) for _ in paths]
        logits = [frame.logit for frame in frames if frame.logit is not None]
        counted.picture(key, frames, is_scored=bool(logits))
        if logits:
            yield key, max(logits)


class _Counted:
    """How far the job is, and what could not be read.

    Args:
        events: Where to tell of it.
        n_pictures: In all.
    """

    def __init__(self, events: EventLog, n_pictures: int) -> None:
        self._events, self._n_pictures = events, n_pictures
        self.n_done = self.n_unreadable = self.n_above = self._n_bad_files = 0

    def picture(self, key: Any, frames: list[Scored], *, is_scored: bool) -> None:
        """Count a picture, and name its files that cannot be read."""
        self.n_done += 1
        self.n_unreadable += not is_scored
        reasons = [frame.why for frame in frames if frame.why] if frames else ["It has no file."]
        for reason in reasons:
            self._n_bad_files += 1
            if self._n_bad_files <= MOST_NAMED:
                self._events.log(reason if reason.startswith(f"{key} ") else f"Picture {key}: {reason}")
        self._events.progress(
            self.n_done / self._n_pictures, f"picture {self.n_done:,} of {self._n_pictures:,}"
        )

    def close(self) -> None:
        """Say how many files were not named."""
        if self._n_bad_files > MOST_NAMED:
            n = self._n_bad_files - MOST_NAMED
            self._events.log(f"{n:,} more files could not be read.")
