"""A fault proxy: a TCP way to one server on which a test can do what networks do.

`async with fault_proxy(url) as way:` listens on a port of its own; `way.url` is the same address through it. What is
possible, each at any moment and for every connection that stands then:

    cut()        both ends get a reset, and who comes after is refused, until join()
    refuse()     who comes after is refused; what stands goes on
    reset()      both ends get a reset; who comes after gets through
    stall(...)   bytes are taken and none forwarded, in one direction or both, until flow(); new connections too
    vanish()     half-open: both ends believe in the connection, no byte and no end ever passes it; new ones work
    delay_seconds = 0.05   each chunk waits so long
    at(pattern, toward, fault)   the fault happens when bytes that match the pattern are about to pass: they do not
"""

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

CHUNK_BYTES: Final = 65536
LONGEST_PATTERN_BYTES: Final = 256
"""So much of what has passed is kept, to find a pattern that comes in two chunks."""

CONFIRM: Final = re.compile(rb"\x01..\x00\x00\x00\x0d\x00\x3c\x00\x50", re.DOTALL)
"""AMQP `basic.ack`: toward the client a publish is confirmed, toward the server a delivery is acknowledged."""
DELIVERY: Final = re.compile(rb"\x01..[\x00-\xff]{4}\x00\x3c\x00\x3c", re.DOTALL)
"""AMQP `basic.deliver`, toward the client."""
COMMITTED: Final = re.compile(rb"C\x00\x00\x00\x0bCOMMIT\x00")
"""PostgreSQL's answer to COMMIT, toward the client: the transaction is committed."""
COMMITTING: Final = re.compile(rb"Q\x00\x00\x00\x0cCOMMIT;\x00")
"""asyncpg's COMMIT, toward the server: the transaction is not yet committed."""


class Toward(Enum):
    """The direction of bytes."""

    SERVER = "server"
    CLIENT = "client"


BOTH: Final = frozenset(Toward)
Fault = Callable[["FaultProxy"], object]


@dataclass
class Trap:
    """A fault that waits for its bytes. `sprung` is set once it happened; `spared` matches pass before."""

    pattern: re.Pattern[bytes]
    toward: Toward
    fault: Fault
    spared: int = 0
    sprung: asyncio.Event = field(default_factory=asyncio.Event)


class FaultProxy:
    """A way to `target`, a host and port. It listens between `join` and `close`, always on the same port."""

    def __init__(self, target: tuple[str, int], *, url: str = "") -> None:
        self.target = target
        self.port = 0
        self.delay_seconds = 0.0
        self.opened = 0
        """How many connections came through so far."""
        self._url = url
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self._entering: set[asyncio.Task[None]] = set()
        self.gates = {toward: asyncio.Event() for toward in Toward}
        self.traps: list[Trap] = []
        self.flow()

    @property
    def url(self) -> str:
        """The address it was made with, by this way."""
        at = urlsplit(self._url)
        who, separator, _ = at.netloc.rpartition("@")
        return at._replace(netloc=f"{who}{separator}127.0.0.1:{self.port}").geturl()

    @property
    def standing(self) -> int:
        """How many connections stand now, the vanished ones too."""
        return len(self._pairs)

    async def join(self) -> None:
        """Let connections through, at the same port as before."""
        if self._server is None:
            self._server = await asyncio.start_server(self._enter, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Refuse new connections; those that stand go on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def reset(self) -> None:
        """Break off every connection: both ends see a reset at once."""
        for pair in self._pairs:
            pair.abort()

    def cut(self) -> None:
        """Break off every connection and refuse new ones."""
        self.refuse()
        self.reset()

    def stall(self, directions: frozenset[Toward] = BOTH) -> None:
        """Forward nothing any more. What is sent is still taken, as far as the buffers of a frozen machine go."""
        for toward in directions:
            self.gates[toward].clear()

    def flow(self) -> None:
        """End a stall: what was taken meanwhile goes on."""
        for gate in self.gates.values():
            gate.set()

    def vanish(self) -> None:
        """Make every connection half-open: whatever either end sends or ends, the other never hears of it."""
        for pair in self._pairs:
            pair.has_vanished = True

    def at(self, pattern: re.Pattern[bytes], toward: Toward, fault: Fault, *, spared: int = 0) -> Trap:
        """Let the fault happen once, when the pattern would pass for the first time after `spared` times."""
        trap = Trap(pattern, toward, fault, spared)
        self.traps.append(trap)
        return trap

    async def close(self) -> None:
        """End everything and wait until it has ended."""
        self.cut()
        for task in self._entering:
            task.cancel()
        await asyncio.gather(*self._entering, return_exceptions=True)

    def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(*self.target)
        except OSError:  # the server is away: so is the way to it
            _abort(writer)
            return
        self.opened += 1
        pair = _Pair(self, writer, there_writer)
        self._pairs.add(pair)
        try:
            await asyncio.gather(
                pair.copy(reader, there_writer, Toward.SERVER), pair.copy(there_reader, writer, Toward.CLIENT)
            )
        finally:
            self._pairs.discard(pair)
            pair.abort()


class _Pair:
    """One connection: the client's end and the server's."""

    def __init__(self, way: FaultProxy, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._way = way
        self._ends = (client, server)
        self.has_vanished = False

    def abort(self) -> None:
        """Reset both ends."""
        for end in self._ends:
            _abort(end)

    async def copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, toward: Toward) -> None:
        """Forward one direction until it ends."""
        passed = b""
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                if self._way.delay_seconds:
                    await asyncio.sleep(self._way.delay_seconds)
                passed = passed[-LONGEST_PATTERN_BYTES:] + chunk
                caught = self._caught(passed, len(passed) - len(chunk), toward)
                if caught is not None:
                    trap, begins_at = caught
                    await self._forward(chunk[:begins_at], writer, toward)
                    trap.fault(self._way)
                    trap.sprung.set()
                    chunk = chunk[begins_at:]
                await self._forward(chunk, writer, toward)
            await self._way.gates[toward].wait()
        if self.has_vanished:
            await asyncio.Event().wait()
        writer.close()

    async def _forward(self, chunk: bytes, writer: asyncio.StreamWriter, toward: Toward) -> None:
        await self._way.gates[toward].wait()
        if not self.has_vanished and not writer.is_closing():
            writer.write(chunk)
            await writer.drain()

    def _caught(self, passed: bytes, known_bytes: int, toward: Toward) -> tuple[Trap, int] | None:
        """The trap whose bytes are about to pass, and where in the chunk they begin; each match counts once."""
        for trap in self._way.traps:
            if trap.toward is not toward or trap.sprung.is_set():
                continue
            for match in trap.pattern.finditer(passed):
                if match.end() <= known_bytes:
                    continue
                if trap.spared == 0:
                    return trap, max(match.start() - known_bytes, 0)
                trap.spared -= 1
        return None


def _abort(writer: asyncio.StreamWriter) -> None:
    """Close with a reset, whatever is still to be sent."""
    at: socket.socket | None = writer.get_extra_info("socket")
    if at is not None and not writer.transport.is_closing():
        with suppress(OSError):  # the other end was quicker
            at.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def fault_proxy(url: str) -> AsyncIterator[FaultProxy]:
    """A way to the server of a URL with host and port, open until the block ends."""
    at = urlsplit(url)
    assert at.hostname is not None, "a host to go to"
    assert at.port is not None, "a port to go to"
    way = FaultProxy((at.hostname, at.port), url=url)
    await way.join()
    try:
        yield way
    finally:
        await way.close()
