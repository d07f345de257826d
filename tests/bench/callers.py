"""Clients of an HTTP server, in a process of their own: `python -m tests.bench.callers PORT CONNECTIONS COUNT`.

The requests to send, in turn, come as a JSON list of texts on stdin. What came of them goes to stdout as JSON. Each
connection sends its next request when the answer to the last is whole; nothing but its length is looked at.
"""

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import cast

import uvloop

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")


@dataclass
class Tally:
    """What the answers were."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


class Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, requests: Iterator[bytes], tally: Tally, done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._tally = tally
        self._done = done
        self._heard = b""
        self._asked_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none of asyncio's classes
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Go on when the answer is whole."""
        self._heard += data
        head_ends = self._heard.find(b"\r\n\r\n")
        if head_ends < 0:
            return
        length = _LENGTH.search(self._heard, 0, head_ends)
        if len(self._heard) < head_ends + 4 + (0 if length is None else int(length[1])):
            return
        self._tally.seconds.append(time.perf_counter() - self._asked_at)
        self._tally.statuses[self._heard[9:12].decode()] += 1
        self._heard = b""
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        """The last answer was heard, or the server hung up."""
        if not self._done.done():
            self._done.set_result(None)

    def _ask(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            return
        self._asked_at = time.perf_counter()
        self._transport.write(request)


async def call(port: int, connections: int, requests: Iterator[bytes]) -> Tally:
    """Send them all, over so many connections."""
    loop, tally, ends = asyncio.get_running_loop(), Tally(), []
    for _ in range(connections):
        done = loop.create_future()
        await loop.create_connection(lambda done=done: Caller(requests, tally, done), "127.0.0.1", port)  # type: ignore[misc]
        ends.append(done)
    await asyncio.gather(*ends)
    return tally


def main(port: int, connections: int, count: int) -> None:
    """Read, call, tell."""
    requests = [text.encode("latin-1") for text in json.load(sys.stdin)]
    begun = time.perf_counter()
    tally = uvloop.run(call(port, connections, islice(cycle(requests), count)))
    told = {
        "rate": count / (time.perf_counter() - begun),
        "statuses": tally.statuses,
        "p95_ms": sorted(tally.seconds)[len(tally.seconds) * 95 // 100] * 1000,
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
