"""PostgreSQL and Redis, started, and after a kill started again, by the functions that bin/run uses."""

import shutil
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.rig.components import Component
from benchmarks.rig.shell import bash
from benchmarks.rig.waiting import until


class Server(Component):
    """One of the two: a daemon, which no signal to our process group reaches.

    Args:
        environment: TEKTITE_VAR, TEKTITE_SOCKETS, and what else bin/lib/servers.sh heeds.
    """

    start_script: str
    stop_script: str

    def __init__(self, name: str, environment: Mapping[str, str], log: Path) -> None:
        super().__init__(name, log)
        self.environment = dict(environment)
        self._main: psutil.Process | None = None

    def start(self) -> None:
        """Start it where it does not run."""
        _, *facts = bash(self.start_script, self.environment).split("\0")
        self._main = psutil.Process(self.read(facts))
        self.starts += 1

    @abstractmethod
    def read(self, facts: list[str]) -> int:
        """Take in what the start says of itself; its process id."""

    def is_alive(self) -> bool:
        """Whether its main process runs."""
        return self._main is not None and _is_alive(self._main)

    def is_ready(self) -> bool:
        """A start returns only once it answers."""
        return self.is_alive()

    def kill(self) -> None:
        """The main process, and with it its children, which have process groups of their own."""
        doomed: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            if self._main is not None:
                doomed = [self._main, *self._main.children(recursive=True)]
        for process in doomed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        until(f"{self.name} is dead", lambda: not any(map(_is_alive, doomed)))

    def stop(self) -> None:
        """End it as bin/run does."""
        if self.is_alive():
            bash(self.stop_script, self.environment)


class Postgres(Server):
    """A durable cluster of its own: with fsync, because it is killed.

    Attributes:
        home: Holds the cluster; elsewhere than the site's folder where the user postgres cannot enter that.
        url: Of its database, over its socket.
    """

    start_script = (
        'POSTGRES_OPTIONS=${RIG_POSTGRES:-}; start_postgres; printf "\\0%s" "$PG_HOME" "$DATABASE_URL"'
    )
    stop_script = "locate_cluster; stop_postgres"
    home: Path
    url: str

    def read(self, facts: list[str]) -> int:
        """The first line of its pid file."""
        self.home, self.url = Path(facts[0]), facts[1]
        self.log = self.home / "log"
        return int((self.home / "data" / "postmaster.pid").read_text().split()[0])

    def admit(self, subnet: str, password: str) -> None:
        """Let those of a subnet in who know the password."""
        with (self.home / "data" / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all app {subnet} scram-sha-256\n")
        change = f"ALTER USER app PASSWORD '{password}'; SELECT pg_reload_conf()"
        bash(f'locate_cluster; "$PG_BIN/psql" -qh "$SOCKETS" -U app tektite -c "{change}"', self.environment)


class Redis(Server):
    """Append-only, as bin/run has it.

    Attributes:
        folder: Its data.
        cache_url: For REDIS_URL.
        broker_url: For CELERY_BROKER_URL.
    """

    start_script = (
        "start_redis --appendonly yes ${RIG_REDIS:-}; "
        'printf "\\0%s" "$VAR/redis" "$REDIS_URL" "$CELERY_BROKER_URL"'
    )
    stop_script = "stop_redis"
    folder: Path
    cache_url: str
    broker_url: str

    def read(self, facts: list[str]) -> int:
        """What its pid file says, once it says it."""
        self.folder, self.cache_url, self.broker_url = Path(facts[0]), facts[1], facts[2]
        file = self.folder / "pid"
        return int(until("Redis has written its pid file", file.read_text, despite=(FileNotFoundError,)))

    def forget(self) -> None:
        """Remove its data, as a lost disk would; only while it is dead."""
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        # Nobody may wait for an orphan where pid 1 is no init.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
