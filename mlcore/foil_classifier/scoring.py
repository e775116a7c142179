"""Pictures through a network: files in, calibrated probabilities out, in the order of the files.

Each lane is a thread that reads and decodes a few files and asks the engine; while one waits for
the engine the other decodes. Of a hundred thousand files no more than a few dozen are open to the lanes at a
time. A file that cannot be read costs nothing but its own score.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from mlcore.errors import InvalidInput
from mlcore.foil_classifier.engines.engine import Engine
from mlcore.formats.pictures import Grey, read_pictures

# A larger picture's maps would take gigabytes in each lane.
MOST_PIXELS = 64_000_000
# Of one lane at a time: its pictures wait together for the engine.
MOST_WAITING_PIXELS = 16_000_000
FILES_AT_A_TIME = 16
# Each lane has one piece of work at hand and one to follow.
PIECES_PER_LANE = 2

# Size and depth.
_Kind = tuple[tuple[int, ...], str]


@dataclass(frozen=True)
class Scored:
    """What a file gave.

    Attributes:
        path: As given.
        logit: Raw; of a stack's pages the highest. None where the file cannot be read.
        why: Then, a sentence; otherwise empty.
    """

    path: Path
    logit: float | None
    why: str = ""


def read_grey(path: Path) -> Iterator[Grey]:
    """The pictures of a file as the network may see them: one, or the pages of a stack.

    Raises:
        InvalidInput: See mlcore.formats.pictures; also where there is no such file.
    """
    try:
        for picture in read_pictures(path, most_pixels=MOST_PIXELS):
            yield picture.pixels
    except InvalidInput:
        if path.is_file():
            raise
        raise InvalidInput(f"{path.name} is not there any more.") from None
    except MemoryError:
        raise InvalidInput(f"{path.name} does not fit into this machine's memory; cut it up.") from None


def score_files(
    paths: Iterable[Path], engine: Engine, check: Callable[[], None] = lambda: None
) -> Iterator[Scored]:
    """Score files.

    Args:
        paths: May be endless; read as scores are taken.
        engine: Asked by as many threads as it has lanes.
        check: Called now and then; what it raises ends the scoring.

    Yields:
        One for each path, in their order.
    """
    waiting: deque[Future[list[Scored]]] = deque()
    left, size = iter(paths), max(FILES_AT_A_TIME, engine.batch)
    with ThreadPoolExecutor(engine.lanes, thread_name_prefix="lane") as lanes:
        try:
            while True:
                while len(waiting) < PIECES_PER_LANE * engine.lanes and (piece := list(islice(left, size))):
                    waiting.append(lanes.submit(_score, piece, engine))
                if not waiting:
                    return
                check()
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _score(paths: Sequence[Path], engine: Engine) -> list[Scored]:
    """One lane's piece of work."""
    best: dict[int, float] = {}
    why: dict[int, str] = {}
    waiting = _Waiting(engine)
    for number, path in enumerate(paths):
        try:
            for grey in read_grey(path):
                for owner, logit in waiting.add(number, grey):
                    best[owner] = max(logit, best.get(owner, -np.inf))
        except InvalidInput as error:
            why[number] = error.message
    for owner, logit in waiting.rest():
        best[owner] = max(logit, best.get(owner, -np.inf))
    return [
        Scored(path, None if number in why else best[number], why.get(number, ""))
        for number, path in enumerate(paths)
    ]


class _Waiting:
    """Pictures that wait until enough of one size and depth are together for the engine.

    Args:
        engine: To be asked.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._alike: dict[_Kind, list[tuple[int, Grey]]] = {}
        self._pixels = 0

    def add(self, owner: int, picture: Grey) -> Iterator[tuple[int, float]]:
        """Let one more wait; owners and logits of those that need not wait longer."""
        kind = (picture.shape, picture.dtype.name)
        group = self._alike.setdefault(kind, [])
        group.append((owner, picture))
        self._pixels += picture.size
        if len(group) >= self._engine.batch:
            yield from self._asked(kind)
        elif self._pixels >= MOST_WAITING_PIXELS:
            yield from self.rest()

    def rest(self) -> Iterator[tuple[int, float]]:
        """Owners and logits of all that wait."""
        for kind in list(self._alike):
            yield from self._asked(kind)

    def _asked(self, kind: _Kind) -> Iterator[tuple[int, float]]:
        group = self._alike.pop(kind)
        self._pixels -= sum(picture.size for _, picture in group)
        logits = self._engine.logits([picture for _, picture in group])
        yield from ((owner, float(logit)) for (owner, _), logit in zip(group, logits, strict=True))
