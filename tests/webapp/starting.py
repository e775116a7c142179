"""Starting what is in bin/ in surroundings of its own, and seeing what it leaves behind."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What bin/test has set for this process must not reach the commands that are tried here.
OURS = {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "SECRET_KEY", "DEBUG", "TEKTITE_VAR", "MEDIA_ROOT"}


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder short enough for sockets and open enough for other users."""
    folder = Path(tempfile.mkdtemp(prefix="tektite-test-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def stub(folder: Path, name: str, script: str) -> None:
    """Put a command there that hides the real one, once the folder is first in PATH."""
    (folder / name).write_text(f"#!/bin/bash\n{script}\n")
    (folder / name).chmod(0o755)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def surroundings(var: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    return {**kept, "TEKTITE_VAR": str(var / "var"), "DEMO": "0", "WEB_CONCURRENCY": "1", **more}


def run(
    *command: str | Path, var: Path, user: str | None = None, timeout_s: float = 240, **environment: str
) -> tuple[int, str]:
    """(exit status, all that was said) of a command that is expected to end by itself."""
    become = ["setpriv", "--reuid", user, "--clear-groups"] if user else []
    process = subprocess.run(
        [*become, *command],
        env=surroundings(var, **environment),
        cwd="/",
        text=True,
        timeout=timeout_s,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return process.returncode, process.stdout


def shell(script: str, var: Path, **environment: str) -> tuple[int, str]:
    """Run a line with the functions of bin/lib."""
    parts = "".join(f". {ROOT}/bin/lib/{part}.sh; " for part in ("common", "install", "servers"))
    return run("bash", "-c", parts + script, var=var, **environment)


def processes_of(var: Path) -> list[str]:
    """“<pid>: <command>” of every process started for this folder; servers may hide their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            about = f"{command} {(process / 'environ').read_bytes()!r} {(process / 'cwd').readlink()}"
        except OSError:
            continue
        if str(var) in about:
            found.append(f"{process.name}: {command}")
    return found


class Started:
    """A bin/run that is up."""

    def __init__(self, var: Path, port: int, **environment: str) -> None:
        self.process = subprocess.Popen(
            # A shell's background commands ignore INT, and no shell that they start can take it again.
            ["env", "--default-signal=INT", ROOT / "bin/run"],
            env=surroundings(var, PORT=str(port), **environment),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if "running at" in line:
                break
        if "running at" not in self.said:
            self.end()
            pytest.fail(self.said)

    def end(self) -> int:
        """Its exit status, once it has ended."""
        self.said += self.process.communicate(timeout=120)[0]
        return self.process.returncode

    def stop(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.end()


def wait_until_all_is_well(address: str) -> None:
    """Workers and beat say that they live once they have started."""
    deadline, said = time.monotonic() + 300, ""
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address).close()
            return
        except urllib.error.HTTPError as answer:
            said = answer.read().decode()
            time.sleep(0.5)
    raise AssertionError(said)
