import os
from pathlib import Path

import pytest

from mlcore import durable


def test_it_works_the_newest_state_is_read(tmp_path: Path):
    path = tmp_path / "states" / "state"
    assert durable.newest_state(path) is None
    for state in (b"one", b"two", b"three"):
        durable.save_state(path, state)
        assert durable.newest_state(path) == state


def test_a_torn_state_is_passed_over_for_the_one_before_and_never_takes_its_place(tmp_path: Path):
    path = tmp_path / "state"
    durable.save_state(path, b"one")
    durable.save_state(path, b"two")
    path.write_bytes(path.read_bytes()[:-1])
    assert durable.newest_state(path) == b"one"
    durable.save_state(path, b"three")
    path.write_bytes(b"")
    assert durable.newest_state(path) == b"one"


@pytest.mark.parametrize("killed_at", range(3))
def test_whoever_is_killed_while_saving_leaves_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
):
    path = tmp_path / "state"
    durable.save_state(path, b"one")
    durable.save_state(path, b"two")
    acts = 0

    def dies(*_: object) -> None:
        nonlocal acts
        acts += 1
        if acts > killed_at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        for name in ("fsync", "open"):
            real = getattr(os, name)
            patched.setattr(os, name, lambda *given, real=real: (dies(), real(*given))[1])
        with pytest.raises(KeyboardInterrupt):
            durable.save_state(path, b"three")
    assert durable.newest_state(path) in (b"two", b"three")


def test_a_file_is_replaced_whole(tmp_path: Path):
    durable.write(tmp_path / "new" / "file", b"content")
    assert (tmp_path / "new" / "file").read_bytes() == b"content"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]
