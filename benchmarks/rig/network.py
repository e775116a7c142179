"""A bridge with hosts on it: network namespaces with names and addresses of their own, on this one machine.

Needs root. What is made here is gone when the block ends, also when it ends in an error.
"""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from mlcore.errors import TektiteError

# 198.18.0.0/15 is set aside for trials of networks (RFC 2544) and used by nobody.
NET = "198.18"
# Becomes another host by name as well: it is how workers call themselves.
AS_HOST = 'hostname "$0" && exec "$@"'


class Network:
    """This machine as the server on a bridge, and hosts beside it.

    Args:
        hosts: Their names.

    Attributes:
        address: Of this machine on the bridge.
        subnet: Of all of them, as PostgreSQL writes it.
    """

    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts
        tag = secrets.token_hex(3)
        self._bridge = f"tek{tag}"
        self._spaces = {host: f"tek{tag}-{host}" for host in hosts}
        # Names of interfaces have at most 15 letters.
        self._links = {host: f"tek{tag}v{number}" for number, host in enumerate(hosts)}
        self._net = f"{NET}.{secrets.randbelow(256)}"
        self.address, self.subnet = f"{self._net}.1", f"{self._net}.0/24"

    def __enter__(self) -> Self:
        """Make the bridge and the hosts."""
        try:
            _ip("link", "add", self._bridge, "type", "bridge")
            _ip("address", "add", f"{self.address}/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
            for number, host in enumerate(self.hosts, start=10):
                space, link = self._spaces[host], self._links[host]
                _ip("netns", "add", space)
                _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space)
                _ip("link", "set", link, "master", self._bridge, "up")
                _ip("-n", space, "address", "add", f"{self._net}.{number}/24", "dev", "eth0")
                _ip("-n", space, "link", "set", "eth0", "up")
                _ip("-n", space, "link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def on(self, host: str, command: Sequence[str]) -> list[str]:
        """The command that runs a command on a host."""
        return [
            "ip", "netns", "exec", self._spaces[host],
            "unshare", "--uts", "sh", "-c", AS_HOST, host, *command,
        ]  # fmt: skip

    def cut(self, host: str) -> None:
        """Pull the host's plug: nothing comes through, and nobody is told."""
        _ip("link", "set", self._links[host], "down")

    def mend(self, host: str) -> None:
        """Put it in again."""
        _ip("link", "set", self._links[host], "up")

    def close(self) -> None:
        """Remove all that was made, as far as it was made."""
        for host, space in self._spaces.items():
            with suppress(TektiteError):
                for pid in _ip("netns", "pids", space).split():
                    os.kill(int(pid), signal.SIGKILL)
            for end in (("link", "delete", self._links[host]), ("netns", "delete", space)):
                with suppress(TektiteError):
                    _ip(*end)
        with suppress(TektiteError):
            _ip("link", "delete", self._bridge)


def what_is_missing() -> str:
    """Why there can be no such network here, in a sentence; empty where there can."""
    if shutil.which("ip") is None:
        return "`ip` is not installed here: bin/test installs iproute2."
    try:
        with Network("probe") as network:
            subprocess.run(network.on("probe", ["true"]), check=True, capture_output=True)
    except (TektiteError, subprocess.CalledProcessError) as error:
        return f"Hosts in network namespaces need root and CAP_NET_ADMIN, CAP_SYS_ADMIN: {error}"
    return ""


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise TektiteError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
