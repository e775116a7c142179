"""What a site is made of, each of which can be started, looked at and killed."""

import os
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.rig.shell import ROOT

LAST_LINES = 12


class Component(ABC):
    """One server or service.

    Attributes:
        name: "postgres", "redis", or as bin/lib/services.sh calls it.
        log: Where it writes.
        starts: How often it has been started.
    """

    def __init__(self, name: str, log: Path) -> None:
        self.name, self.log, self.starts = name, log, 0

    @abstractmethod
    def start(self) -> None:
        """Start it, or raise TektiteError."""

    @abstractmethod
    def is_alive(self) -> bool:
        """Whether its main process runs."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it runs and does its work."""

    @abstractmethod
    def kill(self) -> None:
        """`kill -9` of all its processes at once, and wait until they are gone."""

    @abstractmethod
    def stop(self) -> None:
        """End it for good."""

    def last_words(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"--- {self.name}:", *lines[-LAST_LINES:]])


class Service(Component):
    """The web server, beat or a worker: a child of this process, in a process group of its own.

    Args:
        name: As bin/lib/services.sh calls it.
        command: Program and arguments.
        environment: All of it.
        log: Appended to.
        is_ready: Whether it does its work, given what it has written since it was started.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        is_ready: Callable[[str], bool],
    ) -> None:
        super().__init__(name, log)
        self.command, self.environment, self._is_ready = list(command), dict(environment), is_ready
        self.process: subprocess.Popen[bytes] | None = None
        self._written_before = 0

    def start(self) -> None:
        """Start it; what it had written stays."""
        self._written_before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                # Whoever runs the site may be killed too, and nothing of it shall stay behind.
                ["setpriv", "--pdeathsig", "KILL", *self.command],
                env=self.environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.starts += 1

    def is_alive(self) -> bool:
        """Whether its main process runs."""
        return self.process is not None and self.process.poll() is None

    def is_ready(self) -> bool:
        """Whether it runs and does its work."""
        if not self.is_alive():
            return False
        with self.log.open("rb") as log:
            log.seek(self._written_before)
            return self._is_ready(log.read().decode(errors="replace"))

    def kill(self) -> None:
        """The whole process group; a learning subprocess has one of its own and dies with its parent."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self) -> None:
        """It holds nothing that could be lost, so it need not be asked."""
        self.kill()

    def learning(self) -> list[psutil.Process]:
        """The learning subprocesses that it has started."""
        if not self.is_alive():
            return []
        with suppress(psutil.NoSuchProcess):
            below = psutil.Process(self.process.pid).children(recursive=True)
            return [process for process in below if _is_learning(process)]
        return []


def _is_learning(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        command = process.cmdline()
        return "mlcore" in command and "run" in command
    return False
