"""How long a client may take to send a request, and how many may be connected: aiohttp itself waits for ever.

One sweep a second looks at the connections that are in the midst of a head or a body, never at those that are idle.
"""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from aiohttp.streams import StreamReader

from shared.lifecycle import background, every

SWEEP_SECONDS: Final = 1.0
RESERVED_FILES: Final = 256
"""Files that are no clients' connections: pools, links to the broker, logs, uploads."""
MOST_FILES: Final = 65_536


@dataclass(frozen=True, slots=True)
class ReceiveLimits:
    """What a client must keep to. `max_connections` of 0 is what the file limit allows."""

    head_seconds: float = 10.0
    """From the first byte of a request to the end of its headers."""
    body_seconds: float = 30.0
    """From there to the end of the body, and longer only for what keeps coming at the rate below."""
    body_bytes_per_second: int = 16 * 1024
    idle_seconds: float = 75.0
    """Between requests, and before the first."""
    max_connections: int = 0


class Connection(Protocol):
    """What the sweep does to one that is late."""

    def head_is_late(self) -> None:
        """Answer 408 and hang up."""

    def body_is_late(self, body: StreamReader) -> None:
        """Let whoever reads the body know."""


@dataclass(slots=True)
class _Body:
    stream: StreamReader
    begun: float


class Receiving:
    """Which connections are in the midst of a request, since when. Heads and bodies are in the order they began."""

    def __init__(self, limits: ReceiveLimits) -> None:
        self.limits = limits
        self.max_connections = limits.max_connections or most_connections()
        self._heads: dict[Connection, float] = {}
        self._bodies: dict[Connection, _Body] = {}

    def has_part_of_head(self, connection: Connection) -> None:
        """Bytes came, and no head is complete. Only the first of them counts."""
        if connection not in self._heads:
            self._heads[connection] = _now()

    def has_head(self, connection: Connection, body: StreamReader) -> None:
        """A head is complete, its body perhaps not; called with every part of that."""
        self._heads.pop(connection, None)
        known = self._bodies.get(connection)
        if body.is_eof():
            if known is not None:
                del self._bodies[connection]
        elif known is None or known.stream is not body:
            self._bodies.pop(connection, None)
            self._bodies[connection] = _Body(body, _now())

    def is_gone(self, connection: Connection) -> None:
        """Nothing more will come."""
        self._heads.pop(connection, None)
        self._bodies.pop(connection, None)

    async def sweep_once(self) -> None:
        """Tell those that are late."""
        now, limits = _now(), self.limits
        for connection, begun in list(self._heads.items()):
            if now - begun < limits.head_seconds:
                break
            del self._heads[connection]
            connection.head_is_late()
        for connection, body in list(self._bodies.items()):
            if now - body.begun < limits.body_seconds:
                break
            if now - body.begun >= limits.body_seconds + body.stream.total_bytes / limits.body_bytes_per_second:
                del self._bodies[connection]
                connection.body_is_late(body.stream)


@asynccontextmanager
async def receiving(limits: ReceiveLimits) -> AsyncIterator[Receiving]:
    """The connections of one server, swept while the block runs."""
    kept = Receiving(limits)
    async with background(every(SWEEP_SECONDS, kept.sweep_once), name="late requests"):
        yield kept


def most_connections() -> int:
    """How many clients the file limit leaves room for, once this process has raised it as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return max(1, (wanted if soft == resource.RLIM_INFINITY else soft) - RESERVED_FILES)


def _now() -> float:
    return asyncio.get_running_loop().time()
