"""Clients that are slow, silent, too many, or ahead of themselves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from shared.web import receiving
from shared.web.receiving import ReceiveLimits, most_connections
from shared.web.server import new_app, serving

QUICK = ReceiveLimits(head_seconds=0.2, body_seconds=0.2, body_bytes_per_second=1000, idle_seconds=0.5)
PATIENT = ReceiveLimits(head_seconds=30, body_seconds=0.2, body_bytes_per_second=100, idle_seconds=30)
HANGS_SECONDS = 20.0


@pytest.fixture(autouse=True)
def quick_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "SWEEP_SECONDS", 0.02)


@asynccontextmanager
async def served(limits: ReceiveLimits) -> AsyncIterator[int]:
    """An application that echoes bodies, and ignores those of GET."""

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def number(request: web.Request) -> web.Response:
        return web.Response(text=request.match_info["number"])

    app = new_app()
    app.router.add_post("/", echo)
    app.router.add_get("/{number}", number)
    async with serving(app, host="127.0.0.1", port=0, grace_seconds=0.1, limits=limits) as port:
        yield port


async def conversation(port: int, *parts: bytes, pause_seconds: float = 0.0) -> bytes:
    """Say the parts with pauses, and hear until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def speak() -> None:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(pause_seconds)

    speaking = asyncio.ensure_future(speak())
    try:
        heard = b""
        async with asyncio.timeout(HANGS_SECONDS):
            with suppress(ConnectionResetError):  # spoke on when it was closed already: what was heard before counts
                while part := await reader.read(65536):
                    heard += part
        return heard
    finally:
        speaking.cancel()
        writer.transport.abort()


@pytest.mark.parametrize(
    ("parts", "pause_seconds"),
    [
        ([b"GET /1 HTTP/1.1\r\nHost: x\r\n"], 0.0),
        ([b"G"], 0.0),
        ([b"GET /1 HTTP/1.1\r\n", *[b"X-A: b\r\n"] * 500], 0.03),
    ],
)
async def test_a_head_that_does_not_come_is_408_however_slowly_it_drips(
    parts: list[bytes], pause_seconds: float
) -> None:
    async with served(QUICK) as port:
        heard = await conversation(port, *parts, pause_seconds=pause_seconds)
    assert heard.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in heard
    assert b"Server: souk\r\n" in heard


@pytest.mark.parametrize(("parts", "pause_seconds"), [([b"12"], 0.0), ([b"1"] * 500, 0.03)])
async def test_a_body_that_does_not_come_is_408(parts: list[bytes], pause_seconds: float) -> None:
    async with served(QUICK) as port:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
        heard = await conversation(port, head, *parts, pause_seconds=pause_seconds)
    assert heard.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close\r\n" in heard


async def test_a_body_that_keeps_coming_may_take_longer() -> None:
    async with served(PATIENT) as port:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2000\r\n\r\n"
        heard = await conversation(port, head, *[b"x" * 100] * 20, pause_seconds=0.03)
    assert heard.startswith(b"HTTP/1.1 200 ")
    assert heard.endswith(b"\r\n\r\n" + b"x" * 2000)


async def test_whoever_is_silent_is_hung_up_on_before_and_after_a_request() -> None:
    async with served(QUICK) as port:
        assert await conversation(port) == b""
        assert (await conversation(port, b"GET /7 HTTP/1.1\r\nHost: x\r\n\r\n")).endswith(b"\r\n\r\n7")


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with served(PATIENT) as port:
        asked = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(200))
        heard = await conversation(port, asked, b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    bodies = [answer.rpartition(b"\r\n\r\n")[2] for answer in heard.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [*(b"%d" % number for number in range(200)), b"last"]


async def test_one_connection_too_many_is_503() -> None:
    async with served(ReceiveLimits(max_connections=3)) as port:
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for reader, writer in kept:
            writer.write(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        refused = await conversation(port)
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1\r\n" in refused
        for _, writer in kept:
            writer.close()


def test_the_file_limit_is_raised_as_far_as_it_may_be() -> None:
    assert most_connections() >= 100
