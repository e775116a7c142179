"""The logs of bin/run stay small, whoever writes them and whatever is killed."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "bin" / "lib" / "rotate_logs.py"
# Appends numbered lines as fast as it is let, as a service does; prints how many when it is told to stop.
WRITER = """
import os, signal, sys, time
goes_on = True
def stop(*_):
    global goes_on
    goes_on = False
signal.signal(signal.SIGTERM, stop)
log, n = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT), 0
while goes_on:
    os.write(log, b"line %d\\n" % n)
    n += 1
    time.sleep(0.0005)
print(n)
"""


@pytest.fixture(scope="module")
def rotation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rotate_logs", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "web.log"
    path.write_bytes(b"first\n")
    return path


def test_it_works(rotation: ModuleType, log: Path):
    """Who appends goes on in the same file; what was there is in the copy."""
    service = os.open(log, os.O_WRONLY | os.O_APPEND)
    rotation.rotate(log, 3)
    os.write(service, b"second\n")
    os.close(service)
    assert log.read_bytes() == b"second\n"
    assert log.with_name("web.log.1").read_bytes() == b"first\n"
    assert sorted(path.name for path in log.parent.iterdir()) == ["web.log", "web.log.1"]


def test_only_so_many_copies_are_kept_newest_first(rotation: ModuleType, log: Path):
    for n in range(5):
        log.write_bytes(b"%d" % n)
        rotation.rotate(log, 3)
    kept = [log.with_name(f"web.log.{n}").read_bytes() for n in (1, 2, 3)]
    assert kept == [b"4", b"3", b"2"]
    assert not log.with_name("web.log.4").exists()


def test_a_copy_is_as_secret_as_its_log(rotation: ModuleType, log: Path):
    log.chmod(0o600)
    rotation.rotate(log, 3)
    assert log.with_name("web.log.1").stat().st_mode & 0o777 == 0o600


def test_copies_are_not_copied_again(rotation: ModuleType, log: Path):
    rotation.rotate(log, 3)
    alone = log.parent / "postgres"
    alone.touch()
    assert rotation.logs_in([log.parent, alone, Path("/nowhere/x.log")]) == [log, alone]


def test_a_full_disk_costs_the_oldest_copy_and_not_the_log(
    rotation: ModuleType, log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for n in (1, 2):
        log.with_name(f"web.log.{n}").write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rotation, "_copy_on", full)
    rotation.rotate(log, 3)
    assert log.read_bytes() == b"first\n"
    assert sorted(path.name for path in log.parent.iterdir()) == ["web.log", "web.log.1"]
    assert "cannot be rotated now" in capsys.readouterr().err


class TestTheProcess:
    @pytest.fixture
    def writer(self, log: Path) -> Iterator["subprocess.Popen[str]"]:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(log)], stdout=subprocess.PIPE, text=True
        )
        yield process
        process.kill()
        process.communicate()

    def start(self, log: Path) -> "subprocess.Popen[bytes]":
        quick = "import runpy, sys; sys.argv = sys.argv[1:]; m = runpy.run_path(sys.argv[0]); "
        quick += "m['main'].__globals__['LOOK_EVERY_S'] = 0.01; m['main']()"
        command = [sys.executable, "-c", quick, str(SCRIPT), "2000", "100", str(log.parent)]
        return subprocess.Popen(command)

    def test_it_may_be_killed_again_and_again(self, log: Path, writer: "subprocess.Popen[str]"):
        for _ in range(4):
            rotating, copies = self.start(log), len(list(log.parent.iterdir()))
            wait_until(lambda seen=copies: len(list(log.parent.iterdir())) >= seen + 2)
            rotating.send_signal(signal.SIGKILL)
            rotating.wait()
        writer.send_signal(signal.SIGTERM)
        written, _ = writer.communicate(timeout=60)
        files = [path for path in log.parent.iterdir() if not path.name.endswith(".part")]
        found = {line for path in files for line in path.read_text().splitlines()}
        lost = [n for n in range(int(written)) if f"line {n}" not in found]
        # Only those of the moment between the last look and the emptying: one gap in each rotation at most.
        gaps = sum(1 for n in lost if n - 1 not in lost)
        assert gaps <= len(files)
        assert len(lost) < int(written) / 2

    def test_it_ends_when_it_is_told_to(self, log: Path):
        rotating = self.start(log)
        log.write_bytes(b"x" * 3000)
        wait_until(log.with_name("web.log.1").exists)
        rotating.send_signal(signal.SIGTERM)
        assert rotating.wait(timeout=60) == 0


def wait_until(condition: object, patience_s: float = 60.0) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
