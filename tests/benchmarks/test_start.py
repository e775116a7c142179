"""What the benchmark of starting counts."""

from pathlib import Path

import pytest

from benchmarks import loop_start


def test_a_file_with_two_names_takes_its_room_once(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/first").write_bytes(bytes(range(256)) * 4096)
    once = loop_start._megabytes(tmp_path)
    (tmp_path / "second").hardlink_to(tmp_path / "folder/first")
    assert once == pytest.approx(1.05, abs=0.01)
    assert loop_start._megabytes(tmp_path) == once
    assert loop_start._megabytes(tmp_path / "nothing") == 0
