"""A bounded load over HTTP/1.1: a few clients on loopback, kept connected where the server allows."""

import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mlcore.errors import TektiteError


@dataclass(frozen=True)
class Load:
    """What one round of requests took.

    Attributes:
        latencies_ms: Of every request, connecting included.
        wall_s: From the first request to the last answer.
    """

    latencies_ms: list[float]
    wall_s: float


class Client:
    """One keep-alive connection; raw sockets, so that the client takes as little as it can from the cores."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket: socket.socket | None = None

    def get(self, path: str) -> tuple[str, bytes]:
        """Content type and content of a page that answers 200."""
        head, content = self._ask(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        status, *lines = head.decode("latin-1").split("\r\n")
        if " 200 " not in f"{status} ":
            raise TektiteError(f"'{path}' answered '{status}': {content[:300]!r}")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        if headers.get("connection") == "close":
            self.close()
        return headers["content-type"], content

    def _ask(self, request: bytes) -> tuple[bytes, bytes]:
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, content = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(content) < length:
            content += self._receive()
        return head, content

    def _receive(self) -> bytes:
        part = self.socket.recv(262_144) if self.socket else b""
        if not part:
            raise TektiteError(f"The server on port {self.port} closed the connection before its answer.")
        return part

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
        self.socket = None


def run(port: int, paths: Sequence[str], clients: int) -> Load:
    """Ask for all paths, shared among so many clients, as fast as they are answered."""

    def work(share: Sequence[str]) -> list[float]:
        client, found = Client(port), []
        for path in share:
            before = time.perf_counter()
            client.get(path)
            found.append((time.perf_counter() - before) * 1000)
        client.close()
        return found

    with ThreadPoolExecutor(clients) as pool:
        before = time.perf_counter()
        shares = list(pool.map(work, [paths[start::clients] for start in range(clients)]))
        wall_s = time.perf_counter() - before
    return Load([latency for share in shares for latency in share], wall_s)
