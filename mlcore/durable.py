"""Files that are whole or absent, also after the power has failed; states of which one is always whole."""

import hashlib
import os
from pathlib import Path

_DIGEST_BYTES = hashlib.sha256().digest_size


def write(path: Path, data: bytes) -> None:
    """Write a file in one step: until the end its old content stands, after it the new one, on the disk.

    Args:
        path: Its folder is made when missing.
        data: The content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    half_done = path.with_name(path.name + ".half-done")
    with half_done.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    half_done.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Have a file, or a folder's list of names, on the disk and not only in memory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def save_state(path: Path, state: bytes) -> None:
    """Write a state with its hash; the state before it stays beside it.

    Args:
        path: Where the newest stands.
        state: Anything.
    """
    if path.exists():
        path.replace(_before(path))
    write(path, hashlib.sha256(state).digest() + state)


def newest_state(path: Path) -> bytes | None:
    """The newest state of save_state that is whole; None where there is none.

    What is not whole is removed, so that it never takes the place of the one before.

    Args:
        path: As given to save_state.
    """
    for candidate in (path, _before(path)):
        if not candidate.is_file():
            continue
        content = candidate.read_bytes()
        digest, state = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(state).digest() == digest:
            return state
        candidate.unlink()
    return None


def _before(path: Path) -> Path:
    return path.with_name("before." + path.name)
