"""What ten thousand clients that stay cost one gateway, and how soon another is answered beside them."""

import asyncio
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles

from shared.web.receiving import most_connections
from tests.bench.figures import Figure
from tests.bench.gateway import LIST
from tests.bench.shop import Server, get, open_shop
from tests.bench.stage import PATIENCE_SECONDS, Stage

WANTED = 10_000
PROCESSES = 2
NEW_REQUESTS = 500
_KIB = 1024
_PAGE = resource.getpagesize()


async def measure(stage: Stage) -> list[Figure]:
    """Keep-alive connections that had an answer, then listeners of the public feed; a gateway of its own for each."""
    count = min(WANTED, most_connections() - 200)
    figures: list[Figure] = []
    for name, path in (("idle keep-alive connections", LIST), ("listeners of the public feed", "/api/stream")):
        async with open_shop(stage) as shop:
            await shop.fill(1, 48)
            await shop.is_live(LIST)
            await _new_requests(shop.gateway, NEW_REQUESTS)
            before = _resident_bytes(shop.gateway)
            async with _staying(shop.gateway, count, path):
                each = (_resident_bytes(shop.gateway) - before) / count / _KIB
                p99 = quantiles(await _new_requests(shop.gateway, NEW_REQUESTS), n=100)[98] * 1000
        figures += [
            Figure(f"{count:,} {name}: memory each", f"{each:.1f} KiB", "-", each, 25, "KiB", is_most=True),
            Figure(f"{count:,} {name}: a new request, p99", f"{p99:.1f} ms", "-", p99, 50, "ms", is_most=True),
        ]
    return figures


async def _new_requests(server: Server, count: int) -> list[float]:
    """Seconds from connecting to the end of a cached list, one after the other."""
    seconds = []
    request = get(LIST, "Connection: close").encode()
    for _ in range(count):
        begun = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request)
        heard = await reader.read()
        seconds.append(time.perf_counter() - begun)
        writer.close()
        assert heard.startswith(b"HTTP/1.1 200"), heard[:200]
    return seconds


@asynccontextmanager
async def _staying(server: Server, count: int, path: str) -> AsyncIterator[None]:
    """So many clients in processes of their own."""
    share = count // PROCESSES
    clients = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.idlers", str(server.port), str(share), path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            for client in clients:
                assert client.stdout is not None
                assert await client.stdout.readline() == b"ready\n"
        yield
    finally:
        for client in clients:
            if client.returncode is None:
                client.kill()
            await client.wait()


def _resident_bytes(server: Server) -> int:
    return int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * _PAGE
