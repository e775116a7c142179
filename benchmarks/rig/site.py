"""A site: the servers, the services that bin/run starts, and a supervisor that brings back what has died."""

import secrets
import shutil
import socket
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from benchmarks.rig.components import Component, Service
from benchmarks.rig.network import Network
from benchmarks.rig.servers import Postgres, Redis
from benchmarks.rig.shell import manage, service_commands, surroundings
from benchmarks.rig.waiting import until
from mlcore.errors import TektiteError

# As systemd's Restart=always with RestartSec=1 would.
RESTART_AFTER_S = 1.0
WATCH_EVERY_S = 0.1
LEARNING = "learning"


class Site:
    """A running Tektite with a folder of its own under /tmp; a context manager that leaves nothing behind.

    Args:
        services: Those of bin/lib/services.sh to be started; all where None.
        environment: Added to the services'.
        database_url: Of a database that is migrated already; a durable cluster of its own where None.
        network: Where PostgreSQL and Redis listen too, with passwords; on sockets alone where None.

    Attributes:
        folder: Holds logs, media, databases; the user postgres can enter it.
        environment: What manage.py and the services are started with.
        components: By name, postgres and redis among them.
        url: Of the web server.
        troubles: What the supervisor could not start at once, in words.
    """

    def __init__(
        self,
        *,
        services: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        database_url: str | None = None,
        network: Network | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tektite-rig-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.logs = self.folder / "log"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.environment = surroundings(
            TEKTITE_VAR=str(self.folder),
            TEKTITE_SOCKETS=str(self.folder / "sockets"),
            MEDIA_ROOT=str(self.folder / "media"),
            SECRET_KEY=secrets.token_urlsafe(48),
            HOST="127.0.0.1",
            PORT=str(port),
            WEB_CONCURRENCY="2",
            INSECURE_HTTP="1",
            OMP_NUM_THREADS="1",
            OMP_WAIT_POLICY="PASSIVE",
        )
        self._network, self._password = network, secrets.token_hex(16)
        if network is not None:
            self.environment |= self._listening(network)
        self.environment |= environment or {}
        self.postgres = Postgres("postgres", self.environment, self.logs / "postgres.log")
        self.redis = Redis("redis", self.environment, self.logs / "redis.log")
        self.components: dict[str, Component] = {"redis": self.redis}
        if database_url is None:
            self.components = {"postgres": self.postgres, **self.components}
        else:
            self.environment["DATABASE_URL"] = database_url
        self.troubles: list[str] = []
        self._services = services
        self._held: set[str] = set()
        self._ends = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        """Start everything and wait until it works."""
        try:
            for name in ("log", "media", "static"):
                (self.folder / name).mkdir()
            self._start_servers()
            for name, command in service_commands(self.environment).items():
                if self._services is None or name in self._services:
                    self.add(name, command)
            self._wait_for_the_first_time()
            self._supervisor.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all of it and remove its folder."""
        self._ends.set()
        if self._supervisor.is_alive():
            self._supervisor.join()
        for component in reversed(self.components.values()):
            component.stop()
        with suppress(AttributeError):
            shutil.rmtree(self.postgres.home, ignore_errors=True)
        shutil.rmtree(self.folder)

    def add(self, name: str, command: Sequence[str]) -> Service:
        """Start a service and have it supervised; one that is neither web nor beat is a worker."""
        log = self.logs / f"{name}.log"
        service = Service(name, command, self.environment, log, self._readiness(name))
        service.start()
        self.components[name] = service
        return service

    def remove(self, name: str) -> None:
        """End a component for good."""
        self.components.pop(name).kill()

    def kill(self, name: str) -> None:
        """`kill -9` a component, or "learning": the learning processes of all workers, once there is one."""
        if name == LEARNING:
            for process in until("there is a learning process to kill", self.learning, pause_s=0.02):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        else:
            self.components[name].kill()

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """What dies of this name meanwhile stays dead."""
        self._held.add(name)
        try:
            yield
        finally:
            self._held.discard(name)

    def learning(self) -> list[psutil.Process]:
        """The learning subprocesses of all workers."""
        services = [c for c in list(self.components.values()) if isinstance(c, Service)]
        return [process for service in services for process in service.learning()]

    def wait_until_up(self, *names: str) -> None:
        """Until these run and do their work."""
        for name in names:
            component = self.components[name]
            until(f"{name} is up", component.is_ready, explain=self.last_words)

    def _wait_for_the_first_time(self) -> None:
        """As wait_until_up, but what dies now would die again."""

        def has_begun(component: Component) -> bool:
            if not component.is_alive():
                raise TektiteError(f"{component.name} ended as it began.\n{component.last_words()}")
            return component.is_ready()

        for name, component in self.components.items():
            until(f"{name} is up", lambda c=component: has_begun(c), explain=self.last_words)

    def last_words(self, *names: str) -> str:
        """The ends of the logs, for complaints."""
        chosen = [self.components[name] for name in names or self.components]
        return "\n".join([*self.troubles, *(component.last_words() for component in chosen)])

    def leftovers(self) -> list[str]:
        """Processes that still know the site's folder."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                about = [*process.cmdline(), *process.environ().values(), process.cwd()]
                if any(str(self.folder) in word for word in about):
                    found.append(f"{process.pid}: {' '.join(process.cmdline())}")
        return found

    def _start_servers(self) -> None:
        """PostgreSQL first: the folder of sockets has to be its user's."""
        is_own = "postgres" in self.components
        if is_own:
            self.postgres.start()
            self.environment.setdefault("DATABASE_URL", self.postgres.url)
            if self._network is not None:
                self.postgres.admit(self._network.subnet, self._password)
        self.redis.start()
        self.environment.setdefault("REDIS_URL", self.redis.cache_url)
        self.environment.setdefault("CELERY_BROKER_URL", self.redis.broker_url)
        if is_own:
            manage("migrate", "--noinput", "--verbosity", "0", environment=self.environment)

    def _listening(self, network: Network) -> dict[str, str]:
        """What makes the servers listen on the network, and the addresses under which they do."""
        postgres, redis = (free_port(network.address) for _ in range(2))
        at = f"redis://:{self._password}@{network.address}:{redis}"
        return {
            "PGPORT": str(postgres),
            "RIG_POSTGRES": f"-c listen_addresses={network.address}",
            "RIG_REDIS": f"--bind {network.address} --port {redis} --requirepass {self._password}",
            "REDISCLI_AUTH": self._password,
            "DATABASE_URL": f"postgis://app:{self._password}@{network.address}:{postgres}/tektite",
            "REDIS_URL": f"{at}/1",
            "CELERY_BROKER_URL": f"{at}/2",
        }

    def _readiness(self, name: str) -> Callable[[str], bool]:
        if name == "web":
            return lambda written: _answers(f"{self.url}/healthz/web")
        sign = "beat: Starting" if name == "beat" else " ready."
        return lambda written: sign in written

    def _supervise(self) -> None:
        died_at: dict[str, float] = {}
        while not self._ends.wait(WATCH_EVERY_S):
            now = time.monotonic()
            for name, component in list(self.components.items()):
                if component.is_alive() or name in self._held:
                    died_at.pop(name, None)
                elif now - died_at.setdefault(name, now) >= RESTART_AFTER_S:
                    del died_at[name]
                    try:
                        component.start()
                    except TektiteError as error:
                        self.troubles.append(f"{name}: {error.message}")


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=10) as answer:
        return answer.status == 200
    return False


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]
